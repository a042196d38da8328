"""Outcomes counted by route and slot of time."""

import math
from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_outcomes import outcome_counts
from gateway.adapters.sql_records import SqlRecords
from gateway.core.errors import StoreFault
from gateway.core.outcome import Outcome
from tests.adapters.ledger_records import record


@pytest.fixture
def database(tmp_path):
    """An empty ledger."""
    with closing(Database.open(f"sqlite:///{tmp_path}/a.db", "ledger")) as database:
        yield database


def test_outcomes_are_counted_by_route_and_slot(database):
    """Good and bad ones, by time; the other outcomes, mirrored requests and older ones do not count."""
    ends = [
        (1_000.0, "desk", "failed", None),
        (1_020.0, "desk", "ok", None),
        (1_079.9, "desk", "slow", None),
        (1_080.0, "desk", "failed", None),
        (1_081.0, "desk", "gateway_fault", None),
        (1_020.0, "support", "failed", None),
        (1_030.0, "desk", "failed", "req-0"),
        *((1_040.0, "desk", outcome, None) for outcome in ("client_fault", "cancelled", "rate_limited")),
    ]
    records = [
        record(number, at=at, route=route, outcome=outcome, shadow_of=shadow_of)
        for number, (at, route, outcome, shadow_of) in enumerate(ends)
    ]
    SqlRecords(database).write(records)
    assert (
        ("desk", 1_020.0, 2, 0),
        ("support", 1_020.0, 0, 1),
        ("desk", 1_080.0, 0, 2),
    ) == outcome_counts(database, 1_010.0, 60.0)
    assert (("desk", 0.0, 2, 3), ("support", 0.0, 0, 1)) == outcome_counts(database, 0.0, 3_600.0)


def test_an_empty_ledger_counts_nothing(database):
    """No row, and no slot of zeros."""
    assert () == outcome_counts(database, 0.0, 60.0)


@pytest.mark.untraced
@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(0, 4e9), st.sampled_from(Outcome)), max_size=20),
    st.sampled_from([1.0, 60.0, 3_600.0, 90 * 86_400 / 672]),
)
def test_every_outcome_is_in_one_slot(tmp_path_factory, ends, slot):
    """The slot that its time is in, later than 2038, too."""
    path = tmp_path_factory.mktemp("ledger") / "a.db"
    good, bad = Counter(), Counter()
    for at, outcome in ends:
        start = math.floor(at / slot) * slot
        good[start] += outcome in ("ok", "slow")
        bad[start] += outcome in ("failed", "gateway_fault")
    with closing(Database.open(f"sqlite:///{path}", "ledger")) as database:
        records = (record(number, at=at, outcome=outcome.value) for number, (at, outcome) in enumerate(ends))
        SqlRecords(database).write(list(records))
        found = outcome_counts(database, 0.0, slot)
    expected = [("support", start, good[start], bad[start]) for start in sorted(good) if good[start] + bad[start]]
    assert expected == list(found)


def test_a_ledger_that_cannot_be_read_is_a_fault_of_the_store(database):
    """As every other question's."""
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE requests"))
    with pytest.raises(StoreFault, match="cannot be read"):
        outcome_counts(database, 0.0, 60.0)
