"""What this gateway tells the others of its store, and what it hears of them.

Saying never waits: messages queue, and a task carries them out. While the bus is away, those that take something out
of traffic wait for it. What is of a moment is let go of, and so are hints: the others look at the store every second.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping

from gateway.core.errors import FleetFault
from gateway.core.fleet_message import Look, Moment, Said, read, written
from gateway.core.ports import Fleet, Journal

MOST_WAITING = 500
"""How many messages wait at most; then the oldest is let go of."""

RETRY_SECONDS = 1.0

APART_SECONDS = 0.1
"""How far apart hints are, of which the last says as much as all."""


class FleetTalk:
    """Says and hears messages; how those that were heard ended is counted."""

    def __init__(self, fleet: Fleet, journal: Journal) -> None:
        self._fleet = fleet
        self._journal = journal
        self._waiting: deque[Said] = deque(maxlen=MOST_WAITING)
        self._look_due = False
        self._looked_at = 0.0
        self._wanted = asyncio.Event()
        self.heard: Counter[str] = Counter(acted=0, known=0, dropped=0)

    def __repr__(self) -> str:
        return f"<FleetTalk {len(self._waiting)} to say>"

    def say(self, said: Said) -> None:
        """Have the others told something, soon. Returns at once."""
        if isinstance(said, Look):
            self._look_due = True
        else:
            self._waiting.append(said)
        self._wanted.set()

    async def run(self) -> None:
        """Tell what waits, for as long as the process lives."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._tell()
            except FleetFault:
                lasting = [said for said in self._waiting if not isinstance(said, Moment)]
                self._waiting = deque(lasting, MOST_WAITING)
                await asyncio.sleep(RETRY_SECONDS)
                if self._waiting:
                    self._wanted.set()

    async def _tell(self) -> None:
        while self._waiting:
            said = self._waiting[0]
            await self._fleet.say(written(said))
            if self._waiting and self._waiting[0] is said:
                self._waiting.popleft()
        if not self._look_due:
            return
        loop = asyncio.get_running_loop()
        rest = self._looked_at + APART_SECONDS - loop.time()
        if rest > 0:
            loop.call_later(rest, self._wanted.set)
            return
        self._look_due, self._looked_at = False, loop.time()
        await self._fleet.say(written(Look()))

    async def listen(self, act: Callable[[Said], bool]) -> None:
        """Act on what others say, for as long as the process lives; `act` says whether there was anything to do."""
        async for message in self._fleet.heard():
            self._hear(message, act)

    def _hear(self, message: Mapping[str, object], act: Callable[[Said], bool]) -> None:
        try:
            said = read(message)
        except ValueError as error:
            self.heard["dropped"] += 1
            if self.heard["dropped"] == 1:  # the metric counts the others
                self._journal.event("fleet_message_dropped", level="warning", message=str(error))
            return
        try:
            self.heard["acted" if act(said) else "known"] += 1
        except Exception as error:  # noqa: BLE001 - one message's accident must not keep the others from being heard
            self.heard["dropped"] += 1
            said_of = f"{type(error).__name__}: {error}"
            self._journal.event("fleet_message_failed", level="error", message=said_of)
