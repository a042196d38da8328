"""Hand-overs: once a second, what the requests of each gateway have shown of watched steps becomes evidence at all.

Each says what its own requests have shown, with a source, a number and a seal. Whoever hears it counts it once. What
cannot be said is said later, and until then the next gathers, bounded; what was said and not heard is missed by whom
it did not reach, which costs that one time.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.control.judging import Judging
from gateway.core.errors import FleetFault, StoreFault
from gateway.core.hand_over import HandOver
from gateway.core.ports import Fleet

MOST_AT_ONCE = 50
MOST_CHARACTERS = 100_000
"""How many hand-overs are said in a second at most, in one trip, and how long together: of more, each has its turn."""


class HandOvers:
    """Says and hears them. `secret` gives what seals them, which the store tells its gateways alone, or StoreFault.

    Attributes:
        counts: how many were said, and how many were heard by what came of them.
    """

    def __init__(self, fleet: Fleet, judging: Judging, secret: Callable[[], Awaitable[bytes]], name: str) -> None:
        """`name` is this process's among all that are and were."""
        self._fleet = fleet
        self._judging = judging
        self._ask_secret = secret
        self._secret: bytes | None = None
        self._name = name
        self._begun = 0
        self._waiting: dict[str, HandOver] = {}
        self.counts: Counter[str] = Counter(said=0, counted=0, repeated=0, elsewhere=0, refused=0)
        judging.hand_over_as(self._new_source)

    def __repr__(self) -> str:
        return f"<HandOvers of {self._name}, {len(self._waiting)} to say>"

    async def share(self) -> None:
        """Say what has come. What the bus did not take is said again, as it was: some may have heard it."""
        secret = await self._known_secret()
        if secret is None:
            return
        watched = self._judging.sources()
        self._waiting = {source: told for source, told in self._waiting.items() if source in watched}
        for told in self._judging.hand_over(self._waiting):
            self._waiting[told.source] = replace(told, seal=told.sealed_with(secret))
        now = self._due()
        if not now:
            return
        try:
            await self._fleet.pass_on([told.written() for told in now])
        except FleetFault:
            return
        for told in now:
            del self._waiting[told.source]
        self.counts["said"] += len(now)

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
