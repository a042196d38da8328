"""Shared windows: what each gateway's requests showed of a release in the last second, in every gateway's window.

Counters on the fleet bus only grow. Once a second a gateway adds what it has counted since, and what a counter has
grown by beyond that is the others'. A counter that is met for the first time, that has shrunk, or that was not looked
at in time tells nothing yet: its next second will.
"""

from collections.abc import Mapping

from gateway.control.breakers import Breakers
from gateway.control.probes import Place
from gateway.core.errors import FleetFault
from gateway.core.ports import Clock, Fleet
from gateway.core.window import Counts

KEEP_SECONDS = 60.0

LATE_SECONDS = 5.0
"""After how long without a look what has come meanwhile is too old to be put into a window as new."""

MOST_RELEASES = 500
"""How many releases are shared at most: the first by name, so that they are the same everywhere."""

Numbers = tuple[int, int, int]
"""Requests, failures, slow ones."""

NONE: Numbers = (0, 0, 0)

_PARTS = ("requests", "failed", "slow")


class SharedWindows:
    """Adds to the bus, and takes from it, for every release that has had requests in its window."""

    def __init__(self, fleet: Fleet, breakers: Breakers, clock: Clock) -> None:
        self._fleet = fleet
        self._breakers = breakers
        self._clock = clock
        self._told: dict[Place, Numbers] = {}
        self._totals: dict[Place, Numbers] = {}
        self._last = clock.monotonic()

    def __repr__(self) -> str:
        return f"<SharedWindows of {len(self._totals)} releases>"

    async def share(self) -> None:
        """Share the last second, in one round trip; while the bus is away, forget it."""
        now = self._clock.monotonic()
        is_late, self._last = now - self._last > LATE_SECONDS, now
        busy = {place: _numbers(counts) for place, counts in self._breakers.busy(now)}
        own = dict(sorted(busy.items())[:MOST_RELEASES])
        new = {place: NONE if is_late else self._new(place, numbers) for place, numbers in own.items()}
        amounts = {_name(place, part): n for place, each in new.items() for part, n in zip(_PARTS, each, strict=True)}
        self._told |= own
        if is_late:
            self._totals.clear()
        try:
            found = await self._fleet.add(amounts, KEEP_SECONDS) if amounts else {}
            await self._fleet.replicas()  # a heartbeat, where there was nothing else to say
        except FleetFault:
            self._totals.clear()
            return
        totals = {place: _total(found, place) for place in own}
        for place, total in totals.items():
            before = self._totals.get(place)
            if before is not None:
                self._take(place, _minus(_minus(total, before), new[place]), now)
        self._totals = totals

    def _new(self, place: Place, own: Numbers) -> Numbers:
        """Give what was counted here since it was last told; a breaker that was made anew counts from nothing."""
        new = _minus(own, self._told.get(place, NONE))
        return own if min(new) < 0 else new

    def _take(self, place: Place, others: Numbers, now: float) -> None:
        if any(others) and min(others) >= 0:
            self._breakers.take(*place, Counts(*others), now)


def _name(place: Place, part: str) -> str:
    route, release = place
    return f"window:{len(route)}:{route}/{release}:{part}"


def _total(found: Mapping[str, int], place: Place) -> Numbers:
    requests, failed, slow = (found[_name(place, part)] for part in _PARTS)
    return requests, failed, slow


def _numbers(counts: Counts) -> Numbers:
    return counts.requests, counts.failed, counts.slow


def _minus(one: Numbers, other: Numbers) -> Numbers:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]
