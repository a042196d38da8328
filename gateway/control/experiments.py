"""Experiments: what the ledger holds of one, analysed by unit, or line by line for an analysis elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from gateway.control.experiment_report import Standing, report_of
from gateway.control.state import State
from gateway.core.arm_units import Wanted
from gateway.core.errors import UnknownSubject
from gateway.core.feedback import Exposure, ExposurePage
from gateway.core.ports import Clock, Ledger


class Experiments:
    """Reports and exports. Nothing of either runs on the serving loop but the waiting."""

    def __init__(self, state: Callable[[], State], ledger: Ledger, clock: Clock) -> None:
        self._state = state
        self._ledger = ledger
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Experiments in {self._ledger!r}>"

    def standing(self, route: str) -> Standing:
        """Give a route's experiment.

        Raises:
            UnknownSubject: there is no such route, or it has no experiment.
        """
        state = self._state()
        policy = state.policies.routes.get(route)
        if policy is None:
            raise UnknownSubject.route(route, state.policies.routes)
        experiment = policy.experiment
        if experiment is None:
            raise UnknownSubject(f"route {route} has no experiment; write `experiment:` in its policy to begin one")
        own = route, experiment.name
        start = next((begun for begun in state.experiments if (begun.route, begun.name) == own), None)
        out = tuple(gone for gone in state.arms_out if (gone.route, gone.experiment) == own)
        return Standing(route, experiment, start, out, self._clock.wall())

    async def report(self, route: str) -> dict[str, Any]:
        """Analyse a route's experiment.

        Raises:
            UnknownSubject: there is no such route, or it has no experiment.
            StoreFault: the ledger cannot be read.
        """
        standing = self.standing(route)
        units = await self._ledger.arm_units(standing.wanted(until=standing.until))
        return await asyncio.to_thread(report_of, standing, units)

    async def exposures(self, route: str, after: int, since: float) -> AsyncIterator[bytes]:
        """Give an experiment's requests since a wall time and after a position, as JSON lines, some at a time.

        Raises:
            UnknownSubject: there is no such route, or it has no experiment.
            StoreFault: the ledger cannot be read; of later pages, while they are given.
        """
        wanted = self.standing(route).wanted(since)
        return self._lines(wanted, await self._ledger.exposures(wanted, after))

    async def _lines(self, wanted: Wanted, page: ExposurePage) -> AsyncIterator[bytes]:
        while True:
            if page.exposures:
                yield await asyncio.to_thread(_written, page.exposures)
            if page.after is None:
                return
            page = await self._ledger.exposures(wanted, page.after)


def _written(exposures: Sequence[Exposure]) -> bytes:
    return b"".join(json.dumps(_line(one), ensure_ascii=False).encode() + b"\n" for one in exposures)


def _line(exposure: Exposure) -> dict[str, Any]:
    """One request for the user's own analysis. Its unit is there as its digest alone."""
    record = exposure.record
    experiment, _, arm = (record.split or "").partition("/")
    return {
        "position": exposure.position,
        "at": record.at,
        "experiment": experiment,
        "arm": arm,
        "unit_digest": record.unit_digest,
        "request_id": record.request_id,
        "app": record.app,
        "route": record.route,
        "release": record.release,
        "track": record.track,
        "endpoint": record.endpoint,
        "outcome": record.outcome,
        "first_outcome": record.attempts[0].outcome if record.attempts else None,
        "seconds": record.seconds,
        "first_token_seconds": record.first_token_seconds,
        "input_tokens": record.input_tokens,
        "output_tokens": record.output_tokens,
        "cost_usd": record.cost_usd,
        "schema_valid": record.schema_valid,
        "feedback": dict(exposure.feedback),
    }
