"""What uvicorn's HTTP protocol lacks towards strangers: limits on a request's head, and deadlines for its arrival.

The law:

1. A connection waits for a request, receives its head, receives its body, and waits again; or it is closing.
2. The target and each header count towards the limits as they arrive. Past a limit nothing more is kept: the
   request is refused, and what still comes is thrown away.
3. A head has a deadline from its first byte, or from the connection's start for the first one. A body must not
   fall silent, nor take too long in all. A deadline does not run while it is Pinion that does not read.
4. A refusal is told in the dialect of the path, unless an answer has begun; then the connection closes.
5. Connections are bounded in number. One beyond is told so and closes; of those, too, only so many stay for a moment.

What makes a message ambiguous is refused by llhttp, the parser below: Content-Length together with
Transfer-Encoding or twice, bare line feeds and carriage returns, folded headers, blanks before a colon. It lets
other codings pass before chunked, chunked in HTTP/1.0, and the versions 0.9 and 2.0, which are refused here. It
accepts a missing and a second Host, of which nothing here makes use. Trailers reach uvicorn as headers of the
request; they are dropped here, because they come after the request was judged, or refused where llhttp obeys them.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.core.members import at_hand
from gateway.wire.dialects import DIALECTS
from gateway.wire.http_writer import answer_head

_VERSIONS = frozenset(("1.1", "1.0"))
_UNTRAILED = frozenset((b"connection", b"proxy-connection"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger may ask for: sizes in bytes, times in seconds.

    `head_bytes` covers target and headers. Connections are looked at every `sweep_seconds`, so a deadline is late by
    up to that much. A refused connection is read on for `linger_seconds`, so that the refusal can be read. What was
    sent before a connection closed may take `flush_seconds` to be read. There are at most `connections`, and `told`
    more that are being refused; a TLS handshake is begun on a descriptor of a number below `handshakes` alone.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100
    target_bytes: int = 8 * 1024
    head_seconds: float = 10.0
    body_silence_seconds: float = 10.0
    body_seconds: float = 120.0
    sweep_seconds: float = 1.0
    linger_seconds: float = 1.0
    flush_seconds: float = 60.0
    connections: int = sys.maxsize
    told: int = 10
    handshakes: int = sys.maxsize


_FIELD_SIGNS = len(b": \r\n")

_LOOKS_AT_ONCE = 50
"""So many connections are looked at in a row: to refuse all of them takes some milliseconds."""

_SPREAD_SECONDS = 5
"""Over how many seconds the clients that found no room are asked to come back."""


@at_hand
class Phase(Enum):
    """What a connection is about to receive."""

    WAITING = auto()
    HEAD = auto()
    BODY = auto()
    CLOSING = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not received to its end. One with a `retry_after`, in seconds, may be sent again."""

    status: int
    code: str
    message: str
    retry_after: int | None = None


class _Refused(Exception):
    """Raised out of a parser's callback."""


