"""The keys of providers, models, applications and plans: their defaults."""

import pytest
from pydantic import ValidationError

from gateway.control.policy_documents import (
    METRICS,
    AppDocument,
    CriterionKeys,
    PlanDocument,
    ProviderDocument,
    RolloutKeys,
    written,
)
from gateway.control.policy_text import read_documents
from gateway.core.duration import parse_duration
from gateway.core.plan import Plan
from gateway.core.provider import Timeouts


def keys_of(kind, text):
    """Read keys from YAML."""
    return kind.model_validate(read_documents("a.yaml", text).documents[0].value)


def test_a_provider_has_the_defaults_of_the_core():
    """Only its name and dialect must be written."""
    keys = keys_of(ProviderDocument, "{kind: provider, name: p, dialect: openai}")
    assert Timeouts() == Timeouts(**keys.timeouts.model_dump())
    assert (1, 1000, None, None) == (keys.retries, keys.max_connections, keys.credential, keys.base_url)


def test_an_application_may_call_every_route_and_force_none_by_default():
    """The list of routes narrows, and the right to force is given on purpose."""
    keys = keys_of(AppDocument, "{kind: app, name: a, keys: []}")
    assert (None, False) == (keys.routes, keys.may_force_release)


def test_a_plan_is_read_in_the_units_of_the_core():
    """Percents become parts per million, durations seconds."""
    step = "{percent: 2.5, hold: 10m, min_requests: 100, min_units: 7, approval: true, bake: 1h}"
    keys = keys_of(PlanDocument, f"{{kind: rollout_plan, name: c, steps: [{{shadow: 10}}, {step}]}}")
    assert (100_000, None) == (keys.steps[0].shadow, keys.steps[0].percent)
    assert (25_000, 600.0, 100, 7, True, 3600.0) == (
        keys.steps[1].percent,
        keys.steps[1].hold,
        keys.steps[1].min_requests,
        keys.steps[1].min_units,
        keys.steps[1].approval,
        keys.steps[1].bake,
    )


def test_a_plan_has_the_defaults_of_the_core():
    """Only its name and its steps must be written."""
    keys, plan = keys_of(PlanDocument, "{kind: rollout_plan, name: c, steps: [{percent: 100}]}"), Plan.default()
    assert (plan.strategy, plan.alpha, plan.rollback_window, plan.on_inconclusive) == (
        keys.strategy,
        keys.alpha,
        keys.rollback_window,
        keys.on_inconclusive,
    )
    assert (plan.on_no_data, plan.no_data_after) == (keys.on_no_data.do, keys.on_no_data.after)
    assert (None, False, []) == (keys.steps[0].min_units, keys.steps[0].approval, keys.steps[0].guardrails)


def test_silence_has_an_hour_by_default():
    """What is to be done about it must be said."""
    keys = keys_of(PlanDocument, "{kind: rollout_plan, name: c, steps: [{percent: 9}], on_no_data: {do: rollback}}")
    assert ("rollback", 3600.0) == (keys.on_no_data.do, keys.on_no_data.after)


@pytest.mark.parametrize(("alpha", "window"), [("0.0001", "0s"), ("0.5", "30d")])
def test_limits_of_a_plan_may_be_met(alpha, window):
    """An undo may never come by itself, or for as long as a release is kept warm."""
    text = f"steps: [{{percent: 1}}], alpha: {alpha}, rollback_window: {window}"
    keys = keys_of(PlanDocument, f"{{kind: rollout_plan, name: c, {text}}}")
    assert (float(alpha), parse_duration(window)) == (keys.alpha, keys.rollback_window)


@pytest.mark.parametrize("metric", [*(name for name in METRICS if name != "slow_rate"), "feedback.resolved"])
def test_a_criterion_names_a_known_metric(metric):
    """What is measured, and any feedback by its name."""
    assert metric == keys_of(CriterionKeys, f"{{metric: {metric}, max_delta: 1}}").metric


@pytest.mark.parametrize(
    ("metric", "limit", "remedy"),
    [
        ("error_rate", "min", "write max_delta, max_ratio or max"),
        ("cost_per_request", "min", "write max_delta, max_ratio or max"),
        ("schema_valid", "max", "write max_delta or min"),
        ("feedback.resolved", "max_ratio", "write max_delta or min"),
    ],
)
def test_a_limit_says_something_about_its_metric(metric, limit, remedy):
    """One in the direction of better could neither be breached nor kept."""
    with pytest.raises(ValidationError, match=f"{limit} says nothing about {metric}; {remedy}"):
        keys_of(CriterionKeys, f"{{metric: {metric}, {limit}: 1}}")


def test_feedback_needs_a_name():
    """The bare word is no metric."""
    with pytest.raises(ValidationError, match="is not a metric"):
        keys_of(CriterionKeys, "{metric: feedback., max: 1}")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{from: 1.0.0}",
        "{plan: c}",
        "{plan: c, from: 1.0.0}",
        "{steps: [{percent: 50}, {percent: 50}]}",
        "{strategy: blue_green, alpha: 0.01, from: 1.0.0}",
        "{steps: [{percent: 5}], alpha: 0.01, rollback_window: 1h, on_inconclusive: rollback}",
    ],
)
def test_a_rollout_is_a_plan_or_steps_or_neither(text):
    """Without both it is one step to 100 percent, or a strategy that has its own steps."""
    keys_of(RolloutKeys, text)


def test_defaults_are_written_as_people_write_them():
    """The schema for editors shows them so."""
    assert "1m" == written(60)
