"""What the workers have in hand, seen from outside: memory and descriptors from /proc, the rest from their metrics."""

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtests.bench.accounting import resident_kb

PROC = Path("/proc")

SAMPLE = re.compile(r"^(pinion_\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)

ASK_SECONDS = 60

EXACT = ("descriptors", "tasks", "requests", "busy", "idle")
"""What must be as it was once nothing is asked any more."""


class Unreadable(Exception):
    """Memory or descriptors of a worker cannot be read: nothing may be concluded from what is not seen."""


@dataclass(frozen=True, slots=True)
class Look:
    """One worker at a moment. `rss_kb` in KB of 1,024 bytes; `busy` and `idle` are connections to the provider.

    `lag` is the seconds that `/healthz` took: what the event loop had to do before it.
    """

    worker: int
    pid: int
    at: float
    rss_kb: int
    descriptors: int
    tasks: int
    requests: int
    busy: int
    idle: int
    lag: float


class WorkerView:
    """One worker at its operations address; the connection to it is kept, so that it counts the same in every look."""

    def __init__(self, worker: int, pid: int, url: str, redis_port: int) -> None:
        self.worker, self.pid = worker, pid
        self._redis_port = redis_port
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=ASK_SECONDS)

    def look(self) -> Look:
        """Look at it now.

        Raises:
            Unreadable: it is gone, or does not tell.
        """
        try:
            began = time.monotonic()
            self._get("/healthz")
            at = time.monotonic()
            told = gauges(self._get("/metrics"))
            return Look(
                worker=self.worker,
                pid=self.pid,
                at=at,
                rss_kb=rss_kb(self.pid),
                descriptors=len(list((PROC / str(self.pid) / "fd").iterdir())),
                tasks=int(told["pinion_tasks"]),
                requests=int(told["pinion_open_requests"]),
                busy=int(told['pinion_upstream_connections{state="busy"}']),
                idle=int(told['pinion_upstream_connections{state="idle"}']),
                lag=at - began,
            )
        except (OSError, http.client.HTTPException, LookupError) as fault:
            raise Unreadable(f"worker {self.worker}, process {self.pid}: {fault!r}") from fault

    def held(self) -> Mapping[str, int]:
        """Give what it holds now, with its connections to Redis apart from the descriptors.

        Their pool grows by one when two commands meet, and keeps it: they have a limit and no baseline.

        Raises:
            Unreadable: it is gone, or does not tell.
        """
        look, redis = self.look(), connections_to(self.pid, self._redis_port)
        told = {name: value for name, value in asdict(look).items() if name in EXACT}
        return {**told, "descriptors": look.descriptors - redis, "redis": redis}

    def counter(self, name: str) -> float:
        """Give one series of its metrics; 0 where there is none."""
        return gauges(self._get("/metrics")).get(name, 0.0)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _get(self, path: str) -> str:
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for long
            self._connection.close()
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        return answer.read().decode()


def gauges(metrics: str) -> dict[str, float]:
    """Read a scrape: each series by its name and labels, as they are written."""
    return {name + labels: float(value) for name, labels, value in SAMPLE.findall(metrics)}


def rss_kb(pid: int) -> int:
    """Give a process's resident memory.

    Raises:
        Unreadable: it cannot be read.
    """
    found = resident_kb((PROC / str(pid) / "status").read_text(encoding="ascii"))
    if not found:
        raise Unreadable(f"/proc/{pid}/status tells no resident memory")
    return found


def started_workers(log: Path) -> list[tuple[int, int, str]]:
    """Give (worker, process, operations URL) of the latest process of each worker, from the supervisor's log."""
    latest: dict[int, tuple[int, int, str]] = {}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"worker_started"' in line:
                told: dict[str, Any] = json.loads(line)
                latest[told["worker"]] = told["worker"], told["pid"], told["operations"]
    return [latest[worker] for worker in sorted(latest)]


def exactly(held: Sequence[Mapping[str, int]]) -> list[list[int]]:
    """Give of what workers hold that which has a baseline."""
    return [[each[name] for name in EXACT] for each in held]


def connections_to(pid: int, port: int) -> int:
    """Count a process's connections to a port."""
    return sum(count for kind, count in kinds_of_descriptors(pid).items() if kind.endswith(f" to {port}"))


def kinds_of_descriptors(pid: int) -> Mapping[str, int]:
    """Say what a process's descriptors are, sockets by the port at the other end, for who looks for one too many."""
    ends = {}
    for line in (PROC / str(pid) / "net" / "tcp").read_text(encoding="ascii").splitlines()[1:]:
        cells = line.split()
        local, other = (int(cells[place].rpartition(":")[2], 16) for place in (1, 2))
        ends[cells[9]] = f"tcp {local} to {other}" if other else f"listening at {local}"
    found: Counter[str] = Counter()
    for link in (PROC / str(pid) / "fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:  # it was closed meanwhile
            continue
        inode = target.removeprefix("socket:[").rstrip("]")
        found[ends.get(inode, target if target.startswith("/") else target.partition(":")[0])] += 1
    return found
