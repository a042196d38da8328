"""A rollout: the recorded, stepwise move of a route from its stable release to its candidate.

The law:

1. A candidate has the weight of its rollout's step while the rollout is open, and none before its first step.
   Completed, the candidate is stable itself.
2. `held` belongs to the machine: it names its reasons and clears itself. `paused` belongs to people. Neither takes
   weight away, neither keeps a guardrail from acting, and neither lets a step be left.
3. `rolled_back`, `superseded` and, but for an undo, `completed` are final. Trying again is a new attempt, with other
   units.
4. A rollout keeps the plan that it started with.
5. A store with nothing in it is no reason to expose anyone: what it may have forgotten is held until a person
   starts it.
6. What was rolled back stays so, whatever the file goes on asking for; only a change of its line starts anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.core.bucket import BUCKETS, rollout_salt
from gateway.core.errors import VerbRefused
from gateway.core.plan import Plan


class RolloutState(StrEnum):
    """Where a rollout stands."""

    held = "held"
    shadow = "shadow"
    running = "running"
    baking = "baking"
    paused = "paused"
    completed = "completed"
    rolled_back = "rolled_back"
    superseded = "superseded"


_HERE = None
"""The state that the rollout's step stands for: shadow, running or baking."""

TRANSITIONS: Mapping[tuple[RolloutState, str], RolloutState | None] = {
    **{
        (state, verb): becomes
        for state in (RolloutState.shadow, RolloutState.running, RolloutState.baking, RolloutState.held)
        for verb, becomes in (
            ("promote", _HERE),
            ("complete", RolloutState.completed),
            ("hold", RolloutState.held),
            ("pause", RolloutState.paused),
            ("rollback", RolloutState.rolled_back),
            ("supersede", RolloutState.superseded),
        )
    },
    (RolloutState.held, "start"): _HERE,  # only before the first step
    (RolloutState.held, "clear"): _HERE,
    (RolloutState.paused, "resume"): _HERE,
    (RolloutState.paused, "rollback"): RolloutState.rolled_back,
    (RolloutState.paused, "supersede"): RolloutState.superseded,
    (RolloutState.completed, "undo"): RolloutState.rolled_back,
}

_BEFORE_FIRST_STEP = frozenset({"start", "rollback", "supersede"})
"""What a rollout takes that has entered no step."""

_REMEDIES: Mapping[RolloutState, str] = {
    RolloutState.held: "promote it, pause it or roll it back",
    RolloutState.shadow: "promote it, pause it or roll it back",
    RolloutState.running: "promote it, pause it or roll it back",
    RolloutState.baking: "promote it, pause it or roll it back",
    RolloutState.paused: "resume it or roll it back",
    RolloutState.completed: "undo it, or change the route's serve: line to start another",
    RolloutState.rolled_back: "retry it, or change the route's serve: line away and back",
    RolloutState.superseded: "see the route's latest rollout",
}

NOT_STARTED = "not_started"
"""Why a rollout is held that a person must start."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt to move `route` from the version `stable` to the version `candidate`.

    `step` is an index into the plan's steps, None before the first; a rolled back rollout keeps the one it had come to.
    `holds` are the reasons of a held one. `actor`, `reason` and `evidence` (a JSON object) are those of the latest
    move. Times are wall seconds: `started_at` of the start, or of the record while held; `entered_at` of the step.
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
    entered_at: float = 0.0
    holds: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"rollout of {self.route} from {self.stable} to {self.candidate}, attempt {self.attempt}"

    @property
    def is_open(self) -> bool:
        """Whether it may still move by itself or by a person's word."""
        return self.state not in CLOSED

    @property
    def is_before_first_step(self) -> bool:
        """Whether it waits for a person to start it."""
        return self.state is RolloutState.held and self.step is None

    @property
    def is_in_step(self) -> bool:
        """Whether it is open and has entered a step."""
        return self.is_open and self.step is not None

    @property
    def step_number(self) -> int | None:
        """The step as people count it, from 1."""
        return None if self.step is None else self.step + 1

    def is_watched(self, now: float) -> bool:
        """Say whether it is judged at wall time `now`: it is in a step, or was completed within its rollback window."""
        if self.state is RolloutState.completed:
            return now - self.updated_at < self.plan.rollback_window and bool(self.plan.guardrails)
        return self.is_in_step

    @property
    def weight_ppm(self) -> int:
        """The candidate's share of units now, in parts per million."""
        if self.state is RolloutState.completed:
            return BUCKETS
        if self.step is None or not self.is_open:
            return 0
        return self.plan.steps[self.step].percent_ppm or 0

    @property
    def shadow_ppm(self) -> int:
        """The share of stable's requests that are copied to the candidate now, in parts per million."""
        if self.step is None or not self.is_open:
            return 0
        return self.plan.steps[self.step].shadow_ppm or 0

    @property
    def salt(self) -> str:
        """The salt of its split: the same at every step, another for every attempt."""
        return rollout_salt(self.route, self.stable, self.candidate, self.attempt)


