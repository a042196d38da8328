"""The gateway under clocks."""

import importlib
import subprocess
import sys
from functools import reduce
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadtests.bench.timed_gateway import STEPS, clocked

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("place", STEPS.values())
def test_every_step_is_a_function_of_the_gateway(place):
    """A step that was renamed would be measured no more, and nobody would see it."""
    module, _, path = place.partition(":")
    assert callable(reduce(getattr, path.split("."), importlib.import_module(module)))


def test_a_clock_counts_calls_and_changes_nothing(monkeypatch):
    """What is clocked gives and raises what it did."""
    acts = SimpleNamespace(half=lambda number: 1 / number)
    monkeypatch.setitem(sys.modules, "acts_of_a_test", acts)
    sums = [0, 0.0]
    clocked("acts_of_a_test:half", sums)
    assert 0.5 == acts.half(2)
    with pytest.raises(ZeroDivisionError):
        acts.half(0)
    assert 2 == sums[0]
    assert sums[1] > 0


def test_times_are_written_when_the_command_ends(tmp_path):
    """Also when it ends by an exit, as every command does. In a process of its own, whose steps stay clocked."""
    times = tmp_path / "times"
    code = f"from loadtests.bench.timed_gateway import run; run({str(times)!r})"
    ended = subprocess.run([sys.executable, "-c", code, "--version"], cwd=ROOT, capture_output=True, check=False)
    assert 0 == ended.returncode
    assert '"settlement": [0, 0.0]' in times.read_text()
