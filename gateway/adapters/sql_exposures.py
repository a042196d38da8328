"""An experiment's requests in the ledger: added up by unit, or one by one.

Both go through the rows in windows of ids, a question each, so that records are written between two of them: an
experiment of a month has millions of rows, and the ledger has one thread.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Float, RowMapping, String, Table, and_, case, cast, func, or_, select

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_records import record_of
from gateway.adapters.sql_schema import feedback, requests
from gateway.core.arm_units import ArmUnits, Wanted
from gateway.core.feedback import Exposure
from gateway.core.metric import FEEDBACK, is_feedback
from gateway.core.outcome import GOOD, Outcome

WINDOW = 5_000
"""Ids that one question adds up: some 20 ms, so a million requests take some seconds."""

PAGE = 2_000
"""Ids that one question gives the requests of, all at once in memory: some 20 ms."""

EARLIEST = 100_000
"""Among how many rows with the earliest times the one is that was written first.

Each of the others waited in some gateway when that one was written, and in one gateway at most 10,000 wait.
"""

_GOOD = tuple(sorted(outcome.value for outcome in GOOD))
_FAILED_FIRST = f'[["%", "arm", "{Outcome.failed.value}", %'
"""Attempts, as JSON, whose first was the arm's and failed. No version holds a quote."""

_ITSELF = and_(requests.c.track == "arm", requests.c.outcome.in_(_GOOD))
_FAILED = cast(requests.c.attempts, String).like(_FAILED_FIRST)
_ANSWERED = and_(_ITSELF, requests.c.endpoint != "count_tokens")
_TOKENS = requests.c.input_tokens + requests.c.output_tokens

Ratio = tuple[ColumnElement[Any], ColumnElement[Any]]


class SqlExposures:
    """The requests that experiments decided. Every method may raise StoreFault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bounds(self, since: float, table: Table = requests, after: int = 0) -> tuple[int, int]:
        """Give an id before all rows since a wall time, and the newest id; equal where there is none.

        A gateway that was cut off writes late what came early, so ids and times may lie far apart. An `after` that is
        given is taken for the first id.
        """
        earliest = select(table.c.id).where(table.c.at >= since).order_by(table.c.at).limit(EARLIEST).subquery()
        first = select(func.min(earliest.c.id))
        with self._database.transaction() as connection:
            last = connection.execute(select(func.max(table.c.id))).scalar() or 0
            if after:
                return after, last
            found = connection.execute(first).scalar()
        return (last, last) if found is None else (found - 1, last)

    def add_units(self, wanted: Wanted, after: int, units: ArmUnits) -> None:
        """Add up the requests with the next ids after `after`, by split and unit."""
        metrics = [metric for metric in wanted.metrics if not is_feedback(metric)]
        sums = [part for metric in metrics for part in _ratio(metric, wanted.over)]
        elsewhere = case((requests.c.track == "arm", 0), else_=1)
        counted = (
            select(
                requests.c.split,
                requests.c.unit_digest,
                func.count(),
                func.sum(elsewhere),
                *(func.sum(part) for part in sums),
            )
            .where(*_decided(requests, wanted, after, WINDOW), requests.c.unit_digest.is_not(None))
            .group_by(requests.c.split, requests.c.unit_digest)
        )
        places = [2 * wanted.metrics.index(metric) + part for metric in metrics for part in (0, 1)]
        with self._database.transaction() as connection:
            rows = connection.execute(counted).all()
        for split, unit, number, others, *parts in rows:
            given = {place: float(part) for place, part in zip(places, parts, strict=True) if part is not None}
            units.add(unit, _arm(split), int(number), int(others), given)

    def add_feedback(self, wanted: Wanted, after: int, units: ArmUnits) -> None:
        """Add up the feedback with the next ids after `after`; of texts there is nothing to add."""
        places = {metric: 2 * place for place, metric in enumerate(wanted.metrics)}
        said = (
            select(
                feedback.c.split,
                feedback.c.unit_digest,
                feedback.c.name,
                func.sum(feedback.c.value),
                func.count(feedback.c.value),
            )
            .where(
                *_decided(feedback, wanted, after, WINDOW),
                feedback.c.unit_digest.is_not(None),
                feedback.c.value.is_not(None),
            )
            .group_by(feedback.c.split, feedback.c.unit_digest, feedback.c.name)
        )
        with self._database.transaction() as connection:
            rows = connection.execute(said).all()
        for split, unit, name, total, number in rows:
            place = places.get(f"{FEEDBACK}{name}")
            if place is not None:
                units.add(unit, _arm(split), 0, 0, {place: float(total), place + 1: float(number)})

    def page(self, wanted: Wanted, after: int) -> Sequence[Exposure]:
        """Give the requests with the next ids after `after`, in their order, with what was said of them."""
        found = select(requests).where(*_decided(requests, wanted, after, PAGE)).order_by(requests.c.id)
        with self._database.transaction() as connection:
            rows = connection.execute(found).mappings().all()
            said: dict[str, dict[str, float | str]] = defaultdict(dict)
            ids = [row["request_id"] for row in rows]
            for start in range(0, len(ids), 500):
                of = feedback.c.request_id.in_(ids[start : start + 500])
                for row in connection.execute(select(feedback).where(of).order_by(feedback.c.id)).mappings():
                    said[row["request_id"]][row["name"]] = _value(row)
            return tuple(Exposure(row["id"], record_of(row), said.get(row["request_id"], {})) for row in rows)


def _ratio(metric: str, over: float | None) -> Ratio:
    """What a request adds to a metric's numerator and denominator. What an arm did not answer itself shows nothing."""
    match metric:
        case "error_rate":
            return _one(_FAILED), _one(or_(_FAILED, _ITSELF))
        case "slow_rate":
            pace = func.coalesce(requests.c.first_token_seconds, requests.c.seconds)
            return _one(and_(_ANSWERED, pace > (over or 0.0))), _one(_ANSWERED)
        case "schema_valid":
            known = and_(_ANSWERED, requests.c.schema_valid.is_not(None))
            return _one(and_(known, requests.c.schema_valid.is_(True))), _one(known)
        case "cost_per_request":
            return _known(cast(requests.c.cost_nano_usd, Float) / 1e9, requests.c.cost_nano_usd)
        case "tokens_per_request":
            return _known(cast(_TOKENS, Float), _TOKENS)
        case "first_token_seconds":
            return _known(requests.c.first_token_seconds, requests.c.first_token_seconds)
    return _known(requests.c.seconds, requests.c.seconds)


def _one(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return case((condition, 1), else_=0)


def _known(amount: ColumnElement[Any], what: ColumnElement[Any]) -> Ratio:
    known = and_(_ANSWERED, what.is_not(None))
    return case((known, amount), else_=0.0), _one(known)


def _decided(table: Table, wanted: Wanted, after: int, window: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions for an experiment's rows among the next ids."""
    began = table.c.at >= wanted.since
    return (
        table.c.id > after,
        table.c.id <= after + window,
        table.c.route == wanted.route,
        table.c.split.startswith(f"{wanted.experiment}/", autoescape=True),
        began if wanted.until is None else and_(began, table.c.at < wanted.until),
    )


def _arm(split: str) -> str:
    return split.rpartition("/")[2]


def _value(row: RowMapping) -> float | str:
    value: float | str = row["text"] if row["value"] is None else row["value"]
    return value
