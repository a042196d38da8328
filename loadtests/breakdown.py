"""Where the microseconds of a request go: a governed gateway under load, with a clock around each step of the way.

    .venv/bin/python loadtests/breakdown.py

Starts nginx as the provider on one core and a gateway on another, asks for whole answers over 64 connections, and
prints for each step its microseconds a request, beside what the operating system says of the whole process. The
clocks themselves cost a few microseconds. Needs what `make bench` needs, and ends by itself.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started as a script, which only sees its own folder

from loadtests.bench import wrk  # noqa: E402 - after the path is known
from loadtests.bench.governed import start_pinion  # noqa: E402
from loadtests.bench.installs import Found, Missing  # noqa: E402
from loadtests.bench.peers import find_pinion, install_nginx, install_wrk  # noqa: E402
from loadtests.bench.setups import Setup  # noqa: E402
from loadtests.bench.timed_gateway import STEPS  # noqa: E402
from loadtests.bench.upstreams import json_upstream  # noqa: E402

LAUNCHER = """\
#!{python}
import sys

sys.path.insert(0, {root!r})
from loadtests.bench.timed_gateway import run

run({times!r})
"""


def found(program: Found | Missing) -> Found:
    """Give a program that is installed, or end with the reason why it is not."""
    if isinstance(program, Missing):
        sys.exit(f"breakdown: {program.reason}")
    return program


def launcher(folder: Path, times: Path) -> Found:
    """Write the command that starts a gateway with clocks, which write what they saw to `times`."""
    program = folder / "timed"
    program.write_text(LAUNCHER.format(python=sys.executable, root=str(ROOT), times=str(times)), encoding="utf-8")
    program.chmod(0o755)
    return Found(program, "", {})


def measured(folder: Path, seconds: float, *, plain: bool) -> tuple[float, dict[str, tuple[float, float]]]:
    """Load a gateway; give the process's CPU microseconds a request, and each step's calls and microseconds."""
    nginx, load = found(install_nginx(folder)), found(install_wrk(folder))
    room = folder / "run" / ("plain" if plain else "timed")
    shutil.rmtree(room, ignore_errors=True)
    (room / "pinion").mkdir(parents=True)
    times = room / "times"
    with json_upstream(nginx, room / "upstream") as upstream:
        program = find_pinion(folder) if plain else launcher(room, times)
        subject = start_pinion(program, Setup(room / "pinion", upstream.url))
        try:
            wanted = wrk.Load()
            lua = wrk.prepare(room / "load", subject.address, wanted)
            before = subject.process.usage().cpu_seconds
            with wrk.loading(load, lua, subject.address, wanted, seconds) as process:
                harvest = wrk.result(process, seconds)
            time.sleep(0.3)  # what is written beside the loop belongs to the requests, too
            used = subject.process.usage().cpu_seconds - before
        finally:
            subject.process.stop()
    steps = {} if plain else json.loads(times.read_text(encoding="utf-8"))
    each = {name: (calls / harvest.requests, spent / harvest.requests * 1e6) for name, (calls, spent) in steps.items()}
    return used / harvest.requests * 1e6, each


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench")
    wanted = parser.parse_args()
    whole, _ = measured(wanted.folder, wanted.seconds, plain=True)
    timed, steps = measured(wanted.folder, wanted.seconds, plain=False)
    table = Table("step", "us a request", "calls", box=None)
    for name in STEPS:
        calls, micros = steps[name]
        table.add_row(name, f"{micros:.1f}", f"{calls:.2f}")
    in_callbacks = sum(steps[name][1] for name in ("edge: all", "upstream: all"))
    table.add_row("loop, kernel's reading, threads", f"{timed - in_callbacks:.1f}", "")
    table.add_row("the process, with clocks", f"{timed:.1f}", "")
    table.add_row("the process, without", f"{whole:.1f}", "")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
