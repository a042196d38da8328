"""What the operating system says a process has used: CPU time and resident memory, its children's included."""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds used so far, user and system, and resident memory in KB (1,024 bytes)."""

    cpu_seconds: float
    resident_kb: int


def usage(pid: int) -> Usage:
    """Give what a process and all below it use; a process that has ended counts nothing."""
    cpu, resident = 0.0, 0
    for member in family(pid):
        cpu += cpu_seconds(_read(member, "stat"))
        resident += resident_kb(_read(member, "status"))
    return Usage(cpu, resident)


def family(pid: int) -> list[int]:
    """Give a process and every process below it, parents first."""
    members = [pid]
    for member in members:
        for task in sorted(PROC.glob(f"{member}/task/*/children")):
            members += [int(child) for child in _text(task).split()]
    return members


def cpu_seconds(stat: str) -> float:
    """Add user and system time of a line of /proc/PID/stat, in seconds."""
    # The second field is the command in parentheses and may hold blanks; utime and stime are fields 14 and 15.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 13:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(status: str) -> int:
    """Find the resident memory in /proc/PID/status, in KB."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _read(pid: int, name: str) -> str:
    return _text(PROC / str(pid) / name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
