"""HTTP/1.1 on an asyncio transport, small and fast, with the control of the socket that faults need.

A handler gets each request with its reply. When the client goes away while the handler runs, the handler's
task is cancelled; when the handler cuts the reply, the connection closes without a proper end of the body.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TURNS = 64  # writes after which others on the event loop get their turn


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request: `target` as sent (path and query), header names in lower case, `body` as sent.

    `connection` numbers the connections of a server from 1; `reused` says whether this one has answered
    before.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int = 0
    reused: bool = False
    keep_alive: bool = True

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header with this lower-case name."""
        return next((value for one, value in self.headers if one == name), None)


class Reply:
    """The answer to one request, written head first."""

    def __init__(self, connection: "Connection", *, keep_alive: bool) -> None:
        self._connection = connection
        self._keep_alive = keep_alive
        self._chunked = False
        self._writes = 0
        self.status: int | None = None

    def start(self, status: int, headers: Iterable[tuple[str, str]], length: int | None = None) -> None:
        """Write the head; `length` is the body's size in bytes, None for a chunked body."""
        self.status = status
        self._chunked = length is None
        lines = [f"HTTP/1.1 {status} {_reason(status)}", f"date: {formatdate(usegmt=True)}"]
        lines.extend(f"{name}: {value}" for name, value in headers)
        lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
        if not self._keep_alive:
            lines.append("connection: close")
        self._connection.write("\r\n".join((*lines, "", "")).encode("latin-1"))

    async def write(self, data: bytes) -> None:
        """Write a piece of the body; waits while the client does not read."""
        self._writes += 1
        if self._writes % TURNS == 0:
            await asyncio.sleep(0)
        self._connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        await self._connection.writable()

    def finish(self) -> None:
        """End the body properly."""
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        if not self._keep_alive:
            self._connection.close()

    def cut(self) -> None:
        """Close the connection behind what was written, without an end of the body, or without any answer."""
        self._connection.close()


Handler = Callable[[Request, Reply], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered one after the other."""

    _transport: asyncio.Transport

    def __init__(self, handler: Handler, connections: "set[Connection]", number: int) -> None:
        self._handler = handler
        self._connections = connections
        self._number = number
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._answered = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client is gone: end the handler."""
        self._connections.discard(self)
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Read what came; a request that is no HTTP is answered 400 and ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(BAD_REQUEST)
            self._transport.close()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has read."""
        self._writable.set()

    # The parser's callbacks, in the order in which they come.

    def on_message_begin(self) -> None:
        """A request starts."""
        self._target = bytearray()
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The body may come."""
        if ("expect", "100-continue") in self._headers:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._waiting.append(
            Request(
                method=self._parser.get_method().decode(),
                target=self._target.decode("latin-1"),
                headers=tuple(self._headers),
                body=bytes(self._body),
                connection=self._number,
                reused=self._answered > 0,
                keep_alive=self._parser.should_keep_alive(),
            )
        )
        self._answered += 1
        self._next()

    # What a reply needs.

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport."""
        self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the transport takes more."""
        if not self._writable.is_set():
            await self._writable.wait()

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def _next(self) -> None:
        """Answer the next request that waits, unless one is being answered."""
        if self._task is None and self._waiting and not self._transport.is_closing():
            request = self._waiting.popleft()
            self._task = asyncio.get_running_loop().create_task(self._answer(request))

    async def _answer(self, request: Request) -> None:
        try:
            await self._handler(request, Reply(self, keep_alive=request.keep_alive))
        except BaseException:
            self._transport.close()  # nobody should wait for what will not come
            raise
        finally:
            self._task = None
            self._next()


def _reason(status: int) -> str:
    """The reason phrase of a status code; providers use some that are in no standard, such as 529."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
