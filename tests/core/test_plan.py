"""Plans: what a step is, which ones come next, and how a plan is recorded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.plan import Criterion, Plan, Step

SHARES = st.integers(0, 1_000_000)
LIMITS = st.none() | st.floats(0, 10)
CRITERIA = st.lists(
    st.builds(Criterion, st.text(), over=LIMITS, max_delta=LIMITS, max_ratio=LIMITS, max=LIMITS, min=LIMITS),
    max_size=2,
).map(tuple)
GATES = {
    "hold": LIMITS,
    "min_requests": st.none() | st.integers(0),
    "approval": st.booleans(),
    "bake": LIMITS,
    "guardrails": CRITERIA,
}
PERCENT_STEPS = st.builds(Step, percent_ppm=SHARES, **GATES)
STEPS = PERCENT_STEPS | st.builds(Step, shadow_ppm=SHARES, **GATES)
PLANS = st.builds(
    lambda name, before, step, after, guardrails, signals: Plan(name, (*before, step, *after), guardrails, signals),
    st.none() | st.text(),
    st.lists(STEPS, max_size=2),
    PERCENT_STEPS,
    st.lists(STEPS, max_size=2),
    CRITERIA,
    CRITERIA,
)


def test_the_default_is_one_step_to_everyone():
    """A route without a plan goes to 100 % in one step."""
    assert Plan(None, (Step(percent_ppm=1_000_000),)) == Plan.default()


@pytest.mark.parametrize("shares", [{}, {"percent_ppm": 1, "shadow_ppm": 1}])
def test_a_step_has_one_share(shares: dict[str, int]):
    """A step with no share, or with both kinds, means nothing."""
    with pytest.raises(ValueError, match="either a percent or a shadow"):
        Step(**shares)


def test_a_plan_leads_somewhere():
    """A plan of mirroring alone would never end, and is refused."""
    with pytest.raises(ValueError, match="needs a step with a percent"):
        Plan("mirror", (Step(shadow_ppm=100_000),))


def test_steps_of_mirroring_are_passed_over():
    """The next step is the next with a percent, 0 included, and None after the last."""
    mirror = Step(shadow_ppm=100_000)
    plan = Plan("p", (mirror, Step(percent_ppm=0), mirror, Step(percent_ppm=50_000), mirror))
    assert [1, 1, 3, 3, None, None] == [plan.percent_step_after(index) for index in (None, 0, 1, 2, 3, 4)]


@given(PLANS)
def test_a_plan_comes_back_from_its_record(plan: Plan):
    """What is recorded with a rollout is the plan that it started with, by way of JSON."""
    assert plan == Plan.from_json(json.loads(json.dumps(plan.to_json())))
