"""The applications of a chaos run, as a process of its own: requests at a steady pace, each ending told in a line.

    python -m tests.chaos.client '{"targets": [...], "routes": [...], "rate": 50, ...}'

Requests leave at their own time, whether or not earlier ones are answered, to each target in turn. It writes one JSON
line for each request that has ended, stops sending at SIGTERM, and ends once everything is answered or late.
"""

import asyncio
import json
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

DONE = b"data: [DONE]"
ERROR = b'data: {"error"'
STALLED_SECONDS = 30.0
"""After how long a request counts as one that nobody answers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of whom: `rate` requests a second in all, every `stream_every`th of them for a stream.

    `keeps` says whether connections are used again. `units` is how many users there are.
    """

    targets: tuple[str, ...]
    routes: tuple[str, ...]
    rate: float
    key: str
    stream_every: int = 0
    keeps: bool = True
    units: int = 1000
    patience: float = STALLED_SECONDS

    @classmethod
    def read(cls, told: str) -> "Plan":
        """Read it from the command line."""
        found = json.loads(told)
        return cls(**{**found, "targets": tuple(found["targets"]), "routes": tuple(found["routes"])})


@dataclass(slots=True)
class Asked:
    """One request: to whom, of what, when in wall seconds and of the monotonic clock, and what has come of it."""

    number: int
    target: int
    route: str
    stream: bool
    at: float
    began: float
    status: int = 0
    release: str = ""
    retry_after: bool = False
    first: float = 0.0
    tail: bytes = b""
    names: dict[bytes, bytes] = field(default_factory=dict)


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, client: "Client", target: int) -> None:
        self._client = client
        self.target = target
        self.asked: Asked | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = transport  # type: ignore[assignment]

    def send(self, asked: Asked, request: bytes) -> None:
        """Send a request."""
        self.asked = asked
        self._transport.write(request)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """What was under way is cut."""
        self._client.lost(self)
        if self.asked is not None:
            asked, self.asked = self.asked, None
            self._client.over(asked, "cut" if asked.status else "unanswered")

    def give_up(self) -> None:
        """Nobody answers."""
        asked, self.asked = self.asked, None
        self._transport.abort()
        if asked is not None:
            self._client.over(asked, "stalled")

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what a header says."""
        if self.asked is not None:
            self.asked.names[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Note the status."""
        asked = self.asked
        if asked is not None:
            asked.status = self._parser.get_status_code()
            asked.release = asked.names.get(b"x-pinion-release", b"").decode()
            asked.retry_after = b"retry-after" in asked.names

    def on_body(self, data: bytes) -> None:
        """Note when the first of it is here, and keep its end."""
        asked = self.asked
        if asked is not None:
            asked.first = asked.first or time.perf_counter()
            asked.tail = (asked.tail + data)[-4096:]

    def on_message_complete(self) -> None:
        """Tell how the request ended, and be ready for the next."""
        asked, self.asked = self.asked, None
        closes = asked is not None and asked.names.get(b"connection", b"").lower() == b"close"
        self._parser = httptools.HttpResponseParser(self)
        if asked is not None:
            self._client.over(asked, _ending(asked))
        if closes or not self._client.plan.keeps:
            self._transport.close()
        else:
            self._client.idle[self.target].append(self)


def _ending(asked: Asked) -> str:
    """Say how an answer that is whole by its framing has ended: whole, refused, or with an error in its stream."""
    if asked.status != 200:
        return "refused"
    if not asked.stream:
        return "whole"
    return "error" if ERROR in asked.tail else "whole" if DONE in asked.tail else "cut"


class Client:
    """Sends by a plan, and tells of each request."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.idle: list[deque[Line]] = [deque() for _ in plan.targets]
        self._places = [(urlsplit(target).hostname, urlsplit(target).port) for target in plan.targets]
        self._open: set[asyncio.Task[None]] = set()
        self._number = 0
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Send until stopped."""
        loop, began = asyncio.get_running_loop(), time.perf_counter()
        while not self.stopping.is_set():
            while began + self._number / self.plan.rate <= time.perf_counter():
                task = loop.create_task(self._ask(self._number))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
                self._number += 1
            await asyncio.sleep(max(0.001, began + self._number / self.plan.rate - time.perf_counter()))
        await asyncio.gather(*self._open)

    async def _ask(self, number: int) -> None:
        plan = self.plan
        target = number % len(plan.targets)
        turn = number // len(plan.targets)
        stream = bool(plan.stream_every) and turn % plan.stream_every == 0
        asked = Asked(number, target, plan.routes[turn % len(plan.routes)], stream, time.time(), time.perf_counter())
        try:
            async with asyncio.timeout(plan.patience):
                line = await self._line(target)
        except OSError:  # a TimeoutError is one, too
            self.over(asked, "unreachable")
            return
        line.send(asked, _request(plan, asked))
        while line.asked is asked:
            await asyncio.sleep(0.02)
            if time.perf_counter() > asked.began + plan.patience and line.asked is asked:
                line.give_up()

    async def _line(self, target: int) -> Line:
        while self.plan.keeps and self.idle[target]:
            line = self.idle[target].popleft()
            if not line._transport.is_closing():
                return line
        host, port = self._places[target]
        _, line = await asyncio.get_running_loop().create_connection(lambda: Line(self, target), host, port)
        return line

    def lost(self, line: Line) -> None:
        """An idle connection has ended."""
        if line in self.idle[line.target]:
            self.idle[line.target].remove(line)

    def over(self, asked: Asked, ending: str) -> None:
        """Tell how a request ended."""
        now = time.perf_counter()
        told: Mapping[str, Any] = {
            "at": asked.at,
            "target": asked.target,
            "route": asked.route,
            "stream": asked.stream,
            "status": asked.status,
            "release": asked.release,
            "retry_after": asked.retry_after,
            "first": round((asked.first or now) - asked.began, 5),
            "seconds": round(now - asked.began, 5),
            "ending": ending,
            "said": asked.tail[:300].decode(errors="replace") if ending in ("refused", "error", "cut") else "",
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _request(plan: Plan, asked: Asked) -> bytes:
    unit = f"user-{asked.number % plan.units}"
    body = {"model": asked.route, "user": unit, "messages": [{"role": "user", "content": "hi"}]}
    raw = json.dumps({**body, **({"stream": True} if asked.stream else {})}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: pinion\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {plan.key}\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


async def _main() -> None:
    client = Client(Plan.read(sys.argv[1]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, client.stopping.set)
    await client.run()


if __name__ == "__main__":
    uvloop.run(_main())
