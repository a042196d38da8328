"""A gateway's membership in its fleet, joined: the bus, and what goes over it.

Beside `wiring`, which runs it, and `outgoing`: the only other places that join ports to adapters.
"""

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Self

from gateway.adapters.sql_store import SqlStore
from gateway.control.breakers import Breakers
from gateway.control.fleet_life import LEASE_SECONDS, SHARE_SECONDS, FleetLife
from gateway.control.hand_overs import HandOvers
from gateway.control.judging import Judging
from gateway.control.live import Live
from gateway.core.ports import Clock, Journal

if TYPE_CHECKING:
    from gateway.adapters.redis_fleet import RedisFleet


class Membership:
    """One gateway's. `bus` and `life` are its parts: before `join`, what is to be told waits."""

    def __init__(self, bus: "RedisFleet", life: FleetLife) -> None:
        """Made by `open`."""
        self.bus = bus
        self.life = life

    @classmethod
    async def open(
        cls, url: str | None, journal: Journal, clock: Clock, stack: contextlib.AsyncExitStack
    ) -> Self | None:
        """Look for the Redis of a URL; one that is not there now is told in the journal, and looked for on.

        Without a URL there is no fleet to be a member of. The `stack` ends it.

        Raises:
            SetupFault: the URL is not one, or Redis does not let this gateway do what it must.
        """
        if url is None:
            return None
        from gateway.adapters.redis_fleet import RedisFleet  # noqa: PLC0415 - a third of the start, for a fleet alone

        bus = await RedisFleet.open(url, journal, clock)
        stack.push_async_callback(bus.close)
        return cls(bus, FleetLife(bus, bus, bus.reading, journal))

    def join(
        self, live: Live, breakers: Breakers, judging: Judging, store: SqlStore, look: Callable[[], None]
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Begin to act on what others say, and give what is to run for as long as the process lives.

        `look` has the store looked at soon.
        """
        hand_overs = HandOvers(self.bus, judging, store.fleet_secret, secrets.token_hex(8), live.world.clock)
        self.life.join(live, breakers, hand_overs, look, secrets.SystemRandom().random)
        yield self.bus.join(store.chain)
        yield from self.life.tasks()

    def acts(self) -> Iterator[tuple[float, Callable[[], Awaitable[None]]]]:
        """Give what is to be done again and again, each beside the others, and after how many seconds."""
        yield SHARE_SECONDS, self.life.share
        yield SHARE_SECONDS, self.life.hand_over
        yield LEASE_SECONDS, self.life.lease
