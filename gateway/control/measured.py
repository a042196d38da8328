"""Measured figures: what the releases of a route have shown on live requests, from the ledger."""

from collections.abc import Callable
from typing import Any

from gateway.control.state import State
from gateway.core.errors import UnknownSubject
from gateway.core.ports import Clock, Ledger

WINDOW_SECONDS = 28 * 86_400.0
"""How far back figures go, where nothing else is said: four weeks, so that each weekday counts alike."""


class Measured:
    """Answers questions about releases. Nothing of it runs on the serving loop but the waiting."""

    def __init__(self, state: Callable[[], State], ledger: Ledger, clock: Clock) -> None:
        self._state = state
        self._ledger = ledger
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Measured in {self._ledger!r}>"

    async def figures(self, route: str, version: str, seconds: float = WINDOW_SECONDS) -> dict[str, Any]:
        """Give the figures of a release over the last so many seconds, as JSON.

        Raises:
            UnknownSubject: the policies declare no such release.
            StoreFault: the ledger cannot be read.
        """
        policies = self._state().policies
        policy = policies.routes.get(route)
        if policy is None:
            raise UnknownSubject.route(route, policies.routes)
        if version not in policy.releases:
            raise UnknownSubject(
                f"route {route} has no release {version[:64]!r}; there is {', '.join(policy.releases)}"
            )
        until = self._clock.wall()
        found = await self._ledger.figures_of(route, version, until - seconds)
        return {
            "route": route,
            "release": version,
            "since": until - seconds,
            "until": until,
            **found.to_json(),
        }
