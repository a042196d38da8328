"""The fleet under failures that a seed draws: what must hold does, what broke once is mended, planted bugs found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import kept_seeds
from tests.simulation.flaws import FLAWS
from tests.simulation.world import Simulation

ROOT = Path(__file__).parents[2]

FRESH = range(1, 5)
"""Seeds that run beside those that are kept; many more run by `make simulate`."""

FOUND_BY = {
    "a store that answers before it has written": 3,
    "a replica that forgets what it heard": 5,
    "a start from the copy that exposes a candidate": 32,
    "a start whose older files count": 22,
    "a message that is trusted without the store": 5,
}
"""The seed that finds a planted bug, where it is not the first."""

MOST_SEEDS = 40


@pytest.mark.untraced
@pytest.mark.parametrize("seed", sorted({*FRESH, *kept_seeds()}))
def test_every_invariant_holds(seed):
    """Whatever fails, on every replica after every step, and of the store at the end."""
    simulation = Simulation(seed)
    broken = simulation.run()
    assert broken is None, "\n".join(simulation.trace[-60:])


@pytest.mark.untraced
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_planted_bug_is_found(flaw):
    """Within a few seeds, by an invariant that names it."""
    seeds = (FOUND_BY.get(flaw, 1), *range(1, MOST_SEEDS))
    assert any(Simulation(seed, FLAWS[flaw]).run() for seed in seeds)


@pytest.mark.untraced
def test_the_same_seed_is_the_same_run():
    """Byte for byte, here and in a process that hashes otherwise."""
    one, other = Simulation(2), Simulation(2)
    assert one.run() is other.run() is None
    assert one.trace == other.trace
    printed = "from tests.simulation.world import Simulation; s = Simulation(2); s.run(); print(s.digest)"
    run = subprocess.run(
        [sys.executable, "-c", printed],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert one.digest == run.stdout.strip()


@pytest.mark.untraced
def test_another_seed_is_another_run():
    """It draws other failures, and other acts."""
    one, other = Simulation(1), Simulation(3)
    assert one.run() is other.run() is None
    assert one.digest != other.digest
