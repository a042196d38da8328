"""A rollout by a plan with a step of every kind, and evidence of it: enough, none, too little, and each finding."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.core.error_budget import BudgetCount, BudgetReading, Slo
from gateway.core.judgement import Finding, Kind, Verdict
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.progress import Move, Seen, decide
from gateway.core.rollout import Rollout, RolloutState
from tests.core.test_rollout import a_rollout

ERRORS = Criterion("error_rate", max_delta=0.01)
SLOW = Criterion("slow_rate", over=8.0, max_delta=0.03)
COST = Criterion("cost_per_request", max_ratio=1.2)
PLAN = Plan(
    "careful",
    (
        Step(shadow_ppm=100_000, hold=60.0),
        Step(percent_ppm=50_000, hold=600.0, min_requests=100, min_units=10),
        Step(percent_ppm=500_000, approval=True),
        Step(percent_ppm=1_000_000, bake=600.0),
    ),
    (ERRORS, SLOW),
    (COST,),
)
ENOUGH = Seen(elapsed=600.0, silent=1.0, requests=100, units=10)
NOTHING = Seen(elapsed=600.0, silent=600.0, requests=0, units=0)
SHORT = replace(ENOUGH, requests=1, units=1, elapsed=0.0)


def finding(
    verdict: Verdict, criterion: Criterion = ERRORS, kind: Kind = "guardrail", rule: str = "as it is"
) -> Finding:
    """What the evidence says of a criterion."""
    return Finding(
        kind=kind,
        criterion=criterion,
        verdict=verdict,
        stable=0.01,
        candidate=0.02,
        stable_n=1000,
        candidate_n=100,
        stable_units=100,
        candidate_units=10,
        bound=0.02,
        limit_name="max",
        limit=0.01,
        e_value=1.0,
        threshold=60.0,
        rule=rule,
    )


KEPT = (finding(Verdict.within), finding(Verdict.within, SLOW), finding(Verdict.within, COST, "signal"))
OPEN_QUESTION = (finding(Verdict.inconclusive, rule="not decided"), *KEPT[1:])
BREACH = finding(Verdict.breach, rule="worse beyond chance")
SLOW_BREACH = finding(Verdict.breach, SLOW, rule="too slow")
SIGNAL = finding(Verdict.breach, COST, "signal", "too dear")


def a_budget(*, holds: bool = False, stops: bool = False, spent: bool = False) -> BudgetReading:
    """An error budget of 1 % of 10,000 requests that is burning, or used up by the canary, or by everybody."""
    burning = BudgetCount(100, 10 if holds else 0)
    period = BudgetCount(10_000, 85 if spent else 10 if holds else 0)
    return BudgetReading(Slo(0.99), burning, burning, period, BudgetCount(500, 30 if stops else 0))


def rolling(step: int = 1, state: RolloutState = RolloutState.running, plan: Plan = PLAN, holds: str = "") -> Rollout:
    """A rollout in a step; `holds` are the codes of a held one."""
    return replace(a_rollout(state, step, plan), holds=tuple(holds.split()))


def never() -> Sequence[Finding]:
    """Nobody asks for the findings where something else decides."""
    raise AssertionError("the findings are dear, and were asked for in vain")


def decided(rollout: Rollout, seen: Seen = ENOUGH, found: Sequence[Finding] | None = KEPT) -> Move:
    """How it goes on; with `found` None, without looking at the findings."""
    return decide(rollout, seen, never if found is None else lambda: found)


def with_(plan: Plan = PLAN, **keys: Any) -> Plan:
    """The plan with other keys."""
    return replace(plan, **keys)
