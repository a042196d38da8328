"""How a route's requests ended, counted in the ledger by slots of time."""

from sqlalchemy import BigInteger, case, cast, func, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import requests
from gateway.core.outcome import BAD_FOR_APPLICATIONS, GOOD

_GOOD = tuple(sorted(outcome.value for outcome in GOOD))
_BAD = tuple(sorted(outcome.value for outcome in BAD_FOR_APPLICATIONS))


def outcome_counts(database: Database, since: float, slot_seconds: float) -> tuple[tuple[str, float, int, int], ...]:
    """Give (route, slot's start, good requests, bad ones) since a wall time, by time; slots begin at the epoch.

    Good is ok and slow, bad is failed and a fault of the gateway; other outcomes and mirrored requests do not count.

    Raises:
        StoreFault: the ledger cannot be read.
    """
    exact = requests.c.at / slot_seconds
    whole = cast(exact, BigInteger)
    slot = whole - case((whole > exact, 1), else_=0)  # a cast cuts off in SQLite, and rounds in PostgreSQL
    bad = case((requests.c.outcome.in_(_BAD), 1), else_=0)
    ended = (
        select(requests.c.route, slot.label("slot"), bad.label("bad"))
        .where(requests.c.at >= since, requests.c.shadow_of.is_(None), requests.c.outcome.in_(_GOOD + _BAD))
        .subquery()  # PostgreSQL would not see that an expression with a parameter is the one that it groups by
    )
    counted = (
        select(ended.c.route, ended.c.slot, func.count().label("requests"), func.sum(ended.c.bad).label("bad"))
        .group_by(ended.c.route, ended.c.slot)
        .order_by(ended.c.slot, ended.c.route)
    )
    with database.transaction() as connection:
        rows = connection.execute(counted).all()
    return tuple((row.route, row.slot * slot_seconds, row.requests - int(row.bad), int(row.bad)) for row in rows)
