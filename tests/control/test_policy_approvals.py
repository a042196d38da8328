"""Approval policies of a policy set: as values, with whom they govern."""

from gateway.control.policies import load
from gateway.control.policy_approvals import ungoverned
from gateway.core.approval_policy import ApprovalPolicy, Emergency, Gate
from tests.api.office import operator
from tests.control.serving_world import files, route

POLICY = """kind: approval_policy
name: prod
routes: [desk]
environments: [production]
risk_tiers: [high, limited]
requires: {engineering: 1, risk: 2}
max_age: 90d
deadline: 2d
reminder: 6h
gates: [rollback_plan, card, {evaluation: safety, metric: refusals, min: 0.8, min_n: 50, group: minors}]
governs_route: true
emergency: {roles: [operator], review_within: 4h}
"""


def test_a_policy_is_what_its_document_says():
    """Every key has its value, times in seconds."""
    policies = load(files(route(), POLICY))
    expected = ApprovalPolicy(
        "prod",
        {"engineering": 1, "risk": 2},
        routes=frozenset({"desk"}),
        environments=frozenset({"production"}),
        risk_tiers=frozenset({"high", "limited"}),
        max_age=90 * 86_400.0,
        deadline=2 * 86_400.0,
        reminder=21_600.0,
        gates=(
            Gate("rollback_plan"),
            Gate("card"),
            Gate("evaluation", "safety", "refusals", min=0.8, min_n=50, group="minors"),
        ),
        governs_route=True,
        emergency=Emergency(frozenset({"operator"}), 14_400.0),
    )
    assert {"prod": expected} == policies.approval_policies
    assert "all.yaml" == policies.approval_places["prod"].file


def test_a_function_that_too_few_sign_for_is_a_warning():
    """It could never be given; who is declared and signs for it counts."""
    staff = operator("eve", "signs_for: [engineering]")
    warnings = [str(each) for each in load({**files(route(), POLICY), "staff.yaml": staff}).warnings]
    assert not any("requires.engineering" in each for each in warnings)
    assert any("requires.risk: 0 of the declared operators sign for risk" in each for each in warnings)


def test_a_route_of_the_tier_high_must_be_governed():
    """By a policy that applies to it where the gateway runs."""
    policies = load(files(route(more="risk_tier: high"), route("sales"), POLICY))
    assert [] == ungoverned(policies.routes, policies.approval_policies, "production")
    (problem,) = ungoverned(policies.routes, policies.approval_policies, "test")
    assert "route desk is of risk_tier high, and no approval policy governs it in environment test" == problem.problem
    assert "high" == policies.routes["desk"].risk_tier
