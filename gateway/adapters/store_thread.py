"""The one thread that works with a store's database, and how long whoever asks waits for it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from gateway.adapters.sql_engine import Database
from gateway.core.errors import StoreFault

Answer = TypeVar("Answer")

SILENT_SECONDS = 1.5
"""How long a call waits for a server that left the last one unanswered: whoever asks is told within two seconds."""


class StoreThread:
    """Carries out one call after the other, none for longer than the database has patience."""

    def __init__(self, database: Database, threads: ThreadPoolExecutor | None = None) -> None:
        """`threads` has the one thread, where there is one already."""
        self._database = database
        self._threads = threads or _one()
        self._is_silent = False

    def __repr__(self) -> str:
        return f"<StoreThread of {self._database.name}>"

    @classmethod
    async def opening(cls, database: Callable[[], Database]) -> tuple[Database, Self]:
        """Open a database in its thread, and give both. Raises whatever opening it raises."""
        threads = _one()
        opened = threads.submit(database)
        try:
            found = await asyncio.wrap_future(opened)
        except BaseException:
            threads.shutdown(wait=False)
            raise
        return found, cls(found, threads)

    async def run(self, act: Callable[[], Answer], longer: float = 0.0, *, patiently: bool = False) -> Answer:
        """Act, at most `longer` seconds beyond the database's patience.

        For a server that was silent there is less of it, unless the call is to be made patiently.

        Raises:
            StoreFault: it has not answered in time, or is closed; and whatever `act` raises.
        """
        try:
            work = self._threads.submit(act)
        except RuntimeError as error:
            raise StoreFault(f"{self._database.name} is closed") from error
        known = self._database.patience
        if known is not None and self._is_silent and not patiently:
            known = SILENT_SECONDS
        patience, began = None if known is None else known + longer, time.monotonic()
        try:
            async with asyncio.timeout(patience):
                answer = await asyncio.wrap_future(work)
        except TimeoutError as error:
            self._is_silent = True
            raise StoreFault(f"{self._database.name} has not answered within {patience} s") from error
        except StoreFault:
            self._is_silent = self._is_silent or time.monotonic() - began > SILENT_SECONDS
            raise
        self._is_silent = False
        return answer

    async def end(self, last: Callable[[], None]) -> None:
        """Finish what was asked for, do the last thing, and take nothing more; the second time, nothing."""
        try:
            done = self._threads.submit(last)
        except RuntimeError:
            return
        self._threads.shutdown(wait=False)
        await asyncio.wrap_future(done)


def _one() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="pinion-store")
