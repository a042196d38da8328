"""The provider that a transport is tested against: it follows a script on each connection. And who hears of a call."""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.core.errors import UpstreamFault
from gateway.core.ports import Headers, UpstreamRequest
from gateway.core.provider import Provider, Timeouts

PATIENCE = 10.0
"""Seconds after which a condition that a test waits for is taken to fail."""

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"
)
HEAD_LENGTH = CHUNKED.index(b"\r\n\r\n") + 4
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Seen:
    """A request as the provider got it: its first line, its headers in order with names as sent, its body."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Line:
    """One connection at the provider. `number` counts connections from 0."""

    def __init__(self, peer: "Peer", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.peer = peer
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> Seen:
        """Read one request whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = head[:-4].split(b"\r\n")
        seen = Seen(line, [(name, value.strip()) for name, _, value in (row.partition(b":") for row in rest)], b"")
        seen.body = await self.reader.readexactly(int(seen.header(b"content-length") or 0))
        self.peer.requests.append(seen)
        return seen

    async def say(self, data: bytes) -> None:
        """Send bytes, and wait until the connection takes more."""
        if self.writer.transport.is_closing():  # where asyncio passes it over, uvloop raises another error
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        plain: socket.socket = self.writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Line], Awaitable[None]]


@dataclass
class Peer:
    """A provider that follows a script on each connection."""

    script: Script
    scheme: str = "http"
    port: int = 0
    lines: list[Line] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://localhost:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script on a new connection, then close it."""
        line = Line(self, len(self.lines), reader, writer)
        self.lines.append(line)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.script(line)
        finally:
            writer.close()


@asynccontextmanager
async def peer_of(script: Script, **arguments) -> AsyncIterator[Peer]:
    """Run a provider on loopback; `arguments` (a TLS context, say) go to its listener."""
    peer = Peer(script, scheme="https" if "ssl" in arguments else "http")
    server = await asyncio.start_server(peer.serve, "localhost", 0, family=socket.AF_INET, **arguments)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for line in peer.lines:
            line.writer.transport.abort()


class Listener:
    """Keeps what it hears, as (`head`, status), (`data`, bytes), (`end`, None) and (`failed`, kind)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.headers: Headers = []
        self.fault: UpstreamFault | None = None
        self._news = asyncio.Event()

    def upstream_head(self, status: int, headers: Headers) -> None:
        self.headers = headers
        self._note("head", status)

    def upstream_data(self, data: bytes) -> None:
        self._note("data", data)

    def upstream_end(self) -> None:
        self._note("end", None)

    def upstream_failed(self, fault: UpstreamFault) -> None:
        self.fault = fault
        self._note("failed", fault.kind)

    def _note(self, what: str, value: object) -> None:
        self.heard.append((what, value))
        self._news.set()

    @property
    def kinds(self) -> list[str]:
        """What was heard, without the values."""
        return [what for what, _ in self.heard]

    @property
    def body(self) -> bytes:
        """The body so far."""
        return b"".join(value for what, value in self.heard if what == "data" and isinstance(value, bytes))

    @property
    def is_over(self) -> bool:
        """Whether an end or a failure was heard."""
        return self.kinds[-1:] in (["end"], ["failed"])

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until a condition holds that only news can change."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def over(self) -> "Listener":
        """Wait for the end or the failure."""
        await self.until(lambda: self.is_over)
        return self


def request_to(url: str, body: bytes = b"{}", **provider) -> UpstreamRequest:
    """A request to the provider at `url`; `provider` overrides fields of the provider."""
    fields = {"timeouts": Timeouts(connect=5.0), **provider}
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer sk-secret")]
    return UpstreamRequest(Provider("acme", "openai", url, **fields), f"{url}/chat?x=1", headers, body)


async def call(upstream, url: str, **arguments) -> Listener:
    """Make a call and wait until it is over."""
    listener = Listener()
    upstream.send(request_to(url, **arguments), listener)
    return await listener.over()


async def wait_for(reached: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event announces."""
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.005)


def connections(upstream) -> tuple[int, int]:
    """How many connections a transport says it has, and how many of them are idle."""
    found = re.search(r"(\d+) connections, (\d+) of them idle", repr(upstream))
    assert found
    return int(found[1]), int(found[2])


async def answers(line: Line) -> None:
    """A script: answer every request shortly."""
    while True:
        await line.request()
        await line.say(SHORT)


async def is_silent(line: Line) -> None:
    """A script: take a request, answer nothing, wait for the other side to close."""
    await line.request()
    await line.gone()


def says(data: bytes) -> Script:
    """A script: answer one request with these bytes, then close."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(data)

    return script
