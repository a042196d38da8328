"""Leases of probes: asks the fleet which releases this gateway may probe, beside the requests that want it."""

from collections.abc import Callable

from gateway.control.breakers import Breakers
from gateway.control.probes import Place
from gateway.core.errors import FleetFault
from gateway.core.fleet_message import Closed
from gateway.core.ports import Clock, FleetLeases

LEASE_SECONDS = 5.0
"""After how long another gateway probes in the place of one that was lost."""

YIELD_SECONDS = 1.0
"""How long who had a bad probe lets others go first: it may be its own way to the provider that is broken."""


class ProbeLeases:
    """Takes the leases that are wanted, and keeps those that are needed; one that is not is over by itself.

    `tell` tells the other gateways that a breaker has closed here.
    """

    def __init__(self, leases: FleetLeases, breakers: Breakers, clock: Clock, tell: Callable[[Closed], None]) -> None:
        self._leases = leases
        self._breakers = breakers
        self._clock = clock
        self._tell = tell
        self._recovered: list[Place] = []
        self._waiting: set[Place] = set()
        self._yielded: dict[Place, float] = {}
        breakers.probes.is_alone = False
        breakers.probes.on_success = self._closed

    def __repr__(self) -> str:
        return f"<ProbeLeases {len(self._breakers.probes.held)} held>"

    def _closed(self, place: Place, probed: float) -> None:
        self._tell(Closed(*place, probed))
        self._recovered.append(place)

    async def keep(self) -> None:
        """Ask for what was wanted since the last time; nothing is sent where nothing was.

        A lease is kept through the open time after a bad probe, so that nobody else probes sooner, and then given back.
        """
        probes, now = self._breakers.probes, self._clock.monotonic()
        probes.forget(now)
        recovered, self._recovered = self._recovered, []
        waiting = {place for place in probes.held if self._breakers.waits(place, now)}
        yielded, self._waiting = self._waiting - waiting, waiting
        self._yielded = {place: until for place, until in self._yielded.items() if until > now}
        self._yielded |= dict.fromkeys(yielded, now + YIELD_SECONDS)
        wanted = sorted((probes.take_asked() | waiting) - set(recovered) - self._yielded.keys())
        names = [_name(place) for place in wanted]
        given_back = [*recovered, *yielded]
        try:
            if given_back:
                await self._leases.give_back([_name(place) for place in given_back])
            ours = await self._leases.take(names, LEASE_SECONDS) if names or probes.is_alone else frozenset()
        except FleetFault:
            probes.let_alone()
            return
        found = {place for place, name in zip(wanted, names, strict=True) if name in ours}
        probes.hold([*wanted, *given_back], found, now + LEASE_SECONDS)


def _name(place: Place) -> str:
    route, release = place
    return f"{len(route)}:{route}/{release}"
