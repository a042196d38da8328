"""A rollout: the recorded, stepwise move of a route from its stable release to its candidate.

The law:

1. Only a running rollout gives its candidate weight, that of its step; completed, the candidate is stable
   itself.
2. `rolled_back`, `completed` and `superseded` are final. Trying again is a new attempt, with other units.
3. A rollout keeps the plan that it started with.
4. A store with nothing in it is no reason to expose anyone: what it may have forgotten is held until a person
   starts it.
5. What was rolled back stays so, whatever the file goes on asking for; only a change of its line starts anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateway.core.bucket import BUCKETS, rollout_salt
from gateway.core.errors import VerbRefused
from gateway.core.plan import Plan


class RolloutState(StrEnum):
    """Where a rollout stands."""

    held = "held"
    running = "running"
    completed = "completed"
    rolled_back = "rolled_back"
    superseded = "superseded"


TRANSITIONS: Mapping[tuple[RolloutState, str], RolloutState] = {
    (RolloutState.held, "start"): RolloutState.running,
    (RolloutState.held, "rollback"): RolloutState.rolled_back,
    (RolloutState.held, "supersede"): RolloutState.superseded,
    (RolloutState.running, "promote"): RolloutState.running,
    (RolloutState.running, "complete"): RolloutState.completed,
    (RolloutState.running, "rollback"): RolloutState.rolled_back,
    (RolloutState.running, "supersede"): RolloutState.superseded,
}

_REMEDIES: Mapping[RolloutState, str] = {
    RolloutState.held: "start it or roll it back",
    RolloutState.running: "promote it or roll it back",
    RolloutState.completed: "change the route's serve: line to start another",
    RolloutState.rolled_back: "retry it, or change the route's serve: line away and back",
    RolloutState.superseded: "see the route's latest rollout",
}

POLICY = "policy"
"""The actor of what a changed policy file means."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt to move `route` from the version `stable` to the version `candidate`.

    `step` is an index into the plan's steps, None before the first; a rolled back rollout keeps the one it
    had come to. `actor`, `reason` and `evidence` (a JSON object) are those of the latest move. Times are wall
    seconds: `started_at` of the start, or of the record while held.
    """

    id: str
    route: str
    stable: str
    candidate: str
    attempt: int
    state: RolloutState
    step: int | None
    plan: Plan
    reason: str
    actor: str
    evidence: Mapping[str, Any] | None
    started_at: float
    updated_at: float

    def __str__(self) -> str:
        return f"rollout of {self.route} from {self.stable} to {self.candidate}, attempt {self.attempt}"

    @property
    def is_open(self) -> bool:
        """Whether it may still move."""
        return self.state in (RolloutState.held, RolloutState.running)

    @property
    def weight_ppm(self) -> int:
        """The candidate's share of units now, in parts per million."""
        if self.state is RolloutState.completed:
            return BUCKETS
        if self.state is not RolloutState.running or self.step is None:
            return 0
        return self.plan.steps[self.step].percent_ppm or 0

    @property
    def salt(self) -> str:
        """The salt of its split: the same at every step, another for every attempt."""
        return rollout_salt(self.route, self.stable, self.candidate, self.attempt)


