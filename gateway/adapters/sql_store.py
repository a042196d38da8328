"""The truth, in SQL: what serves on each route, every act on its rollouts, arms out, and versions that have served.

The law: a write is one transaction. It raises the epoch first, which also makes every other writer wait, and has
happened if and only if the caller is given the new epoch; a caller that is given none may find it written or not. Its
entries in the audit trail are in the same transaction: where they cannot be written, the change does not happen.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Table, or_, select

from gateway.adapters import (
    sql_access,
    sql_approvals,
    sql_audit,
    sql_cursors,
    sql_epoch,
    sql_fleet,
    sql_registry,
    store_rows,
)
from gateway.adapters.sql_engine import Database, insert_if_new, insert_or_replace
from gateway.adapters.sql_schema import (
    arms_out,
    credentials,
    experiments,
    fleet_size,
    kept_evidence,
    leases,
    rollout_events,
    rollouts,
    routes,
    served_versions,
)
from gateway.adapters.store_thread import StoreThread
from gateway.core.access_use import AccessUse
from gateway.core.admission import Excepted, GovernanceMove, RequestMove
from gateway.core.api_key import IssuedKey
from gateway.core.approval import Request
from gateway.core.audit import BY_POLICY, AuditAct, Origin
from gateway.core.audit_acts import (
    act_of_arm_out,
    act_of_entry,
    act_of_experiment,
    act_of_served,
    acts_of_governance,
    acts_of_move,
)
from gateway.core.deployment import Change, Deployment
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.recorded import (
    ArmOut,
    ExperimentStart,
    KeptEvidence,
    Recorded,
    RolloutEvent,
    RouteMove,
    ServedVersion,
)
from gateway.core.standing import Entry, Key, Kind, Standing

Answer = TypeVar("Answer")

_QUESTIONS = {
    "epoch": sql_epoch.QUESTION,
    "rollouts": select(rollouts).where(rollouts.c.id.in_(select(routes.c.rollout_id))),
    "routes": select(routes).order_by(routes.c.name),
    "experiments": select(experiments).order_by(experiments.c.at, experiments.c.route, experiments.c.name),
    "arms_out": select(arms_out).order_by(arms_out.c.at),
    "served_versions": select(served_versions).order_by(served_versions.c.id),
    "registered_versions": sql_registry.STANDINGS,
    "credentials": select(credentials).order_by(credentials.c.created_at, credentials.c.id),
    "fleet_size": select(fleet_size),
    **sql_approvals.QUESTIONS,
}
"""What a snapshot depends on, by table."""

ROW_SECONDS = 0.01
"""How much longer a write may take for each route and version in it: a thousand are no server that is silent."""


class SqlStore:
    """The port `Store`, over one database and one thread of its own, so that the serving loop never waits.

    No call outlasts the database's patience, so that an outage is known at once; what had not begun by then never will.
    """

    def __init__(self, database: Database, thread: StoreThread) -> None:
        """Made by `open` or `awaited`."""
        self._database = database
        self._thread = thread
        self._holder = secrets.token_hex(8)

    def __repr__(self) -> str:
        return f"SqlStore({self._database.name!r})"

    @property
    def name(self) -> str:
        """The store's URL without what is secret in it."""
        return self._database.name

    @property
    def trail(self) -> sql_audit.SqlAuditTrail:
        """The audit trail of this store, to read and to erase names from."""
        return sql_audit.SqlAuditTrail(self._read, self._add)

    @property
    def cursors(self) -> sql_cursors.SqlCursors:
        """How far the targets of notifications have come."""
        return sql_cursors.SqlCursors(self._read, self._add)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the store of a URL (`sqlite:///FILE` or `postgresql://...`), making or migrating it as needed.

        Raises:
            SetupFault: it cannot be opened, or another gateway has it.
            StoreFault: its server cannot be reached now; `awaited` goes on from there.
        """
        database, thread = await StoreThread.opening(partial(Database.open, url, "store"))
        return cls(database, thread)

    @classmethod
    def awaited(cls, url: str) -> Self:
        """Take the store of a URL whose server is away: every call is a StoreFault until one reaches and opens it.

        Raises:
            SetupFault: the URL itself is wrong, or another gateway has the file.
        """
        database = Database.awaited(url, "store")
        return cls(database, StoreThread(database))

    async def chain(self) -> str | None:
        """Name the store's audit chain, which nothing else has; None before its first entry."""
        head = await self.trail.head()
        return None if head is None else head.chain

    async def fleet_secret(self) -> bytes:
        """Give what only gateways of this store know, and seal with it what they tell each other."""
        drawn = secrets.token_bytes(32)
        return await self._run(self._database.transaction, lambda connection: sql_fleet.secret(connection, drawn))

    async def record_replicas(self, replicas: int) -> int:
        """Write among how many gateways what all of them share is divided; what is written already raises no epoch."""

        def write(connection: Connection) -> int:
            if sql_fleet.size(connection) != replicas:
                sql_fleet.put_size(connection, replicas)
                return sql_epoch.raised(connection)
            return sql_epoch.current(connection)

        return await self._add(write)

    async def epoch(self) -> int:
        """Read the epoch alone; with all patience, since this is how a server is found that is there again."""
        return await self._run(self._database.snapshot, sql_epoch.current, patiently=True)

    async def recorded(self) -> Recorded:
        """Read everything that a snapshot depends on, as it is at one epoch."""
        return await self._run(self._database.snapshot, self._recorded)

    async def record_routes(
        self,
        moves: Sequence[RouteMove],
        entries: Sequence[tuple[Entry, Standing]] = (),
        acts: Sequence[AuditAct] = (),
        origin: Origin = BY_POLICY,
        governed: GovernanceMove | None = None,
    ) -> int:
        """Write the states of several routes, each with its events, register versions, and admit, in one transaction.

        `acts` are further entries of the audit trail; `origin` is how the versions came.

        Raises:
            Overtaken: a route, a version or a policy is not what is built on any more; nothing was written.
        """
        at = time.time()

        def write(connection: Connection) -> None:
            sql_registry.put_entries(connection, entries)
            admitted: Iterable[AuditAct] = ()
            if governed is not None:
                free = sql_approvals.ungoverned_places(connection)
                before = sql_approvals.put_governance(connection, governed)
                admitted = acts_of_governance(governed, before, free, at, origin)
            _put_routes(connection, moves)
            registered = (act_of_entry(entry, standing, origin) for entry, standing in entries)
            told = (act for move in moves for act in acts_of_move(move, at))
            sql_audit.append(connection, (*acts, *admitted, *registered, *told))

        return await self._write(write, ROW_SECONDS * (len(moves) + len(entries)))

    async def record_request(self, move: RequestMove, acts: Sequence[AuditAct]) -> int:
        """Write a request for approval with its new sign-offs, what follows from it, and by what acts.

        Raises:
            Overtaken: somebody else has moved it, or another is open for the same; nothing was written.
        """

        def write(connection: Connection) -> None:
            sql_approvals.put_request(connection, move)
            sql_audit.append(connection, acts)

        return await self._write(write)

    async def record_exceptions(self, changed: Sequence[Excepted], acts: Sequence[AuditAct]) -> int:
        """Write exceptions as they stand now, and by what acts, one each; what another gateway has told is no news."""

        def write(connection: Connection) -> None:
            news = sql_approvals.put_exceptions(connection, changed)
            told = zip(changed, acts, strict=False)
            sql_audit.append(connection, [act for each, act in told if each.id in news])

        return await self._write(write)

    async def requests(self, environment: str, name: str | None, limit: int) -> Sequence[Request]:
        """Give the newest requests of an environment, for one route or approval policy or all, the newest first."""
        return await self._run(
            self._database.snapshot,
            lambda connection: sql_approvals.requests_of(connection, environment, name, limit),
        )

    async def record_experiment(self, start: ExperimentStart) -> int:
        """Write when an experiment began; one that is known is left as it is."""
        row = store_rows.experiment_row(start)

        def write(connection: Connection) -> None:
            if _is_new(connection, experiments, row):
                sql_audit.append(connection, [act_of_experiment(start)])

        return await self._write(write)

    async def take_lease(self, name: str, seconds: float) -> bool:
        """Take a lease, or keep it, for so many seconds; a file that no other process has needs none.

        The time is the database's: a machine whose clock is wrong neither takes a lease early nor keeps it for long.
        """
        if not self._database.is_shared:
            return True

        def take(connection: Connection) -> bool:
            now = self._database.now(connection)
            connection.execute(insert_if_new(leases), [{"name": name, "holder": self._holder, "until": 0.0}])
            is_free = or_(leases.c.holder == self._holder, leases.c.until < now)
            taken = leases.update().where(leases.c.name == name, is_free)
            return connection.execute(taken.values(holder=self._holder, until=now + seconds)).rowcount == 1

        return await self._run(self._database.transaction, take)

    async def keep_evidence(self, kept: Sequence[KeptEvidence]) -> None:
        """Write what steps have shown so far, in place of what was kept of the same rollouts, and forget the others.

        Raises no epoch.
        """
        rows = {item.rollout: store_rows.evidence_row(item) for item in kept}
        in_order = [rows[rollout] for rollout in sorted(rows)]  # so that two who keep at once cannot block each other

        def keep(connection: Connection) -> None:
            if in_order:
                connection.execute(insert_or_replace(kept_evidence), in_order)
            latest = select(routes.c.rollout_id).where(routes.c.rollout_id.is_not(None))
            connection.execute(kept_evidence.delete().where(kept_evidence.c.rollout_id.not_in(latest)))

        await self._run(self._database.transaction, keep)

    async def kept_evidence(self) -> Sequence[KeptEvidence]:
        """Give the evidence kept of every rollout that is the latest of its route."""
        latest = select(kept_evidence).where(kept_evidence.c.rollout_id.in_(select(routes.c.rollout_id)))

        def read(connection: Connection) -> tuple[KeptEvidence, ...]:
            return tuple(map(store_rows.evidence_from, connection.execute(latest).mappings()))

        return await self._run(self._database.snapshot, read)

    async def record_arm_out(self, arm: ArmOut) -> int:
        """Write that an arm is out; one that is out already is left as it is."""
        row = store_rows.arm_row(arm)

        def write(connection: Connection) -> None:
            if _is_new(connection, arms_out, row):
                sql_audit.append(connection, [act_of_arm_out(arm)])

        return await self._write(write)

    async def record_served(self, versions: Sequence[ServedVersion]) -> int:
        """Write that versions have been in the way of requests, and freeze them; one that is known is left as it is."""
        at = time.time()

        def write(connection: Connection) -> None:
            new = _not_known(connection, versions)
            if new:
                rows = [{**store_rows.served_row(item), "at": at} for item in new]
                connection.execute(served_versions.insert(), rows)
                sql_audit.append(connection, [act_of_served(item, at) for item in new])
            sql_registry.freeze(connection, [item.key for item in versions], at)

        return await self._write(write)

    async def audit(self, acts: Sequence[AuditAct]) -> None:
        """Write entries of what changes nothing here: a denial, an export. Raises no epoch."""
        await self._add(lambda connection: sql_audit.append(connection, acts))

    async def record_standing(self, standing: Standing, act: AuditAct) -> int:
        """Write where a version has come to, and by what act.

        Raises:
            Overtaken: somebody else has moved it from where this move rests on; nothing was written.
        """

        def write(connection: Connection) -> None:
            sql_registry.put_standing(connection, standing)
            sql_approvals.end_admissions(connection, standing)
            sql_audit.append(connection, [act])

        return await self._write(write)

    async def entry(self, key: Key) -> tuple[Entry, Standing] | None:
        """Give a registered version with where it stands; None where there is no such."""
        return await self._run(self._database.snapshot, lambda connection: sql_registry.entry_of(connection, key))

    async def entries(self, kind: Kind) -> Sequence[tuple[Entry, Standing]]:
        """Give the facts and the standing of every version of a kind, by name, the newest of each last."""
        return await self._run(self._database.snapshot, lambda connection: sql_registry.entries_of(connection, kind))

    async def record_deployments(self, change: Change) -> int:
        """Write what begins to serve and what has ended; what is written already is left as it is."""

        def write(connection: Connection) -> None:
            sql_registry.put_deployments(connection, change)

        return await self._write(write)

    async def lasting_deployments(self, environment: str) -> Sequence[Deployment]:
        """Give the deployments of an environment that last."""
        return await self._run(
            self._database.snapshot, lambda connection: sql_registry.lasting_deployments(connection, environment)
        )

    async def deployments(self, route: str | None, limit: int) -> Sequence[Deployment]:
        """Give the newest deployments, of one route or of all, the newest first."""
        return await self._run(
            self._database.snapshot, lambda connection: sql_registry.deployments_of(connection, route, limit)
        )

    async def record_keys(self, keys: Sequence[IssuedKey], act: AuditAct) -> int:
        """Write issued keys, and by what act; one that is known is joined with what is: no revocation is taken back."""

        def write(connection: Connection) -> None:
            sql_access.put_keys(connection, keys)
            sql_audit.append(connection, [act])

        return await self._write(write)

    async def keep_use(self, use: AccessUse) -> None:
        """Write what access was used lately; what is known of later use stays. Raises no epoch."""
        await self._run(self._database.transaction, lambda connection: sql_access.put_use(connection, use))

    async def access_use(self) -> AccessUse:
        """Give the latest use of every key and every grant."""
        return await self._run(self._database.snapshot, sql_access.use)

    async def history(self, route: str, limit: int) -> Sequence[RolloutEvent]:
        """Give a route's newest rollout events, the newest first."""
        return await self._run(self._database.snapshot, lambda connection: _history(connection, route, limit))

    async def close(self) -> None:
        """Finish what is being written, give leases back, and let go of the database."""
        if self._database.is_shared:
            with contextlib.suppress(StoreFault):
                await self._run(self._database.transaction, self._give_leases_back)
        await self._thread.end(self._database.close)

    def _recorded(self, connection: Connection) -> Recorded:
        answers = self._database.answers(connection, _QUESTIONS)
        return store_rows.recorded_from(answers["epoch"][0]["epoch"], answers)

    def _give_leases_back(self, connection: Connection) -> None:
        connection.execute(leases.delete().where(leases.c.holder == self._holder))

    async def _read(self, act: Callable[[Connection], Answer]) -> Answer:
        return await self._run(self._database.snapshot, act)

    async def _add(self, act: Callable[[Connection], Answer]) -> Answer:
        def add(connection: Connection) -> Answer:
            sql_epoch.wait_for_writers(connection)
            return act(connection)

        return await self._run(self._database.transaction, add)

    async def _write(self, act: Callable[[Connection], None], longer: float = 0.0) -> int:
        def write(connection: Connection) -> int:
            raised = sql_epoch.raised(connection)
            act(connection)
            return raised

        return await self._run(self._database.transaction, write, longer)

    async def _run(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        act: Callable[[Connection], Answer],
        longer: float = 0.0,
        *,
        patiently: bool = False,
    ) -> Answer:
        def run() -> Answer:
            with transaction() as connection:
                return act(connection)

        return await self._thread.run(run, longer, patiently=patiently)


