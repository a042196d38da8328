"""What files say should serve: a policy set is taken whole and recorded, or the last good one goes on and says why."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.control import admitted
from gateway.control.admissible import Judged, judge
from gateway.control.experiment_arms import arms_of
from gateway.control.live import Live
from gateway.control.planned import Planned, planned
from gateway.control.policies import Policies, Readings, RoutePolicy, load
from gateway.control.policy_limits import unpriced
from gateway.control.registration import registration_of
from gateway.control.releases import compile_release, resolve_providers
from gateway.control.serve_lines import ServeLines
from gateway.control.snapshots import Releases
from gateway.control.subjects import Considered
from gateway.control.undeclared import unknown_datasets
from gateway.core.admission import GovernanceMove
from gateway.core.audit import BY_POLICY, AuditAct, Target, digest_of_texts
from gateway.core.errors import Overtaken, PolicyFault, Problem, StoreFault
from gateway.core.recorded import ExperimentStart, RouteMove
from gateway.core.route_record import POLICY, Decision, RouteRecord, reconcile
from gateway.core.standing import Entry, Key, Standing, versioned

RACES = 3
"""How often a policy set gives way to what other gateways record at the same time, before it is refused."""


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reload of the policy files ended, at wall time `at`."""

    accepted: bool
    at: float
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Examined:
    """A policy set that is acceptable here: its releases, what it registers, and what of it the registry bars.

    `judged` is what becomes of it by approvals; None where they decide nothing, without a store or in development.
    """

    releases: Releases
    entries: tuple[tuple[Entry, Standing], ...]
    barred: tuple[Problem, ...]
    judged: Judged | None = None

    @property
    def held(self) -> frozenset[str]:
        """The routes whose `serve:` line waits for approvals."""
        return frozenset() if self.judged is None else self.judged.held

    @property
    def left_out(self) -> tuple[Problem, ...]:
        """What of it serves nobody, or goes on serving though it could not begin to."""
        if self.judged is None:
            return self.barred
        return (*self.barred, *(each.problem for each in self.judged.lacks), *self.judged.warnings)


