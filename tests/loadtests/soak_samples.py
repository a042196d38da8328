"""Findings of a soak that went well, to be spoilt by tests one thing at a time."""

from dataclasses import replace
from datetime import UTC, datetime

from loadtests.soak.findings import Findings, Load, Replaced
from loadtests.soak.plan import SHORT
from loadtests.soak.reconciliation import Account
from loadtests.soak.requests_file import Ended
from loadtests.soak.workers import Look

HELD = {"descriptors": 21, "tasks": 16, "requests": 0, "busy": 0, "idle": 0, "redis": 2}
MACHINE = {"cpu": "A processor", "cores": 2, "memory_gb": 8, "kernel": "Linux 6", "python": "CPython 3.11"}
HOUR = 3600.0


def ended(kind: str, ending: str, **members) -> Ended:
    """One request, as the generator accounts for it."""
    told = Ended("u-1", kind, ending, 200, "req_1", "", "", 0.0, 0.01, 0.005, 5, 5, 0, 0, 0)
    return replace(told, **members)


def look(worker: int, at: float, kb: int) -> Look:
    """One look at a worker."""
    return Look(worker, 100 + worker, at, kb, 321, 16, 150, 150, 3, 0.002)


def load(began: float, seconds: float = HOUR, kb_per_hour: float = 0.0, kb: int = 120_000) -> Load:
    """A load whose workers grow by so many KB an hour; a look at each every ten seconds."""
    looks = [
        look(worker, began + second, round(kb + (second % 30) * 4 + kb_per_hour * second / HOUR))
        for second in range(0, int(seconds), 10)
        for worker in range(SHORT.workers)
    ]
    return Load(began, seconds, looks, [(3.0, "reload"), (5.0, "redis begins"), (9.0, "redis ends")])


def findings() -> Findings:
    """A soak that went well: an hour, all gone again, an hour more, replaced workers."""
    seconds = range(0, int(HOUR), 1)
    return Findings(
        datetime(2026, 11, 3, tzinfo=UTC),
        MACHINE,
        SHORT,
        baseline=[HELD, HELD],
        loads=[load(0.0), load(HOUR + 60)],
        drained=[[HELD, HELD]],
        reloads=(10, 0),
        written=10,
        replaced=Replaced(2, 30.0, 60.0),
        audit="whole",
        exit_code=0,
        ended=[
            *(ended(kind, "succeeded", begun=float(second)) for kind in ("whole", "short") for second in seconds),
            *(ended("stream", "succeeded", events=200, got=200) for _ in range(50)),
            ended("cancel", "cancelled", leaving="resets"),
            ended("reset", "failed", why="error event"),
            ended("refusal", "refused", status=401),
        ],
        account=Account(sent=9, rows=8),
        lag=[0.001, 0.002],
    )
