"""Calls whose answer is complete, and which their providers have not ended yet.

A stream's terminal event comes a moment before its end on the wire. Cancelling in between would throw away a
connection that the next request could use; waiting without a limit would leave it in a slow provider's hands.
"""

from collections import deque
from typing import Protocol

LINGER_SECONDS = 1.0


class Call(Protocol):
    """What lingers."""

    def cancel(self) -> None:
        """Give it up, if it has not ended."""
        ...


class Lingering:
    """The calls of one process that may end by themselves, each for a second."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, Call]] = deque()

    def __repr__(self) -> str:
        return f"<Lingering {len(self._calls)} calls>"

    def add(self, call: Call, now: float) -> None:
        """Leave a call to itself."""
        self._calls.append((now, call))

    def tick(self, now: float) -> None:
        """Give up those that have had their time."""
        while self._calls and now - self._calls[0][0] > LINGER_SECONDS:
            self._calls.popleft()[1].cancel()
