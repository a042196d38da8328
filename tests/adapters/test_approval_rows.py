"""Approvals as rows."""

import json
from dataclasses import replace

from gateway.adapters.approval_rows import governance_from, governance_rows, request_row
from tests.adapters.store_records import GOVERNANCE


def test_everything_comes_back_from_its_rows():
    """By way of JSON, with the sign-offs at their requests."""
    assert GOVERNANCE == governance_from(json.loads(json.dumps(governance_rows(GOVERNANCE))))


def test_what_people_write_is_made_storable():
    """A character that no database takes does not keep a request from being recorded."""
    request = replace(GOVERNANCE.requests[0], reason="a\0b\ud800", ended_by="eve")
    row = request_row(request)
    row["reason"].encode()
    assert "\0" not in row["reason"]
    assert "eve" == row["ended_by"]
