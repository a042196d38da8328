"""Writes that follow an act: what had to happen at once is recorded right after, in order, until it is.

Tripping and rolling back cannot wait for a disk. Their records queue here and are retried while the store is away.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.core.ports import Journal

Write = Callable[[], Awaitable[None]]

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class Recording:
    """A queue of writes with one task that carries them out in order."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._writes: deque[tuple[str, Write]] = deque()
        self._wanted = asyncio.Event()
        self._hurried = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._writes)

    def __repr__(self) -> str:
        return f"<Recording {len(self._writes)} to write>"

    def add(self, what: str, write: Write) -> None:
        """Queue a write; `what` names it for the log. Returns at once."""
        self._writes.append((what, write))
        self._idle.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Carry out writes for as long as the process lives."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._wanted.wait()
            what, write = self._writes[0]
            try:
                await write()
            except Exception as fault:  # noqa: BLE001 - what one write met must not keep the others from the record
                self._journal.event("record_delayed", level="error", what=what, message=str(fault))
                await self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            self._writes.popleft()
            if not self._writes:
                self._wanted.clear()
                self._idle.set()

    def hurry(self) -> None:
        """Try again now: the store is back."""
        self._hurried.set()

    async def _pause(self, seconds: float) -> None:
        self._hurried.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), seconds)

    async def settled(self, within: float) -> bool:
        """Wait at most `within` seconds; say whether everything queued has been written."""
        try:
            async with asyncio.timeout(within):
                while not self._idle.is_set():  # anew after a wait: what woke this may have been followed by more
                    await self._idle.wait()
        except TimeoutError:
            return False
        return True
