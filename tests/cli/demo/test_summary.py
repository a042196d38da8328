"""The demo's last screen."""

from dataclasses import replace

from gateway.cli.demo.summary import summary
from tests.cli.demo.sample import FINDING, figures
from tests.cli.demo.test_picture import printed


def test_the_summary_fits_a_small_terminal():
    """No line of a good run's summary is folded at 80 columns, and it says that all holds."""
    shown = printed(summary(figures(), []))
    assert shown == printed(summary(figures(), []), width=200)
    assert "Every figure that must hold holds." in shown


def test_rollouts_are_told_step_by_step():
    """Each with what was measured under what was planned, and its end; a step that it never came to is a dash."""
    shown = printed(summary(figures(), []))
    for expected in (
        "shadow 50%   5%   25%  end",
        "1.0.0 to 1.1.0      50.0% 5.0%     -  completed after 20.0 s",
        "1.1.0 to 1.2.0      50.0%    - 25.0%  rolled back after 20.0 s",
    ):
        assert expected in shown


def test_rollbacks_are_told_with_what_they_rest_on():
    """The guardrail's finding, the breaker's attempts, and how long it took."""
    shown = " ".join(printed(summary(figures(), []), width=200).split())
    for expected in (
        "1.2.0 out by guardrail 9.00 s after the fault; 1 user moved to stable",
        "by its slow_rate 20.0% of 50 against 0.5% of 200, 8 points allowed",
        "with an e-value 412 of 40 needed",
        "1.3.0 out by breaker 2.00 s after the fault; 1 user moved to stable",
        "from the first failed 1.49 s; 3 attempts judged, 0 under way then",
    ):
        assert expected in shown


def test_a_mean_has_no_e_value():
    """Its finding is told without one."""
    rollouts = [replace(one, finding={**FINDING, "e_value": None}) for one in figures().rollouts]
    assert "e-value" not in printed(summary(figures(rollouts=tuple(rollouts)), []))


def test_what_was_not_played_is_not_told():
    """Where no rollout had trouble, no rollback is told."""
    shown = printed(summary(figures(rollouts=figures().rollouts[:1]), []))
    assert " out by " not in shown


def test_a_broken_promise_stands_in_place_of_the_good_news():
    """What does not hold is said instead."""
    shown = printed(summary(figures(streams_cut=1), ["1 streams were cut, and it must be none"]))
    assert "1 streams were cut" in shown
    assert "holds" not in shown
