"""An experiment's report."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.api.openapi import document
from gateway.control.experiment_report import report_of
from gateway.control.policies import ArmPolicy
from gateway.core.recorded import ArmOut
from tests.control.experiment_samples import BEGUN, DAY, START, standing, units

SCHEMA = {"$ref": "#/components/schemas/ExperimentReport", "components": document()["components"]}
OUT = ArmOut("support", "length", "1.1.0", "guardrail error_rate", START + DAY)


def report(given_units, **changes):
    """A report that has its described form, as JSON has it."""
    told = json.loads(json.dumps(report_of(standing(**changes), given_units), allow_nan=False))
    Draft202012Validator(SCHEMA).validate(told)
    return told


@pytest.mark.untraced
@given(
    st.dictionaries(st.sampled_from(["control", "treatment"]), st.tuples(st.integers(0, 300), st.floats(0, 1))),
    st.sampled_from([None, BEGUN]),
    st.sampled_from([(), (OUT,)]),
    st.sampled_from([0.0, 3.0, 9.0]),
)
def test_a_report_has_one_form_whatever_there_is_to_tell(arms, start, out, days):
    """Every field, no NaN, and nothing that is not described."""
    report(units(**arms), start=start, out=out, days=days)


def test_a_running_experiment_is_told_with_intervals_for_any_time():
    """Its arms, its metrics in order with their levels, and the verdict of the primary one."""
    told = report(units(control=(600, 0.5), treatment=(600, 0.7)))
    assert ("running", "always_valid", START, START + 7 * DAY, None) == tuple(
        told[name] for name in ("state", "interval", "started_at", "ends_at", "until")
    )
    assert [("control", 600, 1200), ("treatment", 600, 1200)] == [
        (arm["arm"], arm["units"], arm["requests"]) for arm in told["arms"]
    ]
    assert [("feedback.resolved", "primary", 0.05), ("error_rate", "secondary", 0.05)] == [
        (metric["metric"], metric["role"], metric["alpha"]) for metric in told["metrics"]
    ]
    (effect,) = told["metrics"][0]["effects"]
    assert (pytest.approx(0.2), pytest.approx(0.4), "better") == (
        effect["estimate"],
        effect["relative"],
        effect["shown"],
    )
    assert "no_difference" == told["metrics"][1]["effects"][0]["shown"]
    assert "better" == told["verdict"]["code"]
    assert not told["sample_ratio"]["broken"]


def test_the_planned_end_has_an_interval_of_its_own():
    """It is narrower, since it is looked at once, and what comes later does not count."""
    sides = units(control=(600, 0.5), treatment=(600, 0.57))
    live, final = report(sides), report(sides, days=7.5)
    assert ("no_difference", "better") == (live["verdict"]["code"], final["verdict"]["code"])
    assert ("ended", "fixed", START + 7 * DAY) == (final["state"], final["interval"], final["until"])
    assert final["verdict"]["text"].startswith("the experiment ended on ")


def test_a_level_is_shared_out_over_what_is_looked_at():
    """Over the arms for the primary metric, over arms and metrics for the secondary ones."""
    arms = tuple(ArmPolicy(name, "1.0.0", 250_000) for name in ("a", "b", "c"))
    metrics = ("feedback.resolved", "error_rate", "seconds")
    made = standing(start=None, arms=arms, control="a", secondary=metrics[1:])
    assert [0.025, 0.0125, 0.0125] == [made.alpha_of(metric) for metric in made.metrics]


def test_a_broken_split_has_no_verdict():
    """Whatever the metrics show."""
    told = report(units(control=(900, 0.5), treatment=(600, 0.9)))
    assert ("split_broken", True) == (told["verdict"]["code"], told["sample_ratio"]["broken"])
    assert {"not_believed"} == {effect["shown"] for metric in told["metrics"] for effect in metric["effects"]}


def test_units_in_two_arms_are_counted_and_left_out():
    """They have met no one release."""
    sides = units(control=(200, 0.5), treatment=(200, 0.5))
    for number in range(1, 11):
        sides.add(f"{number * 2654435761 % (1 << 32):08x}{number:024x}", "treatment", 1, 0, {})
    told = report(sides)
    assert (10, [190, 200]) == (told["units_in_two_arms"], [arm["units"] for arm in told["arms"]])


def test_an_arm_that_is_out_ends_what_is_counted():
    """With the reason, and without a word on the metrics."""
    told = report(units(control=(200, 0.5), treatment=(200, 0.9)), out=(OUT,))
    assert ("taken_out", "taken_out", START + DAY) == (told["state"], told["verdict"]["code"], told["until"])
    assert "treatment was taken out on 1970-01-13 13:46 UTC: guardrail error_rate" == told["verdict"]["text"]
    assert [None, "guardrail error_rate"] == [arm["out"] for arm in told["arms"]]


def test_an_arm_that_went_out_after_the_end_changes_nothing():
    """The experiment was over."""
    late = replace(OUT, at=START + 8 * DAY)
    assert "ended" == report(units(), out=(late,), days=9)["state"]


@pytest.mark.parametrize(
    "arms",
    [
        (ArmPolicy("control", "1.0.0", 500_000), ArmPolicy("treatment", "1.2.0", 500_000)),
        (ArmPolicy("control", "1.0.0", 500_000), ArmPolicy("treatment", "1.1.0", 250_000)),
        (ArmPolicy("control", "1.0.0", 500_000), ArmPolicy("other", "1.1.0", 500_000)),
        (ArmPolicy("control", "1.0.0", 250_000), ArmPolicy("treatment", "1.1.0", 250_000)),
    ],
)
def test_arms_that_were_changed_are_not_compared(arms):
    """Units of before and after would be mixed."""
    told = report(units(control=(200, 0.5), treatment=(200, 0.9)), arms=arms)
    assert ("changed", None) == (told["verdict"]["code"], told["sample_ratio"]["p"])


def test_arms_may_grow_together():
    """The same proportion is the same split."""
    small = replace(BEGUN, arms=tuple((name, release, 100_000) for name, release, _ in BEGUN.arms))
    told = report(units(control=(200, 0.5), treatment=(200, 0.5)), start=small)
    assert ("no_difference", 1.0) == (told["verdict"]["code"], told["sample_ratio"]["p"])


def test_what_cannot_be_decided_is_said():
    """Without a primary metric, with one arm, or with few units."""
    sides = units(control=(200, 0.5), treatment=(200, 0.5))
    assert "no_primary" == report(sides, primary=None)["verdict"]["code"]
    alone = {"arms": standing().policy.arms[:1], "start": None}
    assert "nothing_to_compare" == report(units(control=(200, 0.5)), **alone)["verdict"]["code"]
    told = report(units(control=(90, 0.5), treatment=(90, 0.5)))
    assert "not enough units to compare treatment (90 of 100)" == told["verdict"]["text"]
    assert "not_enough_units" == told["metrics"][0]["effects"][0]["shown"]


def test_an_experiment_whose_start_is_not_recorded_has_no_end():
    """All of the ledger counts."""
    made = standing(start=None)
    assert (None, None, None, 0.0) == (made.ends_at, made.until, made.ended_at, made.wanted().since)
    assert (START + 5, 9.0) == (standing().wanted(START + 5).since, standing(start=None).wanted(9.0).since)
