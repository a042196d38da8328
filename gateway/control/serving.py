"""What serves now, and everything that may change it: a reload, a verb, a trip.

The law of its safety is asymmetric. Taking a release out acts on the snapshot at once and is recorded right after.
Giving a release more traffic acts only once it is recorded, and loses to a trip that came meanwhile.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.control import admitted
from gateway.control.policies import Policies, Readings, RoutePolicy, load
from gateway.control.reasons import reason_of
from gateway.control.recording import Recording
from gateway.control.releases import compile_release, resolve_providers
from gateway.control.snapshots import Releases, build_route, build_snapshot
from gateway.core import rollout as rules
from gateway.core.errors import PolicyFault, Problem, StoreFault, UnknownSubject, VerbRefused
from gateway.core.ports import (
    ArmOut,
    Clock,
    Journal,
    Meters,
    PriceBook,
    Recorded,
    RolloutEvent,
    Secrets,
    ServedVersion,
    Store,
)
from gateway.core.rollout import Decision, Rollout, RouteRecord
from gateway.core.snapshot import Snapshot

GATEWAY = "gateway"
"""The actor of what Pinion does by itself."""

NOTHING = Policies(
    revision="",
    providers={},
    models={},
    prompts={},
    apps={},
    app_names=frozenset(),
    routes={},
    warnings=(),
    credential_files=(),
)
"""What serves before the first policy set."""

RECORD_SECONDS = 1.0
"""How long an operator's command waits for what came before it to be recorded."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How this process may serve: `dev` lets served versions change, `open` lets anyone call without an application."""

    dev: bool = False
    open: bool = True


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reload of the policy files ended, at wall time `at`."""

    accepted: bool
    at: float
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """The ports that serving needs. `located` names the files of problems as people see them."""

    store: Store
    meters: Meters
    journal: Journal
    clock: Clock
    price_book: PriceBook
    secrets: Secrets
    new_id: Callable[[], str]
    located: Callable[[Sequence[Problem]], tuple[Problem, ...]] = tuple


@dataclass(slots=True)
class State:
    """What the process knows; replaced piece by piece, always between two awaits."""

    policies: Policies = NOTHING
    releases: Releases = field(default_factory=dict)
    records: dict[str, RouteRecord] = field(default_factory=dict)
    arms_out: tuple[ArmOut, ...] = ()
    served: dict[tuple[str, str, str], str] = field(default_factory=dict)


class Serving:
    """Holds the current snapshot."""

    def __init__(
        self,
        world: World,
        recording: Recording,
        terms: Terms,
        on_swap: Sequence[Callable[[Snapshot], None]] = (),
    ) -> None:
        """`on_swap` are told of each new snapshot."""
        self._world = world
        self._recording = recording
        self._terms = terms
        self._on_swap = list(on_swap)
        self._state = State()
        self._readings = Readings()
        self._changing = asyncio.Lock()
        self._fresh: Callable[[str, str], None] = lambda _route, _version: None
        self.current = Snapshot(epoch=0, revision="", routes={})
        self.last_reload: Reload | None = None

    def __repr__(self) -> str:
        return f"<Serving epoch {self.current.epoch}, {len(self.current.routes)} routes>"

    @property
    def policies(self) -> Policies:
        """The policy set that serves; an empty one before the first."""
        return self._state.policies

    def tell(self, on_swap: Callable[[Snapshot], None]) -> None:
        """Have `on_swap` told of each new snapshot from now on."""
        self._on_swap.append(on_swap)

    def on_fresh_attempt(self, forget: Callable[[str, str], None]) -> None:
        """Have `forget(route, version)` called when a release is tried anew."""
        self._fresh = forget

    # Policy files

    async def open(self, files: Mapping[str, str]) -> None:
        """Read the store and begin to serve.

        Raises:
            PolicyFault: the files are not acceptable.
            StoreFault: the store cannot be read or written.
        """
        recorded = await self._world.store.recorded()
        self._remember(recorded)
        await self._admit(files)

    async def reload(self, files: Mapping[str, str]) -> Reload:
        """Take a new policy set whole, or keep the last good one and say why."""
        try:
            reload = await self._admit(files)
        except PolicyFault as fault:
            return self.rejected(self._world.located(fault.problems))
        except StoreFault as fault:
            problem = Problem("store", 0, fault.message, "reload again once the store can be written")
            return self.rejected((problem,))
        return reload

    def rejected(self, problems: Sequence[Problem]) -> Reload:
        """Note that a policy set was not taken; the last good one goes on serving."""
        self.last_reload = reload = Reload(accepted=False, at=self._world.clock.wall(), problems=tuple(problems))
        self._world.meters.reload("rejected")
        self._world.journal.event("reload_rejected", level="error", problems=[str(problem) for problem in problems])
        return reload

    async def _admit(self, files: Mapping[str, str]) -> Reload:
        policies = await asyncio.to_thread(load, files, self._readings)
        async with self._changing:
            await self._caught_up()
            releases = await asyncio.to_thread(self._compile, policies)
            problems = admitted.problems(policies, releases, self._state.records, self._state.served, self._terms)
            if problems:
                raise PolicyFault(problems)
            await asyncio.sleep(0)  # each of these steps takes a thousand routes' time, in which nobody is served
            decisions = await self._reconcile(policies)
            self._state.policies, self._state.releases = policies, releases
            self._state.records |= {name: decision.record for name, decision in decisions.items()}
            events = [event for decision in decisions.values() for event in decision.events]
            for verb, rollout in events:
                self._begin_afresh(verb, rollout)
            self._swap_all()
            await asyncio.sleep(0)
            self._note_served()
        for verb, rollout in events:
            self._tell(verb, rollout)
        warnings = self._world.located(policies.warnings)
        self.last_reload = reload = Reload(accepted=True, at=self._world.clock.wall(), warnings=warnings)
        self._world.meters.reload("accepted")
        self._world.journal.event(
            "reload_accepted",
            revision=policies.revision,
            routes=len(policies.routes),
            epoch=self.current.epoch,
        )
        return reload

    def _compile(self, policies: Policies) -> Releases:
        providers = resolve_providers(policies, self._world.secrets)
        return {
            (name, version): compile_release(
                name, release, policies, providers, self._world.price_book, dev=self._terms.dev
            )
            for name, route in policies.routes.items()
            for version, release in route.releases.items()
        }

    async def _reconcile(self, policies: Policies) -> dict[str, Decision]:
        """Record what a policy set means for each route: its first deployment, a new rollout, an abort, or nothing.

        A trip that comes meanwhile wins: its route is looked at anew. What is given fits the records as they are now.
        """
        decided: dict[str, tuple[RouteRecord | None, Decision]] = {}
        records = self._state.records
        while undecided := [
            route
            for name, route in policies.routes.items()
            if name not in decided or decided[name][0] is not records.get(name)
        ]:
            await self._caught_up()
            moves = []
            for route in undecided:
                before = records.get(route.name)
                decision = self._decide(route, before)
                decided[route.name] = before, decision
                if decision.record != before:
                    moves.append((decision.record, decision.events))
            await self._write_all(moves)
        return {name: decision for name, (_, decision) in decided.items()}

    def _decide(self, route: RoutePolicy, before: RouteRecord | None) -> Decision:
        return rules.reconcile(
            before,
            route=route.name,
            serve=route.serve,
            rollout_from=route.rollout_from,
            plan=route.plan,
            now=self._world.clock.wall(),
            new_id=self._world.new_id(),
        )

    # Verbs

    async def start(self, route: str, actor: str, reason: str) -> Rollout:
        """Enter the first percent step of a held rollout."""

        def act(_record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            return rules.start(rollout, actor=actor, reason=reason, now=now)

        return await self._advance(route, "start", act)

    async def promote(self, route: str, actor: str, reason: str, *, full: bool = False) -> Rollout:
        """Move on to the next step; from the last one, or with `full`, complete the rollout."""

        def act(_record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            return rules.promote(rollout, actor=actor, reason=reason, now=now, full=full)

        return await self._advance(route, "promote", act)

    async def retry(self, route: str, actor: str, reason: str) -> Rollout:
        """Try a rolled back candidate anew, as another attempt with other units."""

        def act(record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            if rollout.candidate != record.serve_line:
                asked = f"route {route} asks for {record.serve_line} now, not {rollout.candidate}"
                raise VerbRefused(f"{asked}; change its serve: line")
            if self.current.routes[route].experiment is not None:
                raise VerbRefused(f"route {route} has an experiment; end it before the rollout begins anew")
            attempt = 1 + record.attempts.get((rollout.stable, rollout.candidate), rollout.attempt)
            return rules.retry(
                rollout, new_id=self._world.new_id(), attempt=attempt, actor=actor, reason=reason, now=now
            )

        return await self._advance(route, "retry", act)

    async def rollback(self, route: str, actor: str, reason: str) -> Rollout:
        """Take the candidate out of traffic at once, then wait until that is recorded.

        Raises:
            UnknownSubject: no such route.
            VerbRefused: there is no open rollout.
        """
        rollout = self._roll_back(route, actor, reason, {"rule": "manual"}, "manual")
        await self._recording.settled(RECORD_SECONDS)
        return rollout

    def trip(self, route: str, version: str, rule: str, evidence: dict[str, Any]) -> None:
        """Take a candidate or an arm out of traffic at once; the record follows. Trips of others change nothing."""
        record = self._state.records.get(route)
        live = self.current.routes.get(route)
        if record is None or live is None or version in live.out:
            return
        reason = reason_of(rule, evidence)
        if record.rollout is not None and record.rollout.candidate == version and record.rollout.is_open:
            self._roll_back(route, GATEWAY, reason, {"rule": rule, **evidence}, rule)
        elif live.experiment is not None and any(a.release.version == version for a in live.experiment.arms):
            self._take_arm_out(route, live.experiment.name, version, reason, {"rule": rule, **evidence}, rule)

    def _roll_back(self, route: str, actor: str, reason: str, evidence: dict[str, Any], rule: str) -> Rollout:
        record = self.record_of(route)
        if record.rollout is None:
            raise VerbRefused(f"route {route} has no rollout to roll back")
        now = self._world.clock.wall()
        rollout = rules.rollback(record.rollout, actor=actor, reason=reason, now=now, evidence=evidence)
        after = record.moved(rollout)
        self._state.records[route] = after
        self._swap_route(route)
        event = RolloutEvent(now, "rollback", rollout)
        self._recording.add(
            f"rollback of {route}/{rollout.candidate}", lambda: self._world.store.record_route(after, [event])
        )
        self._world.meters.rollback(route, rule)
        self._tell("rollback", rollout)
        return rollout

    def _take_arm_out(
        self, route: str, experiment: str, version: str, reason: str, evidence: dict[str, Any], rule: str
    ) -> None:
        arm = ArmOut(route, experiment, version, reason, self._world.clock.wall(), evidence)
        self._state.arms_out = (*self._state.arms_out, arm)
        self._swap_route(route)
        self._recording.add(f"arm {version} of {route} out", lambda: self._world.store.record_arm_out(arm))
        self._world.meters.rollback(route, rule)
        self._world.journal.event(
            "arm_out",
            level="error",
            route=route,
            release=version,
            experiment=experiment,
            reason=reason,
            evidence=evidence,
        )

    async def _advance(self, route: str, verb: str, act: Callable[[RouteRecord, Rollout, float], Rollout]) -> Rollout:
        """Carry out a verb that gives more traffic: record it, then serve it; a trip that comes meanwhile wins."""
        async with self._changing:
            await self._caught_up()
            record = self.record_of(route)
            if record.rollout is None:
                raise VerbRefused(f"route {route} has no rollout to {verb}; change its serve: line to start one")
            after = act(record, record.rollout, self._world.clock.wall())
            new = record.moved(after)
            await self._write(new, [(verb, after)])
            if self._state.records[route] is not record:
                raise VerbRefused(f"route {route} was rolled back meanwhile; nothing was changed")
            self._state.records[route] = new
            self._begin_afresh(verb, after)
            self._swap_route(route)
            self._note_served()
        self._tell(verb, after)
        return after

    async def _caught_up(self) -> None:
        """Let nothing overtake the record of what has already been done."""
        if not await self._recording.settled(RECORD_SECONDS):
            raise StoreFault("the store cannot be written: earlier acts are not recorded yet; try again soon")

    async def _write(self, record: RouteRecord, events: Sequence[tuple[str, Rollout]]) -> None:
        await self._write_all([(record, events)])

    async def _write_all(self, moves: Sequence[tuple[RouteRecord, Sequence[tuple[str, Rollout]]]]) -> None:
        """Record moves in one transaction; where there are none, let requests be served all the same."""
        if not moves:
            await asyncio.sleep(0)
            return
        now = self._world.clock.wall()
        await self._world.store.record_routes(
            [(record, [RolloutEvent(now, verb, rollout) for verb, rollout in events]) for record, events in moves]
        )

    def _begin_afresh(self, verb: str, rollout: Rollout) -> None:
        """A new attempt owes nothing to what was held against an earlier one."""
        if verb in ("start", "retry"):
            self._fresh(rollout.route, rollout.candidate)

    # Snapshots

    def _remember(self, recorded: Recorded) -> None:
        self._state.records = dict(recorded.routes)
        self._state.arms_out = tuple(recorded.arms_out)
        self._state.served = {(v.kind, v.name, v.version): v.digest for v in recorded.served}
        self.current = replace(self.current, epoch=recorded.epoch)

    def record_of(self, route: str) -> RouteRecord:
        """Give a route's recorded state.

        Raises:
            UnknownSubject: no such route.
        """
        record = self._state.records.get(route)
        if record is None or route not in self.current.routes:
            known = ", ".join(sorted(self.current.routes)) or "none"
            raise UnknownSubject(f"no route {route!r}; there is {known}")
        return record

    def _swap_all(self) -> None:
        state, epoch, dev = self._state, self.current.epoch + 1, self._terms.dev
        self._swap(build_snapshot(state.policies, state.releases, state.records, state.arms_out, epoch=epoch, dev=dev))

    def _swap_route(self, name: str) -> None:
        state = self._state
        route = build_route(state.policies.routes[name], state.releases, state.records[name], state.arms_out)
        routes = {**self.current.routes, name: route}
        self._swap(replace(self.current, epoch=self.current.epoch + 1, routes=routes))

    def _swap(self, snapshot: Snapshot) -> None:
        self.current = snapshot
        for told in self._on_swap:
            told(snapshot)

    def _note_served(self) -> None:
        """Record the versions that requests can now meet: from here on their content cannot change."""
        if self._terms.dev:
            return
        new = [
            version
            for version in admitted.servable(self.current)
            if (version.kind, version.name, version.version) not in self._state.served
        ]
        if new:
            self._state.served.update({(v.kind, v.name, v.version): v.digest for v in new})
            self._recording.add("served versions", lambda: self._world.store.record_served(_unique(new)))

    def _tell(self, verb: str, rollout: Rollout) -> None:
        self._world.journal.event(
            verb if verb == "rollback" else f"rollout_{verb}",
            level="warning" if verb == "rollback" else "info",
            route=rollout.route,
            release=rollout.candidate,
            stable=rollout.stable,
            rollout=rollout.id,
            state=rollout.state.value,
            step=rollout.step,
            weight_ppm=rollout.weight_ppm,
            actor=rollout.actor,
            reason=rollout.reason,
            evidence=rollout.evidence,
        )


def _unique(versions: Sequence[ServedVersion]) -> list[ServedVersion]:
    return list(dict.fromkeys(versions))
