"""What serves now: the current snapshot, everything it is made of, and how either changes.

The law of its safety is asymmetric. Taking a release out acts on the snapshot at once and is recorded right after.
Giving a release more traffic acts only once it is recorded, and loses to a trip that came meanwhile.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.control import admitted
from gateway.control.admissions import Admissions
from gateway.control.judge_lease import JudgeLease
from gateway.control.policies import Policies
from gateway.control.recording import Recording
from gateway.control.snapshots import build_route, build_snapshot, with_keys
from gateway.control.standings import Standings
from gateway.control.state import State
from gateway.control.terms import Terms
from gateway.core.admission import Governance, GovernanceMove
from gateway.core.api_key import IssuedKey
from gateway.core.audit import BY_GATEWAY, BY_POLICY, AuditAct, Origin
from gateway.core.errors import Overtaken, Problem, StoreFault, UnknownSubject
from gateway.core.fleet_message import Look, Said
from gateway.core.ports import Clock, Journal, Meters, PriceBook, RecordedCopy, Secrets, Store
from gateway.core.recorded import ArmOut, ExperimentStart, Recorded, RolloutEvent, RouteMove
from gateway.core.rollout import Rollout
from gateway.core.route import Route
from gateway.core.route_record import POLICY, RouteRecord
from gateway.core.snapshot import Snapshot
from gateway.core.standing import SERVED, Entry, Key, Standing, review

UNKNOWN_EPOCH = -1

RECORD_SECONDS = 1.0
"""How long an operator's command waits for what came before it to be recorded."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports that serving needs. `located` names the files of problems as people see them.

    `note` has an act that changes nothing written to the audit trail, soon and perhaps; `say` has the other gateways
    of the store told something, likewise.
    """

    store: Store
    copy: RecordedCopy
    meters: Meters
    journal: Journal
    clock: Clock
    price_book: PriceBook
    secrets: Secrets
    new_id: Callable[[], str]
    located: Callable[[Sequence[Problem]], tuple[Problem, ...]] = tuple
    note: Callable[[AuditAct], object] = lambda _act: None
    say: Callable[[Said], None] = lambda _said: None


class Live:
    """Holds the current snapshot.

    Whoever changes more than one route, or waits between reading and changing, has `changing` for that time.
    """

    def __init__(
        self,
        world: World,
        recording: Recording,
        terms: Terms,
        on_swap: Sequence[Callable[[Snapshot], None]] = (),
    ) -> None:
        """`on_swap` are told of each new snapshot."""
        self.world = world
        self.recording = recording
        self.terms = terms
        self.state = State()
        self.changing = asyncio.Lock()
        self.judge_lease = JudgeLease(world.store, world.clock)
        self.current = Snapshot(epoch=0, revision="", routes={})
        self._epoch = 0
        self.is_from_copy = self.is_away = False
        self._writing: dict[str, int] = {}
        self._on_swap = list(on_swap)
        self._keys_end = math.inf
        self._used: set[str] = set()
        self._fresh: Callable[[str, str], None] = lambda _route, _version: None
        self._amend: Callable[[Recorded], Recorded] = lambda recorded: recorded

    def __repr__(self) -> str:
        return f"<Live epoch {self.current.epoch}, {len(self.current.routes)} routes>"

    def tell(self, on_swap: Callable[[Snapshot], None]) -> None:
        """Have `on_swap` told of each new snapshot from now on."""
        self._on_swap.append(on_swap)

    def on_fresh_attempt(self, forget: Callable[[str, str], None]) -> None:
        """Have `forget(route, version)` called when a release is tried anew."""
        self._fresh = forget

    def amend_by(self, amend: Callable[[Recorded], Recorded]) -> None:
        """Have what is read of the store amended by what others have taken out of traffic and not recorded yet."""
        self._amend = amend

    def record_of(self, route: str) -> RouteRecord:
        """Give a route's recorded state.

        Raises:
            UnknownSubject: no such route.
        """
        record = self.state.records.get(route)
        if record is None or route not in self.current.routes:
            raise UnknownSubject.route(route, self.current.routes)
        return record

    # The store

    def known(self) -> Recorded:
        """Give what is known, as a store would that held it."""
        return self.state.recorded(self._epoch)

    def remember(self, recorded: Recorded) -> None:
        """Take what the store holds as what is known. Nothing serves by it until a swap."""
        recorded, state = self._amend(recorded), self.state
        known = state.records
        state.records = {
            name: known[name] if known.get(name) == record else record for name, record in recorded.routes.items()
        }
        state.experiments = tuple(recorded.experiments)
        state.arms_out = tuple(recorded.arms_out)
        state.served = {version.key: version.digest for version in recorded.served}
        state.standings = {standing.key: standing for standing in recorded.standings}
        state.keys = {key.id: key for key in recorded.keys}
        state.governance = recorded.governance
        state.replicas = recorded.replicas
        self._epoch = recorded.epoch
        self.current = replace(self.current, epoch=max(self.current.epoch, recorded.epoch))

    def take_standings(self, standings: Iterable[Standing]) -> None:
        """Take where versions stand by what was just recorded; what others have taken out meanwhile stays out."""
        state = self.state
        state.standings |= {standing.key: standing for standing in standings}
        amended = self._amend(self.known())
        state.standings = {standing.key: standing for standing in amended.standings}
        state.governance = amended.governance

    async def look_again(self) -> bool:
        """Take over what others have recorded, where the store's epoch says that there is something; say whether.

        After a start from a copy there is, whatever the epoch.

        Raises:
            StoreFault: the store cannot be read.
        """
        if await self.world.store.epoch() == self._epoch and not self.is_from_copy:
            return False
        async with self.changing:
            await self.caught_up()
            before, keys = self._decisive(), self.state.keys
            recorded = await self.world.store.recorded()
            if len(self.recording) or before != self._decisive() or keys != self.state.keys:
                return False  # a trip came meanwhile, or a revocation, and what was read does not know of it
            was_from_copy, self.is_from_copy = self.is_from_copy, False
            self.remember(recorded)
            self._forget_for_fresh_attempts(before[0])
            if was_from_copy or before != self._decisive():
                self.swap_all()
            elif keys != self.state.keys:
                self.swap_keys()
        return True

    def _decisive(self) -> tuple[dict[str, RouteRecord], tuple[ArmOut, ...], dict[Key, Standing], Governance]:
        """Give what a change of decides what serves."""
        state = self.state
        return dict(state.records), state.arms_out, dict(state.standings), state.governance

    def _forget_for_fresh_attempts(self, before: Mapping[str, RouteRecord]) -> None:
        """What others have started owes nothing to earlier attempts here, either."""
        for name, record in self.state.records.items():
            earlier = before[name].rollout if name in before else None
            new = record.rollout
            if new is not None and new.is_in_step and (earlier is None or earlier.id != new.id):
                self._fresh(name, new.candidate)

    async def keep_copy(self) -> None:
        """Have what is known kept on this machine's disk; not while something that was done here is not recorded."""
        if self._epoch == UNKNOWN_EPOCH or len(self.recording):
            return
        await asyncio.to_thread(self.world.copy.keep, self.known())

    async def caught_up(self) -> None:
        """Let nothing overtake the record of what has already been done.

        Raises:
            StoreFault: it cannot be recorded now.
        """
        if not await self.recording.settled(RECORD_SECONDS):
            raise StoreFault("the store cannot be written: earlier acts are not recorded yet; try again soon")

    async def caught_up_if_possible(self) -> None:
        """Wait a moment for what has been done to be recorded; it stands either way."""
        await self.recording.settled(RECORD_SECONDS)

    async def write(
        self,
        moves: Sequence[RouteMove],
        entries: Sequence[tuple[Entry, Standing]] = (),
        acts: Sequence[AuditAct] = (),
        origin: Origin = BY_POLICY,
        governed: GovernanceMove | None = None,
    ) -> None:
        """Record moves, register versions, admit, and acts beside them, in one transaction; with nothing to do, wait.

        Raises:
            StoreFault: the store cannot be written.
            Overtaken: somebody else has moved one of the routes.
        """
        if not moves and not entries and not acts and not governed:
            await asyncio.sleep(0)
            return
        self._writing = {move.record.route: move.record.revision for move in moves}
        try:
            self.noted(await self.world.store.record_routes(moves, entries, acts, origin, governed))
            if governed:
                self.state.governance = self.state.governance.moved(governed)
            if entries or governed:
                self.take_standings(standing for _, standing in entries)
        except (StoreFault, Overtaken):
            self._epoch = UNKNOWN_EPOCH  # it may be recorded all the same, or something else is: look again
            raise
        finally:
            self._writing = {}

    def overriding(self, record: RouteRecord) -> RouteRecord:
        """Give a record that stands whatever is being written the revision that the store will give it."""
        return replace(record, revision=max(record.revision, 1 + self._writing.get(record.route, 0)))

    def move(
        self,
        before: RouteRecord | None,
        record: RouteRecord,
        acts: Iterable[tuple[str, Rollout]],
        origin: Origin = BY_GATEWAY,
    ) -> RouteMove:
        """Make the move from one record of a route to the next, by acts that came as `origin` says."""
        after = 0 if before is None else before.revision
        revision = origin.policy_revision or self.state.policies.revision or None
        return RouteMove(record, self.events(acts), after, before, replace(origin, policy_revision=revision))

    def events(self, acts: Iterable[tuple[str, Rollout]]) -> tuple[RolloutEvent, ...]:
        """Make events, of this moment, of acts: each a verb with the rollout that it led to."""
        now = self.world.clock.wall()
        return tuple(RolloutEvent(now, verb, rollout) for verb, rollout in acts)

    def record_out_later(self, what: str, taken: RouteMove) -> None:
        """Have it recorded that a rollout was taken out, which already serves; `what` names it for the log.

        Where others have moved the route, or a write of ours was under way, it is taken out of what the store holds.
        """

        async def write() -> None:
            if taken.record.revision == taken.after + 1:
                with contextlib.suppress(Overtaken):
                    self.noted(await self.world.store.record_routes([taken]))
                    return
            await self._record_out_of_theirs(taken)

        self.recording.add(what, write)

    async def _record_out_of_theirs(self, move: RouteMove) -> None:
        store, (event,), route = self.world.store, move.events, move.record.route
        while True:
            found = (await store.recorded()).routes.get(route)
            if found is None:  # the store is another than it was, and knows nothing of the route
                await store.record_routes([replace(move, after=0, before=None)])
                return
            merged = found
            if not any(map(event.is_told_by, await store.history(route, 100))):
                merged = found.without(event.rollout, move.record.stable)
                try:
                    await store.record_routes([replace(move, record=merged, after=found.revision, before=found)])
                except Overtaken:
                    continue
            if self.state.records.get(route) is move.record:
                self.state.records[route] = merged
                self.swap_route(route)
            self._epoch = UNKNOWN_EPOCH  # what else they have recorded is not known: look again
            self.world.say(Look())
            return

    def record_experiment_later(self, start: ExperimentStart) -> None:
        """Have it recorded that an experiment has begun."""
        what = f"experiment {start.name} of {start.route}"
        self.record_later(what, lambda: self.world.store.record_experiment(start))

    def record_arm_later(self, arm: ArmOut) -> None:
        """Have it recorded that an arm is out."""
        self.record_later(f"arm {arm.release} of {arm.route} out", lambda: self.world.store.record_arm_out(arm))

    async def write_keys(self, keys: Sequence[IssuedKey], act: AuditAct) -> None:
        """Record keys, and by what act.

        Raises:
            StoreFault: the store cannot be written.
        """
        try:
            self.noted(await self.world.store.record_keys(keys, act))
        except StoreFault:
            self._epoch = UNKNOWN_EPOCH  # they may be recorded all the same: look again
            raise

    async def write_replicas(self, replicas: int) -> None:
        """Record among how many gateways what all of them share is divided.

        Raises:
            StoreFault: the store cannot be written.
        """
        try:
            self.noted(await self.world.store.record_replicas(replicas))
        except StoreFault:
            self._epoch = UNKNOWN_EPOCH  # it may be recorded all the same: look again
            raise
        self.state.replicas = replicas

    def record_keys_later(self, what: str, keys: Sequence[IssuedKey], act: AuditAct) -> None:
        """Have keys recorded as they are already held; `what` names the act for the log."""
        self.record_later(what, lambda: self.world.store.record_keys(keys, act))

    def record_later(self, what: str, record: Callable[[], Awaitable[int]]) -> None:
        """Have something recorded, sooner or later; `what` names it for the log, `record` gives the new epoch."""

        async def write() -> None:
            self.noted(await record())

        self.recording.add(what, write)

    def noted(self, epoch: int) -> None:
        """Note the epoch of a write of ours. One that is further on hides others' writes, which are looked for soon."""
        if epoch == self._epoch + 1:
            self._epoch = epoch
        self.world.say(Look())

    # Snapshots

    def swap_all(self) -> None:
        """Serve by what is known now."""
        state = self.state
        fitting = (record for record in state.records.values() if _fits(state.policies, record))
        records = {record.route: self._servable(record) for record in fitting}
        epoch, dev = self.current.epoch + 1, self.terms.dev
        snapshot = build_snapshot(
            state.policies,
            state.releases,
            records,
            state.arms_out,
            self.standings,
            epoch=epoch,
            dev=dev,
            keys=self._good_keys(),
        )
        kept = {name: self.current.routes[name] for name in state.policies.routes if name in self.current.routes}
        self._swap(replace(snapshot, routes={**kept, **snapshot.routes}))

    def swap_route(self, name: str) -> None:
        """Serve one route by what is known now; as until now, where this process's files do not declare it."""
        state = self.state
        if not _fits(state.policies, state.records[name]):
            return
        record = self._servable(state.records[name])
        policy = state.policies.routes[name]
        route = build_route(policy, state.releases, record, state.arms_out, self.standings)
        self._swap(replace(self.current, epoch=self.current.epoch + 1, routes={**self.current.routes, name: route}))

    @property
    def standings(self) -> Standings:
        """What the registry says of releases now; of a development server, which registers nothing, nothing."""
        now = self.world.clock.wall()
        if self.terms.dev:
            return Standings({}, now)
        state, environment = self.state, self.terms.environment
        admissions = Admissions(state.governance, state.policies.routes, environment, now, state.served)
        return Standings(state.standings, now, admissions)

    def swap_keys(self) -> None:
        """Let in by the keys that are known and in force now."""
        snapshot = replace(self.current, epoch=self.current.epoch + 1)
        self._swap(with_keys(snapshot, self.state.policies, self._good_keys()))

    def end_keys(self) -> None:
        """Let nobody in any more by a key whose end has come: a comparison, until one has."""
        if self.world.clock.wall() >= self._keys_end:
            self.swap_keys()

    def _good_keys(self) -> list[IssuedKey]:
        """Give the keys in force, and note when the first of them ends."""
        now = self.world.clock.wall()
        good = [key for key in self.state.keys.values() if key.is_good(now)]
        self._keys_end = min((key.expires_at for key in good if key.expires_at is not None), default=math.inf)
        return good

    def taken_use(self) -> frozenset[str]:
        """Give which keys applications have used since this was last asked, by their SHA-256 in hexadecimal."""
        used, self._used = self._used | self.current.taken_use(), set()
        return frozenset(used)

    def _servable(self, record: RouteRecord) -> RouteRecord:
        """Give a record as it may be served by: from a copy without its open rollout, perhaps rolled back since."""
        rollout = record.rollout
        if not self.is_from_copy or rollout is None or not rollout.is_open:
            return record
        out = {**record.out, rollout.candidate: "the store is away, and may hold that it was rolled back"}
        return replace(record, rollout=None, out=out)

    def _swap(self, snapshot: Snapshot) -> None:
        issued = frozenset(self.state.keys) if self.is_away else None
        before, self.current = self.current, replace(snapshot, issued=issued)
        self._used |= before.taken_use()
        for name, route in self.current.routes.items():
            if route is not before.routes.get(name) and route.is_out(route.stable):
                self._alarm(route)
        for told in self._on_swap:
            told(self.current)

    def _alarm(self, route: Route) -> None:
        self.world.journal.event(
            "no_servable_release",
            level="error",
            route=route.name,
            release=route.stable.version,
            message=f"stable is {route.out[route.stable.version]}, and none before it can serve: requests get 503",
        )

    # What follows

    def moved(self, verb: str, rollout: Rollout) -> None:
        """A rollout has moved: a new attempt owes nothing to what was held against an earlier one."""
        if verb in ("start", "retry"):
            self._fresh(rollout.route, rollout.candidate)
        if verb == "rollback" and rollout.actor == POLICY:
            self.world.meters.rollback(rollout.route, POLICY)
        self.world.journal.event(
            verb if verb == "rollback" else f"rollout_{verb}",
            level="warning" if verb in ("rollback", "undo") else "info",
            route=rollout.route,
            release=rollout.candidate,
            stable=rollout.stable,
            rollout=rollout.id,
            state=rollout.state.value,
            step=rollout.step_number,
            weight_ppm=rollout.weight_ppm,
            holds=rollout.holds,
            actor=rollout.actor,
            reason=rollout.reason,
            evidence=rollout.evidence,
        )

    def note_served(self) -> None:
        """Record the versions that requests can now meet: from here on their content cannot change."""
        if self.terms.dev:
            return
        state = self.state
        new = [version for version in admitted.servable(self.current) if not self._is_known_to_serve(version.key)]
        if new:
            now = self.world.clock.wall()
            state.served.update({version.key: version.digest for version in new})
            drafts = [standing for version in new if (standing := state.standings.get(version.key)) is not None]
            state.standings |= {each.key: review(each, "freeze", SERVED, now) for each in drafts if not each.is_frozen}
            self.record_later("served versions", lambda: self.world.store.record_served(new))

    def _is_known_to_serve(self, key: Key) -> bool:
        standing = self.state.standings.get(key)
        return key in self.state.served and (standing is None or standing.is_frozen)


def _fits(policies: Policies, record: RouteRecord) -> bool:
    """Say whether this process's files declare what a record names; another replica's may be newer."""
    policy = policies.routes.get(record.route)
    if policy is None or record.stable not in policy.releases:
        return False
    rollout = record.rollout
    return rollout is None or not rollout.is_open or rollout.candidate in policy.releases
