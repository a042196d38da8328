"""The connections of one way to a provider: how many there may be, which are idle, and who waits for one.

The law:

1. A call takes the idle connection that was used last; without one it opens one, while there are fewer than
   `max_connections`; else it waits, first come first served, for at most `POOL_WAIT` seconds.
2. A call whose kept connection was gone before a byte of its answer came is sent once more, on a connection opened for
   it (RFC 9112, 9.3.1): such a call cannot have been answered.
3. Where the machine lacks what a connection takes, no pool keeps idle ones.
4. A retired pool keeps no idle connections, and is done once its last call is over.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from gateway.adapters.gathered_writes import GatheredWrites
from gateway.adapters.upstream_faults import no_answer, no_free_connection, unreachable
from gateway.adapters.upstream_line import Line
from gateway.adapters.upstream_way import Way
from gateway.core.errors import UpstreamFault
from gateway.core.provider import Provider

POOL_WAIT = 1.0
"""Seconds that a call waits for a connection when all are taken; the answer to overload is a fast one."""

KEEP_ALIVE = 55.0
"""Seconds that an idle connection is kept: less than the minute after which load balancers often drop one."""

SWEEP = 5.0
"""Seconds between two looks at idle connections; one is late by up to that much."""


class Caller(Protocol):
    """A call, as the pool knows it."""

    is_over: bool

    @property
    def provider(self) -> Provider:
        """Whom it goes to."""
        ...

    def begin(self, line: Line) -> None:
        """It has its connection."""
        ...

    def fail(self, fault: UpstreamFault) -> None:
        """It will have none."""
        ...


class Pool:
    """The connections of one way. It belongs to the event loop that made it.

    `on_empty` is called when a retired pool has no connection left and nobody waits, `on_shortage` when the machine
    lacked what a connection takes.
    """

    def __init__(
        self, way: Way, on_empty: Callable[["Pool"], None], on_shortage: Callable[[], None], *, is_retired: bool
    ) -> None:
        """Open nothing yet.

        Raises:
            OSError: the way's certificates cannot be read.
            ValueError: its base URL is not one that HTTP can reach.
        """
        parts = urlsplit(way.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("its base URL must begin with http:// or https:// and name a host")
        is_secure = parts.scheme == "https"
        self.way = way
        self._host, self._port = parts.hostname, parts.port or (443 if is_secure else 80)
        self._tls: ssl.SSLContext | None = way.tls() if is_secure else None
        self._loop = asyncio.get_running_loop()
        self._writes = GatheredWrites(self._loop)
        self._on_empty = on_empty
        self._on_shortage = on_shortage
        self._lines: set[Line] = set()
        self._idle: dict[Line, None] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[Caller, float]] = deque()  # with the loop time since when
        self._patience: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_retired = is_retired

    @property
    def size(self) -> int:
        """How many connections there are, those that are being opened included."""
        return len(self._lines) + len(self._opening)

    @property
    def idle(self) -> int:
        """How many of them carry nothing."""
        return len(self._idle)

    def place(self, caller: Caller) -> None:
        """Give a call its connection: at once, or when there is one; or fail it."""
        while self._idle:
            line, _ = self._idle.popitem()
            if line.is_open and self._loop.time() - line.idle_since < KEEP_ALIVE:
                caller.begin(line)
                return
            line.drop()
        if self.size < self.way.max_connections:
            self.open_for(caller)
        else:
            self._waiting.append((caller, self._loop.time()))
            self._be_patient()

    def open_for(self, caller: Caller) -> None:
        """Open a connection for a call."""
        task = self._loop.create_task(self._open(caller))
        self._opening.add(task)

    def keep(self) -> None:
        """Keep idle connections, also after a `retire`: a reload may bring back what an earlier one took away."""
        self._is_retired = False

    def retire(self) -> None:
        """Keep nothing idle from now on."""
        self._is_retired = True
        self.spare()
        self._settle()

    def spare(self) -> None:
        """Close what is idle."""
        for line in tuple(self._idle):
            line.drop()

    async def aclose(self) -> None:
        """Close every connection, and give up those that are being opened."""
        self._waiting.clear()
        opening = tuple(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for line in tuple(self._lines):
            line.drop()
        for timer in (self._patience, self._sweeping):
            if timer is not None:
                timer.cancel()

    # What its connections say

    def freed(self, line: Line) -> None:
        """A connection may carry another call."""
        waiting = self._next_waiting()
        if waiting is not None:
            waiting.begin(line)
        elif self._is_retired:
            line.drop()
        else:
            line.idle_since = self._loop.time()
            self._idle[line] = None
            if self._sweeping is None:
                self._sweeping = self._loop.call_later(SWEEP, self._sweep)

    def closed(self, line: Line) -> None:
        """A connection is gone: there is room for another."""
        self._lines.discard(line)
        self._idle.pop(line, None)
        self._settle()

    # How connections are opened

    async def _open(self, caller: Caller) -> None:
        line = Line(self, self._writes)
        fault: UpstreamFault | None = None
        try:
            await self._connect(line, caller.provider.timeouts.connect)
            if not line.is_open:  # it ended, or spoke, before this task went on
                fault = no_answer(caller.provider)
        except (OSError, ValueError) as error:
            fault = unreachable(caller.provider, error)
        finally:
            self._opening.discard(asyncio.current_task())
        if fault is not None:
            line.drop()
            if fault.kind == "local":
                self._on_shortage()
            caller.fail(fault)
            self._settle()
            return
        self._lines.add(line)
        if caller.is_over:
            self.freed(line)
        else:
            caller.begin(line)

    async def _connect(self, line: Line, within: float) -> None:
        name = None if self._tls is None else self._host
        async with asyncio.timeout(within):
            await self._loop.create_connection(
                lambda: line, self._host, self._port, ssl=self._tls, server_hostname=name
            )

    def _settle(self) -> None:
        """Use the room that there is now for who waits; a retired pool without a connection is done."""
        while self.size < self.way.max_connections and (waiting := self._next_waiting()) is not None:
            self.open_for(waiting)
        if self._is_retired and not self.size:
            self._on_empty(self)

    # Who waits, and what is too old

    def _next_waiting(self) -> Caller | None:
        while self._waiting:
            caller, _ = self._waiting.popleft()
            if not caller.is_over:
                return caller
        return None

    def _be_patient(self) -> None:
        """Look again when the call that has waited longest has waited long enough."""
        if self._patience is None and self._waiting:
            self._patience = self._loop.call_at(self._waiting[0][1] + POOL_WAIT, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        latest = self._loop.time() - POOL_WAIT
        while self._waiting and (self._waiting[0][0].is_over or self._waiting[0][1] <= latest):
            caller, _ = self._waiting.popleft()
            if not caller.is_over:
                caller.fail(no_free_connection(caller.provider))
        self._be_patient()

    def _sweep(self) -> None:
        """Close the idle connections that are too old; the dictionary has the oldest first."""
        self._sweeping = None
        latest = self._loop.time() - KEEP_ALIVE
        for line in tuple(self._idle):
            if line.idle_since > latest:
                break
            line.drop()
        if self._idle:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)
