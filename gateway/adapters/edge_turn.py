"""Requests on one connection take turns: each is answered whole before the next one is begun.

A governed request is a `GovernedTurn`, which drives its exchange and is its `Downstream`; every other request is an
`OtherTurn`, a task of uvicorn's.
"""

from collections.abc import Callable
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.core.errors import PinionError, TooLarge
from gateway.core.head import Head
from gateway.core.ports import Exchange, Exchanges, Headers
from gateway.wire.http_writer import JOINED_BYTES, answer_head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_BODILESS = frozenset((204, 304))

_ENDINGS = {
    (chunked, kept): (b"transfer-encoding: chunked\r\n" if chunked else b"")
    + (b"" if kept else b"connection: close\r\n")
    + b"\r\n"
    for chunked in (False, True)
    for kept in (False, True)
}
"""What ends an answer's head: whether its body is chunked, and whether the connection is kept after it."""


class Connection(Protocol):
    """The connection, as a turn knows it."""

    @property
    def exchanges(self) -> Exchanges:
        """Where exchanges begin."""
        ...

    @property
    def is_write_paused(self) -> bool:
        """Whether what was written piles up."""
        ...

    def send(self, data: bytes) -> None:
        """Write bytes."""
        ...

    def send_all(self, pieces: list[bytes]) -> None:
        """Write pieces, without joining them."""
        ...

    def fields(self) -> bytes:
        """The header fields of every answer, as they are written."""
        ...

    def turn_over(self, turn: "GovernedTurn") -> None:
        """The turn's answer has been written to its end."""
        ...

    def cut(self, *, hard: bool) -> None:
        """Close without a proper end, once what was written has been read; `hard`: at once, by a reset."""
        ...


