"""Load a gateway of several workers for as long as wanted, with faults, and say whether anything grows or gets lost.

    make soak                       an hour, 1,000 streams for each of two workers
    SOAK=10m STREAMS=300 make soak  shorter and smaller
    .venv/bin/python -m loadtests.soak --for 24h --json soak.json

Starts PostgreSQL, Redis, a provider, the gateway and the clients, and ends them again. Writes the gateway's log, each
request and a picture of the memory below `.bench/soak/`. Exits 1 when a gate falls short, 2 when it could not be run.
Needs Linux.
"""

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from gateway.core.duration import parse_duration
from loadtests.bench.progress import Progress
from loadtests.soak.findings import Findings
from loadtests.soak.gates import Gate, gates
from loadtests.soak.lab import Failed
from loadtests.soak.picture import picture
from loadtests.soak.plan import planned
from loadtests.soak.soaking import soak
from loadtests.soak.telling import document, figures_grid, gates_grid, publish
from loadtests.soak.workers import Unreadable

ROOT = Path(__file__).resolve().parent.parent.parent
UNFOLDED = 200
"""The width of tables off a terminal."""

LEAST_SECONDS = 60.0
QUIET_SECONDS = 30.0
"""Off a terminal the same thing is said this often at most."""


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--for", dest="seconds", type=_duration, default=3600.0, help="as in 10m or 24h; an hour")
    parser.add_argument("--streams", type=int, default=1000, help="held for each worker; 1000")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to this file")
    parser.add_argument("--publish", action="store_true", help="write docs/soak.md and its picture")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench" / "soak", help="for logs, requests, picture")
    read = parser.parse_args(told)
    if read.seconds < LEAST_SECONDS or read.streams < 1 or read.workers < 2:
        parser.error("--for is a minute or more, --streams 1 or more, --workers 2 or more")
    return read


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


class Teller:
    """Says what goes on: each word on a terminal, elsewhere what is new and now and then what is not."""

    def __init__(self, progress: Progress, *, is_terminal: bool) -> None:
        self._progress = progress
        self._every = 0.0 if is_terminal else QUIET_SECONDS
        self._steps, self._next, self._what = 0, 0.0, ""

    def say(self, what: str, seconds: float) -> None:
        """Say it, when it is time to."""
        kind = what.partition(":")[0]
        if kind != self._what or seconds >= self._next:
            self._what, self._next = kind, seconds + self._every
            self._progress.say(what, steps=int(seconds) - self._steps)
            self._steps = int(seconds)


def main(told: Sequence[str] | None = None) -> int:
    """Soak, print and write what was found, and say by the exit code how it went."""
    wanted = arguments(told)
    console = Console(stderr=True)
    if sys.platform != "linux":
        console.print("soak: needs Linux, since it reads /proc", style="red")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    shutil.rmtree(wanted.folder, ignore_errors=True)
    wanted.folder.mkdir(parents=True)
    plan = planned(wanted.seconds, wanted.streams, wanted.workers)
    try:
        with Progress(console, int(plan.warm + plan.first + plan.second + 2 * plan.pace.longest + 60)) as progress:
            teller = Teller(progress, is_terminal=console.is_terminal)
            found = soak(wanted.folder.resolve(), plan, teller.say)
    except (Failed, Unreadable, OSError) as fault:
        console.print(f"soak: {fault}; the logs are in {wanted.folder}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; every process that was started has been ended")
        return 130
    return conclude(wanted, found, gates(found))


def conclude(wanted: argparse.Namespace, found: Findings, judged: Sequence[Gate]) -> int:
    """Print and write what was found; 1 when a gate falls short."""
    console = Console(width=None if sys.stdout.isatty() else UNFOLDED)
    for grid in (gates_grid(judged), figures_grid(found)):
        console.print(grid.as_table())
    for line in (*found.account.differences, *found.surplus):
        console.print(line, markup=False)
    drawn = wanted.folder / "memory.svg"
    drawn.write_text(picture(found), encoding="utf-8")
    print(f"written: {drawn}")
    if wanted.json:
        wanted.json.write_text(json.dumps(document(found, judged), indent=2) + "\n", encoding="utf-8")
        print(f"written: {wanted.json}")
    if wanted.publish:
        publish(ROOT / "docs", found, judged)
        print("published: docs/soak.md, docs/pictures/soak.svg")
    return 1 if any(gate.verdict == "short" for gate in judged) else 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
