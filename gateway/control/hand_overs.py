"""Hand-overs: once a second, what the requests of each gateway have shown of watched steps becomes evidence at all.

Each says what its own requests have shown, with a source, a number and a seal. Whoever hears it counts it once. What
cannot be said, or does not find all the others listening, is said again, and until then the next gathers, bounded. What
was not heard in the end is missed by whom it did not reach, which costs that one time.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.control.judging import Judging
from gateway.core.errors import FleetFault, StoreFault
from gateway.core.hand_over import HandOver
from gateway.core.ports import Clock, Fleet

MOST_AT_ONCE = 50
MOST_CHARACTERS = 100_000
"""How many hand-overs are said in a second at most, in one trip, and how long together: of more, each has its turn."""

MOST_TIMES = 10
"""How often a hand-over is said to gateways of which some do not listen: they may have gone."""

SETTLE_SECONDS = 10.0
"""How long after an absence of the bus nothing is said: others find it again later, and listen later still.

So it is after a start, until the store has told which fleet this is.
"""


class HandOvers:
    """Says and hears them. `secret` gives what seals them, which the store tells its gateways alone, or StoreFault.

    Attributes:
        counts: how many were said, and how many were heard by what came of them.
    """

    def __init__(
        self, fleet: Fleet, judging: Judging, secret: Callable[[], Awaitable[bytes]], name: str, clock: Clock
    ) -> None:
        """`name` is this process's among all that are and were."""
        self._fleet = fleet
        self._clock = clock
        self._away_at = -SETTLE_SECONDS
        self._judging = judging
        self._ask_secret = secret
        self._secret: bytes | None = None
        self._name = name
        self._begun = 0
        self._waiting: dict[str, HandOver] = {}
        self._times: Counter[str] = Counter()
        self.counts: Counter[str] = Counter(said=0, counted=0, repeated=0, elsewhere=0, refused=0)
        judging.hand_over_as(self._new_source)

    def __repr__(self) -> str:
        return f"<HandOvers of {self._name}, {len(self._waiting)} to say>"

    async def share(self) -> None:
        """Say what has come. What is said again is what it was: some may have heard it."""
        secret = await self._known_secret()
        if secret is None or not await self._is_settled():
            return
        watched = self._judging.sources()
        for source in self._waiting.keys() - watched:
            del self._waiting[source], self._times[source]
        for told in self._judging.hand_over(self._waiting):
            self._waiting[told.source] = replace(told, seal=told.sealed_with(secret))
        now = self._due()
        if now:
            await self._say(now)

    async def _is_settled(self) -> bool:
        """Say whether the bus is there, and has been for a while."""
        now = self._clock.monotonic()
        try:
            await self._fleet.replicas()
        except FleetFault:
            self._away_at = now
        return now - self._away_at >= SETTLE_SECONDS

    async def _say(self, now: list[HandOver]) -> None:
        try:
            listening = await self._fleet.pass_on([told.written() for told in now])
            are_all = listening >= await self._fleet.replicas() - 1
        except FleetFault:
            return
        for told in now:
            self._times[told.source] += 1
            if are_all or self._times[told.source] >= MOST_TIMES:
                del self._waiting[told.source], self._times[told.source]
                self.counts["said"] += 1
            else:
                self._waiting[told.source] = self._waiting.pop(told.source)  # behind those that have not been said

    def hear(self, told: HandOver) -> bool:
        """Count what another gateway hands over; say whether it counts."""
        result = self._taken(told)
        self.counts[result] += 1
        return result == "counted"

    def _due(self) -> list[HandOver]:
        """Give those that have waited longest, as many as are said at once."""
        due: list[HandOver] = []
        length = 0
        for told in list(self._waiting.values())[:MOST_AT_ONCE]:
            length += told.length
            if due and length > MOST_CHARACTERS:
                break
            due.append(told)
        return due

    def _taken(self, told: HandOver) -> str:
        if self._secret is None or not told.is_sealed_with(self._secret):
            return "refused"
        try:
            return self._judging.take(told)
        except ValueError:
            return "refused"

    def _new_source(self) -> str:
        self._begun += 1
        return f"{self._name}.{self._begun}"

    async def _known_secret(self) -> bytes | None:
        if self._secret is None:
            try:
                self._secret = await self._ask_secret()
            except StoreFault:
                return None
        return self._secret
