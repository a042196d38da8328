"""What more workers cost: CPU time a request of a gateway with one worker and of one with several, in turns.

    .venv/bin/python loadtests/workers.py

Starts nginx as the provider, PostgreSQL, and two gateways on one core, and asks for whole answers at a steady pace from
the other: first as much of every worker as of the one, then as much of all workers together. Prints the median of the
rounds and their spread. Needs what `make bench` needs; takes five minutes, and ends by itself.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a script, which only sees its own folder

from loadtests.bench import open_loop  # noqa: E402 - after the path is known
from loadtests.bench.governed import find_pinion, start_gateway, start_rollouts, write_policies  # noqa: E402
from loadtests.bench.installs import Missing  # noqa: E402
from loadtests.bench.open_loop import Pace  # noqa: E402
from loadtests.bench.peers import install_nginx  # noqa: E402
from loadtests.bench.setups import Setup, Subject  # noqa: E402
from loadtests.bench.upstreams import json_upstream  # noqa: E402
from tests.postgres_server import PostgresServer  # noqa: E402

SETTLING_SECONDS = 1.0
"""How long after its last answer a gateway may still write what it owes its store: that is of the requests, too."""

LIMIT = 1.05
"""What a request may cost with several workers, in requests of one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What requests cost, round by round: CPU microseconds each, with one worker and with several."""

    name: str
    one: Sequence[float]
    several: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Each round's ratio of several to one, the smallest first."""
        return sorted(several / one for one, several in zip(self.one, self.several, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)


def cost(subject: Subject, pace: Pace) -> float:
    """Load a gateway; give the CPU microseconds that it, its workers and their supervisor used for an answer."""
    if subject.process is None:
        raise ValueError("only a process has a cost")
    before = subject.process.usage().cpu_seconds
    timings = open_loop.run(subject.address, pace)
    time.sleep(SETTLING_SECONDS)
    used = subject.process.usage().cpu_seconds - before
    if timings.errors or not timings.latency_ms:
        sys.exit(f"workers: {timings.errors} requests failed; see {subject.process.log}")
    return used / len(timings.latency_ms) * 1e6


@contextmanager
def gateway(folder: Path, upstream: str, store: str, workers: int) -> Iterator[Subject]:
    """A gateway with so many workers on one store, every route's canary running."""
    setup = Setup(folder, upstream)
    write_policies(folder / "policies", setup)
    subject, admin = start_gateway(find_pinion(ROOT), setup, "--workers", str(workers), store=store)
    try:
        start_rollouts(admin, setup.routes)
        yield subject
    finally:
        if subject.process:
            subject.process.stop()


def measured(folder: Path, wanted: argparse.Namespace, say: Console) -> list[Figure]:
    """Measure both kinds of load, round by round, one gateway after the other."""
    nginx = install_nginx(folder)
    if isinstance(nginx, Missing):
        sys.exit(f"workers: {nginx.reason}")
    room = folder / "workers"
    shutil.rmtree(room, ignore_errors=True)
    with ExitStack() as stack:
        postgres = PostgresServer()
        stack.callback(postgres.remove)
        postgres.start()
        upstream = stack.enter_context(json_upstream(nginx, room / "upstream")).url
        one, several = (
            stack.enter_context(gateway(room / f"{count}", upstream, postgres.new_database(), count))
            for count in (1, wanted.workers)
        )
        figures = []
        for name, factor in (("the same load a worker", wanted.workers), ("the same load in all", 1)):
            costs: list[tuple[float, float]] = []
            for number in range(wanted.rounds):
                say.print(f"{name}: round {number + 1} of {wanted.rounds}")
                alone = cost(one, Pace(wanted.rate, wanted.seconds))
                costs.append((alone, cost(several, Pace(wanted.rate * factor, wanted.seconds))))
            figures.append(Figure(name, *zip(*costs, strict=True)))
        return figures


def table(figures: Sequence[Figure], workers: int) -> Table:
    """Lay the figures out."""
    grid = Table("", "1 worker", f"{workers} workers", "ratio", "rounds", f"at most {LIMIT}")
    for figure in figures:
        ratios = figure.ratios
        cells = (
            f"{median(figure.one):.0f} us",
            f"{median(figure.several):.0f} us",
            f"{figure.ratio:.3f}",
            f"{ratios[0]:.3f} to {ratios[-1]:.3f}",
            "yes" if figure.ratio <= LIMIT else "NO",
        )
        grid.add_row(figure.name, *cells)
    return grid


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="how many there are beside the one (2)")
    parser.add_argument("--rate", type=float, default=500, help="requests a second of each worker (500)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (7)")
    parser.add_argument("--seconds", type=float, default=8, help="how long each time (8)")
    return parser.parse_args()


def main() -> int:
    """Measure, print, and say by the exit code whether the limit is kept."""
    wanted = arguments()
    console = Console(stderr=True)
    figures = measured(ROOT / ".bench", wanted, console)
    Console().print(table(figures, wanted.workers))
    return int(any(figure.ratio > LIMIT for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
