"""Records as rows of the ledger's one table."""

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping, delete, select

from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import requests
from gateway.core.record import Record, Tried

_FIELDS = tuple(field.name for field in fields(Record))
_VALUES = attrgetter(*_FIELDS)
_FROM_PROVIDERS = tuple(
    _FIELDS.index(name) for name in ("served_model", "fingerprint", "response_id", "upstream_request_id")
)
_ATTEMPTS = _FIELDS.index("attempts")


class SqlRecords:
    """The ledger's rows. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.written(insert_if_new(requests), _FIELDS)

    def write(self, records: Sequence[Record]) -> None:
        """Write records in one transaction; one whose request id is there already is passed over."""
        rows = [_row(record) for record in records]
        with self._database.transaction() as connection:
            connection.exec_driver_sql(self._insert, rows)  # as text: rows of many values are most of the ledger's work

    def find(self, request_id: str) -> Record | None:
        """Give the record of a request."""
        found = select(requests).where(requests.c.request_id == request_id)
        with self._database.transaction() as connection:
            row = connection.execute(found).mappings().one_or_none()
            return None if row is None else _record(row)

    def responses(self, limit: int) -> tuple[tuple[str, str, str], ...]:
        """Give the newest (route, response id, release) that clients were given, the newest last."""
        newest = (
            select(requests.c.route, requests.c.response_id, requests.c.release)
            .where(requests.c.response_id.is_not(None), requests.c.shadow_of.is_(None))
            .order_by(requests.c.at.desc(), requests.c.id.desc())
            .limit(limit)
        )
        with self._database.transaction() as connection:
            rows = connection.execute(newest).all()
        return tuple((row.route, row.response_id, row.release) for row in reversed(rows))

    def forget(self, before: float, limit: int) -> int:
        """Delete the oldest records from before a wall time, `limit` at most; give how many."""
        oldest = select(requests.c.id).where(requests.c.at < before).order_by(requests.c.at).limit(limit)
        with self._database.transaction() as connection:
            return connection.execute(delete(requests).where(requests.c.id.in_(oldest))).rowcount


def _row(record: Record) -> tuple[Any, ...]:
    """The values of a record, in the order of its fields."""
    row = list(_VALUES(record))
    for place in _FROM_PROVIDERS:
        row[place] = _storable(row[place])
    row[_ATTEMPTS] = _written(record.attempts)
    return tuple(row)


@lru_cache(maxsize=4096)
def _written(attempts: tuple[Tried, ...]) -> str:
    """Attempts as JSON; nearly all requests have one of few."""
    return json.dumps([[tried.release, tried.track, tried.outcome, tried.status] for tried in attempts])


def _storable(text: str | None) -> str | None:
    """What JSON may carry and UTF-8 may not, a lone surrogate, becomes a `?`."""
    return text if text is None or text.isascii() else text.encode(errors="replace").decode()


def _record(row: RowMapping) -> Record:
    tried = tuple(Tried(*attempt) for attempt in row["attempts"])
    return Record(**{**{name: row[name] for name in _FIELDS}, "attempts": tried})
