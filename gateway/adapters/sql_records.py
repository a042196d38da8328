"""Records as rows of the ledger's table of requests."""

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping, Table, delete, func, select

from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import requests
from gateway.core.record import Record, Tried
from gateway.core.text import storable

_FIELDS = tuple(field.name for field in fields(Record))
_VALUES = attrgetter(*_FIELDS)
_FROM_PROVIDERS = tuple(
    _FIELDS.index(name) for name in ("served_model", "fingerprint", "response_id", "upstream_request_id")
)
_ATTEMPTS = _FIELDS.index("attempts")

_ROWS_AT_ONCE = (256, 32, 4, 1)
"""How many rows a statement inserts, the most first. The driver lets go of the interpreter once a statement, not once a
row, and each time that it takes it back interrupts the serving loop."""


MOST_RECENT = 100_000
"""Among how many of the newest rows a unit's request is looked for; going through them takes some 20 ms."""


class SqlRecords:
    """The ledger's rows. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.written(insert_if_new(requests), _FIELDS)
        self._inserts = [(rows, _of_rows(insert, rows)) for rows in _ROWS_AT_ONCE]

    def write(self, records: Sequence[Record]) -> None:
        """Write records in one transaction; one whose request id is there already is passed over."""
        values = tuple(chain.from_iterable(map(_row, records)))
        with self._database.transaction() as connection:
            start = 0
            for rows, insert in self._inserts:
                size = rows * len(_FIELDS)
                while len(values) - start >= size:
                    connection.exec_driver_sql(insert, values[start : start + size])
                    start += size

    def requests(self, request_ids: Sequence[str]) -> list[Record | None]:
        """Give the records of several requests, by their ids."""
        found = select(requests).where(requests.c.request_id.in_(set(request_ids)))
        with self._database.transaction() as connection:
            records = {row["request_id"]: record_of(row) for row in connection.execute(found).mappings()}
        return [records.get(request_id) for request_id in request_ids]

    def newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        """Give the newest request of an application's unit, on a route or on any; copies apart.

        It is looked for among the newest rows: an index by unit would find the others too, and cost every record as
        much as all the rest of its writing.
        """
        oldest = select(func.max(requests.c.id)).scalar_subquery() - MOST_RECENT
        found = select(requests).where(
            requests.c.id > oldest,
            requests.c.unit_digest == unit_digest,
            requests.c.app == app,
            requests.c.shadow_of.is_(None),
        )
        if route is not None:
            found = found.where(requests.c.route == route)
        newest = found.order_by(requests.c.id.desc()).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(newest).mappings().one_or_none()
            return None if row is None else record_of(row)

    def responses(self, limit: int) -> tuple[tuple[str, str, str, str], ...]:
        """Give the newest (application, route, response id, release) that clients were given, the newest last."""
        newest = (
            select(requests.c.app, requests.c.route, requests.c.response_id, requests.c.release)
            .where(requests.c.response_id.is_not(None), requests.c.shadow_of.is_(None))
            .order_by(requests.c.at.desc(), requests.c.id.desc())
            .limit(limit)
        )
        with self._database.transaction() as connection:
            rows = connection.execute(newest).all()
        return tuple((row.app, row.route, row.response_id, row.release) for row in reversed(rows))


def forget(database: Database, table: Table, before: float, limit: int) -> int:
    """Delete a table's oldest rows from before a wall time, `limit` at most; give how many.

    Raises:
        StoreFault: the database cannot be written.
    """
    oldest = select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(limit)
    with database.transaction() as connection:
        return connection.execute(delete(table).where(table.c.id.in_(oldest))).rowcount


def _of_rows(insert: str, rows: int) -> str:
    """Write a statement that inserts one row as one that inserts several."""
    head, values, tail = insert.partition(" VALUES ")
    row = tail[: tail.index(")") + 1]
    return f"{head}{values}{', '.join([row] * rows)}{tail.removeprefix(row)}"


def _row(record: Record) -> list[Any]:
    """The values of a record, in the order of its fields."""
    row = list(_VALUES(record))
    for place in _FROM_PROVIDERS:
        if row[place] is not None:
            row[place] = storable(row[place])
    row[_ATTEMPTS] = _written(record.attempts)
    return row


@lru_cache(maxsize=4096)
def _written(attempts: tuple[Tried, ...]) -> str:
    """Attempts as JSON; nearly all requests have one of few."""
    return json.dumps(
        [[each.release, each.track, each.outcome, each.status, *([True] * each.excused)] for each in attempts]
    )


def record_of(row: RowMapping) -> Record:
    """Make the record that a row holds."""
    tried = tuple(Tried(*attempt) for attempt in row["attempts"])
    return Record(**{**{name: row[name] for name in _FIELDS}, "attempts": tried})
