"""The truth, in SQL: what serves on each route, every act on its rollouts, arms out, and versions that have served.

The law: a write is one transaction. It raises the epoch first, which also takes the file's write lock, and has happened
if and only if the caller is given the new epoch; a caller that is given none may find it written or not.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Row, Table, select

from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import arms_out, epoch, rollout_events, rollouts, routes, served_versions
from gateway.core.errors import StoreFault
from gateway.core.plan import Plan
from gateway.core.ports import ArmOut, Recorded, RolloutEvent, ServedVersion
from gateway.core.rollout import Rollout, RolloutState, RouteRecord

Answer = TypeVar("Answer")


class SqlStore:
    """The port `Store`, over one database and one thread of its own, so that the serving loop never waits."""

    def __init__(self, database: Database, thread: ThreadPoolExecutor) -> None:
        """Made by `open`."""
        self._database = database
        self._thread = thread

    def __repr__(self) -> str:
        return f"SqlStore({str(self._database.path)!r})"

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the store of a URL (`sqlite:///FILE`), making or migrating it as needed.

        Raises:
            SetupFault: it cannot be opened, or another gateway has it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="pinion-store")
        opening = thread.submit(Database.open, url, "store")
        try:
            database = await asyncio.wrap_future(opening)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(database, thread)

    async def recorded(self) -> Recorded:
        """Read everything that a snapshot depends on, as it is at one epoch."""
        return await self._run(_recorded)

    async def record_route(self, record: RouteRecord, events: Sequence[RolloutEvent]) -> int:
        """Write a route's state, with the rollouts that the events changed and the events themselves."""
        return await self.record_routes([(record, events)])

    async def record_routes(self, moves: Sequence[tuple[RouteRecord, Sequence[RolloutEvent]]]) -> int:
        """Write the states of several routes, each with its events, in one transaction."""

        def write(connection: Connection) -> None:
            for record, events in moves:
                _put_route(connection, record, events)

        return await self._write(write)

    async def record_arm_out(self, arm: ArmOut) -> int:
        """Write that an arm is out; one that is out already is left as it is."""
        row = {
            "route": arm.route,
            "experiment": arm.experiment,
            "release": arm.release,
            "reason": arm.reason,
            "at": arm.at,
            "evidence": dict(arm.evidence),
        }
        return await self._write(lambda connection: connection.execute(insert_if_new(arms_out), [row]))

    async def record_served(self, versions: Sequence[ServedVersion]) -> int:
        """Write that versions have been in the way of requests; one that is known is left as it is."""
        at = time.time()
        rows = [
            {"kind": item.kind, "name": item.name, "version": item.version, "digest": item.digest, "at": at}
            for item in versions
        ]

        def write(connection: Connection) -> None:
            if rows:
                connection.execute(insert_if_new(served_versions), rows)

        return await self._write(write)

    async def history(self, route: str, limit: int) -> Sequence[RolloutEvent]:
        """Give a route's newest rollout events, the newest first."""
        return await self._run(lambda connection: _history(connection, route, limit))

    async def close(self) -> None:
        """Finish what is being written and let go of the file."""
        try:
            closed = self._thread.submit(self._database.close)
        except RuntimeError:
            return  # closed before
        self._thread.shutdown(wait=False)
        await asyncio.wrap_future(closed)

    async def _write(self, act: Callable[[Connection], object]) -> int:
        def write(connection: Connection) -> int:
            connection.execute(epoch.update().values(epoch=epoch.c.epoch + 1))
            act(connection)
            return _epoch(connection)

        return await self._run(write)

    async def _run(self, act: Callable[[Connection], Answer]) -> Answer:
        """Act within a transaction, in the store's thread."""

        def run() -> Answer:
            with self._database.transaction() as connection:
                return act(connection)

        try:
            work = self._thread.submit(run)
        except RuntimeError as error:
            raise StoreFault(f"{self._database.path} is closed") from error
        return await asyncio.wrap_future(work)


def _put_route(connection: Connection, record: RouteRecord, events: Sequence[RolloutEvent]) -> None:
    for rollout in (*(item.rollout for item in events), record.rollout):
        if rollout is not None:
            _put(connection, rollouts, "id", _rollout_row(rollout))
    _put(connection, routes, "name", _route_row(record))
    if events:
        connection.execute(rollout_events.insert(), [_event_row(item) for item in events])


