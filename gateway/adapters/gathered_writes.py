"""Writes of one turn of the event loop, sent together at its end.

A write that wakes a sleeping peer costs several times one to a peer that is awake. Sent together, most find theirs
awake; and none waits longer than for what the same turn had to do anyway.
"""

import asyncio

MOST_BYTES = 128 * 1024
"""How many bytes may wait."""


class GatheredWrites:
    """The writes of one event loop that are still to be sent, in order. All of them go by here, or order is lost."""

    __slots__ = ("_loop", "_size", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<GatheredWrites {len(self._waiting)} waiting>"

    def write(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send bytes at the end of this turn; at once, where many wait, so that a transport can say that it is full."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append((transport, data))
        self._size += len(data)
        if self._size > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is waiting now, as before a close. A transport that closed meanwhile takes nothing more."""
        waiting, self._waiting = self._waiting, []
        self._size = 0
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)
