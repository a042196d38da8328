"""Plans of policy files become plans of the core."""

from gateway.control.policy_documents import PlanDocument
from gateway.control.policy_plans import criteria_of, plan_of
from gateway.control.policy_text import read_documents
from gateway.core.plan import Criterion, Plan, Step

CAREFUL = """
kind: rollout_plan
name: careful
steps:
  - {shadow: 10, hold: 1h}
  - {percent: 1, hold: 10m, min_requests: 100, guardrails: [{metric: schema_valid, min: 0.99}]}
  - {percent: 50, approval: true}
  - {percent: 100, bake: 24h}
guardrails:
  - {metric: error_rate, max_delta: 0.02}
  - {metric: slow_rate, over: 8s, max_delta: 0.03}
signals: [{metric: cost_per_request, max_ratio: 1.1}]
"""


def test_a_plan_keeps_every_word():
    """Steps, gates, guardrails and signals, in the core's units."""
    keys = PlanDocument.model_validate(read_documents("a.yaml", CAREFUL).documents[0].value)
    assert Plan(
        "careful",
        (
            Step(shadow_ppm=100_000, hold=3600.0),
            Step(percent_ppm=10_000, hold=600.0, min_requests=100, guardrails=(Criterion("schema_valid", min=0.99),)),
            Step(percent_ppm=500_000, approval=True),
            Step(percent_ppm=1_000_000, bake=86_400.0),
        ),
        (Criterion("error_rate", max_delta=0.02), Criterion("slow_rate", over=8.0, max_delta=0.03)),
        (Criterion("cost_per_request", max_ratio=1.1),),
    ) == plan_of(keys.name, keys.steps, keys.guardrails, keys.signals)


def test_what_is_left_out_is_empty():
    """No guardrails at all are none."""
    assert () == criteria_of(None)