CLOSED = frozenset((RolloutState.completed, RolloutState.rolled_back, RolloutState.superseded))
"""The states that a rollout is over in."""


def start(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """Enter the first step. `now` is wall seconds, here and below.

    Raises:
        VerbRefused: the rollout is not held before its first step.
    """
    step = rollout.plan.step_after(None)
    return _moved(rollout, "start", now, actor=actor, reason=reason, step=step, started_at=now, entered_at=now)


def promote(
    rollout: Rollout,
    actor: str,
    reason: str,
    now: float,
    *,
    full: bool = False,
    evidence: Mapping[str, Any] | None = None,
) -> Rollout:
    """Enter the next step; complete the rollout from the last one, or at once with `full`.

    Raises:
        VerbRefused: the rollout is paused, not started, or over.
    """
    following = None if full else rollout.plan.step_after(rollout.step)
    told = {"actor": actor, "reason": reason, "evidence": evidence}
    if rollout.is_in_step and following is None:
        return _moved(rollout, "complete", now, **told)
    return _moved(rollout, "promote", now, step=following, entered_at=now, **told)


def hold(rollout: Rollout, actor: str, holds: tuple[str, ...], reason: str, now: float) -> Rollout:
    """Stay in the step for these reasons, until they are gone.

    Raises:
        VerbRefused: the rollout is in no step, paused, or over.
    """
    return _moved(rollout, "hold", now, actor=actor, reason=reason, holds=holds)


def clear(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """Go on after a hold, in the same step.

    Raises:
        VerbRefused: the rollout is not held in a step.
    """
    return _moved(rollout, "clear", now, actor=actor, reason=reason)


def pause(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """Stay in the step until a person resumes.

    Raises:
        VerbRefused: the rollout is in no step, paused already, or over.
    """
    return _moved(rollout, "pause", now, actor=actor, reason=reason)


def resume(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """Go on after a pause, in the same step.

    Raises:
        VerbRefused: the rollout is not paused.
    """
    return _moved(rollout, "resume", now, actor=actor, reason=reason)


def rollback(
    rollout: Rollout, actor: str, reason: str, now: float, *, evidence: Mapping[str, Any] | None = None
) -> Rollout:
    """Take the candidate out of traffic for good; an abort is the same, for another reason.

    Raises:
        VerbRefused: the rollout is over.
    """
    return _moved(rollout, "rollback", now, actor=actor, reason=reason, evidence=evidence)


def undo(
    rollout: Rollout, actor: str, reason: str, now: float, *, evidence: Mapping[str, Any] | None = None
) -> Rollout:
    """Take back a completed rollout: its candidate is stable no more, and gets no requests.

    Raises:
        VerbRefused: the rollout is not completed.
    """
    return _moved(rollout, "undo", now, actor=actor, reason=reason, evidence=evidence)


def supersede(rollout: Rollout, actor: str, reason: str, now: float) -> Rollout:
    """End a rollout in favour of one to another candidate; stable stays what it is.

    Raises:
        VerbRefused: the rollout is over.
    """
    return _moved(rollout, "supersede", now, actor=actor, reason=reason)


def retry(previous: Rollout, *, new_id: str, attempt: int, actor: str, reason: str, now: float) -> Rollout:
    """Make a new rollout, in its first step, of the candidate that `previous` rolled back.

    `attempt` is one more than any that this stable release and candidate have had.

    Raises:
        VerbRefused: `previous` was not rolled back.
    """
    if previous.state is not RolloutState.rolled_back:
        raise _refusal(previous, "retry")
    anew = replace(previous, id=new_id, attempt=attempt, state=RolloutState.held, step=None)
    return start(anew, actor, reason, now)


def _moved(rollout: Rollout, verb: str, now: float, **changes: Any) -> Rollout:
    if not _takes(rollout, verb):
        raise _refusal(rollout, verb)
    moved = replace(rollout, **{"updated_at": now, "evidence": None, "holds": (), **changes})
    return replace(moved, state=TRANSITIONS[rollout.state, verb] or _state_of_step(moved))


def _takes(rollout: Rollout, verb: str) -> bool:
    if rollout.is_before_first_step:
        return verb in _BEFORE_FIRST_STEP
    return verb != "start" and (rollout.state, verb) in TRANSITIONS


def _state_of_step(rollout: Rollout) -> RolloutState:
    step = rollout.plan.steps[rollout.step or 0]
    if step.shadow_ppm is not None:
        return RolloutState.shadow
    return RolloutState.running if step.bake is None else RolloutState.baking


def _refusal(rollout: Rollout, verb: str) -> VerbRefused:
    remedy = "start it or roll it back" if rollout.is_before_first_step else _REMEDIES[rollout.state]
    said = "promote" if verb == "complete" else verb
    return VerbRefused(f"the {rollout}, is {rollout.state.value} and does not take {said}; {remedy}")
