"""Which applications have met which releases, counted in the ledger."""

from collections.abc import Sequence

from sqlalchemy import func, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import requests
from gateway.core.dependent import Traffic

WINDOW = 20_000
"""Ids that one question counts: some 20 ms, between which records are written."""

Counted = dict[tuple[str, str, str], Traffic]
"""Traffic by application, route and release."""


def add_traffic(database: Database, routes: Sequence[str], since: float, after: int, counted: Counted) -> None:
    """Count the requests to some routes since a wall time, copies apart, with the next ids after `after`.

    Raises:
        StoreFault: the ledger cannot be read.
    """
    columns = (requests.c.app, requests.c.route, requests.c.release)
    asked = (
        select(*columns, func.count(), func.max(requests.c.at))
        .where(
            requests.c.id > after,
            requests.c.id <= after + WINDOW,
            requests.c.at >= since,
            requests.c.route.in_(routes),
            requests.c.shadow_of.is_(None),
        )
        .group_by(*columns)
    )
    with database.transaction() as connection:
        rows = connection.execute(asked).all()
    for app, route, release, number, last in rows:
        known = counted.get((app, route, release))
        earlier, at = (0, last) if known is None else (known.requests, known.last_at)
        counted[app, route, release] = Traffic(app, route, release, earlier + int(number), max(at, last))
