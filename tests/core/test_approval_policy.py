"""Approval policies: whom they govern, how several count together, and when a gate holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.approval_policy import ApprovalPolicy, Emergency, Gate, combined

RESULT = {"name": "safety", "metric": "refusals", "value": 0.9, "n": 100}
GATE = Gate("evaluation", "safety", "refusals", min=0.8, max=0.95, min_n=50)
ROLES = st.sampled_from(["engineering", "risk", "security"])
POLICIES = st.builds(
    ApprovalPolicy,
    name=st.sampled_from("abc"),
    requires=st.dictionaries(ROLES, st.integers(1, 3), min_size=1),
    routes=st.none() | st.frozensets(st.sampled_from(["desk", "sales"]), min_size=1),
    max_age=st.none() | st.floats(1, 1e9),
    deadline=st.floats(1, 1e9),
    reminder=st.floats(0, 1e6),
    gates=st.sampled_from([(), (GATE,), (Gate("rollback_plan"), GATE, Gate("card"))]),
    governs_route=st.booleans(),
    emergency=st.none()
    | st.builds(Emergency, st.frozensets(st.sampled_from(["operator", "admin"]), min_size=1), st.just(60.0)),
)


@given(POLICIES)
def test_a_policy_comes_back_from_its_json(policy):
    """As it is in force, so it is kept; and its digest is of all that it asks."""
    assert policy == ApprovalPolicy.from_json(json.loads(json.dumps(policy.to_json())))
    assert policy.digest == ApprovalPolicy.from_json(policy.to_json()).digest


@given(st.lists(POLICIES, min_size=1, max_size=4))
def test_of_several_the_strictest_of_each_requirement_counts(policies):
    """No policy asks for more than all of them together do."""
    whole = combined(policies)
    for each in policies:
        assert all(whole.requires[role] >= count for role, count in each.requires.items())
        assert each.max_age is None or whole.max_age <= each.max_age
        assert whole.deadline <= each.deadline
        assert set(whole.gates) >= set(each.gates)
        assert whole.governs_route or not each.governs_route
        assert whole.emergency is None or (each.emergency and whole.emergency.roles <= each.emergency.roles)


def test_nothing_is_asked_where_no_policy_applies():
    """What no policy names is ungoverned."""
    assert combined([]) is None


@pytest.mark.parametrize(
    ("scope", "applies"),
    [
        ({}, True),
        ({"routes": frozenset({"desk"})}, True),
        ({"routes": frozenset({"sales"})}, False),
        ({"environments": frozenset({"production"})}, True),
        ({"environments": frozenset({"test"})}, False),
        ({"risk_tiers": frozenset({"high", "limited"})}, True),
        ({"risk_tiers": frozenset({"minimal"})}, False),
        ({"routes": frozenset({"desk"}), "environments": frozenset({"test"})}, False),
    ],
)
def test_a_policy_applies_where_all_that_it_names_fits(scope, applies):
    """What it does not name, it takes all of."""
    assert applies is ApprovalPolicy("a", {"engineering": 1}, **scope).applies("desk", "production", "high")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"value": 0.8}, None),
        ({"value": 0.79}, "it is 0.79"),
        ({"value": 0.96}, "it is 0.96"),
        ({"n": 49}, "it was measured over 49 cases"),
        ({"n": None}, "it was measured over 0 cases"),
        ({"group": "minors"}, "there is no such result"),
        ({"metric": "other"}, "there is no such result"),
        ({"name": "other"}, "there is no such result"),
    ],
)
def test_a_gate_holds_by_a_result_that_is_good_enough(changes, why):
    """Too few cases are no evidence, and a group's result is not that of all."""
    assert why == GATE.why_not([{**RESULT, **changes}], "")


def test_each_result_of_the_name_must_be_good_enough():
    """A good run beside a bad one does not hide it."""
    assert "it is 0.1" == GATE.why_not([RESULT, {**RESULT, "value": 0.1}], "")


def test_a_rollback_plan_must_be_told():
    """An empty one is none."""
    assert "no rollback plan is told" == Gate("rollback_plan").why_not([RESULT], "")
    assert Gate("rollback_plan").why_not([], "serve 1.0.0 again") is None


def test_a_gate_on_cards_holds_by_cards_that_lack_nothing():
    """What they lack is why it does not."""
    assert "the card of m@1 lacks owner" == Gate("card").why_not([RESULT], "plan", "the card of m@1 lacks owner")
    assert Gate("card").why_not([], "") is None


def test_gates_name_themselves():
    """As a reviewer reads them."""
    assert "safety refusals at least 0.8 and at most 0.95, over 50 cases" == str(GATE)
    assert "rollback plan" == str(Gate("rollback_plan"))
    assert "card" == str(Gate("card"))
    assert "a b of minors at most 1" == str(Gate("evaluation", "a", "b", max=1, group="minors"))
