"""The lease of the one gateway of a store that moves rollouts on, and whose files count whatever others had."""

from gateway.core.errors import StoreFault
from gateway.core.ports import Clock, Store

NAME = "judging"

SECONDS = 10.0
"""After how long another gateway on the store judges in the place of one that has gone."""


class JudgeLease:
    """Taken, and kept, by whoever asks first; asked for again after a third of its time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.was_ours = False
        """What was said when it was last asked for."""
        self._next = 0.0

    def __repr__(self) -> str:
        return f"<JudgeLease {'ours' if self.was_ours else 'of another'}>"

    async def is_ours(self) -> bool:
        """Say whether this gateway has the lease. While the store is away, what it said last holds for a while."""
        now = self._clock.monotonic()
        if now >= self._next:
            try:
                self.was_ours = await self._store.take_lease(NAME, SECONDS)
            except StoreFault:  # what is asked next may be answered again, when the lease is another's
                self.was_ours = self.was_ours and now < self._next + SECONDS * 2 / 3
                return self.was_ours
            self._next = now + SECONDS / 3
        return self.was_ours
