"""An open-loop client: requests leave at their own pace, whether or not earlier ones are answered.

Latency runs from the moment a request is due, unless the client itself was late with it, so that waiting for a free
connection counts. It is a client of one loop on the load's core; nothing else of the benchmark runs meanwhile.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import httptools
import uvloop

from loadtests.bench.questions import question
from loadtests.bench.setups import Address

CONNECTIONS = 64
"""How many connections are open from the start."""

TAIL_SECONDS = 10
"""How long answers may take that are still due at the end."""

USERS = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How many requests a second, for how long, with bodies of how many bytes, and whether for streams."""

    per_second: float
    seconds: float
    body: int = 1024
    stream: bool = False


@dataclass(slots=True)
class Timings:
    """What a run found: when each request was due, and its latency in ms; both in order of the answers.

    The latency of a stream is that of its first event. `due` is in seconds since the run began.
    """

    due: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    errors: int = 0

    def percentile(self, percent: float, begin: float = 0, end: float = float("inf")) -> float:
        """Give a percentile of the latencies of requests that were due between two moments; 0 without any."""
        found = sorted(ms for due, ms in zip(self.due, self.latency_ms, strict=True) if begin <= due < end)
        return found[min(len(found) - 1, int(len(found) * percent / 100))] if found else 0.0

    def longest_gap_ms(self, begin: float = 0, end: float = float("inf")) -> float:
        """Give the longest time without any answer between two moments."""
        moments = sorted(moment for moment in self.answered if begin <= moment < end)
        return max((later - sooner for sooner, later in pairwise(moments)), default=0.0) * 1000


class Client:
    """Sends on idle connections, keeps what must wait, and gathers timings."""

    def __init__(self, address: Address, pace: Pace) -> None:
        self.pace = pace
        self.timings = Timings()
        self.idle: deque[Connection] = deque()
        self.began = 0.0
        self._waiting: deque[tuple[bytes, float]] = deque()
        users = max(USERS, address.routes)
        self._requests = [question(number, address, pace.body, stream=pace.stream) for number in range(users)]
        self._loop = asyncio.get_running_loop()
        self._due = self._sent = 0
        self.open = 0
        self.finished = self._loop.create_future()

    def __repr__(self) -> str:
        return f"<Client {self._sent} sent, {self.open} open, {self.timings.errors} errors>"

    def begin(self) -> None:
        """Send the first request now, and the others at their time."""
        self.began = time.perf_counter()
        self._tick()

    def release(self, connection: "Connection") -> None:
        """Take a connection back, and use it at once for what waits."""
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self.idle.append(connection)

    def ended(self, due: float, latency: float, *, well: bool) -> None:
        """Note an answer: when its request was due, how many seconds it took, and whether it was good."""
        self.open -= 1
        timings = self.timings
        if well:
            timings.due.append(due - self.began)
            timings.latency_ms.append(latency * 1000)
            timings.answered.append(due + latency - self.began)
        else:
            timings.errors += 1
        self._finish_if_done()

    def _tick(self) -> None:
        now = time.perf_counter()
        total = int(self.pace.per_second * self.pace.seconds)
        while self._due < total and self.began + self._due / self.pace.per_second <= now:
            self._send(self._requests[self._due % len(self._requests)], now)
            self._due += 1
        if self._due < total:
            # The loop's timers count whole milliseconds, and its clock stands still while it works.
            later = self.began + self._due / self.pace.per_second - time.perf_counter()
            self._loop.call_later(max(0.001, later), self._tick)
        else:
            self._finish_if_done()

    def _send(self, request: bytes, due: float) -> None:
        self.open += 1
        if self.idle:
            self.idle.popleft().send(request, due)
        else:
            self._waiting.append((request, due))

    def _finish_if_done(self) -> None:
        done = self._due >= int(self.pace.per_second * self.pace.seconds) and not self.open
        if done and not self.finished.done():
            self.finished.set_result(None)


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._due = self._first = 0.0
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for a request."""
        self._transport = cast("asyncio.Transport", transport)
        self._client.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Count a request that was cut; an idle connection is gone."""
        self._transport = None
        if self._busy:
            self._busy = False
            self._client.ended(self._due, 0, well=False)
        elif self in self._client.idle:
            self._client.idle.remove(self)

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a moment of the performance counter."""
        self._busy, self._due, self._first = True, due, 0.0
        if self._transport:
            self._transport.write(request)
        else:
            self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        """Read an answer; one that cannot be read ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_body(self, data: bytes) -> None:  # noqa: ARG002 - httptools' own signature
        """Note when the first of the body is here."""
        if not self._first:
            self._first = time.perf_counter()

    def on_message_complete(self) -> None:
        """Note the answer and be ready for the next request."""
        well = self._parser.get_status_code() == 200 and self._first > 0
        moment = self._first if self._client.pace.stream else time.perf_counter()
        self._busy = False
        self._parser = httptools.HttpResponseParser(self)
        self._client.ended(self._due, moment - self._due, well=well)
        self._client.release(self)

    def close(self) -> None:
        """Close it."""
        if self._transport:
            self._transport.close()


def run(address: Address, pace: Pace, at: Sequence[tuple[float, Callable[[], None]]] = ()) -> Timings:
    """Send at a pace until its seconds are over and everything is answered; `at` calls functions at given seconds."""
    return uvloop.run(_paced(address, pace, at))


async def _paced(address: Address, pace: Pace, at: Sequence[tuple[float, Callable[[], None]]]) -> Timings:
    loop = asyncio.get_running_loop()
    client = Client(address, pace)
    connections = []
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(client), "127.0.0.1", address.port)
        connections.append(connection)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        client.begin()
        for seconds, call in at:
            loop.call_later(seconds, call)
        async with asyncio.timeout(pace.seconds + TAIL_SECONDS):
            await client.finished
    except TimeoutError:
        client.timings.errors += client.open
    finally:
        gc.enable()
        gc.unfreeze()
        for connection in connections:
            connection.close()
    return client.timings
