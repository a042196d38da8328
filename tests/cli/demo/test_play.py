"""The demo as it is played."""

import pytest

from gateway.cli.demo import play as played
from gateway.cli.demo.acts import ACTS
from gateway.cli.demo.play import play
from gateway.cli.demo.processes import DemoFailure
from gateway.cli.demo.promises import broken_promises
from gateway.cli.demo.screen import PlainScreen

pytestmark = pytest.mark.anyio


async def test_three_acts_are_played(tmp_path, capsys):
    """Off a terminal each act is plain lines: a whole rollout step by step, and two rollbacks with their reasons."""
    figures = await play(ACTS, tmp_path / "demo", PlainScreen())
    assert [] == list(broken_promises(figures))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    first, second, third = out.split("Pinion demo  act ")[1:]
    steps = [first.index(f"step {number} of 5: ") for number in range(1, 6)]
    assert sorted(steps) == steps
    assert steps[-1] < first.index("completed: 1.1.0 is stable")
    assert "rolled back: 1.2.0 is out, weight 0%" in second
    assert "guardrail: slow_rate: worse beyond chance" in second
    assert "needed to act" in second
    assert "rolled back: 1.3.0 is out, weight 0%" in third
    assert "in a row" in third


async def test_a_rollout_that_does_not_end_fails_the_demo(tmp_path, monkeypatch):
    """It is told what the rollout waits for."""
    monkeypatch.setattr(played, "MOST_SECONDS", 0.0)
    with pytest.raises(DemoFailure, match=r"support-assistant/1\.1\.0 waits for .* after 0 s, and must not"):
        await play(ACTS[:1], tmp_path / "demo", PlainScreen())
