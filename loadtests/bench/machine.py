"""The machine and the programs of a run, as a reader of the figures wants to know them."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, str | int]:
    """Describe the machine: processor, cores, memory, kernel, system, Python."""
    return {
        "cpu": _line_of(Path("/proc/cpuinfo"), "model name", ":") or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gb": round(int((_line_of(Path("/proc/meminfo"), "MemTotal", ":") or "0").split()[0]) / 1024 / 1024),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": _line_of(Path("/etc/os-release"), "PRETTY_NAME", "=").strip('"'),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _line_of(path: Path, name: str, divider: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, found, value = line.partition(divider)
        if found and key.strip() == name:
            return value.strip()
    return ""
