"""Plans: what a step is, which one comes next, how the error level is shared out, and how a plan is recorded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.plan import Criterion, Plan, Step, blue_green_steps

SHARES = st.integers(0, 1_000_000)
LIMITS = st.none() | st.floats(0, 10)
CRITERIA = st.lists(
    st.builds(Criterion, st.text(), over=LIMITS, max_delta=LIMITS, max_ratio=LIMITS, max=LIMITS, min=LIMITS),
    max_size=2,
).map(tuple)
GATES = {
    "hold": LIMITS,
    "min_requests": st.none() | st.integers(0),
    "min_units": st.none() | st.integers(0),
    "approval": st.booleans(),
    "bake": LIMITS,
    "guardrails": CRITERIA,
}
PERCENT_STEPS = st.builds(Step, percent_ppm=SHARES, **GATES)
STEPS = PERCENT_STEPS | st.builds(Step, shadow_ppm=SHARES, **GATES)
PLANS = st.builds(
    lambda before, step, after, keys: Plan(steps=(*before, step, *after), **keys),
    st.lists(STEPS, max_size=2),
    PERCENT_STEPS,
    st.lists(STEPS, max_size=2),
    st.fixed_dictionaries(
        {
            "name": st.none() | st.text(),
            "guardrails": CRITERIA,
            "signals": CRITERIA,
            "strategy": st.sampled_from(["canary", "blue_green"]),
            "alpha": st.floats(0, 0.5, exclude_min=True),
            "rollback_window": st.floats(0, 1e7),
            "on_inconclusive": st.sampled_from(["hold", "promote", "rollback"]),
            "on_no_data": st.sampled_from(["hold", "rollback"]),
            "no_data_after": st.floats(1, 1e6),
        }
    ),
)
ERRORS = Criterion("error_rate", max_delta=0.01)
VALID = Criterion("schema_valid", min=0.99)
COST = Criterion("cost_per_request", max_ratio=1.2)
EVERYONE = Step(percent_ppm=1_000_000)


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


@pytest.mark.parametrize(
    ("hold", "bake", "seconds"), [(None, None, 0.0), (60.0, None, 60.0), (None, 30.0, 30.0), (60.0, 90.0, 90.0)]
)
def test_a_step_lasts_as_long_as_its_gates(hold: float | None, bake: float | None, seconds: float):
    """The longer of hold and bake, or no time at all."""
    assert seconds == Step(percent_ppm=1_000_000, hold=hold, bake=bake).seconds


def test_every_step_is_entered_in_turn():
    """Mirroring and a weight of 0 included; none comes after the last."""
    mirror = Step(shadow_ppm=100_000)
    plan = Plan("p", (mirror, Step(percent_ppm=0), Step(percent_ppm=50_000)))
    assert [0, 1, 2, None] == [plan.step_after(index) for index in (None, 0, 1, 2)]


@pytest.mark.untraced
@given(PLANS)
def test_the_steps_after_one_another_are_all_steps(plan: Plan):
    """From the first, none is left out and none comes twice."""
    index, seen = plan.step_after(None), []
    while index is not None:
        seen.append(index)
        index = plan.step_after(index)
    assert list(range(len(plan.steps))) == seen


def test_a_step_has_the_plans_guardrails_and_its_own():
    """The plan's come first."""
    plan = Plan("p", (Step(percent_ppm=1, guardrails=(VALID,)), EVERYONE), (ERRORS,))
    assert [(ERRORS, VALID), (ERRORS,)] == [plan.guardrails_of(index) for index in (0, 1)]


def test_the_error_level_is_shared_out():
    """Over the limits of all guardrails, those of single steps too, each counted once; without any it is whole."""
    both = Criterion("slow_rate", over=8.0, max_delta=0.02, max=0.1)
    plan = Plan("p", (Step(percent_ppm=1, guardrails=(VALID, both)), EVERYONE), (ERRORS, VALID), (COST,), alpha=0.06)
    assert (pytest.approx(0.015), 3) == (plan.alpha_each, plan.looks)
    assert (0.05, 2) == (Plan.default().alpha_each, Plan.default().looks)


@pytest.mark.parametrize(("keys", "bake"), [({}, 1800.0), ({"bake": 60.0}, 60.0)])
def test_blue_green_warms_up_and_switches(keys: dict[str, float], bake: float):
    """A minute of copies, then everyone at once, watched for half an hour where nothing else is said."""
    assert (Step(shadow_ppm=100_000, hold=60.0), Step(percent_ppm=1_000_000, bake=bake)) == blue_green_steps(**keys)


@pytest.mark.untraced
@given(PLANS)
def test_a_plan_comes_back_from_its_record(plan: Plan):
    """What is recorded with a rollout is the plan that it started with, by way of JSON."""
    assert plan == Plan.from_json(json.loads(json.dumps(plan.to_json())))


def test_a_plan_comes_back_from_an_older_record():
    """What an earlier version did not write has its default."""
    criterion = {"metric": "error_rate", "over": None, "max_delta": 0.01, "max_ratio": None, "max": None, "min": None}
    step = {"shadow_ppm": None, "hold": 60.0, "min_requests": 5, "approval": True, "bake": None}
    older = {
        "name": "careful",
        "steps": [{**step, "percent_ppm": 50_000, "guardrails": [criterion]}],
        "guardrails": [criterion],
        "signals": [],
    }
    known = Step(percent_ppm=50_000, hold=60.0, min_requests=5, approval=True, guardrails=(ERRORS,))
    plan = Plan("careful", (known,), (ERRORS,))
    assert plan == Plan.from_json(json.loads(json.dumps(older)))
    assert ("canary", 0.05, 86_400.0, "hold", "hold", 3600.0) == (
        plan.strategy,
        plan.alpha,
        plan.rollback_window,
        plan.on_inconclusive,
        plan.on_no_data,
        plan.no_data_after,
    )
