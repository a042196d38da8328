"""Acts on rollouts: a person's verbs, a trip, and what the judging finds.

What takes a release out of traffic acts at once and is recorded after; what gives one more acts once it is recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.control.live import Live
from gateway.control.reasons import reason_of
from gateway.core import rollout as rules
from gateway.core.audit import BY_GATEWAY, Origin
from gateway.core.errors import Overtaken, VerbRefused
from gateway.core.fleet_message import RolloutOut
from gateway.core.recorded import ArmOut, RolloutEvent, RouteMove
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import GATEWAY, RouteRecord

Act = Callable[[RouteRecord, Rollout, float], Rollout]
"""Makes of a route's record, its latest rollout and the wall time what the rollout becomes."""


@dataclass(frozen=True, slots=True)
class Word:
    """Who wants something, why, and what they had seen before: the rollout's id, state and step (from 1).

    `origin` says how it came, for the audit trail.
    """

    actor: str
    reason: str
    seen: Mapping[str, Any] | None = None
    origin: Origin = BY_GATEWAY


class Rollouts:
    """Moves the rollouts of what is live.

    Every act raises UnknownSubject where there is no such route, VerbRefused where the rollout does not take it or is
    not as its word had seen it, and StoreFault where it must be recorded first and cannot.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._world = live.world

    def __repr__(self) -> str:
        open_now = sum(r.rollout is not None and r.rollout.is_open for r in self._live.state.records.values())
        return f"<Rollouts {open_now} open>"

    # A person's verbs

    async def start(self, route: str, word: Word) -> Rollout:
        """Enter the first step of a held rollout."""
        return await self._advance(route, "start", word, _by(rules.start, word))

    async def promote(self, route: str, word: Word, *, full: bool = False) -> Rollout:
        """Move on to the next step; from the last one, or with `full`, complete the rollout."""

        def act(_record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            return rules.promote(rollout, word.actor, word.reason, now, full=full)

        return await self._advance(route, "promote", word, act)

    async def pause(self, route: str, word: Word) -> Rollout:
        """Keep a rollout in its step until it is resumed."""
        return await self._advance(route, "pause", word, _by(rules.pause, word))

    async def resume(self, route: str, word: Word) -> Rollout:
        """Let a paused rollout go on."""
        return await self._advance(route, "resume", word, _by(rules.resume, word))

    async def retry(self, route: str, word: Word) -> Rollout:
        """Try a rolled back candidate anew, as another attempt with other units."""

        def act(record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            if rollout.state is RolloutState.rolled_back and rollout.candidate != record.serve_line:
                asked = f"route {route} asks for {record.serve_line} now, not {rollout.candidate}"
                raise VerbRefused(f"{asked}; change its serve: line")
            if self._live.current.routes[route].experiment is not None:
                raise VerbRefused(f"route {route} has an experiment; end it before the rollout begins anew")
            if rollout.state is RolloutState.rolled_back and rollout.stable != record.stable:
                raise VerbRefused(f"route {route} serves {record.stable} now; change its serve: line away and back")
            attempt = 1 + record.attempts.get((rollout.stable, rollout.candidate), rollout.attempt)
            new_id = self._world.new_id()
            return rules.retry(rollout, new_id=new_id, attempt=attempt, actor=word.actor, reason=word.reason, now=now)

        return await self._advance(route, "retry", word, act)

    async def rollback(self, route: str, word: Word) -> Rollout:
        """Take the candidate out of traffic at once, then wait until that is recorded."""
        record = self._live.record_of(route)
        _check_seen(record, word)
        rollout = self._roll_back(route, word, {}, "manual")
        await self._live.caught_up_if_possible()
        return rollout

    async def undo(self, route: str, word: Word, *, to: str | None = None) -> Rollout:
        """Take a completed rollout back at once: the release before it, or the warm one `to`, is stable again."""
        record = self._live.record_of(route)
        _check_seen(record, word)
        rollout = self._take_back(route, word, {}, "undo", to)
        await self._live.caught_up_if_possible()
        return rollout

    # What acts by itself

    def trip(self, route: str, version: str, rule: str, evidence: dict[str, Any]) -> None:
        """Take a candidate or an arm out of traffic at once; the record follows. Trips of others change nothing.

        An arm with the stable release is one of these: without it nothing would serve.
        """
        record = self._live.state.records.get(route)
        live = self._live.current.routes.get(route)
        if record is None or live is None or version in live.out:
            return
        reason = reason_of(rule, evidence)
        if record.rollout is not None and record.rollout.candidate == version and record.rollout.is_open:
            self._roll_back(route, Word(GATEWAY, reason), evidence, rule)
        elif live.experiment is not None and live.can_roll_back(version):
            told = {"rule": rule, **evidence}
            arm = ArmOut(route, live.experiment.name, version, reason, self._world.clock.wall(), told)
            self._take_arm_out(arm, rule)

    def roll_back(self, judged: Rollout, reason: str, evidence: dict[str, Any], rule: str) -> None:
        """Roll a rollout back that still is as it was judged."""
        if self._still(judged):
            self._roll_back(judged.route, Word(GATEWAY, f"{rule}: {reason}"), evidence, rule)

    def take_back(self, judged: Rollout, reason: str, evidence: dict[str, Any]) -> bool:
        """Undo a completed rollout whose candidate breaches a guardrail, if it still is as it was judged.

        Says whether there was a release to go back to.
        """
        if not self._still(judged):
            return False
        try:
            self._take_back(judged.route, Word(GATEWAY, f"guardrail: {reason}"), evidence, "guardrail", None)
        except VerbRefused:
            return False
        return True

    async def advance(self, judged: Rollout, reason: str, evidence: dict[str, Any]) -> None:
        """Promote a rollout that still is as it was judged."""

        def act(_record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            return rules.promote(rollout, GATEWAY, reason, now, evidence=evidence)

        await self._move_judged(judged, "advance", act)

    async def hold(self, judged: Rollout, holds: tuple[str, ...], reason: str) -> None:
        """Hold a rollout that still is as it was judged."""

        def act(_record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            return rules.hold(rollout, GATEWAY, holds, reason, now)

        await self._move_judged(judged, "hold", act)

    async def clear(self, judged: Rollout, reason: str) -> None:
        """Let a held rollout go on that still is as it was judged."""
        await self._move_judged(judged, "clear", _by(rules.clear, Word(GATEWAY, reason)))

    async def _move_judged(self, judged: Rollout, verb: str, act: Act) -> None:
        def act_on_judged(record: RouteRecord, rollout: Rollout, now: float) -> Rollout:
            if rollout != judged:
                raise Overtaken(f"the {judged}, has moved since it was judged")
            return act(record, rollout, now)

        await self._advance(judged.route, verb, Word(GATEWAY, ""), act_on_judged)

    def _still(self, judged: Rollout) -> bool:
        record = self._live.state.records.get(judged.route)
        return record is not None and record.rollout == judged and judged.route in self._live.current.routes

    # How it is done

    def _roll_back(self, route: str, word: Word, evidence: dict[str, Any], rule: str) -> Rollout:
        record = self._live.record_of(route)
        if record.rollout is None:
            raise VerbRefused(f"route {route} has no rollout to roll back")
        told, now = {"rule": rule, **evidence}, self._world.clock.wall()
        rollout = rules.rollback(record.rollout, word.actor, word.reason, now, evidence=told)
        after = self._live.overriding(record.moved(rollout))
        self._out_at_once("rollback", self._live.move(record, after, [("rollback", rollout)], word.origin), rule)
        return rollout

    def _take_back(self, route: str, word: Word, evidence: dict[str, Any], rule: str, to: str | None) -> Rollout:
        record, now = self._live.record_of(route), self._world.clock.wall()
        if record.rollout is None:
            raise VerbRefused(f"route {route} has no rollout to undo")
        told = {"rule": rule, **evidence}
        rollout = rules.undo(record.rollout, word.actor, word.reason, now, evidence=told)
        live = self._live.current.routes[route]
        servable = [version for version in record.warm(now) if version in live.releases and version not in live.out]
        target = (servable[0] if servable else None) if to is None else to
        if target not in servable:
            known = ", ".join(servable) or "none"
            wanted = "" if to is None else f" {to}"
            raise VerbRefused(f"route {route} has no warm release{wanted} to go back to; those that are: {known}")
        after = self._live.overriding(record.undone(rollout, target))
        self._out_at_once("undo", self._live.move(record, after, [("undo", rollout)], word.origin), rule)
        return rollout

    def _out_at_once(self, verb: str, move: RouteMove, rule: str) -> None:
        """Serve what a rollback or an undo has decided, and have it recorded, whatever has been recorded meanwhile."""
        (event,) = move.events
        live, route = self._live, move.record.route
        live.state.records[route] = move.record
        live.swap_route(route)
        self._world.say(_said_of(event, move.record))
        live.record_out_later(f"{verb} of {route}/{event.rollout.candidate}", move)
        self._world.meters.rollback(route, rule)
        live.moved(verb, event.rollout)

    def _take_arm_out(self, arm: ArmOut, rule: str) -> None:
        live = self._live
        live.state.arms_out = (*live.state.arms_out, arm)
        live.swap_route(arm.route)
        self._world.say(arm)
        live.record_arm_later(arm)
        self._world.meters.rollback(arm.route, rule)
        self._world.journal.event(
            "arm_out",
            level="error",
            route=arm.route,
            release=arm.release,
            experiment=arm.experiment,
            reason=arm.reason,
            evidence=arm.evidence,
        )

    async def _advance(self, route: str, verb: str, word: Word, act: Act) -> Rollout:
        """Carry out a verb that gives more traffic: record it, then serve it; a trip that comes meanwhile wins."""
        live = self._live
        async with live.changing:
            await live.caught_up()
            record = live.record_of(route)
            if record.rollout is None:
                raise VerbRefused(f"route {route} has no rollout to {verb}; change its serve: line to start one")
            _check_seen(record, word)
            after = act(record, record.rollout, self._world.clock.wall())
            new = record.moved(after)
            await live.write([live.move(record, new, [(verb, after)], word.origin)])
            if live.state.records[route] is not record:
                raise VerbRefused(f"route {route} was rolled back meanwhile; nothing was changed")
            live.state.records[route] = new
            live.swap_route(route)
            live.note_served()
        live.moved(verb, after)
        return after


def _said_of(event: RolloutEvent, after: RouteRecord) -> RolloutOut:
    """Say to other gateways that a rollout was taken out."""
    rollout = event.rollout
    verb: Literal["rollback", "undo"] = "undo" if event.verb == "undo" else "rollback"
    evidence = rollout.evidence or {}
    return RolloutOut(rollout.route, rollout.id, verb, after.stable, rollout.actor, rollout.reason, event.at, evidence)


def _by(rule: Callable[[Rollout, str, str, float], Rollout], word: Word) -> Act:
    """Make an act of a rule that needs to know no more than who acts and why."""
    return lambda _record, rollout, now: rule(rollout, word.actor, word.reason, now)


def _check_seen(record: RouteRecord, word: Word) -> None:
    """Refuse the word of somebody who has seen another rollout, state or step than the one that is there."""
    rollout = record.rollout
    if word.seen is None or rollout is None:
        return
    now = {
        "rollout": rollout.id,
        "state": rollout.state.value,
        "step": rollout.step_number,
    }
    moved = [name for name, value in word.seen.items() if now.get(name) != value]
    if moved:
        said = ", ".join(f"{name} {now.get(name)}" for name in moved)
        raise Overtaken(f"the {rollout}, has moved: it has {said} now; look again before you act")
