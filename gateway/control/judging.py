"""Judging: once a second, what every open rollout has shown is held against its plan, and acted on.

It hears of each settled request, counts it in its route's error budget and puts it on a list; the rest is done beside
the requests. In a fleet it hands over what its own requests have shown, and takes what others hand over.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Literal

from gateway.control.breakers import Breakers
from gateway.control.error_budgets import ErrorBudgets
from gateway.control.live import Live
from gateway.control.rollouts import Rollouts
from gateway.control.watched_arms import WatchedArms
from gateway.control.watched_steps import Restored, WatchedStep, begin, key_of
from gateway.core.errors import OperatorFault, StoreFault
from gateway.core.hand_over import HandOver
from gateway.core.judgement import Finding, said_of
from gateway.core.progress import STAY, Move, Seen, decide, waits_of
from gateway.core.record import Record
from gateway.core.recorded import KeptEvidence
from gateway.core.rollout import Rollout
from gateway.core.snapshot import Snapshot

Taken = Literal["counted", "repeated", "elsewhere"]
"""What came of a hand-over: it counts, or did before, or nothing is watched here that it is of."""

KEEP_SECONDS = 5.0
"""How often evidence is written down: a kill loses no more of it."""

KEPT_AT_ONCE = 50
AT_ONCE = 50
"""How many rollouts are judged between two looks at what the serving loop has to do."""


class Judging:
    """The evidence of every rollout under way, and of every experiment's arms. Times are those of the world's clock."""

    def __init__(self, live: Live, rollouts: Rollouts, breakers: Breakers, budgets: ErrorBudgets) -> None:
        self._live = live
        self._rollouts = rollouts
        self._breakers = breakers
        self._budgets = budgets
        self._clock = live.world.clock
        self._journal = live.world.journal
        self._steps: dict[str, WatchedStep] = {}
        self._arms = WatchedArms(live, rollouts)
        self._heard: dict[str, list[Record]] = {}
        self._kept: dict[str, Restored] = {}
        self._keep_next = 0.0
        self._is_delayed = False
        self._new_source: Callable[[], str] | None = None

    def __repr__(self) -> str:
        return f"<Judging {len(self._steps)} rollouts>"

    # What it hears

    def hear(self, record: Record) -> None:
        """Take a settled request."""
        self._budgets.hear(record)
        heard = self._heard.get(record.route)
        if heard is not None:
            heard.append(record)

    def hear_feedback(self, record: Record, name: str, value: float) -> None:
        """Take a number that somebody said of a settled request's answer."""
        step = self._steps.get(record.route)
        if step is not None:
            step.hear_feedback(record, name, value)
        self._arms.hear_feedback(record, name, value)

    def trip(self, route: str, version: str, rule: str, evidence: dict[str, Any]) -> None:
        """Have a candidate or an arm taken out that the breaker has tripped for, with what its step has shown."""
        self.gather()
        step = self._steps.get(route)
        shown = _evidence(step, step.findings()) if step is not None and step.rollout.candidate == version else {}
        self._rollouts.trip(route, version, rule, {**shown, **evidence})

    def gather(self) -> None:
        """Put what was heard to the evidence. A few times a second, so that it is never much at once."""
        for route, heard in self._heard.items():
            if heard:
                records, self._heard[route] = heard, []
                self._put(route, records)

    def _put(self, route: str, records: Iterable[Record]) -> None:
        step = self._steps.get(route)
        for record in records:
            if step is not None:
                step.hear(record)
            self._arms.hear(record)

    # What it hands over, and is handed over

    def hand_over_as(self, new_source: Callable[[], str]) -> None:
        """Gather what is to be handed over in every step that begins from now on, each as a new source."""
        self._new_source = new_source

    def sources(self) -> frozenset[str]:
        """Give the sources of what is watched now."""
        return frozenset(step.source for step in self._steps.values() if step.source is not None)

    def hand_over(self, but: Container[str]) -> list[HandOver]:
        """Give what has come since this was last asked, of every step, but of the sources that are to gather on."""
        self.gather()
        given = [step.hand_over() for step in self._steps.values() if step.source not in but]
        return [told for told in given if told is not None]

    def take(self, told: HandOver) -> Taken:
        """Count what another gateway hands over, once, where it is of a step that is watched; say what came of it.

        Raises:
            ValueError: it holds what no gateway hands over.
        """
        step = self._steps.get(told.route)
        if step is None or not step.takes(told):
            return "elsewhere"
        return "counted" if step.take(told) else "repeated"

    # What it watches

    async def restore(self) -> None:
        """Go on from what an earlier process wrote down. Where it cannot be read, every step is watched anew."""
        try:
            kept = await self._live.world.store.kept_evidence()
        except StoreFault as fault:
            self._journal.event("evidence_lost", level="warning", message=fault.message)
            return
        for each in kept:
            try:
                self._kept[each.rollout] = Restored.read(each)
            except ValueError as error:
                self._journal.event("evidence_lost", level="warning", rollout=each.rollout, message=str(error))

    def follow(self, snapshot: Snapshot) -> None:
        """Watch what a new snapshot serves: whatever of a rollout's step begins, begins here."""
        wall, now = self._clock.wall(), self._clock.monotonic()
        for name, record in self._live.state.records.items():
            rollout, route = record.rollout, snapshot.routes.get(name)
            is_served = rollout is not None and route is not None and rollout.candidate in route.releases
            if rollout is None or route is None or not is_served or not rollout.is_watched(wall):
                self._steps.pop(name, None)
                continue
            step, stable = self._steps.get(name), route.stable.version
            if step is not None and step.key == key_of(rollout) and step.compares_with(stable):
                step.rollout = rollout
                continue
            same = step if step is not None and step.rollout.id == rollout.id else None
            kept = self._kept.pop(rollout.id, None)
            if same is None and kept is None:
                self._budgets.begin_canary(name)
            self._steps[name] = self._begun(begin(rollout, stable, same, kept, epoch=snapshot.epoch, now=now))
        self._arms.follow(snapshot)
        watched = {*self._steps, *self._arms.routes}
        self._heard = {name: self._heard.get(name, []) for name in watched}

    def _begun(self, step: WatchedStep) -> WatchedStep:
        if self._new_source is not None:
            step.hand_over_as(self._new_source())
        return step

    # What it does

    async def judge(self) -> None:
        """Judge everything that is watched, once. A rollback waits for no store; what must be recorded comes after."""
        self.gather()
        moves: list[tuple[WatchedStep, Move]] = []
        for place, (name, step) in enumerate(tuple(self._steps.items())):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if self._steps.get(name) is step:
                moves.append((step, self._judge_guarded(name, step)))
        self._arms.judge()
        if await self._is_judge():
            await self._carry_out([(step, move) for step, move in moves if move.verb in ("promote", "hold", "clear")])
            await self._keep()

    def _judge_guarded(self, name: str, step: WatchedStep) -> Move:
        """Judge a step. What its evidence may do must not keep the others from being judged."""
        try:
            return self._judge_step(name, step)
        except Exception as error:  # noqa: BLE001 - one rollout's accident is not to be every rollout's
            said = f"{type(error).__name__}: {error}"
            self._journal.event("judging_failed", level="error", route=name, message=said)
            return STAY

    async def _is_judge(self) -> bool:
        """Say whether this gateway is the one, of those on one store, that moves rollouts on by what it has seen.

        Each may have heard something else, and they would clear each other's holds; taking a candidate out is anyone's.
        """
        return await self._live.judge_lease.is_ours()

    def _judge_step(self, name: str, step: WatchedStep) -> Move:
        step.look(self._clock.monotonic())
        if step.is_after:
            self._judge_after(step)
            return STAY
        bar = self._bar(name, step.rollout.candidate)
        if bar is not None:
            rule, why = bar
            self._rollouts.roll_back(step.rollout, why, {}, rule)
            return STAY
        move = decide(step.rollout, self._seen(name, step), step.weigh)
        if move.verb == "rollback" and (move.rule == "guardrail" or self._live.judge_lease.was_ours):
            self._rollouts.roll_back(step.rollout, move.reason, _evidence(step, step.findings()), move.rule)
        return move

    def _bar(self, route: str, version: str) -> tuple[str, str] | None:
        """Say what keeps a release from serving, by its file or by the registry: the rule, and why."""
        state = self._live.state
        retired = state.policies.routes[route].releases[version].retired
        return ("retired", retired) if retired is not None else self._live.standings.bar(state.releases[route, version])

    async def _carry_out(self, moves: Iterable[tuple[WatchedStep, Move]]) -> None:
        """Make the moves that must be recorded first. While the store is away they are put off to the next second."""
        for step, move in moves:
            try:
                await self._act(step, move)
            except StoreFault as fault:
                self._note_delay(step.rollout, fault)
                return
            except OperatorFault:
                continue  # it has moved since it was judged, here or elsewhere, or its route is gone
            self._is_delayed = False

    async def _act(self, step: WatchedStep, move: Move) -> None:
        match move.verb:
            case "promote":
                await self._rollouts.advance(step.rollout, move.reason, _evidence(step, move.findings))
            case "hold":
                await self._rollouts.hold(step.rollout, move.codes, move.reason)
            case _:
                await self._rollouts.clear(step.rollout, move.reason)

    def _judge_after(self, step: WatchedStep) -> None:
        """A completed rollout is undone by what would have rolled it back."""
        if not step.rollout.is_watched(self._clock.wall()):
            self._steps.pop(step.rollout.route, None)
            return
        found = step.breaches()
        if not found:
            return
        rollout = step.rollout
        if self._is_outage(rollout):
            # Nobody else's requests to the provider go well: what was seen meanwhile says nothing about the release.
            now, epoch = self._clock.monotonic(), self._live.current.epoch
            begun = begin(rollout, rollout.candidate, step, None, epoch=epoch, now=now)
            self._steps[rollout.route] = self._begun(begun)
            return
        said = said_of(found)
        told = _evidence(step, step.findings())
        if not self._rollouts.take_back(rollout, said, told):
            self._steps.pop(rollout.route, None)
            self._journal.event(
                "guardrail_breached",
                level="error",
                route=rollout.route,
                release=rollout.candidate,
                message=said,
                evidence=told,
            )

    def _is_outage(self, rollout: Rollout) -> bool:
        """Say whether other releases of the same provider fail now, on whatever route."""
        release = self._live.current.routes[rollout.route].releases.get(rollout.candidate)
        now = self._clock.monotonic()
        return release is not None and self._breakers.others_fail(release, now)

    def _seen(self, name: str, step: WatchedStep) -> Seen:
        route = self._live.current.routes[name]
        candidate = route.releases.get(step.rollout.candidate)
        now = self._clock.monotonic()
        return step.seen(
            budget=self._budgets.reading(name, self._clock.wall()),
            stable_fails=candidate is not None and self._breakers.stable_fails(route, candidate, now),
        )

    async def _keep(self) -> None:
        """Write down, now and then, the evidence that has grown."""
        now = self._clock.monotonic()
        if now < self._keep_next:
            return
        self._keep_next = now + KEEP_SECONDS
        grown = [step for step in self._steps.values() if step.is_worth_keeping]
        grown = sorted(grown, key=lambda step: step.kept_at)[:KEPT_AT_ONCE]
        if not grown:
            return
        at = self._clock.wall()
        try:
            await self._live.world.store.keep_evidence(await _written(grown, at))
        except StoreFault as fault:
            for step in grown:
                step.not_kept()
            self._note_delay(grown[0].rollout, fault)
        else:
            self._is_delayed = False

    def _note_delay(self, rollout: Rollout, fault: Exception) -> None:
        """Tell the journal once that what was decided cannot be recorded; it is decided anew every second."""
        if not self._is_delayed:
            self._is_delayed = True
            self._journal.event(
                "judging_delayed", level="warning", route=rollout.route, rollout=rollout.id, message=str(fault)
            )

    # What it tells

    def describe(self, route: str) -> Mapping[str, Any] | None:
        """Tell what a route's rollout has shown and what it waits for, as JSON; None where none is watched."""
        step = self._steps.get(route)
        if step is None or route not in self._live.current.routes:
            return None
        self.gather()
        found = step.findings()
        told = {**step.describe(), "findings": [finding.to_json() for finding in found]}
        if step.is_after:
            return {**told, "step_seconds": None, "waits": []}
        waits = waits_of(step.rollout, self._seen(route, step), found)
        plan_step = step.rollout.plan.steps[step.key[1]]
        return {
            **told,
            "step_seconds": plan_step.seconds,
            "min_requests": plan_step.min_requests,
            "min_units": plan_step.min_units,
            "waits": [{"code": wait.code, "sentence": wait.sentence} for wait in waits],
            "error_budget": self._budgets.describe(route, self._clock.wall()),
        }


async def _written(steps: Iterable[WatchedStep], at: float) -> list[KeptEvidence]:
    """Write steps down one by one: each takes up to some milliseconds, after which whoever waits is served."""
    written = []
    for step in steps:
        written.append(step.keep(at))
        await asyncio.sleep(0)
    return written


def _evidence(step: WatchedStep, found: Iterable[Finding]) -> dict[str, Any]:
    """Give what a move rests on, for the record."""
    return {**step.describe(), "findings": [finding.to_json() for finding in found]}
