"""`pinion serve` on a machine whose clock is moved while it runs: by as many seconds as a file of eight bytes says.

Nothing that users run can do so. Wall time alone is moved, as when somebody sets the clock; the monotonic clock, of
which the system promises that nobody moves it, is left.
"""

import mmap
import os
import struct
import time
from pathlib import Path

from gateway.adapters.system_clock import SystemClock
from gateway.cli import main

CLOCK = "CHAOS_CLOCK"
"""The environment variable that names the file."""

real, real_ns = time.time, time.time_ns


def set_clock(file: Path, seconds: float) -> None:
    """Move the clock of whoever reads this file."""
    with file.open("r+b" if file.exists() else "w+b") as written:
        written.write(struct.pack("d", seconds))


def move(file: Path) -> None:
    """Have this process believe what the file says, from now on and whenever it changes."""
    with file.open("rb") as read:
        offset = mmap.mmap(read.fileno(), 8, access=mmap.ACCESS_READ)

    def moved() -> float:
        return real() + struct.unpack("d", offset)[0]

    time.time = moved
    time.time_ns = lambda: real_ns() + int(struct.unpack("d", offset)[0] * 1e9)
    SystemClock.wall = staticmethod(moved)


if __name__ == "__main__":
    move(Path(os.environ[CLOCK]))
    main(prog_name="pinion")