class Watch:
    """One timer for all connections of a server: it runs while there are any."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._guards: set[EdgeGuard] = set()
        self._timer: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._guards)

    def add(self, guard: "EdgeGuard") -> None:
        """Look after a connection from now on."""
        self._guards.add(guard)
        if self._timer is None:
            self._timer = guard.loop.call_later(self._every, self._sweep, guard.loop)

    def remove(self, guard: "EdgeGuard") -> None:
        """The connection is gone."""
        self._guards.discard(guard)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look(loop, list(self._guards))

    def _look(self, loop: asyncio.AbstractEventLoop, left: "list[EdgeGuard]") -> None:
        """Look at some of those that are left; requests get a turn before the next, however many are refused."""
        now = loop.time()
        for guard in left[-_LOOKS_AT_ONCE:]:
            if guard in self._guards:
                guard.check(now)
        del left[-_LOOKS_AT_ONCE:]
        if left:
            self._timer = loop.call_soon(self._look, loop, left)
        else:
            self._timer = loop.call_later(self._every, self._sweep, loop) if self._guards else None


class EdgeGuard(HttpToolsProtocol):
    """uvicorn's protocol with limits. `guarded` makes the class that one server takes as `http=`."""

    limits: ClassVar[Limits]
    watch: ClassVar[Watch]
    is_parting: ClassVar[bool] = False
    """Whether its server has left new connections to another process, and is to lose those it has."""

    turned_away: ClassVar[Callable[[], None]]
    """Told of each connection that there was no room for."""

    url: bytes = b""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._phase = Phase.HEAD
        self._began = self._progress = self.loop.time()
        self._head_bytes = 0
        self._unreported = 0
        self._reported = False
        self._is_old = False
        self._running: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._closing_at: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the first request's deadline, or turn the connection away where there are too many."""
        super().connection_made(transport)
        self.watch.add(self)
        if len(self.watch) > self.limits.connections:
            self._turn_away()

    def _turn_away(self) -> None:
        """Say that there is no room; where many are being told so already, without waiting for anybody to listen."""
        type(self).turned_away()
        is_crowded = len(self.watch) > self.limits.connections + self.limits.told
        if is_crowded and not self.transport.can_write_eof():  # TLS, whose proper end waits for the other side
            self.transport.abort()
            return
        wait = 1 + uuid4().int % _SPREAD_SECONDS
        message = f"too many connections are open; connect again in {wait} s"
        self._refuse(Refusal(503, "overloaded_error", message, retry_after=wait))
        if is_crowded:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.watch.remove(self)
        self._tell_gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser in pieces no longer than a head may be, so that little can pile up in it unreported."""
        step = self.limits.head_bytes
        for start in range(0, len(data), step):
            if self._phase is Phase.CLOSING or self.transport.is_closing():
                return
            self._receive(data if len(data) <= step else data[start : start + step])

    def _receive(self, piece: bytes) -> None:
        if self._phase is Phase.WAITING:
            self._enter(Phase.HEAD)
        self._reported = False
        super().data_received(piece)
        self._unreported = 0 if self._reported else self._unreported + len(piece)
        if self._unreported > self.limits.head_bytes and self._phase is not Phase.CLOSING:
            self._refuse(self._head_too_large())

    def on_message_begin(self) -> None:
        """A head begins, possibly in the same piece as what came before it."""
        self._reported = True
        self.url = b""
        self.headers = []
        if self._phase is not Phase.HEAD:
            self._enter(Phase.HEAD)
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._reported = True
        self.url += url
        self._head_bytes += len(url)
        if len(self.url) > self.limits.target_bytes:
            limit = self.limits.target_bytes
            message = f"the request's target is over {limit} bytes; send what is long in the body"
            self._stop(Refusal(414, "request_too_large", message))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer is dropped, or refused."""
        self._reported = True
        name = name.lower()
        if self._phase is Phase.BODY:
            self._check_trailer(name)
            return
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value) + _FIELD_SIGNS
        if self._head_bytes > self.limits.head_bytes or len(self.headers) > self.limits.headers:
            self._stop(self._head_too_large())
        if name == b"transfer-encoding":
            self._check_coding(value)

    def on_headers_complete(self) -> None:
        """The head is in; what follows is the body."""
        self._reported = True
        version = self.parser.get_http_version()
        self._is_old = version == "1.0"
        if version not in _VERSIONS:
            self._stop(Refusal(505, "not_supported", f"HTTP/{version} is not spoken here; send HTTP/1.1"))
        if self.parser.should_upgrade():
            message = "connections are not upgraded here; send the request without an Upgrade header"
            self._stop(Refusal(501, "not_supported", message))
        self._take_head()
        self._enter(Phase.BODY)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._reported = True
        self._progress = self.loop.time()
        self._take_body(body)

    def on_message_complete(self) -> None:
        """The request is in; the next one begins when it begins."""
        self._reported = True
        self._take_end()
        self._phase = Phase.WAITING

    # Where what was received goes

    def _take_head(self) -> None:
        """Hand a head over to uvicorn, which is told of a request only once its head is within the limits."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers += headers  # the list is part of uvicorn's scope already
        self.expect_100_continue = self._expects_continue()
        super().on_headers_complete()

    def _take_body(self, body: bytes) -> None:
        super().on_body(body)

    def _take_end(self) -> None:
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tell why the parser has stopped; `msg` is uvicorn's, for a client that spoke no HTTP."""
        message = f"{msg.rstrip('.')}; send HTTP/1.1"
        self._refuse(self._refusal or Refusal(400, "invalid_request_error", message))

    def check(self, now: float) -> None:
        """Act on a deadline that is over at loop time `now`."""
        if self.transport.is_closing():
            self._flush(now)
        elif self._phase is Phase.CLOSING:
            if now - self._began > self.limits.linger_seconds:
                self.transport.close()
        elif self._phase is Phase.HEAD:
            if self._is_answering():
                self._began = now
            elif now - self._began > self.limits.head_seconds:
                self._refuse(Refusal(408, "timeout_error", "the request's head did not arrive in time"))
        elif self._phase is Phase.BODY:
            if self.flow.read_paused:
                self._began = self._progress = now
            is_silent = now - self._progress > self.limits.body_silence_seconds
            if is_silent or now - self._began > self.limits.body_seconds:
                self._refuse(Refusal(408, "timeout_error", "the request's body did not arrive in time"))

    def _flush(self, now: float) -> None:
        """A closing connection stays until its client has read what was sent, which one that is deaf never does."""
        if self._closing_at is None:
            self._closing_at = now
        elif now - self._closing_at > self.limits.flush_seconds:
            self.transport.abort()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._began = self._progress = self.loop.time()

    def _check_coding(self, value: bytes) -> None:
        """Refuse a coding that another server might read differently, or not at all (RFC 9112, 6.1)."""
        if value.strip(b" ").lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            message = "the one Transfer-Encoding is chunked, in HTTP/1.1; send the body so, or with its Content-Length"
            self._stop(Refusal(400, "invalid_request_error", message))

    def _check_trailer(self, name: bytes) -> None:
        """Refuse a trailer that the parser would obey: it would read no further request, and say nothing."""
        if name in _UNTRAILED:
            message = f"{name.decode()} has no place behind a body; send it in the request's head"
            self._stop(Refusal(400, "invalid_request_error", message))

    def _expects_continue(self) -> bool:
        """Whether the client waits for leave to send its body (RFC 9110, 10.1.1)."""
        said = [value for name, value in self.headers if name == b"expect"]
        return bool(said) and not self._is_old and any(value.lower() == b"100-continue" for value in said)

    def _head_too_large(self) -> Refusal:
        limit = f"{self.limits.head_bytes} bytes or {self.limits.headers} headers"
        return Refusal(431, "request_too_large", f"the request's head is over {limit}; send a smaller one")

    def _stop(self, refusal: Refusal) -> None:
        """Stop the parser; uvicorn then asks for the answer by `send_400_response`."""
        self._refusal = refusal
        raise _Refused

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _tell_gone(self) -> None:
        """Tell the application that its client is gone; uvicorn tells the newest request, which may not have begun."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _may_answer(self) -> bool:
        """Say whether an answer to the request that is being received would be the next thing on the wire."""
        if self._phase is Phase.BODY:
            return not self.pipeline and not self.cycle.response_started
        return not self._is_answering()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer where that is possible, tell the application that the client is gone, and close."""
        may_answer = self._may_answer()
        self._enter(Phase.CLOSING)
        self._tell_gone()
        if may_answer:
            self.transport.write(self._answer(refusal))
        if may_answer and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _answer(self, refusal: Refusal) -> bytes:
        request_id = uuid4().hex
        dialect = DIALECTS["anthropic" if self.url.startswith(b"/v1/messages") else "openai"]
        body = dialect.error_body(
            status=refusal.status, code=refusal.code, message=refusal.message, request_id=request_id
        )
        again = refusal.retry_after
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            (b"x-should-retry", b"false") if again is None else (b"retry-after", b"%d" % again),
            (b"connection", b"close"),
        ]
        return answer_head(refusal.status, b"", headers, b"\r\n") + body


def guarded(limits: Limits, turned_away: Callable[[], None] = lambda: None) -> type[EdgeGuard]:
    """Make the protocol class of one server: its connections share one timer, so another server needs its own."""
    return type("Guarded", (EdgeGuard,), shared_by(limits, turned_away))


def shared_by(limits: Limits, turned_away: Callable[[], None]) -> dict[str, Any]:
    """What the class of one server's connections has. `turned_away` is told of each connection that had no room."""
    return {"limits": limits, "watch": Watch(limits.sweep_seconds), "turned_away": staticmethod(turned_away)}
