"""How soon a bad candidate is out, how seldom a good one, and what judging costs: every published figure of rollouts.

    make figures        all of them, some six minutes on one core

or .venv/bin/python loadtests/rollout_figures.py, with --quick for a try of seconds, --json for a program to read, and
--only for some of them. Seeded; needs no network and no load. Exits 1 when a required figure is missed.
"""

import argparse
import asyncio
import inspect
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a script, which only sees its own folder

from loadtests import rollout_cost, rollout_simulations  # noqa: E402 - after the path is known
from loadtests.bench.progress import Progress  # noqa: E402
from loadtests.rollout_simulations import FULL, QUICK, Figure, Scale  # noqa: E402

PARTS: dict[str, Callable[..., Any]] = {
    "detection": rollout_simulations.detection,
    "false-rollbacks": rollout_simulations.false_rollbacks,
    "guardrails": rollout_simulations.guardrail_alarms,
    "experiments": rollout_simulations.experiment_alarms,
    "slower": rollout_simulations.slow_candidates,
    "judging": rollout_cost.cost,
}

STEPS = 26
"""How often something is said in a whole run."""

HEAD = ("", "what", "measured", "required", "met")


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few runs each, to see that everything works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="measure this part; may be repeated")
    return parser.parse_args(told)


async def measured(scale: Scale, wanted: Sequence[str], say: Callable[[str], None]) -> list[Figure]:
    """Measure the wanted parts, one after the other."""
    found: list[Figure] = []
    for name in wanted:
        part = PARTS[name](scale, say)
        found += await part if inspect.isawaitable(part) else part
    return found


def table(figures: Sequence[Figure]) -> list[str]:
    """Write figures as a Markdown table, a line each, aligned for a terminal."""
    told = {None: "", True: "yes", False: "NO"}
    rows = [HEAD, *((one.group, one.what, one.shown, one.required, told[one.met]) for one in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def main() -> int:
    """Measure, print, and say by the exit code whether what is required was met."""
    wanted = arguments()
    began, cpu_began = time.monotonic(), time.process_time()
    with Progress(Console(stderr=True), STEPS) as progress:
        scale = QUICK if wanted.quick else FULL
        figures = asyncio.run(measured(scale, wanted.only or list(PARTS), lambda what: progress.say(what, steps=1)))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu_began
    missed = [one for one in figures if one.met is False]
    if wanted.json:
        told = {"quick": wanted.quick, "seconds": seconds, "cpu_seconds": cpu, "missed": len(missed)}
        print(json.dumps({**told, "figures": [asdict(one) for one in figures]}, indent=2))
    else:
        required = sum(one.met is not None for one in figures)
        print("\n".join(table(figures)))
        print(f"\n{len(missed)} of {required} required figures missed; {cpu:.0f} s CPU, {seconds:.0f} s in all")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
