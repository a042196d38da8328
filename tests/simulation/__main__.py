"""Run seeds of the simulation: `python -m tests.simulation --seeds 1000`, or `--seed 17 --trace` for one of them."""

import argparse
import sys
import time
from pathlib import Path

from tests.simulation.world import Simulation

KEPT = Path(__file__).with_name("seeds.txt")


def kept_seeds() -> list[int]:
    """The seeds that once found something."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def main() -> int:
    """Run them one by one; tell each that breaks something, with the end of its trace."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="print the whole trace")
    parser.add_argument("--lines", type=int, default=60, help="how many lines of a trace to print where it breaks")
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    broken, began = [], time.monotonic()
    for seed in seeds:
        simulation = Simulation(seed)
        found = simulation.run()
        if asked.trace or found is not None:
            lines = simulation.trace if asked.trace else simulation.trace[-asked.lines :]
            sys.stdout.write("\n".join(lines) + "\n")
        if found is not None:
            broken.append(seed)
            sys.stdout.write(f"seed {seed} broke: {found}\n")
            sys.stdout.flush()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{len(seeds)} seeds, {len(broken)} broke something, {seconds:.1f} s: {broken}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
