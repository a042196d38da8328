"""Rollout plans: from the keys of policy files to the plans of the core."""

from collections.abc import Iterable

from gateway.control.policy_documents import CriterionKeys, PlanKeys, StepKeys
from gateway.core.plan import Criterion, Plan, Step, blue_green_steps


def criteria_of(keys: Iterable[CriterionKeys]) -> tuple[Criterion, ...]:
    """Make the criteria that guardrails or signals state."""
    return tuple(Criterion(**each.model_dump()) for each in keys)


def plan_of(name: str | None, keys: PlanKeys) -> Plan:
    """Make a plan; `name` is None for one that stands in its route."""
    if keys.steps is not None:
        steps = tuple(_step(step) for step in keys.steps)
    else:
        steps = blue_green_steps() if keys.strategy == "blue_green" else Plan.default().steps
    return Plan(
        name=name,
        steps=steps,
        guardrails=criteria_of(keys.guardrails),
        signals=criteria_of(keys.signals),
        strategy=keys.strategy,
        alpha=keys.alpha,
        rollback_window=keys.rollback_window,
        on_inconclusive=keys.on_inconclusive,
        on_no_data=keys.on_no_data.do,
        no_data_after=keys.on_no_data.after,
    )


def _step(keys: StepKeys) -> Step:
    return Step(
        percent_ppm=keys.percent,
        shadow_ppm=keys.shadow,
        hold=keys.hold,
        min_requests=keys.min_requests,
        min_units=keys.min_units,
        approval=keys.approval,
        bake=keys.bake,
        guardrails=criteria_of(keys.guardrails),
    )