class GovernedTurn:
    """One governed request and its answer. The exchange is opened when the turn begins, not when its head is in."""

    __slots__ = (
        "_connection",
        "_exchange",
        "_expects_continue",
        "_has_begun",
        "_head",
        "_is_bodiless",
        "_is_chunked",
        "_parts",
        "_size",
        "_started",
        "is_old",
        "is_over",
        "is_whole",
        "keeps_alive",
    )

    def __init__(
        self, connection: Connection, head: Head, *, is_old: bool, keeps_alive: bool, expects_continue: bool
    ) -> None:
        """`is_old`: the client speaks HTTP/1.0. `expects_continue`: it waits for leave to send its body."""
        self._connection = connection
        self._head = head
        self._expects_continue = expects_continue
        self._parts: list[bytes] = []
        self._size = 0
        self._exchange: Exchange | None = None
        self._has_begun = self._is_chunked = self._is_bodiless = False
        self._started: tuple[int, Headers, int | None] | None = None
        self.is_old = is_old
        self.keeps_alive = keeps_alive
        self.is_whole = self.is_over = False

    def __repr__(self) -> str:
        return f"<GovernedTurn {self._head.path} {self._size} bytes, {self._exchange or 'not begun'}>"

    @property
    def has_begun_answer(self) -> bool:
        """Whether anything of the answer has been written."""
        return self._has_begun

    @property
    def has_exchange(self) -> bool:
        """Whether its exchange has begun, which gives up a client that does not read."""
        return self._exchange is not None

    # The request

    def take(self, piece: bytes) -> None:
        """Take a piece of the body; past the limit nothing is kept."""
        self._size += len(piece)
        if self._size <= self._connection.exchanges.max_body:
            self._parts.append(piece)
        else:
            self._parts.clear()

    def go_on(self) -> None:
        """It is this turn: begin the exchange, or show it what has come since."""
        exchange = self._exchange or self._open()
        if self.is_over or not exchange.wants_body:
            return
        limit = self._connection.exchanges.max_body
        if self._size > limit:
            exchange.refuse(TooLarge.body_over(limit))
        elif self.is_whole:
            parts, self._parts = self._parts, []
            exchange.body(parts[0] if len(parts) == 1 else b"".join(parts))
            if self._connection.is_write_paused and not self.is_over:
                exchange.pause()
        elif self._expects_continue:
            self._expects_continue = False
            self._connection.send(_CONTINUE)

    def refuse(self, fault: PinionError) -> None:
        """The request cannot be received: have its exchange, which has begun, say so."""
        if self._exchange is not None:
            self._exchange.refuse(fault)

    def gone(self) -> None:
        """The client has left, or is given up."""
        if not self.is_over:
            if self._exchange is not None:
                self._exchange.client_gone()
            self._end()

    def pause(self) -> None:
        """What was written piles up."""
        if self._exchange is not None:
            self._exchange.pause()

    def resume(self) -> None:
        """What was written has been sent."""
        if self._exchange is not None:
            self._exchange.resume()

    def _open(self) -> Exchange:
        exchange = self._exchange = self._connection.exchanges.open(self, self._head)
        if self.is_over:  # its head was refused, and the answer is over already
            self._end()
        return exchange

    # The answer: the port `Downstream`

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Keep the head, which goes out with the first piece of the body."""
        self._started = status, headers, length

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if self.is_over:
            return
        if self._started is not None:
            self._begin(*self._started, data)
        elif data and not self._is_bodiless:
            self._connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def _begin(self, status: int, headers: Headers, length: int | None, data: bytes) -> None:
        """Send the head with the first piece of the body."""
        head = self._head_bytes(status, headers, length)
        self._started = None
        self._has_begun = True
        if not data or self._is_bodiless:
            self._connection.send(head)
        elif self._is_chunked:
            self._connection.send(b"%b%x\r\n%b\r\n" % (head, len(data), data))
        elif len(data) <= JOINED_BYTES:
            self._connection.send(head + data)
        else:
            self._connection.send_all([head, data])

    def finish(self) -> None:
        """End the answer."""
        if self.is_over:
            return
        if self._started is not None:
            self.write(b"")
        if self._is_chunked:
            self._connection.send(_LAST_CHUNK)
        self._end()
        self._connection.turn_over(self)

    def abort(self) -> None:
        """Cut the connection. Where only its close ends a body, a close would pass for a proper end."""
        if not self.is_over:
            self._end()
            self._connection.cut(hard=self.is_old)

    def _end(self) -> None:
        """Let go of the exchange, which holds this turn: what is over must not wait for the garbage collector."""
        self.is_over = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._connection.exchanges.close(exchange)

    def _head_bytes(self, status: int, headers: Headers, length: int | None) -> bytes:
        """The answer's head. A connection is kept only if the request is whole, so that its rest is no next one's."""
        self._is_bodiless = status in _BODILESS or self._head.method == "HEAD"
        self._is_chunked = length is None and not (self.is_old or self._is_bodiless)
        self.keeps_alive = self.keeps_alive and self.is_whole
        ending = _ENDINGS[self._is_chunked, self.keeps_alive]
        if length is not None:
            ending = b"content-length: %d\r\n%b" % (length, ending)
        return answer_head(status, self._connection.fields(), headers, ending)


class OtherTurn:
    """A request that uvicorn carries to an ASGI application. `start` begins its task."""

    __slots__ = ("_cycle", "_start")

    has_exchange = False
    is_old = False
    """Whatever the client speaks: uvicorn cuts its own answers."""

    def __init__(self, cycle: RequestResponseCycle, start: Callable[[], None]) -> None:
        self._cycle = cycle
        self._start: Callable[[], None] | None = start

    @property
    def is_over(self) -> bool:
        """Whether its answer has been written to its end."""
        return self._cycle.response_complete

    @property
    def has_begun_answer(self) -> bool:
        """Whether anything of the answer has been written."""
        return self._cycle.response_started

    @property
    def is_whole(self) -> bool:
        """Whether its body is in."""
        return not self._cycle.more_body

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection is kept after it."""
        return self._cycle.keep_alive

    @keeps_alive.setter
    def keeps_alive(self, kept: bool) -> None:
        self._cycle.keep_alive = kept

    def go_on(self) -> None:
        """It is this turn: begin the task, once."""
        start, self._start = self._start, None
        if start is not None:
            start()

    def gone(self) -> None:
        """The client has left."""
        self._cycle.disconnected = True
        self._cycle.message_event.set()

    def pause(self) -> None:
        """Uvicorn's own flow control holds the application up."""

    def resume(self) -> None:
        """Uvicorn's own flow control lets the application go on."""
