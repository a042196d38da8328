"""Pinion beside its peers, one core each: requests, streams, latencies, memory, starts and reloads.

    make bench          everything, published in docs/benchmarks.md; about a quarter of an hour
    make bench-quick    Pinion, nginx and Envoy; exits 1 when a ratio is worse than the baseline beyond noise

or, for a part of it:

    .venv/bin/python loadtests/throughput.py --only headline,events --peers nginx,envoy --seconds 2 --rounds 3

Needs Linux, two cores and `taskset`. Installs peers below `.bench/` and says which are missing and why; writes every
sample to `.bench/results/`. Core 0 belongs to the system under test, core 1 to upstreams and load. Ends by itself.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a script, which only sees its own folder

from loadtests.bench.installs import Found, Missing  # noqa: E402 - after the path is known
from loadtests.bench.lab import Lab  # noqa: E402
from loadtests.bench.machine import machine  # noqa: E402
from loadtests.bench.peers import PEERS, install_wrk  # noqa: E402
from loadtests.bench.processes import LOAD_CORE, SUBJECT_CORE, StartFault  # noqa: E402
from loadtests.bench.programme import QUICK, QUICK_PEERS, SCENARIOS, turns  # noqa: E402
from loadtests.bench.progress import Progress  # noqa: E402
from loadtests.bench.publication import publish  # noqa: E402
from loadtests.bench.regression import MOST_NOISE, TOLERANCE, Comparison, compare, measured_ratios  # noqa: E402
from loadtests.bench.report import Run, comparison_grid, scenario_grid, verdict_grid  # noqa: E402
from loadtests.bench.rounds import Series  # noqa: E402
from loadtests.bench.verdicts import Verdict, verdicts  # noqa: E402
from loadtests.bench.wrk import LoadFault  # noqa: E402

BASELINE = Path(__file__).with_name("baseline.json")

UNFOLDED = 160
"""The width of tables off a terminal."""


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="compare Pinion's ratios with the baseline")
    parser.add_argument("--update-baseline", action="store_true", help="with --quick: write the baseline anew")
    parser.add_argument("--publish", action="store_true", help="write tables and chart into docs/benchmarks.md")
    parser.add_argument("--only", type=_names(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--peers", type=_names(PEERS), help=f"beside pinion, of {', '.join(PEERS)}")
    parser.add_argument("--seconds", type=float, help="length of a round; 3, or 2 with --quick")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench", help="for environments, files and results")
    read = parser.parse_args(told)
    if read.rounds < 1 or (read.seconds is not None and read.seconds < 1):
        parser.error("rounds and seconds are 1 or more")
    if read.publish and (read.only or read.peers or read.quick):
        parser.error("--publish writes a whole page: not with --only, --peers or --quick")
    if read.update_baseline and not read.quick:
        parser.error("--update-baseline goes with --quick")
    return read


def _names(known: Mapping[str, object]) -> Callable[[str], list[str]]:
    def read(told: str) -> list[str]:
        names = told.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
        return names

    return read


def main() -> int:
    """Measure, print, write, and say by the exit code how it went."""
    wanted = arguments()
    console = Console(stderr=True)
    if fault := unfit():
        console.print(f"throughput: {fault}", style="red")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    try:
        found, missing = install(wanted.folder.resolve(), peers_of(wanted), console)
        if lacking := [name for name in ("nginx", "wrk") if name in missing]:
            console.print(f"throughput: nothing can be measured without {' and '.join(lacking)}", style="red")
            return 2
        run = measure(wanted, found, missing, console)
    except KeyboardInterrupt:
        console.print("interrupted; every process that was started has been stopped")
        return 130
    return conclude(wanted, run)


def peers_of(wanted: argparse.Namespace) -> list[str]:
    """Name the systems that are wanted, Pinion first."""
    return list(dict.fromkeys(["pinion", *(wanted.peers or (QUICK_PEERS if wanted.quick else PEERS))]))


def unfit() -> str:
    """Say why this machine cannot measure; nothing when it can."""
    if sys.platform != "linux":
        return "needs Linux: it reads /proc and pins processes to cores"
    if not shutil.which("taskset"):
        return "needs taskset, of util-linux, to pin processes to cores"
    if not {SUBJECT_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        return f"needs cores {SUBJECT_CORE} and {LOAD_CORE}, one for the system under test and one for the load"
    return ""


def install(folder: Path, names: Sequence[str], console: Console) -> tuple[dict[str, Found], dict[str, str]]:
    """Install wrk, nginx and the named peers; give those found, and the reasons of those missing."""
    found, missing = {}, {}
    for name in dict.fromkeys([*names, "nginx", "wrk"]):
        console.print(f"looking for {name}", style="dim")
        outcome = install_wrk(folder) if name == "wrk" else PEERS[name].install(folder)
        if isinstance(outcome, Missing):
            missing[name] = outcome.reason
            console.print(f"missing: {name}: {outcome.reason}", style="yellow", markup=False)
        else:
            found[name] = outcome
    return found, missing


def measure(
    wanted: argparse.Namespace, found: Mapping[str, Found], missing: Mapping[str, str], console: Console
) -> Run:
    """Run the wanted scenarios, on the load's core."""
    os.sched_setaffinity(0, {LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    seconds = wanted.seconds or (2 if wanted.quick else 3)
    chosen = wanted.only or (QUICK if wanted.quick else list(SCENARIOS))
    systems = {name: one for name, one in found.items() if name in peers_of(wanted)}
    results: dict[str, Series] = {}
    steps = wanted.rounds * turns(chosen, systems)
    with Progress(console, steps) as progress:
        lab = Lab(wanted.folder.resolve(), systems, found["nginx"], found["wrk"], seconds, wanted.rounds, progress)
        lab.clear()
        for name in chosen:
            try:
                results |= SCENARIOS[name].measure(lab)
            except (StartFault, LoadFault, OSError) as fault:  # the others are worth their time all the same
                lab.faults[name] = str(fault)
                progress.say(f"{name} is left out: {fault}")
        lab.clear()
    versions = {name: one.version for name, one in found.items()}
    settings = {"seconds": seconds, "rounds": wanted.rounds, "quick": wanted.quick}
    return Run(datetime.now(UTC), machine(), versions, missing, lab.faults, settings, results)


def conclude(wanted: argparse.Namespace, run: Run) -> int:
    """Print and write what was found; 1 when a ratio is worse than the baseline."""
    held = [] if wanted.quick else verdicts(run.results)
    compared = against_baseline(run) if wanted.quick else []
    shown = [one for one in held if one.measured is not None or not wanted.only]
    show(run, shown, compared)
    document = json.dumps(run.as_json(held, compared), indent=2) + "\n"
    results = wanted.folder / "results"
    results.mkdir(exist_ok=True)
    for path in (results / f"{run.date:%Y-%m-%d-%H%M%S}.json", wanted.json):
        if path:
            path.write_text(document, encoding="utf-8")
            print(f"written: {path}")
    if wanted.publish:
        publish(ROOT / "docs", run, held)
        print("published: docs/benchmarks.md, docs/pictures/benchmarks.svg")
    if wanted.update_baseline:
        if lacking := [one.name for one in compared if one.now is None]:
            print(f"not written: {BASELINE.relative_to(ROOT)}, for want of CPU per {', '.join(lacking)}")
            return 1
        BASELINE.write_text(baseline_of(run), encoding="utf-8")
        print(f"written: {BASELINE.relative_to(ROOT)}")
        return 0
    return 1 if any(one.worse for one in compared) else 0


def against_baseline(run: Run) -> list[Comparison]:
    """Compare a run with the baseline, and say with what it is compared."""
    known = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.is_file() else {"ratios": {}}
    if known["ratios"]:
        print(f"Compared with {BASELINE.relative_to(ROOT)} of {known['date']}, {known['machine']['cpu']}:")
        print(f"a ratio fails beyond {TOLERANCE:.0%} and the rounds' noise, of which at most {MOST_NOISE:.0%} count.")
    else:
        print("There is no baseline: --update-baseline writes one.")
    return compare(measured_ratios(run.results), known["ratios"], run.missing)


def baseline_of(run: Run) -> str:
    """Write a run's ratios as a baseline."""
    document = {
        "date": run.date.date().isoformat(),
        "machine": dict(run.machine),
        "versions": dict(run.versions),
        "ratios": measured_ratios(run.results),
    }
    return json.dumps(document, indent=2) + "\n"


def show(run: Run, held: Sequence[Verdict], compared: Sequence[Comparison]) -> None:
    """Print every table, and what is missing."""
    console = Console(width=None if sys.stdout.isatty() else UNFOLDED)
    for name, series in run.results.items():
        console.print(scenario_grid(name, series).as_table())
    if held:
        console.print(verdict_grid(held).as_table())
    if compared:
        console.print(comparison_grid(compared).as_table())
    for name, reason in run.missing.items():
        console.print(f"missing: {name}: {reason}", markup=False)
    for name, reason in run.faults.items():
        console.print(f"left out: {name}: {reason}", markup=False)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
