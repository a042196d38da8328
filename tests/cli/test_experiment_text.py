"""An experiment's report in words."""

from dataclasses import replace

import pytest

from gateway.cli.experiment_text import story
from gateway.cli.terminal import show
from gateway.control.experiment_report import report_of
from gateway.control.policies import ArmPolicy
from gateway.core.recorded import ArmOut
from tests.cli.experiment_reports import report
from tests.control.experiment_samples import ARMS, DAY, START, standing, units


@pytest.fixture
def told(capsys):
    """Prints a report, and gives the lines."""

    def tell(value):
        show(*story(value))
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return tell


def test_the_verdict_comes_first(told):
    """After where the experiment stands; then the arms, the effects and how to read them."""
    lines = told(report())
    assert (
        "support experiment length: running, since 1970-01-12 13:46:40 UTC, planned to 1970-01-19 13:46:40 UTC"
        == lines[0]
    )
    assert lines[1].startswith(
        "treatment is better: feedback.resolved is 0.700 with treatment and 0.500 with control, +0."
    )
    assert "control 1.0.0 50% 600 1,200 0" in lines
    assert any(line.startswith("feedback.resolved 0.500 0.700 +0.20 (+0.11 to +0.29) better") for line in lines)
    assert any(line.startswith("error_rate 10.00% 10.00% +0.00 points (") for line in lines)
    assert "intervals always valid: look whenever you like, and stop when they say something" in lines
    assert "certainty 95% for the primary metric, 95% for each secondary one" in lines
    assert any(line.startswith("split as it should be (p = ") for line in lines)


def test_a_narrow_terminal_has_the_interval_below_the_difference(told, monkeypatch):
    """So that nothing folds in the middle of a number."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = told(report())
    assert any("+0.20 (+0.11 to +0.29)" in line for line in lines)


def test_what_is_out_of_the_ordinary_is_said(told):
    """A sample, units left out, an arm that is out, a split that is not checked, an experiment at its end."""
    sides = units(control=(200, 0.5), treatment=(200, 0.5))
    sides.one_in = 2
    sides._torn.add("0a")
    gone = ArmOut("support", "length", "1.1.0", "guardrail error_rate", START + DAY)
    lines = told(report_of(standing(out=(gone,)), sides))
    for line in (
        "treatment 1.1.0 out 200 400 0",
        "left out 1 unit seen in two arms",
        "sample one unit in 2, each with all of its requests",
        "treatment is out guardrail error_rate",
    ):
        assert line in lines
    assert "intervals of one look at the planned end" in told(report(days=8))
    changed = (ARMS[0], replace(ARMS[1], release="1.2.0"))
    assert "split not checked" in told(report(arms=changed))


def test_every_arm_has_a_table_of_its_own(told):
    """Beside a control that is named where its name does not say it."""
    arms = tuple(ArmPolicy(name, "1.0.0", 300_000) for name in ("a", "b", "c"))
    made = standing(start=None, arms=arms, control="b", seconds=None, secondary=("slow_rate",), over=8.0)
    sides = units(("feedback.resolved", "error_rate"), a=(150, 0.5), b=(150, 0.5), c=(20, 0.5))
    sides._metrics = ("feedback.resolved", "slow_rate")
    lines = told(report_of(made, sides))
    assert "support experiment length: running, its start is not recorded, without a planned end" == lines[0]
    assert {"metric b a difference shows", "metric b c difference shows"} <= set(lines)
    assert "b (control) 1.0.0 30% 150 300 0" in lines
    assert any(line.startswith("slow_rate over 8s 10.00% 10.00% +0.00 points") for line in lines)
    assert "feedback.resolved 0.500 0.500 - not enough units" in lines
    assert any("split broken (p = " in line for line in lines)


def test_without_metrics_there_are_the_arms_alone(told):
    """And what to add."""
    made = standing(primary=None, secondary=())
    lines = told(report_of(made, units((), control=(5, 0), treatment=(5, 0))))
    assert lines[1].startswith("the experiment names no primary metric")
    assert not any("certainty" in line for line in lines)
