"""What an experiment has shown, in a word and a sentence."""

import pytest

from gateway.control.experiment_verdict import Compared, broken, day, verdict_of
from gateway.core.confidence import Interval
from gateway.core.effect import Effect


def compared(low, high, arm="treatment", values=(0.5, 0.6), units=(500, 500)):
    """An arm beside the control, with an effect of this interval; none where it has no bounds."""
    effect = None if low is None else Effect(Interval(low, (low + high) / 2, high), 0.01, 0.05, final=False)
    return Compared(arm, "control", values, units, effect)


@pytest.mark.parametrize(
    ("metric", "one", "code", "text"),
    [
        (
            "feedback.resolved",
            compared(0.05, 0.15),
            "better",
            "treatment is better: feedback.resolved is 0.600 with treatment and 0.500 with control, +0.10 (95% interval"
            " +0.05 to +0.15)",
        ),
        ("feedback.resolved", compared(-0.15, -0.05), "worse", "treatment is worse: feedback.resolved is "),
        ("error_rate", compared(0.01, 0.03), "worse", "treatment is worse: error_rate is 60.00% with treatment"),
        ("error_rate", compared(-0.03, -0.01), "better", "-2.00 points (95% interval -3.00 to -1.00)"),
        ("error_rate", compared(-0.01, 0.03), "no_difference", "no difference has been shown yet: error_rate is "),
        (
            "seconds",
            compared(None, 0, units=(120, 40)),
            "not_enough_units",
            "not enough units to compare treatment (40 of 100)",
        ),
        ("seconds", compared(None, 0, values=(None, None), units=(0, 0)), "not_enough_units", "(0 of 100)"),
    ],
)
def test_a_verdict_is_a_word_and_a_sentence(metric, one, code, text):
    """Which way is better depends on the metric, and the numbers are said."""
    verdict = verdict_of(metric, [one], None)
    assert code == verdict.code
    assert text in verdict.text


def test_an_end_is_said_first():
    """And what was not shown by then is not said to come."""
    verdict = verdict_of("seconds", [compared(-0.1, 0.1)], 1_795_000_000.0)
    assert verdict.text.startswith("the experiment ended on 2026-11-18 11:06 UTC: no difference was shown: seconds is ")
    assert "2026-11-18 11:06 UTC" == day(1_795_000_000.0)


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ([(0.1, 0.2), (-0.2, -0.1)], "better"),
        ([(-0.2, -0.1), (-0.1, 0.1)], "worse"),
        ([(-0.1, 0.1), (None, 0)], "not_enough_units"),
        ([(-0.1, 0.1), (-0.1, 0.1)], "no_difference"),
    ],
)
def test_several_arms_are_told_one_after_the_other(bounds, code):
    """The word is the one that says most."""
    arms = [compared(low, high, arm=f"arm-{place}") for place, (low, high) in enumerate(bounds)]
    verdict = verdict_of("feedback.resolved", arms, None)
    assert (code, 1) == (verdict.code, verdict.text.count(";"))


def test_a_broken_split_names_its_shares():
    """As they are and as they should be."""
    verdict = broken(1e-9, [("control", 600, 0.5), ("treatment", 400, 0.5)])
    assert "split_broken" == verdict.code
    assert (
        "control has 60.0% of the units, not 50.0%, treatment has 40.0% of the units, not 50.0% (p = 1e-09)"
        in verdict.text
    )
    assert "the split is broken" in broken(0.0, [("a", 0, 1.0)]).text