def _put(connection: Connection, table: Table, key: str, row: dict[str, Any]) -> None:
    """Write the one row with this key, whether or not it is there."""
    updated = connection.execute(table.update().where(table.c[key] == row[key]).values(row))
    if updated.rowcount == 0:
        connection.execute(table.insert().values(row))


def _epoch(connection: Connection) -> int:
    return int(connection.execute(select(epoch.c.epoch)).scalar_one())


def _recorded(connection: Connection) -> Recorded:
    latest = select(rollouts).where(rollouts.c.id.in_(select(routes.c.rollout_id)))
    by_id = {row.id: _rollout(row, row.id) for row in connection.execute(latest)}
    versions = select(served_versions).order_by(served_versions.c.id)
    return Recorded(
        epoch=_epoch(connection),
        routes={row.name: _route(row, by_id) for row in connection.execute(select(routes))},
        arms_out=tuple(map(_arm_out, connection.execute(select(arms_out).order_by(arms_out.c.at)))),
        served=tuple(map(_served_version, connection.execute(versions))),
    )


def _history(connection: Connection, route: str, limit: int) -> tuple[RolloutEvent, ...]:
    kept = (rollouts.c.stable, rollouts.c.candidate, rollouts.c.attempt, rollouts.c.plan)
    newest = (
        select(rollout_events, *kept)
        .join(rollouts)
        .where(rollout_events.c.route == route)
        .order_by(rollout_events.c.sequence.desc())
        .limit(limit)
    )
    return tuple(RolloutEvent(row.at, row.verb, _rollout(row, row.rollout_id)) for row in connection.execute(newest))


def _rollout_row(rollout: Rollout) -> dict[str, Any]:
    return {
        "id": rollout.id,
        "stable": rollout.stable,
        "candidate": rollout.candidate,
        "attempt": rollout.attempt,
        "plan": rollout.plan.to_json(),
        **_moving(rollout),
    }


def _event_row(item: RolloutEvent) -> dict[str, Any]:
    return {"at": item.at, "rollout_id": item.rollout.id, "verb": item.verb, **_moving(item.rollout)}


def _moving(rollout: Rollout) -> dict[str, Any]:
    """What a rollout and each of its events both record."""
    return {
        "route": rollout.route,
        "state": rollout.state.value,
        "step": rollout.step,
        "reason": rollout.reason,
        "actor": rollout.actor,
        "evidence": None if rollout.evidence is None else dict(rollout.evidence),
        "started_at": rollout.started_at,
        "updated_at": rollout.updated_at,
    }


def _rollout(row: Row[Any], rollout_id: str) -> Rollout:
    """Read a rollout from its own row, or as it was from an event's row joined to it."""
    return Rollout(
        id=rollout_id,
        route=row.route,
        stable=row.stable,
        candidate=row.candidate,
        attempt=row.attempt,
        state=RolloutState(row.state),
        step=row.step,
        plan=Plan.from_json(row.plan),
        reason=row.reason,
        actor=row.actor,
        evidence=row.evidence,
        started_at=row.started_at,
        updated_at=row.updated_at,
    )


def _route_row(record: RouteRecord) -> dict[str, Any]:
    return {
        "name": record.route,
        "stable": record.stable,
        "serve_line": record.serve_line,
        "rollout_id": None if record.rollout is None else record.rollout.id,
        "attempts": [[stable, candidate, count] for (stable, candidate), count in record.attempts.items()],
        "out": dict(record.out),
    }


def _route(row: Row[Any], by_id: Mapping[str, Rollout]) -> RouteRecord:
    return RouteRecord(
        route=row.name,
        stable=row.stable,
        serve_line=row.serve_line,
        rollout=None if row.rollout_id is None else by_id[row.rollout_id],
        attempts={(stable, candidate): count for stable, candidate, count in row.attempts},
        out=row.out,
    )


def _arm_out(row: Row[Any]) -> ArmOut:
    return ArmOut(row.route, row.experiment, row.release, row.reason, row.at, row.evidence)


def _served_version(row: Row[Any]) -> ServedVersion:
    return ServedVersion(row.kind, row.name, row.version, row.digest)
