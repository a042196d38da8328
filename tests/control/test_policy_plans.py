"""Plans of policy files become plans of the core."""

import pytest

from gateway.control.policy_documents import PlanDocument, RolloutKeys
from gateway.control.policy_plans import criteria_of, plan_of
from gateway.control.policy_text import read_documents
from gateway.core.plan import Criterion, Plan, Step, blue_green_steps

CAREFUL = """
kind: rollout_plan
name: careful
steps:
  - {shadow: 10, hold: 1h}
  - {percent: 1, hold: 10m, min_requests: 100, min_units: 20, guardrails: [{metric: schema_valid, min: 0.99}]}
  - {percent: 50, approval: true}
  - {percent: 100, bake: 24h}
guardrails:
  - {metric: error_rate, max_delta: 0.02}
  - {metric: slow_rate, over: 8s, max_delta: 0.03}
signals: [{metric: cost_per_request, max_ratio: 1.1}]
alpha: 0.01
rollback_window: 12h
on_inconclusive: promote
on_no_data: {after: 30m, do: rollback}
"""


def keys_of(kind, text):
    """Read keys from YAML."""
    return kind.model_validate(read_documents("a.yaml", text).documents[0].value)


def test_a_plan_keeps_every_word():
    """Steps, gates, guardrails, signals and what they mean, in the core's units."""
    keys = keys_of(PlanDocument, CAREFUL)
    valid = Criterion("schema_valid", min=0.99)
    assert Plan(
        "careful",
        (
            Step(shadow_ppm=100_000, hold=3600.0),
            Step(percent_ppm=10_000, hold=600.0, min_requests=100, min_units=20, guardrails=(valid,)),
            Step(percent_ppm=500_000, approval=True),
            Step(percent_ppm=1_000_000, bake=86_400.0),
        ),
        (Criterion("error_rate", max_delta=0.02), Criterion("slow_rate", over=8.0, max_delta=0.03)),
        (Criterion("cost_per_request", max_ratio=1.1),),
        alpha=0.01,
        rollback_window=43_200.0,
        on_inconclusive="promote",
        on_no_data="rollback",
        no_data_after=1800.0,
    ) == plan_of(keys.name, keys)


def test_a_plan_has_the_defaults_of_the_core():
    """Only its steps must be written."""
    keys = keys_of(PlanDocument, "{kind: rollout_plan, name: c, steps: [{percent: 50}]}")
    assert Plan("c", (Step(percent_ppm=500_000),)) == plan_of("c", keys)


def test_blue_green_has_its_own_steps():
    """Copies to warm up, then the switch."""
    keys = keys_of(PlanDocument, "{kind: rollout_plan, name: c, strategy: blue_green}")
    assert Plan("c", blue_green_steps(), strategy="blue_green") == plan_of("c", keys)


def test_blue_green_may_state_its_steps():
    """However long it warms up, and with other gates at the switch."""
    steps = "[{shadow: 5, hold: 1h}, {shadow: 50, min_requests: 9}, {percent: 100, bake: 10m, approval: true}]"
    keys = keys_of(PlanDocument, f"{{kind: rollout_plan, name: c, strategy: blue_green, steps: {steps}}}")
    assert (
        Step(shadow_ppm=50_000, hold=3600.0),
        Step(shadow_ppm=500_000, min_requests=9),
        Step(percent_ppm=1_000_000, bake=600.0, approval=True),
    ) == plan_of("c", keys).steps


@pytest.mark.parametrize("text", ["{}", "{from: 1.0.0}"])
def test_a_rollout_without_keys_is_one_step_to_everyone(text):
    """Wherever it begins."""
    assert Plan.default() == plan_of(None, keys_of(RolloutKeys, text))


def test_a_rollout_in_place_has_no_name():
    """It belongs to its route."""
    keys = keys_of(RolloutKeys, "{strategy: blue_green, alpha: 0.1}")
    assert Plan(None, blue_green_steps(), strategy="blue_green", alpha=0.1) == plan_of(None, keys)


def test_what_is_left_out_is_empty():
    """No guardrails at all are none."""
    assert () == criteria_of([])
