"""Traffic and time for `Judging`: settled requests of a route by a few words, and seconds that pass by hand."""

import itertools
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from gateway.core.record import Record, Tried
from gateway.core.rollout import Rollout
from tests.control.serving_world import Process, Store, files, route, serving
from tests.core.evidence_records import answered

GUARDED = "guardrails: [{metric: error_rate, max_delta: 0.05}]"
UNITS = itertools.count(1)


def plan(*steps: str, more: str = GUARDED) -> str:
    """A plan of these steps, by default with a guardrail on failures."""
    return f"{{steps: [{', '.join(f'{{{step}}}' for step in steps)}], {more}}}"


class Traffic:
    """The requests of the route `desk` in one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def record(self, track: str, outcome: str = "ok", **changes: Any) -> Record:
        """One settled request of a unit of its own, admitted now."""
        unit, process = next(UNITS), self._process
        given = {"route": "desk", "at": process.clock.wall(), "epoch": process.live.current.epoch}
        return answered(track, unit, outcome, **{**given, **changes})

    def failed_over(self, count: int = 1) -> None:
        """Requests that the canary failed and stable answered."""
        attempts = (Tried("1.1.0", "canary", "failed", 503), Tried("1.0.0", "fallback", "ok", 200))
        for _ in range(count):
            self._process.judging.hear(replace(self.record("stable", attempts=attempts), track="fallback"))

    def as_stable(self, count: int = 1, outcome: str = "ok") -> None:
        """Requests of the candidate once it is stable itself."""
        attempts = (Tried("1.1.0", "stable", outcome, 200 if outcome == "ok" else 503),)
        self.come(count, "stable", outcome, release="1.1.0", attempts=attempts)

    def come(self, count: int = 1, track: str = "canary", outcome: str = "ok", **changes: Any) -> None:
        """Requests that ended so."""
        for _ in range(count):
            self._process.judging.hear(self.record(track, outcome, **changes))

    def sides(self, percent: int, canary: int = 160) -> None:
        """Good requests of both sides as a split of so many percent gives them."""
        self.come(canary)
        self.come(canary * (100 - percent) // percent, "stable")

    async def seconds(self, count: int, each: Callable[[], None] = lambda: None, *, by: float = 1.0) -> None:
        """Let looks pass, `by` seconds apart, with what comes before each."""
        for _ in range(count):
            each()
            self._process.clock.now += by
            await self._process.judging.judge()


@asynccontextmanager
async def judging(written: str, store: Store | None = None, *, more: str = ""):
    """A process whose route has just begun a rollout by this plan, and its traffic."""
    async with serving(files(route()), store) as process:
        reload = await process.serving.reload(files(route(serve="1.1.0", more=f"rollout: {written}\n{more}")))
        assert reload.accepted, reload.problems
        assert await process.recording.settled(60)
        yield process, Traffic(process)


def verbs(process: Process) -> list[str]:
    """Every recorded act, the oldest first."""
    return [event.verb for event in process.store.disk.events]


def rollout(process: Process) -> Rollout:
    """The route's latest rollout."""
    latest = process.live.record_of("desk").rollout
    assert latest is not None
    return latest
