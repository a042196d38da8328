"""Feedback in the ledger's database."""

from contextlib import closing
from dataclasses import replace

from sqlalchemy import event, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_feedback import SqlFeedback
from gateway.adapters.sql_records import forget
from gateway.adapters.sql_schema import feedback
from gateway.core.feedback import Feedback
from tests.adapters.databases import PostgresPlace

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


def rows(database):
    """What is said, by request and name."""
    with database.transaction() as connection:
        found = connection.execute(select(feedback)).mappings().all()
    return {(row["request_id"], row["name"]): row["text"] if row["value"] is None else row["value"] for row in found}


def test_the_latest_word_counts(database):
    """The same name for the same request replaces; another name or another request stands beside."""
    kept = SqlFeedback(database)
    sayings = [
        SAID,
        replace(SAID, name="category", value=None, text="billing"),
        replace(SAID, request_id="req-2", value=0.25),
        replace(SAID, value=0.0),
    ]
    assert [[True], [True], [True], [False]] == [kept.write([said]) for said in sayings]
    assert {("req-1", "resolved"): 0.0, ("req-1", "category"): "billing", ("req-2", "resolved"): 0.25} == rows(database)


def test_what_is_said_at_once_is_as_if_it_were_said_one_by_one(database):
    """Only the first of its request and name is new, and the last of them counts."""
    kept = SqlFeedback(database)
    kept.write([replace(SAID, request_id="req-2")])
    at_once = [replace(SAID, request_id=f"req-{number}", value=float(number)) for number in (3, 2, 1, 3)]
    at_once[-1] = replace(at_once[-1], value=0.5)
    assert [True, False, True, False] == kept.write(at_once)
    assert {("req-1", "resolved"): 1.0, ("req-2", "resolved"): 2.0, ("req-3", "resolved"): 0.5} == rows(database)
    many = [replace(SAID, request_id=f"many-{number}") for number in range(1_000)]
    assert ([True] * 1_000, [False] * 1_000) == (kept.write(many), kept.write(many))


def test_what_another_gateway_has_just_said_is_replaced(postgres):
    """It came first, between our look and our insert: ours is not new, and is the latest word."""
    place = PostgresPlace(postgres, "ledger")
    with closing(Database.open(place.url, "ledger")) as ours, closing(Database.open(place.url, "ledger")) as others:
        said = [SAID]

        def overtake(_connection, _cursor, statement, *_):
            if statement.startswith("INSERT") and said:
                SqlFeedback(others).write([said.pop()])

        event.listen(ours._engine, "before_cursor_execute", overtake)
        at_once = [replace(SAID, value=0.0), replace(SAID, request_id="req-2")]
        assert [False, True] == SqlFeedback(ours).write(at_once)
        assert {("req-1", "resolved"): 0.0, ("req-2", "resolved"): 1.0} == rows(ours)


def test_old_feedback_is_forgotten_a_few_at_a_time(database):
    """The oldest first, and none that is newer."""
    kept = SqlFeedback(database)
    for number in range(5):
        kept.write([replace(SAID, at=float(number), request_id=f"req-{number}")])
    assert 2 == forget(database, feedback, 3.0, 2)
    assert 1 == forget(database, feedback, 3.0, 2)
    assert {("req-3", "resolved"), ("req-4", "resolved")} == set(rows(database))
