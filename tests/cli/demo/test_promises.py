"""What must hold of the demo's figures."""

from dataclasses import replace

import pytest

from gateway.cli.demo.promises import broken_promises
from tests.cli.demo.sample import figures


def test_a_good_run_breaks_none():
    """Nothing is said of it."""
    assert [] == list(broken_promises(figures()))


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (
            {"users_that_changed_release": 2},
            "2 users changed release without a step or a rollback, and it must be none",
        ),
        (
            {"requests_harmed": 1, "first_fault": "broke off"},
            "1 requests were harmed (the first: broke off), and it must be none",
        ),
        ({"streams_cut": 1}, "1 streams were cut, and it must be none"),
        ({"answers_by_another_model": 1}, "1 answers came from another model than pinned, and it must be none"),
        ({"answers_by_a_shadow": 1}, "1 answers of a shadow reached a caller, and it must be none"),
        (
            {"late_attempts": 1},
            "1 attempts reached a release later than a second after its rollback, and it must be none",
        ),
        ({"app_usd": 0.6}, "applications pay 0.600000 USD and answers cost 0.500000, and it must be the same"),
    ],
)
def test_each_promise_has_a_sentence(over, expected):
    """A figure that must hold and does not is told in a sentence."""
    assert [expected] == list(broken_promises(figures(**over)))


@pytest.mark.parametrize(
    ("number", "over", "expected"),
    [
        (0, {"state": "rolled_back", "rule": "cusum"}, "1.1.0 is rolled back by cusum, and it must be completed"),
        (
            1,
            {"rule": "consecutive"},
            "1.2.0 is rolled back by consecutive, and it must be rolled back by its guardrail",
        ),
        (2, {"state": "completed", "rule": ""}, "1.3.0 is completed, and it must be rolled back by its breaker"),
    ],
)
def test_each_rollout_has_its_end(number, over, expected):
    """A rollout that ends otherwise is told."""
    rollouts = [*figures().rollouts]
    rollouts[number] = replace(rollouts[number], **over)
    assert [expected] == list(broken_promises(figures(rollouts=tuple(rollouts))))


@pytest.mark.parametrize(("measured", "holds"), [(5.0, True), (9.0, True), (9.5, False), (0.5, False)])
def test_a_step_has_its_share(measured, holds):
    """The measured share may miss the planned one as chance has it, and no more."""
    sound, *others = figures().rollouts
    steps = (sound.steps[0], replace(sound.steps[1], measured_percent=measured, compared=400))
    told = list(broken_promises(figures(rollouts=(replace(sound, steps=steps), *others))))
    expected = [f"1.1.0 got {measured}% of 400 in step 5%, and it must be as planned"]
    assert ([] if holds else expected) == told


def test_all_of_the_users_are_all():
    """In the step to 100 percent chance has no part."""
    sound, *others = figures().rollouts
    step = replace(sound.steps[1], step="100%", planned_percent=100, measured_percent=99.5, compared=400)
    told = list(broken_promises(figures(rollouts=(replace(sound, steps=(step,)), *others))))
    assert ["1.1.0 got 99.5% of 400 in step 100%, and it must be as planned"] == told
