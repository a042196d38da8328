"""This gateway's part in its fleet: everything that is told, heard, shared and leased, tied to what is live."""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

from gateway.control.breakers import Breakers
from gateway.control.fleet_talk import FleetTalk
from gateway.control.hand_overs import HandOvers
from gateway.control.heard_acts import HeardActs
from gateway.control.live import Live
from gateway.control.probe_leases import ProbeLeases
from gateway.control.shared_windows import SharedWindows
from gateway.core.fleet_message import Opened, Said
from gateway.core.fleet_reading import FleetReading
from gateway.core.hand_over import HandOver
from gateway.core.ports import Fleet, FleetLeases, Journal

SHARE_SECONDS = 1.0
"""How often outcomes are shared, and what requests of watched steps have shown is handed over."""

LEASE_SECONDS = 0.25
"""How often leases of probes are asked for that requests want."""

PATIENCE_SECONDS = 5.0
"""How long an act of another gateway has to be recorded there, and up to as long again, before it is recorded here."""


def unheard(_said: Said) -> None:
    """Tell nobody: there is no fleet."""


class FleetLife:
    """Joins what a fleet has to what is live. Before `join`, what is to be told waits."""

    def __init__(
        self, fleet: Fleet, leases: FleetLeases, reading: Callable[[], FleetReading], journal: Journal
    ) -> None:
        self._fleet = fleet
        self._leases = leases
        self._reading = reading
        self._talk = FleetTalk(fleet, journal)

    def __repr__(self) -> str:
        return f"<FleetLife {self._talk!r}>"

    def say(self, said: Said) -> None:
        """Have the other gateways told something, soon."""
        self._talk.say(said)

    def join(
        self,
        live: Live,
        breakers: Breakers,
        hand_overs: HandOvers,
        look: Callable[[], None],
        draw: Callable[[], float],
    ) -> None:
        """Begin to act on what others say; `look` has the store looked at soon, `draw` gives numbers from 0 to 1."""
        clock = live.world.clock
        self._acts = HeardActs(live, breakers, look, PATIENCE_SECONDS * (1 + draw()))
        self._windows = SharedWindows(self._fleet, breakers, clock)
        self._hand_overs = hand_overs
        breakers.on_open = lambda route, release, rule: self._talk.say(Opened(route, release, rule))
        self._probes = ProbeLeases(self._leases, breakers, clock, self._talk.say)

    def tasks(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Give what is to run as long as the process lives."""
        yield self._talk.run()
        yield self._talk.listen(self._hear)

    def _hear(self, said: Said) -> bool:
        return self._hand_overs.hear(said) if isinstance(said, HandOver) else self._acts.hear(said)

    async def share(self) -> None:
        """Share the outcomes of the last second."""
        await self._windows.share()

    async def hand_over(self) -> None:
        """Hand over what the requests of the last second have shown of watched steps."""
        await self._hand_overs.share()

    async def lease(self) -> None:
        """Ask for the probes that requests want."""
        await self._probes.keep()

    async def settle(self, *, store_is_away: bool) -> None:
        """See to it that what was heard is recorded by somebody.

        Raises:
            StoreFault: the store cannot be read.
        """
        await self._acts.settle(store_is_away=store_is_away)

    def reading(self) -> FleetReading:
        """Tell how the fleet is."""
        return replace(self._reading(), messages=dict(self._talk.heard), hand_overs=dict(self._hand_overs.counts))
