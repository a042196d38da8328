"""Rollout plans: from the keys of policy files to the plans of the core."""

from collections.abc import Iterable

from gateway.control.policy_documents import CriterionKeys, StepKeys
from gateway.core.plan import Criterion, Plan, Step


def criteria_of(keys: Iterable[CriterionKeys] | None) -> tuple[Criterion, ...]:
    """Make the criteria that guardrails or signals state."""
    return tuple(Criterion(**each.model_dump()) for each in keys or ())


def plan_of(
    name: str | None,
    steps: Iterable[StepKeys],
    guardrails: Iterable[CriterionKeys] | None,
    signals: Iterable[CriterionKeys] | None,
) -> Plan:
    """Make a plan; `name` is None for one that stands in its route."""
    return Plan(name, tuple(_step(step) for step in steps), criteria_of(guardrails), criteria_of(signals))


def _step(keys: StepKeys) -> Step:
    return Step(
        percent_ppm=keys.percent,
        shadow_ppm=keys.shadow,
        hold=keys.hold,
        min_requests=keys.min_requests,
        approval=keys.approval,
        bake=keys.bake,
        guardrails=criteria_of(keys.guardrails),
    )
