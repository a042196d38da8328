"""A window: what happened in the last seconds, in constant memory."""

import math
from dataclasses import dataclass

_FEWEST_SLOTS = 10
_MOST_SLOTS = 60


@dataclass(slots=True)
class Counts:
    """How many outcomes there were, and how many of them failed or were slow (an outcome may be both)."""

    requests: int = 0
    failed: int = 0
    slow: int = 0


class Window:
    """Counts outcomes over the last `seconds`.

    The window is a ring of slots, of one second each where it has 10 to 60 of them and otherwise of as many
    seconds as divide it so. What is older than the window leaves by whole slots, when `now` is next told.

    `counts` are of the window; `own` of everything that was ever added here, to tell other gateways by.
    """

    __slots__ = ("_newest", "_slots", "_width", "counts", "own")

    def __init__(self, seconds: float) -> None:
        slots = max(_FEWEST_SLOTS, min(_MOST_SLOTS, math.ceil(seconds)))
        self._width = seconds / slots
        self._slots = [Counts() for _ in range(slots)]
        self._newest = 0
        self.counts = Counts()
        self.own = Counts()

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one outcome at `now`, in seconds that never go back."""
        self.expire(now)
        for counts in (self.counts, self._slots[self._newest % len(self._slots)], self.own):
            counts.requests += 1
            counts.failed += failed
            counts.slow += slow

    def take(self, now: float, others: Counts) -> None:
        """Count what other gateways had in the last second."""
        self.expire(now)
        for counts in (self.counts, self._slots[self._newest % len(self._slots)]):
            counts.requests += others.requests
            counts.failed += others.failed
            counts.slow += others.slow

    def expire(self, now: float) -> None:
        """Forget what is older than the window."""
        newest = int(now / self._width)
        if newest <= self._newest:
            return
        size = len(self._slots)
        for index in range(max(self._newest + 1, newest - size + 1), newest + 1):
            old = self._slots[index % size]
            if old.requests:
                self.counts.requests -= old.requests
                self.counts.failed -= old.failed
                self.counts.slow -= old.slow
                self._slots[index % size] = Counts()
        self._newest = newest

    def clear(self) -> None:
        """Forget everything but what was added here in all."""
        self._slots = [Counts() for _ in self._slots]
        self.counts = Counts()
