"""How a gateway process is told to end: to drain, and to hurry with it."""

import asyncio
from collections.abc import Callable, Mapping

LOOK_SECONDS = 0.02
"""How often it is looked whether what is waited for is so."""


class Ending:
    """What a process has been told. `is_replaced`: another one serves on the same sockets, and this one just leaves."""

    def __init__(self) -> None:
        """Nothing has been said yet. Makes events of the running loop."""
        self.is_replaced = False
        self._draining = asyncio.Event()
        self._hurrying = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the process is to end."""
        return self._draining.is_set()

    @property
    def is_hurried(self) -> bool:
        """Whether it is to end at once."""
        return self._hurrying.is_set()

    def stop(self) -> None:
        """Drain and end; called again, end at once."""
        if self.has_begun:
            self._hurrying.set()
        self._draining.set()

    def drain(self) -> None:
        """Drain and end, however often it is said: a platform may tell a supervisor and its workers alike."""
        self._draining.set()

    def retire(self) -> None:
        """Drain and end beside the process that has come in this one's place."""
        self.is_replaced = True
        self._draining.set()

    def hurry(self) -> None:
        """End at once."""
        self._draining.set()
        self._hurrying.set()

    def words(self) -> Mapping[str, Callable[[], None]]:
        """What a supervisor's words on the end have a worker do."""
        return {"drain": self.drain, "retire": self.retire, "hurry": self.hurry}

    async def begun(self) -> None:
        """Wait until the process is to end."""
        await self._draining.wait()

    async def allowed(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Wait until `done`, at most `seconds`, or until told to hurry.

        What is waited for is the state of many exchanges, none of which knows of a drain, so it is looked at.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not done() and not self.is_hurried and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
