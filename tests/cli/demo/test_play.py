"""The demo as it is played."""

import pytest

from gateway.cli.demo.play import play
from gateway.cli.demo.screen import PlainScreen

pytestmark = pytest.mark.anyio


async def test_three_acts_are_played(tmp_path, capsys):
    """Off a terminal each act is plain lines, the last one with the rollback and its explanation."""
    figures = await play(5, tmp_path / "demo", PlainScreen())
    out = capsys.readouterr().out
    acts = [out.index(f"act {number} of 3: ") for number in (1, 2, 3)]
    assert sorted(acts) == acts
    assert "\x1b" not in out
    last = out[acts[2] :]
    assert "rollback by gateway: 1.1.0 is out, weight 0%" in last
    assert "support-assistant from 1.0.0 to 1.1.0: rolled back" in last
    assert len(last.splitlines()) < 24
    assert 0 == figures.requests_harmed
