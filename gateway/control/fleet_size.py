"""How many gateways share what all of them may use together, known as well as can be when nobody can be asked.

The number is the largest of three: how many the fleet told last, how many the store recorded last, and how many workers
this machine was started with. The record follows the fleet up at once, and down once fewer have been there for a
while, so that neither a fleet that has lost its count nor a restart makes a gateway believe that it is alone.
"""

import contextlib

from gateway.control.live import Live
from gateway.core.errors import FleetFault, StoreFault
from gateway.core.ports import Fleet

FEWER_SECONDS = 60.0
"""For how long there must be fewer than are recorded before that is recorded."""


class FleetSize:
    """The number of gateways, as `fleet` tells and `live` has it recorded; at least `workers` of this machine."""

    def __init__(self, live: Live, fleet: Fleet | None, workers: int) -> None:
        self._live = live
        self._clock = live.world.clock
        self._fleet = fleet
        self._workers = workers
        self._told = 1
        self._fewer_since: float | None = None

    def __repr__(self) -> str:
        return f"<FleetSize {self.number}>"

    @property
    def number(self) -> int:
        """Among how many gateways to divide."""
        return max(self._told, self._live.state.replicas, self._workers)

    async def count(self) -> None:
        """Ask the fleet, where there is one.

        Raises:
            FleetFault: it is away; what was known stays.
        """
        if self._fleet is None:
            return
        try:
            self._told = max(1, await self._fleet.replicas())
        except FleetFault:
            self._fewer_since = None
            raise
        if self._told >= self._live.state.replicas:
            self._fewer_since = None
        elif self._fewer_since is None:
            self._fewer_since = self._clock.monotonic()

    async def record(self) -> None:
        """Have the store know, for a start without the fleet; while it is away, that waits."""
        if not self._live.is_away and (self._told > self._live.state.replicas or self._is_smaller()):
            with contextlib.suppress(StoreFault):
                await self._live.write_replicas(self._told)

    def _is_smaller(self) -> bool:
        since = self._fewer_since
        return since is not None and self._clock.monotonic() - since >= FEWER_SECONDS
