"""Faults, one after the other, on three real gateways with a real PostgreSQL and a real Redis.

    make chaos          every fault; some twenty minutes
    make chaos ONLY=redis-frozen

or python -m tests.chaos, with --quick for a try of minutes, --json for a program to read, --list for the names, and
--publish to write the table into docs/reliability.md. Starts every server itself, on loopback, and ends it. Exits 1
when a promise falls short.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from loadtests.bench.machine import machine
from loadtests.bench.progress import Progress
from tests.chaos import (
    database_faults,
    load_faults,
    process_faults,
    redis_faults,
    setup_faults,
    state_faults,
    trips,
)
from tests.chaos.fault import Fault, Means, Row, tried
from tests.chaos.rig import Rig
from tests.chaos.table import VERDICTS, as_json, chosen, publish, shown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
UNFOLDED = 160
"""The width of the table off a terminal."""

MODULES = (trips, load_faults, redis_faults, database_faults, setup_faults, state_faults, process_faults)

FAULTS: tuple[Fault, ...] = tuple(
    sorted(
        (fault for module in MODULES for fault in module.FAULTS), key=lambda fault: (not fault.needs_fleet, fault.trips)
    )
)
"""Those that the same fleet serves come together; those with servers of their own come last."""


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this fault; may be repeated")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer of each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--list", action="store_true", help="tell the names and end")
    parser.add_argument("--publish", action="store_true", help="write these rows into docs/reliability.md")
    read = parser.parse_args(told)
    if read.publish and read.quick:
        parser.error("--publish tells whole measurements: not with --quick")
    try:
        read.faults = chosen(FAULTS, read.only)
    except LookupError as error:
        parser.error(str(error))
    return read


def tried_all(faults: Sequence[Fault], folder: Path, progress: Progress, *, is_quick: bool) -> Iterator[Row]:
    """Try faults, one after the other; a fleet that is not well again after one is replaced."""
    with ExitStack() as stack:
        rig: Rig | None = None
        for fault in faults:
            progress.say(f"{fault.name}: {fault.what}")
            own = folder / fault.name
            own.mkdir()
            if rig is not None and not _serves(rig, fault):
                stack.close()  # before another one: the machine is small
                rig = None
            if fault.needs_fleet and rig is None:
                rig = stack.enter_context(Rig(own / "rig", fault.trips))
            row = tried(fault, Means(rig, own, is_quick))
            progress.say(f"{fault.name}: {VERDICTS[row.findings.is_ok]}, {row.seconds:.0f} s", steps=1)
            yield row


def _serves(rig: Rig, fault: Fault) -> bool:
    """Whether a fleet that has met other faults is good for this one."""
    return fault.needs_fleet and not fault.is_fresh and rig.trips == fault.trips and not rig.ailments()


def main() -> int:
    """Try the wanted faults, print, and say by the exit code whether all was as promised."""
    wanted = arguments()
    if wanted.list:
        print("\n".join(f"{fault.name:22} {fault.what}" for fault in wanted.faults))
        return 0
    os.chdir(ROOT)  # the gateways, the provider and the clients are started as modules
    signal.signal(signal.SIGTERM, _interrupt)
    began, errors, rows = time.monotonic(), Console(stderr=True), []
    try:
        with tempfile.TemporaryDirectory(prefix="pinion-chaos-") as folder, Progress(errors, len(wanted.faults)) as bar:
            for row in tried_all(wanted.faults, Path(folder), bar, is_quick=wanted.quick):
                rows.append(row)
                if wanted.publish:  # each as it is known, so that an interruption loses one
                    publish(PAGE, [row], datetime.now(UTC), machine())
    except KeyboardInterrupt:
        errors.print("interrupted; every process that was started has been ended")
        return 130
    return conclude(wanted, rows, time.monotonic() - began)


def conclude(wanted: argparse.Namespace, rows: Sequence[Row], seconds: float) -> int:
    """Print and write what was found; 1 when a promise fell short."""
    when, where = datetime.now(UTC), machine()
    short = [row.fault.name for row in rows if not row.findings.is_ok]
    if wanted.json:
        print(as_json(rows, when, where, seconds))
    else:
        Console(width=None if sys.stdout.isatty() else UNFOLDED).print(shown(rows))
        print(f"{len(rows) - len(short)} of {len(rows)} as promised, {seconds / 60:.1f} minutes")
        if short:
            print(f"short: {', '.join(short)}")
    return 1 if short else 0


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