def _put_routes(connection: Connection, moves: Sequence[RouteMove]) -> None:
    """Write moves that still rest on what is recorded. The epoch is raised already, so nobody else writes meanwhile."""
    asked = select(routes.c.name, routes.c.revision).where(routes.c.name.in_([move.record.route for move in moves]))
    revisions = {row.name: row.revision for row in connection.execute(asked)}
    route_rows: dict[str, dict[str, Any]] = {}
    rollout_rows: dict[str, dict[str, Any]] = {}
    event_rows: list[dict[str, Any]] = []
    for move in moves:
        route = move.record.route
        if move.after != revisions.get(route, 0):
            raise Overtaken(
                f"somebody else's act on {route} was recorded first; "
                "look at the route again, and repeat the act if it still applies"
            )
        revisions[route] = move.record.revision
        route_rows[route] = store_rows.route_row(move.record)
        for rollout in (*(item.rollout for item in move.events), move.record.rollout):
            if rollout is not None:
                rollout_rows[rollout.id] = store_rows.rollout_row(rollout)
        event_rows.extend(store_rows.event_row(item) for item in move.events)
    if rollout_rows:
        connection.execute(insert_or_replace(rollouts), list(rollout_rows.values()))
    if route_rows:
        connection.execute(insert_or_replace(routes), list(route_rows.values()))
    if event_rows:
        connection.execute(rollout_events.insert(), event_rows)


def _is_new(connection: Connection, into: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless its key is there; say whether it was not."""
    counted = {"preserve_rowcount": True}
    return connection.execute(insert_if_new(into), row, execution_options=counted).rowcount == 1


def _not_known(connection: Connection, versions: Sequence[ServedVersion]) -> list[ServedVersion]:
    """Give the versions that no row is of yet, each once."""
    columns = served_versions.c
    named = columns.name.in_({each.name for each in versions})
    asked = select(columns.kind, columns.name, columns.version).where(named)
    known = {tuple(row) for row in connection.execute(asked)}
    return list({each.key: each for each in reversed(versions) if each.key not in known}.values())[::-1]


def _history(connection: Connection, route: str, limit: int) -> tuple[RolloutEvent, ...]:
    kept = (rollouts.c.id, rollouts.c.stable, rollouts.c.candidate, rollouts.c.attempt, rollouts.c.plan)
    newest = (
        select(rollout_events, *kept)
        .join(rollouts)
        .where(rollout_events.c.route == route)
        .order_by(rollout_events.c.sequence.desc())
        .limit(limit)
    )
    rows = connection.execute(newest).mappings()
    return tuple(RolloutEvent(row["at"], row["verb"], store_rows.rollout_from(row)) for row in rows)