class Serving:
    """Takes policy sets into what is live."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._world = live.world
        self._readings = Readings()
        self._is_start_due = False
        self._audited = ""
        self._lines = ServeLines(live.judge_lease, live.world.clock)
        self._judged: Judged | None = None
        self._refused: Judged | None = None
        self._pending: dict[Key, Standing] = {}
        self.last_reload: Reload | None = None

    def __repr__(self) -> str:
        return f"<Serving revision {self.policies.revision[:12] or 'none'}>"

    @property
    def policies(self) -> Policies:
        """The policy set that serves; an empty one before the first."""
        return self._live.state.policies

    def considered(self) -> Iterator[Considered]:
        """Give the sets that approvals may be about: the one that was refused for want of them, and the one live."""
        state, terms = self._live.state, self._live.terms
        if self._refused is not None:
            yield replace(self._refused.considered, known={**state.standings, **self._pending})
        in_force = state.governance.policies
        yield Considered(state.policies, state.releases, state.standings, in_force, terms.environment)

    @property
    def store_is_away(self) -> bool:
        """Whether the store could not be read when it was last looked at."""
        return self._live.is_away

    async def open(self, files: Mapping[str, str]) -> None:
        """Read the store and begin to serve. While it is away, what was copied of it is good enough to serve by.

        Raises:
            PolicyFault: the files are not acceptable.
            StoreFault: the store cannot be read or written, and there is no copy of it.
        """
        try:
            recorded = await self._world.store.recorded()
        except StoreFault as fault:
            copied = await asyncio.to_thread(self._world.copy.read)
            if copied is None:
                raise
            self._live.is_from_copy = self._live.is_away = True
            self._live.remember(copied)
            self._world.journal.event("serving_from_copy", level="error", epoch=copied.epoch, message=fault.message)
        else:
            self._live.remember(recorded)
        await self._admit(files, is_start=True)

    async def follow(self) -> bool:
        """Take over what others have recorded, and note whether the store is there.

        Says whether the policy files should be taken anew: after a start from a copy, the store's return is a start,
        and is asked for until a set has been taken.
        """
        try:
            was_from_copy = self._live.is_from_copy
            has_looked = await self._live.look_again()
            if not self._live.is_from_copy:
                await self._live.keep_copy()
        except StoreFault as fault:
            self._note_store(is_away=True, message=fault.message)
            return False
        self._note_store(is_away=False)
        self._is_start_due = self._is_start_due or (was_from_copy and has_looked)
        return self._is_start_due or self._is_granted() or await self._lines.count_after_all()

    def _is_granted(self) -> bool:
        """Say whether something that the last set lacked has been approved, or excepted, since."""
        now, governance = self._world.clock.wall(), self._live.state.governance
        lacks = [each for judged in (self._judged, self._refused) if judged is not None for each in judged.lacks]
        return any(
            governance.approval_of(each.subject, now) or governance.exception_of(each.subject, now) for each in lacks
        )

    def _note_store(self, *, is_away: bool, **fields: str) -> None:
        """Tell the journal once when the store goes, and once when it is back."""
        if is_away is not self._live.is_away:
            self._live.is_away = is_away
            self._live.swap_keys()
            if not is_away:
                self._live.recording.hurry()
            level = "error" if is_away else "info"
            self._world.journal.event("store_away" if is_away else "store_back", level=level, **fields)

    async def reload(self, files: Mapping[str, str]) -> Reload:
        """Take a new policy set whole, or keep the last good one and say why."""
        try:
            reload = await self._admit(files)
        except PolicyFault as fault:
            self._is_start_due = False  # a set that is not acceptable is read again once somebody has changed it
            return self.rejected(self._world.located(fault.problems))
        except (StoreFault, Overtaken) as fault:
            problem = Problem("store", 0, fault.message, "reload again once the store can be written")
            return self.rejected((problem,))
        return reload

    def rejected(self, problems: Sequence[Problem]) -> Reload:
        """Note that a policy set was not taken; the last good one goes on serving."""
        self.last_reload = reload = Reload(accepted=False, at=self._world.clock.wall(), problems=tuple(problems))
        self._world.meters.reload("rejected")
        self._world.note(self._reject(problems))
        self._world.journal.event("reload_rejected", level="error", problems=[str(problem) for problem in problems])
        return reload

    async def _admit(self, files: Mapping[str, str], *, is_start: bool = False) -> Reload:
        """Take a policy set; anew, where another gateway has recorded something in the meantime.

        What the registry bars is refused; at a start, where there is no other set to go on with, it is left out.
        """
        for _ in range(RACES):
            try:
                return await self._take(files, is_start=is_start)
            except Overtaken:
                await self._live.look_again()
        return await self._take(files, is_start=is_start)

    async def _take(self, files: Mapping[str, str], *, is_start: bool) -> Reload:
        live, state = self._live, self._live.state
        policies = await asyncio.to_thread(load, files, self._readings)
        unsigned = await asyncio.to_thread(admitted.unsigned, policies, live.terms)
        async with live.changing:
            await live.caught_up()
            found = await self._examined(policies, is_start=is_start, unsigned=unsigned)
            decisions = await self._reconcile(policies, found)
            removed = admitted.removed(policies, state.policies)
            state.policies, state.releases = policies, found.releases
            state.records |= {name: decision.record for name, decision in decisions.items()}
            self._begin_experiments(policies)
            live.swap_all()
            await asyncio.sleep(0)
            live.note_served()
        for decision in decisions.values():
            for verb, rollout in decision.events:
                live.moved(verb, rollout)
        self._judged, self._refused = found.judged, None
        if not live.is_from_copy:
            self._lines.note(policies.routes.values(), state.records, found.held)
        return self._accepted(policies, found.left_out, removed)

    async def plan(self, files: Mapping[str, str]) -> Planned:
        """Say what taking a policy set would mean, and change nothing.

        Raises:
            PolicyFault: it would be refused; it carries every reason.
        """
        live, state = self._live, self._live.state
        policies = await asyncio.to_thread(load, files)
        unsigned = await asyncio.to_thread(admitted.unsigned, policies, live.terms)
        async with live.changing:
            found = await self._examined(policies, is_start=False, unsigned=unsigned, is_plan=True)
            records = state.records
            leads = live.judge_lease.was_ours
            decisions = [self._decide(route, records.get(name), leads=leads) for name, route in policies.routes.items()]
            now = self._world.clock.wall()
            cooled = admitted.no_longer_warm(policies, records, now)
            excepted = state.governance.lasting(live.terms.environment, now)
        warnings = (*policies.warnings, *cooled)
        return planned(state.policies, policies, found.entries, decisions, excepted, warnings, now)

    async def _examined(
        self, policies: Policies, *, is_start: bool, unsigned: Sequence[Problem], is_plan: bool = False
    ) -> _Examined:
        """Hold a policy set against what has served, what is registered and what is recorded.

        One that lacks approvals alone is kept, so that they can be asked for; unless it is only planned.

        Raises:
            PolicyFault: it is not acceptable here.
        """
        live, state = self._live, self._live.state
        releases = await asyncio.to_thread(self._compile, policies)
        unpriced_ones = await asyncio.to_thread(unpriced, policies, self._world.price_book)
        unregistered = {key: digest for key, digest in state.served.items() if key not in state.standings}
        problems = admitted.problems(policies, releases, state.records, unregistered, live.terms)
        problems += admitted.changed_experiments(policies, state.experiments)
        problems += [*admitted.opened(policies, state.policies), *admitted.emptied(policies, state.policies)]
        problems += [*unsigned, *unpriced_ones]
        datasets = {versioned(*key) for key in state.standings if key[0] == "dataset"}
        problems += unknown_datasets(policies.undeclared, policies.datasets, datasets)
        barred = admitted.barred(policies, releases, replace(live.standings, admissions=None))
        entries, changed = await asyncio.to_thread(self._registration, policies)
        problems += changed if is_start else changed + barred
        judged = await self._judge(policies, releases, entries, is_start=is_start)
        if judged is not None:
            problems += judged.problems
            is_same = is_start or policies.revision == state.policies.revision  # what serves, or there is nothing else
            if judged.lacks and not is_same:
                if not is_plan:
                    self._refused = judged if not problems else None
                    self._pending = {standing.key: standing for _, standing in entries}
                problems += [each.problem for each in judged.lacks]
        if problems:
            raise PolicyFault(sorted(set(problems)))
        await asyncio.sleep(0)  # each of these steps takes a thousand routes' time, in which nobody is served
        return _Examined(releases, tuple(entries), tuple(barred), judged)

    async def _judge(
        self, policies: Policies, releases: Releases, entries: Sequence[tuple[Entry, Standing]], *, is_start: bool
    ) -> Judged | None:
        """Hold a policy set against approvals. A development server needs none, and without the store none is known."""
        live, state = self._live, self._live.state
        if live.terms.dev or live.is_from_copy:
            return None
        known = {**state.standings, **{standing.key: standing for _, standing in entries}}
        governance, now = state.governance, self._world.clock.wall()
        considered = Considered(policies, releases, known, governance.policies, live.terms.environment)
        before = policies if is_start else state.policies
        served = frozenset(state.served)
        return await asyncio.to_thread(judge, considered, governance, dict(state.records), before, served, now)

    def _accepted(self, policies: Policies, left_out: Sequence[Problem], removed: Sequence[str]) -> Reload:
        self._is_start_due = False
        cooled = admitted.no_longer_warm(policies, self._live.state.records, self._world.clock.wall())
        warnings = self._world.located((*policies.warnings, *cooled, *left_out, *self._lines.left_behind))
        self.last_reload = reload = Reload(accepted=True, at=self._world.clock.wall(), warnings=warnings)
        self._world.meters.reload("accepted")
        self._world.journal.event(
            "reload_accepted",
            level="warning" if removed else "info",
            revision=policies.revision,
            routes=len(policies.routes),
            removed=list(removed),
            epoch=self._live.current.epoch,
        )
        return reload

    def _registration(self, policies: Policies) -> tuple[Sequence[tuple[Entry, Standing]], list[Problem]]:
        """Give what the set registers, and which of its versions are registered with other content.

        A development server registers nothing, and while the store is away nothing can be.
        """
        if self._live.terms.dev or self._live.is_from_copy:
            return (), []
        found = registration_of(policies, self._live.state.standings, self._world.clock.wall())
        return found.entries, list(found.problems)

    def _compile(self, policies: Policies) -> Releases:
        providers = resolve_providers(policies, self._world.secrets)
        return {
            (name, version): compile_release(
                name, release, policies, providers, self._world.price_book, dev=self._live.terms.dev
            )
            for name, route in policies.routes.items()
            for version, release in route.releases.items()
        }

    async def _reconcile(self, policies: Policies, found: _Examined) -> dict[str, Decision]:
        """Register what a set declares, and record what it means for each route: a deployment, a rollout, an abort.

        A trip that comes meanwhile wins: its route is looked at anew. What is given fits the records as they are now.
        From a copy nothing is decided: what is recorded serves, and a route of which nothing is known does not.
        """
        decided: dict[str, tuple[RouteRecord | None, Decision]] = {}
        origin = replace(BY_POLICY, policy_revision=policies.revision)
        state = self._live.state  # its records are another mapping after each look at the store and each act heard of
        entries: Sequence[tuple[Entry, Standing]] = found.entries
        governed: GovernanceMove | None = None if found.judged is None else found.judged.move
        if self._live.is_from_copy:
            return {name: Decision(state.records[name]) for name in policies.routes if name in state.records}
        is_due = not policies.routes or bool(entries) or bool(governed)
        held = found.held  # found once, since it goes through all routes
        while (
            undecided := [
                route
                for name, route in policies.routes.items()
                if name not in decided or decided[name][0] is not state.records.get(name)
            ]
        ) or is_due:
            await self._live.caught_up()
            leads = await self._lines.leads(undecided, state.records)
            moves = []
            for route in undecided:
                before = state.records.get(route.name)
                decision = (
                    Decision(before)
                    if before is not None and route.name in held
                    else self._decide(route, before, leads=leads)
                )
                decided[route.name] = before, decision
                if decision.record != before:
                    moves.append(self._live.move(before, decision.record, decision.events, origin))
            await self._write(moves, entries, policies, governed)
            entries, governed, is_due = (), None, False
        return {name: decision for name, (_, decision) in decided.items()}

    async def _write(
        self,
        moves: Sequence[RouteMove],
        entries: Sequence[tuple[Entry, Standing]],
        policies: Policies,
        governed: GovernanceMove | None,
    ) -> None:
        """Record moves, what is registered and admitted, together with the policy set that they come of, told once.

        A set that came while only a copy of the store was known is told when the store is back.
        """
        is_told = policies.revision == self._audited
        told = () if is_told else (self._accept(policies),)
        await self._live.write(moves, entries, told, replace(BY_POLICY, policy_revision=policies.revision), governed)
        self._audited = policies.revision

    def _accept(self, policies: Policies) -> AuditAct:
        return AuditAct(
            at=self._world.clock.wall(),
            actor=POLICY,
            action="policy.accept",
            target=Target("policy_set", "policies", digest=policies.revision),
            origin=replace(BY_POLICY, policy_revision=policies.revision),
            before_digest=self._live.state.policies.revision or None,
            after_digest=policies.revision,
            details={"routes": str(len(policies.routes))},
        )

    def _reject(self, problems: Sequence[Problem]) -> AuditAct:
        said = [str(problem) for problem in problems]
        return AuditAct(
            at=self._world.clock.wall(),
            actor=POLICY,
            action="policy.reject",
            target=Target("policy_set", "policies"),
            origin=replace(BY_POLICY, policy_revision=self._live.state.policies.revision or None),
            outcome="failed",
            details={"problems": str(len(said)), "digest": digest_of_texts(*said)},
        )

    def _decide(self, route: RoutePolicy, before: RouteRecord | None, *, leads: bool) -> Decision:
        return reconcile(
            before,
            route=route.name,
            line=self._lines.line(route, leads=leads),
            rollout_from=route.rollout_from,
            plan=route.plan,
            now=self._world.clock.wall(),
            new_id=self._world.new_id(),
        )

    def _begin_experiments(self, policies: Policies) -> None:
        """Record, for each experiment that is met for the first time, that it begins now."""
        state = self._live.state
        known = {(start.route, start.name) for start in state.experiments}
        for route in policies.routes.values():
            own = route.experiment
            if own is None or (route.name, own.name) in known or self._live.is_from_copy:
                continue
            start = ExperimentStart(route.name, own.name, self._world.clock.wall(), arms_of(own))
            state.experiments = (*state.experiments, start)
            self._live.record_experiment_later(start)
