"""Who of a fleet may probe a release whose breaker was open for its time: one gateway, by a lease.

It is asked for beside the requests, and only by a gateway that has requests for the release: one that nobody sends any
would never find out. Without a fleet, and while its bus is away, each probes by itself.
"""

from collections.abc import Callable, Collection, Iterable
from typing import TypeAlias

Place: TypeAlias = tuple[str, str]
"""A route and a release version."""


def alone(_place: Place, _probed: float) -> None:
    """Tell nobody."""


class Probes:
    """What a gateway may probe; `on_success` is told when its probes have closed a breaker, and how long they took."""

    def __init__(self) -> None:
        self.on_success: Callable[[Place, float], None] = alone
        self.is_alone = True
        self._until: dict[Place, float] = {}
        self._asked: set[Place] = set()

    def __repr__(self) -> str:
        return f"<Probes {'alone' if self.is_alone else f'of {len(self._until)} leases'}>"

    def may(self, place: Place, now: float) -> bool:
        """Say whether a probe may be sent; that it was wanted is remembered."""
        if self.is_alone:
            return True
        self._asked.add(place)
        return now < self._until.get(place, 0.0)

    def succeeded(self, place: Place, probed: float) -> None:
        """Probes of the last `probed` seconds have closed a breaker."""
        self.on_success(place, probed)

    def take_asked(self) -> set[Place]:
        """Give what was wanted since this was last asked."""
        asked, self._asked = self._asked, set()
        return asked

    @property
    def held(self) -> Collection[Place]:
        """The leases that were ours when they were last asked for."""
        return self._until.keys()

    def hold(self, asked: Iterable[Place], ours: Collection[Place], until: float) -> None:
        """Take the answer to what was asked for: leases that are ours, until a monotonic time."""
        self.is_alone = False
        for place in asked:
            if place in ours:
                self._until[place] = until
            else:
                self._until.pop(place, None)

    def forget(self, now: float) -> None:
        """Forget leases that are over."""
        self._until = {place: until for place, until in self._until.items() if until > now}

    def let_alone(self) -> None:
        """The bus is away: whoever wants to may probe."""
        self.is_alone = True
        self._until.clear()