def start(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """Enter the first step with a percent. `now` is wall seconds, here and below.

    Raises:
        VerbRefused: the rollout is not held.
    """
    step = rollout.plan.percent_step_after(None)
    return _moved(rollout, "start", now, actor=actor, reason=reason, step=step, started_at=now)


def promote(rollout: Rollout, actor: str, reason: str, now: float, *, full: bool = False) -> Rollout:
    """Enter the next step with a percent; complete the rollout from the last one, or at once with `full`.

    Raises:
        VerbRefused: the rollout is not running.
    """
    following = None if full else rollout.plan.percent_step_after(rollout.step)
    if rollout.state is RolloutState.running and following is None:
        return _moved(rollout, "complete", now, actor=actor, reason=reason)
    return _moved(rollout, "promote", now, actor=actor, reason=reason, step=following)


def rollback(
    rollout: Rollout, actor: str, reason: str, now: float, *, evidence: Mapping[str, Any] | None = None
) -> Rollout:
    """Take the candidate out of traffic for good; an abort is the same, for another reason.

    Raises:
        VerbRefused: the rollout is over.
    """
    return _moved(rollout, "rollback", now, actor=actor, reason=reason, evidence=evidence)


def supersede(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """End a rollout in favour of one to another candidate; stable stays what it is.

    Raises:
        VerbRefused: the rollout is over.
    """
    return _moved(rollout, "supersede", now, actor=actor, reason=reason)


def retry(previous: Rollout, *, new_id: str, attempt: int, actor: str, reason: str, now: float) -> Rollout:
    """Make a new rollout, running, of the candidate that `previous` rolled back.

    `attempt` is one more than any that this stable release and candidate have had.

    Raises:
        VerbRefused: `previous` was not rolled back.
    """
    if previous.state is not RolloutState.rolled_back:
        raise _refusal(previous, "retry")
    anew = replace(previous, id=new_id, attempt=attempt, state=RolloutState.held, step=None)
    return start(anew, actor, reason, now)


def _moved(rollout: Rollout, verb: str, now: float, **changes: Any) -> Rollout:
    state = TRANSITIONS.get((rollout.state, verb))
    if state is None:
        raise _refusal(rollout, verb)
    return replace(rollout, **{"state": state, "updated_at": now, "evidence": None, **changes})


def _refusal(rollout: Rollout, verb: str) -> VerbRefused:
    remedy = _REMEDIES[rollout.state]
    return VerbRefused(f"the {rollout}, is {rollout.state.value} and does not take {verb}; {remedy}")


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """What is recorded of a route: its stable version, the `serve:` line last seen, and its latest rollout.

    `attempts` gives the highest attempt that each (stable, candidate) pair has had. `out` names the versions that were
    rolled back, with the reason: they get no request until a new attempt starts.
    """

    route: str
    stable: str
    serve_line: str
    rollout: Rollout | None = None
    attempts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    out: Mapping[str, str] = field(default_factory=dict)

    def moved(self, rollout: Rollout) -> "RouteRecord":
        """Give the record after its latest rollout has become `rollout`, or a new one has taken its place."""
        out = {version: why for version, why in self.out.items() if version != rollout.candidate}
        if rollout.state is RolloutState.rolled_back:
            out[rollout.candidate] = f"rolled back: {rollout.reason}"
        pair = rollout.stable, rollout.candidate
        return replace(
            self,
            rollout=rollout,
            stable=rollout.candidate if rollout.state is RolloutState.completed else self.stable,
            attempts={**self.attempts, pair: max(rollout.attempt, self.attempts.get(pair, 0))},
            out=out,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """A route's new record, and the rollouts changed or made on the way, each with its verb.

    A record equal to the old one needs no writing.
    """

    record: RouteRecord
    events: tuple[tuple[str, Rollout], ...] = ()


def reconcile(
    recorded: RouteRecord | None,
    *,
    route: str,
    serve: str,
    rollout_from: str | None,
    plan: Plan,
    now: float,
    new_id: str,
) -> Decision:
    """Decide what a loaded policy means for a route.

    - Nothing is recorded: `serve` is the first deployment; with another release to roll out from, that one is
    stable
      and the rollout is held.
    - The `serve:` line has not changed: nothing.
    - It names stable again: an open rollout is aborted.
    - It names another release: an open rollout is superseded, and a new one starts.

    `new_id` is used if a rollout is made; `now` is wall seconds.
    """
    if recorded is None:
        if rollout_from is None or rollout_from == serve:
            return Decision(RouteRecord(route, serve, serve))
        empty = RouteRecord(route, rollout_from, serve)
        reason = f"nothing is recorded of this route; `pinion rollout start {route}` starts it"
        return _with("hold", _held(empty, plan, reason, now, new_id), empty)
    if serve == recorded.serve_line:
        return Decision(recorded)
    record = replace(recorded, serve_line=serve)
    if serve == recorded.stable:
        return _ended(record, "rollback", f"the serve: line was changed back to {serve}", now)
    reason = f"the serve: line was changed to {serve}"
    ended = _ended(record, "supersede", reason, now)
    started = start(_held(record, plan, reason, now, new_id), POLICY, reason, now)
    return _with("start", started, ended.record, ended.events)


def _ended(record: RouteRecord, verb: str, reason: str, now: float) -> Decision:
    """End the open rollout of a record, where it has one."""
    if record.rollout is None or not record.rollout.is_open:
        return Decision(record)
    ended = _moved(record.rollout, verb, now, actor=POLICY, reason=reason)
    return Decision(record.moved(ended), ((verb, ended),))


def _held(record: RouteRecord, plan: Plan, reason: str, now: float, new_id: str) -> Rollout:
    """Make the next attempt at what a record's `serve:` line asks for."""
    return Rollout(
        id=new_id,
        route=record.route,
        stable=record.stable,
        candidate=record.serve_line,
        attempt=1 + record.attempts.get((record.stable, record.serve_line), 0),
        state=RolloutState.held,
        step=None,
        plan=plan,
        reason=reason,
        actor=POLICY,
        evidence=None,
        started_at=now,
        updated_at=now,
    )


def _with(verb: str, rollout: Rollout, record: RouteRecord, earlier: tuple[tuple[str, Rollout], ...] = ()) -> Decision:
    """Decide for a new rollout, which becomes the record's latest."""
    return Decision(record.moved(rollout), (*earlier, (verb, rollout)))
