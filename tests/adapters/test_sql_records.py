"""Records as rows of the ledger's table."""

import uuid
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_records import SqlRecords, forget
from gateway.adapters.sql_schema import requests
from gateway.core.errors import StoreFault
from gateway.core.record import Record, Tried
from tests.adapters.ledger_records import FULL, record

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
COUNT = st.integers(0, 2**53)
TRIED = st.builds(Tried, TEXT, TEXT, TEXT, st.integers(0, 599), st.booleans())


@pytest.fixture
def records(database):
    """An empty ledger's rows."""
    return SqlRecords(database)


def find(records, request_id):
    """The record of a request."""
    return records.requests([request_id])[0]


@pytest.mark.untraced
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    written=st.builds(
        Record,
        request_id=TEXT,
        at=st.floats(0, 4e9),
        unit_digest=st.none() | TEXT,
        bucket=st.none() | st.integers(0, 999_999),
        seconds=st.floats(0, 1e6),
        first_token_seconds=st.none() | st.floats(0, 1e6),
        overhead_seconds=st.floats(0, 1e6),
        cost_nano_usd=st.none() | st.integers(0, 2**62),
        input_tokens=st.none() | COUNT,
        output_tokens=st.none() | COUNT,
        cached_input_tokens=st.none() | COUNT,
        served_model=st.none() | TEXT,
        fingerprint=st.none() | TEXT,
        response_id=st.none() | TEXT,
        **dict.fromkeys(["status", "sdk_retries", "epoch"], st.integers(0, 2**31 - 1)),
        attempts=st.lists(st.builds(Tried, TEXT, TEXT, TEXT, st.integers(0, 599), st.booleans()), max_size=3).map(
            tuple
        ),
        shadow_of=st.none() | TEXT,
        schema_valid=st.none() | st.booleans(),
        split=st.none() | TEXT,
        input_digest=TEXT,
        upstream_request_id=st.none() | TEXT,
        partial=st.booleans(),
        stream=st.booleans(),
        **dict.fromkeys(["app", "route", "release", "track", "why", "outcome", "cost_status", "endpoint"], TEXT),
    )
)
def test_a_record_comes_back_as_it_was(records, written):
    """Every field, with None where nothing is known, is read as it was written."""
    anew = replace(written, request_id=f"{written.request_id}{uuid.uuid4()}")
    records.write([anew])
    assert anew == find(records, anew.request_id)


def test_an_unknown_request_has_no_record(records):
    """Nothing is found where nothing was written."""
    assert None is find(records, "req-0")


def test_the_first_record_of_a_request_stands(records):
    """A second with the same id is passed over, without harm to the others of its batch."""
    records.write([FULL])
    records.write([replace(FULL, status=500), record(2)])
    assert FULL == find(records, FULL.request_id)
    assert record(2) == find(records, "req-2")


@pytest.mark.parametrize("name", ["served_model", "fingerprint", "response_id", "upstream_request_id"])
def test_text_from_a_provider_that_is_no_text_is_kept_as_far_as_it_goes(records, name):
    """A lone surrogate or a NUL, which JSON can carry, becomes a question mark; other text stays."""
    records.write([replace(FULL, **{name: "gpt-\ud800-\0-é"})])
    assert "gpt-?-?-é" == getattr(find(records, FULL.request_id), name)


def test_a_number_too_large_is_a_fault(records, ledger_place):
    """What the database cannot hold is reported, and nothing of the batch is written."""
    with pytest.raises(StoreFault, match=ledger_place.out_of_range):
        records.write([record(1), record(2, cost_nano_usd=2**63)])
    assert None is find(records, "req-1")


def test_responses_are_the_newest_with_the_newest_last(records):
    """Follow-ups are primed from the newest answers that clients were given; mirrored ones have no followers."""
    unanswered = record(7, response_id=None)
    mirrored = record(8, shadow_of="req-3")
    records.write([record(5), record(3), record(9, release="1.1.0"), record(4), unanswered, mirrored])
    assert (
        ("helpdesk", "support", "resp_5", "1.0.0"),
        ("helpdesk", "support", "resp_9", "1.1.0"),
    ) == records.responses(2)
    assert ["resp_3", "resp_4", "resp_5", "resp_9"] == [response for _, _, response, _ in records.responses(100)]


def test_requests_are_found_together(records):
    """In the order in which they are asked for, None in the place of an unknown one."""
    records.write([record(1), record(2)])
    assert [record(2), None, record(1), record(2)] == records.requests(["req-2", "a", "req-1", "req-2"])


def test_the_newest_request_of_a_unit_is_found(records):
    """Of one application, on one route or on any; a mirrored copy is none."""
    records.write(
        [
            record(1, unit_digest="0a"),
            record(2, unit_digest="0a", route="drafts"),
            record(3, unit_digest="0a", app="other"),
            record(4, unit_digest="0a", shadow_of="req-1"),
            record(5, unit_digest="0b"),
        ]
    )
    assert record(2, unit_digest="0a", route="drafts") == records.newest_of_unit("helpdesk", "0a", None)
    assert record(1, unit_digest="0a") == records.newest_of_unit("helpdesk", "0a", "support")
    assert None is records.newest_of_unit("helpdesk", "0c", None)


def test_forgetting_takes_the_oldest_first_and_a_few_at_a_time(database, records):
    """Only what is older goes, the oldest first, and how many went is said."""
    records.write([record(number) for number in range(10)])
    assert 2 == forget(database, requests, before=5.0, limit=2)
    assert [None, None, record(2)] == [find(records, f"req-{number}") for number in range(3)]
    assert 3 == forget(database, requests, before=5.0, limit=100)
    assert 0 == forget(database, requests, before=5.0, limit=100)
    assert record(5) == find(records, "req-5")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM requests WHERE request_id = 'x'", "request_id=?"),
        ("SELECT id FROM requests WHERE at < 5 ORDER BY at LIMIT 5", "ix_requests_at"),
        ("SELECT id FROM requests WHERE response_id IS NOT NULL ORDER BY at DESC, id DESC", "ix_requests_at"),
    ],
)
def test_no_question_reads_the_whole_table(tmp_path, query, index):
    """Each look-up has its index."""
    with (
        closing(Database.open(f"sqlite:///{tmp_path}/a.db", "ledger")) as database,
        database.transaction() as connection,
    ):
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert any(index in step[-1] for step in plan), plan
