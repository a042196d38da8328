"""Sample rollouts, as the operations API explains them: made by what makes the real ones."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.control.explain import explain_rollout
from gateway.control.watched_steps import WatchedStep, begin
from gateway.core.error_budget import ErrorBudget, Slo
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.progress import waits_of
from gateway.core.recorded import RolloutEvent
from gateway.core.rollout import Rollout, RolloutState
from tests.core.evidence_records import answered

START = 1_790_856_000.0
"""2026-10-01 12:00:00 UTC."""

ROUNDS = 10
"""How often the tests look at what has come."""

STEPS = (
    Step(shadow_ppm=100_000, hold=60.0),
    Step(percent_ppm=10_000, hold=60.0, min_requests=100, approval=True),
    Step(percent_ppm=250_000, hold=300.0, guardrails=(Criterion("slow_rate", over=8.0, max_delta=0.03),)),
    Step(percent_ppm=1_000_000, bake=3600.0),
)

PLAN = Plan(
    "careful",
    STEPS,
    guardrails=(Criterion("error_rate", max_delta=0.02), Criterion("schema_valid", min=0.99)),
    signals=(Criterion("cost_per_request", max_ratio=1.1), Criterion("feedback.thumbs", max_delta=0.2)),
)

FIRST = Rollout(
    id="5eed",
    route="support",
    stable="1.0.0",
    candidate="1.1.0",
    attempt=2,
    state=RolloutState.shadow,
    step=0,
    plan=PLAN,
    reason="the serve: line was changed to 1.1.0",
    actor="policy",
    evidence=None,
    started_at=START,
    updated_at=START,
    entered_at=START,
)

PASSED = "every gate passed"


def rollout(state: str = "running", step: int | None = 2, **changes: Any) -> Rollout:
    """The rollout in a state, at a step from 0."""
    at = {"updated_at": START + 60, "entered_at": START + 60, "reason": PASSED, "actor": "gateway"}
    return replace(FIRST, **{"state": RolloutState(state), "step": step, **at, **changes})


def watched(
    of: Rollout, *, stable: int = 400, candidate: int = 100, failed: int = 0, elapsed: float = 130.0, thumbs: int = 0
) -> WatchedStep:
    """A step that has heard so many requests of so many units, the last of them failed."""
    step = begin(of, of.stable, None, None, epoch=0, now=0.0)
    shown = {"seconds": 1.25, "first_token_seconds": 0.25, "cost_nano_usd": 4_000_000, "schema_valid": True}
    track = "shadow" if of.shadow_ppm else "canary"
    for number in range(ROUNDS):
        for unit in range(number, stable, ROUNDS):
            step.hear(answered("stable", unit, **shown))
        for unit in range(number, candidate, ROUNDS):
            outcome = "failed" if unit >= candidate - failed else "ok"
            record = answered(track, 10_000 + unit, outcome, **shown)
            step.hear(record)
            if unit < thumbs:
                step.hear_feedback(record, "thumbs", 1.0, START)
        step.look(elapsed * (number + 1) / ROUNDS)
    return step


def evidence(step: WatchedStep) -> dict[str, Any]:
    """What an act rests on."""
    return {**step.describe(), "findings": [finding.to_json() for finding in step.findings()]}


def judged(step: WatchedStep, *, slo: Slo | None = None) -> dict[str, Any]:
    """What is known of a step, as `Judging.describe` tells it."""
    plan_step = step.rollout.plan.steps[step.rollout.step or 0]
    budget = None if slo is None else ErrorBudget(slo).reading(START)
    waits = waits_of(step.rollout, step.seen(budget=budget, stable_fails=False), step.findings())
    return {
        **evidence(step),
        "step_seconds": plan_step.seconds,
        "min_requests": plan_step.min_requests,
        "min_units": plan_step.min_units,
        "waits": [{"code": wait.code, "sentence": wait.sentence} for wait in waits],
        "error_budget": None if budget is None else budget.describe(),
    }


def told(
    of: Rollout, *earlier: tuple[str, Rollout], verb: str = "advance", judging: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The answer on a rollout whose latest act was this verb, after the earlier acts, the oldest first."""
    acts: Sequence[tuple[str, Rollout]] = [*earlier, (verb, of)]
    history = [RolloutEvent(act.updated_at, name, act) for name, act in reversed(acts)]
    answer: dict[str, Any] = json.loads(json.dumps(explain_rollout(of, history, judging)))
    return answer


def running() -> dict[str, Any]:
    """At 25 percent, 130 of 300 seconds long."""
    of = rollout()
    before = rollout("shadow", 0, evidence=evidence(watched(FIRST)))
    return told(of, ("start", FIRST), ("advance", before), judging=judged(watched(of), slo=Slo(0.995)))


def held() -> dict[str, Any]:
    """At 1 percent, whose time is over; it waits for requests and for a person."""
    of = rollout("held", 1, holds=("min_requests",), reason="40 of 100 requests")
    return told(of, ("start", FIRST), verb="hold", judging=judged(watched(of, candidate=40)))


def shadow() -> dict[str, Any]:
    """In its first step, which copies."""
    return told(FIRST, verb="start", judging=judged(watched(FIRST, candidate=40, elapsed=20.0)))


def rolled_back() -> dict[str, Any]:
    """At 25 percent, by a guardrail: 17 of 40 failed."""
    seen = watched(rollout(), candidate=40, failed=17, elapsed=4.0)
    found = seen.findings()[0].rule
    resting = {"rule": "guardrail", **evidence(seen)}
    of = rollout("rolled_back", 2, evidence=resting, reason=f"guardrail: error_rate: {found}")
    return told(of, ("start", FIRST), ("advance", rollout()), verb="rollback")


def completed(*, is_watched: bool = True) -> dict[str, Any]:
    """Over, and watched on."""
    last = watched(rollout())
    of = rollout("completed", 3, evidence=evidence(last))
    after = begin(of, "1.0.0", last, None, epoch=0, now=0.0)
    after.look(4000.0)
    return told(of, judging={**evidence(after), "step_seconds": None, "waits": []} if is_watched else None)
