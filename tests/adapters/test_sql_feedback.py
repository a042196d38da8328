"""Feedback in the ledger's database."""

from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_feedback import SqlFeedback
from gateway.adapters.sql_records import SqlRecords
from gateway.adapters.sql_schema import feedback
from gateway.core.ports import Feedback
from tests.adapters.ledger_records import record

SAID = Feedback(
    at=2000.0,
    request_id="req-1",
    unit_digest="0f",
    app="helpdesk",
    route="support",
    release="1.0.0",
    track="arm",
    split="length/control",
    name="resolved",
    value=1.0,
    text=None,
    comment="thanks",
)


@pytest.fixture
def database(ledger_place):
    """An empty ledger's database, on either engine."""
    with closing(Database.open(ledger_place.url, "ledger")) as opened:
        yield opened


def rows(database):
    """What is said, by request and name."""
    with database.transaction() as connection:
        found = connection.execute(select(feedback)).mappings().all()
    return {(row["request_id"], row["name"]): row["text"] if row["value"] is None else row["value"] for row in found}


def test_the_latest_word_counts(database):
    """The same name for the same request replaces; another name or another request stands beside."""
    kept = SqlFeedback(database)
    for said in (
        SAID,
        replace(SAID, name="category", value=None, text="billing"),
        replace(SAID, request_id="req-2", value=0.25),
        replace(SAID, value=0.0),
    ):
        kept.write(said)
    assert {("req-1", "resolved"): 0.0, ("req-1", "category"): "billing", ("req-2", "resolved"): 0.25} == rows(database)


def test_the_newest_request_of_a_unit_is_found(database):
    """Of one application, on one route or on any; a mirrored copy is none."""
    SqlRecords(database).write(
        [
            record(1, unit_digest="0a"),
            record(2, unit_digest="0a", route="drafts"),
            record(3, unit_digest="0a", app="other"),
            record(4, unit_digest="0a", shadow_of="req-1"),
            record(5, unit_digest="0b"),
        ]
    )
    kept = SqlFeedback(database)
    assert record(2, unit_digest="0a", route="drafts") == kept.newest_of_unit("helpdesk", "0a", None)
    assert record(1, unit_digest="0a") == kept.newest_of_unit("helpdesk", "0a", "support")
    assert None is kept.newest_of_unit("helpdesk", "0c", None)


def test_old_feedback_is_forgotten_a_few_at_a_time(database):
    """The oldest first, and none that is newer."""
    kept = SqlFeedback(database)
    for number in range(5):
        kept.write(replace(SAID, at=float(number), request_id=f"req-{number}"))
    assert 2 == kept.forget(3.0, 2)
    assert 1 == kept.forget(3.0, 2)
    assert {("req-3", "resolved"), ("req-4", "resolved")} == set(rows(database))
