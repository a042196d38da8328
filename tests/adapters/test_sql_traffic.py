"""Which applications have met which releases, counted in the ledger of either engine."""

import pytest
from sqlalchemy import text

from gateway.adapters import sql_traffic
from gateway.adapters.sql_records import SqlRecords
from gateway.adapters.sql_traffic import WINDOW, add_traffic
from gateway.core.dependent import Traffic
from gateway.core.errors import StoreFault
from tests.adapters.ledger_records import record


def counted(database, since=0.0, routes=("support",), after=0, known=None):
    """What is counted, in one window."""
    found = {} if known is None else known
    add_traffic(database, routes, since, after, found)
    return found


def test_requests_are_counted_by_application_route_and_release(database):
    """With the last of each; copies, other routes and older ones do not count."""
    ends = [
        (100.0, "web", "support", "1.0.0", None),
        (110.0, "web", "support", "1.0.0", None),
        (105.0, "web", "support", "1.1.0", None),
        (120.0, "app", "support", "1.0.0", None),
        (120.0, "app", "support", "1.0.0", "req-0"),
        (130.0, "web", "desk", "1.0.0", None),
        (99.9, "web", "support", "1.0.0", None),
    ]
    SqlRecords(database).write(
        [
            record(number, at=at, app=app, route=route, release=release, shadow_of=shadow_of)
            for number, (at, app, route, release, shadow_of) in enumerate(ends)
        ]
    )
    found = counted(database, since=100.0)
    assert {
        Traffic("web", "support", "1.0.0", 2, 110.0),
        Traffic("web", "support", "1.1.0", 1, 105.0),
        Traffic("app", "support", "1.0.0", 1, 120.0),
    } == set(found.values())
    assert {("web", "desk", "1.0.0")} == set(counted(database, routes=["desk"]))
    assert {} == counted(database, since=1_000.0)


def test_windows_add_up(database, monkeypatch):
    """A request is counted by the window that its place in the ledger is in, whatever order the times are in."""
    monkeypatch.setattr(sql_traffic, "WINDOW", 2)
    assert WINDOW > 2
    SqlRecords(database).write([record(number, at=float(10 - number)) for number in range(5)])
    found = {}
    for after in range(0, 6, 2):
        counted(database, after=after, known=found)
    assert [Traffic("helpdesk", "support", "1.0.0", 5, 10.0)] == list(found.values())


def test_a_ledger_that_cannot_be_read_is_a_fault_of_the_store(database):
    """As every other question's."""
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE requests"))
    with pytest.raises(StoreFault, match="cannot be read"):
        counted(database)
