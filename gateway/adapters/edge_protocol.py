"""The exchange driven straight from uvicorn's HTTP protocol: no task, no ASGI message, no copy for a governed request.

The law:

1. The parser's callbacks only collect. What they found is acted upon once a piece of bytes has been fed whole, so that
   no exchange runs inside the parser, and no fault of one looks like bad HTTP.
2. Requests take turns. While one waits behind another, nothing more is read; while the answers before it pile up
   unread, it waits, and not for ever.
3. A governed path is one that matches as it was sent. Every other one goes to the ASGI application, by uvicorn.
4. After a request that ends its connection, or one that could not be received, no further one is taken.
5. A fault in an exchange ends its request alone.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.adapters.edge_guard import EdgeGuard, Limits, Phase, Refusal, shared_by
from gateway.adapters.edge_turn import GovernedTurn, OtherTurn
from gateway.adapters.gathered_writes import GatheredWrites
from gateway.core.errors import ClientFault, HeadTooLarge, Malformed, TooSlow
from gateway.core.head import Head
from gateway.core.ports import Exchanges

_FAULTS: dict[int, type[ClientFault]] = {408: TooSlow, 431: HeadTooLarge}
"""What the guard's refusals are to an exchange, by status; every other one is a malformed request."""

_TURNS_AT_ONCE = 64
"""So many requests are answered in a row; then others get a chance, whatever one client has sent at once."""


class EdgeProtocol(EdgeGuard):
    """One client's connection. `driving` makes the class that one server takes as `http=`."""

    exchanges: ClassVar[Exchanges]
    written: ClassVar["_WrittenFields"]
    shared_writes: ClassVar["_SharedWrites"]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.writes = self.shared_writes.of(self.loop)
        self._turns: deque[GovernedTurn | OtherTurn] = deque()
        self._receiving: GovernedTurn | None = None
        self._is_closing = self._is_deaf = self._is_advancing = False
        self._unread_since = 0.0

    def __repr__(self) -> str:
        return f"<EdgeProtocol {self._phase.name} {list(self._turns)}>"

    # What the event loop says

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then act on what it found."""
        if not self._is_deaf:
            super().data_received(data)
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, whatever was under way. What was being received holds its connection: let go of it."""
        super().connection_lost(exc)
        self._end_turns()
        self._receiving = None

    def pause_writing(self) -> None:
        """What was written piles up."""
        super().pause_writing()
        self._unread_since = self.loop.time()
        if self._turns:
            self._turns[0].pause()

    def resume_writing(self) -> None:
        """What was written has been sent."""
        super().resume_writing()
        if self._turns:
            self._turns[0].resume()
            self._advance()

    def shutdown(self) -> None:
        """The server stops: hang up as soon as the answer under way is over."""
        self._is_closing = True
        self._is_deaf = self._phase is not Phase.BODY
        self.writes.flush()
        if not self._turns:
            self.transport.close()
        for turn in self._turns:
            turn.keeps_alive = False

    def check(self, now: float) -> None:
        """Act on a deadline that is over: also on an idle connection's, and on that of answers that nobody reads."""
        turns = self._turns
        if self.transport.is_closing():
            super().check(now)
        elif self.flow.write_paused and not (turns and turns[0].has_exchange):
            if now - self._unread_since > self.limits.flush_seconds:
                self.transport.abort()
        elif turns and (len(turns) > 1 or self._phase is Phase.WAITING):
            self._began = self._progress = now
        elif self._phase is not Phase.WAITING:
            super().check(now)
        elif now - self._began > self.config.timeout_keep_alive:
            self.transport.close()

    # Where what was received goes

    def _take_head(self) -> None:
        if self._is_deaf:
            return
        path, query = _split(self.url)
        if not self.exchanges.governs(path):
            self._receiving = None
            self.cycle = None  # type: ignore[assignment]  # as uvicorn has it between requests
            super()._take_head()
            return
        parser, is_old = self.parser, self._is_old
        head = Head(parser.get_method().decode("ascii"), path, query, self.headers, self._head_bytes)
        self._receiving = turn = GovernedTurn(
            self,
            head,
            is_old=is_old,
            keeps_alive=not is_old and parser.should_keep_alive(),
            expects_continue=b"expect" in head.first and self._expects_continue(),
        )
        self._line_up(turn)

    def _take_body(self, body: bytes) -> None:
        if self._is_deaf:
            return
        if self._receiving is None:
            super()._take_body(body)
        else:
            self._receiving.take(body)

    def _take_end(self) -> None:
        if self._is_deaf:
            return
        self._is_deaf = self._is_closing
        if self._receiving is None:
            super()._take_end()
        else:
            self._receiving.is_whole = True
            self._receiving = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have a request of uvicorn's wait for its turn."""
        self._line_up(OtherTurn(cycle, partial(super()._start_asgi_task, cycle, app)))

    def _line_up(self, turn: GovernedTurn | OtherTurn) -> None:
        if self.is_parting:
            turn.keeps_alive = False
        self._turns.append(turn)
        self._is_closing = self._is_closing or not turn.keeps_alive
        if len(self._turns) > 1:
            self.flow.pause_reading()

    # Turns

    def _advance(self) -> None:
        """Let the first turn go on, and the next ones while each is over at once."""
        if self._is_advancing:
            return
        self._is_advancing = True
        try:
            for _ in range(_TURNS_AT_ONCE):
                if not self._turns or self.transport.is_closing():
                    return
                turn = self._turns[0]
                if self.flow.write_paused and not turn.has_exchange:
                    return
                self._drive(turn, turn.go_on)
                if self._turns and self._turns[0] is turn:
                    return
        finally:
            self._is_advancing = False
        self.loop.call_soon(self._advance)

    def _drive(self, turn: GovernedTurn | OtherTurn, act: Callable[[], None]) -> None:
        """Have a turn act; a fault of Pinion's own ends its request alone, and is logged."""
        try:
            act()
        except Exception:
            self.logger.exception("Exception in an exchange")
            if not turn.is_over:
                self._fail(turn)

    def _fail(self, turn: GovernedTurn | OtherTurn) -> None:
        """Tell the client of a fault, or where its answer has begun cut that short."""
        turn.gone()
        if turn.has_begun_answer:
            self.cut(hard=turn.is_old)
            return
        message = "the gateway failed at this request; its log says why"
        self.writes.flush()
        self.transport.write(self._answer(Refusal(500, "api_error", message)))
        self._end_turns()
        self._hang_up(is_whole=turn.is_whole)

    def on_response_complete(self) -> None:
        """Uvicorn's answer has been written to its end."""
        self.turn_over(self._turns[0])

    def turn_over(self, turn: GovernedTurn | OtherTurn) -> None:
        """An answer has been written to its end: the next one may begin."""
        self.server_state.total_requests += 1
        self._turns.popleft()
        if not turn.keeps_alive:
            self._end_turns()
            self._hang_up(is_whole=turn.is_whole)
            return
        self._began = self.loop.time()
        if len(self._turns) <= 1:
            self.flow.resume_reading()
        self._advance()

    def _end_turns(self) -> None:
        """No request is answered any more."""
        self._is_closing = True
        turns, self._turns = self._turns, deque()
        for turn in turns:
            turn.gone()

    def _hang_up(self, *, is_whole: bool) -> None:
        """Close, but read on for a while where a request is still being sent: a reset could overtake the answer."""
        self.writes.flush()
        if is_whole or self.transport.is_closing():
            self.transport.close()
            return
        self._enter(Phase.CLOSING)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # What a turn asks of its connection

    @property
    def is_write_paused(self) -> bool:
        """Whether what was written piles up."""
        return self.flow.write_paused

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self.writes.write(self.transport, data)

    def send_all(self, pieces: list[bytes]) -> None:
        """Write pieces, without joining them."""
        for piece in pieces:
            self.writes.write(self.transport, piece)

    def fields(self) -> bytes:
        """The server's own header fields, which change once a second, as they are written."""
        return self.written.of(self.server_state.default_headers)

    def cut(self, *, hard: bool) -> None:
        """Close without a proper end."""
        self.writes.flush()
        self._end_turns()
        if hard:
            _reset(self.transport)
        else:
            self.transport.close()

    # Refusals of the guard

    def _is_answering(self) -> bool:
        return bool(self._turns)

    def _may_answer(self) -> bool:
        if self._phase is Phase.BODY:
            return len(self._turns) == 1 and not self._turns[0].has_begun_answer
        return not self._turns

    def _refuse(self, refusal: Refusal) -> None:
        """Have the exchange refuse a request of its own, if it has begun, so that it is counted and logged."""
        if self._is_deaf:
            return
        turn = self._receiving
        if turn is not None and turn.has_exchange and self._phase is Phase.BODY and self._may_answer():
            self._drive(turn, partial(turn.refuse, _FAULTS.get(refusal.status, Malformed)(refusal.message)))
        else:
            self.writes.flush()
            super()._refuse(refusal)
            self._end_turns()


class _SharedWrites:
    """The gathered writes of one server's connections, which are on one loop."""

    def __init__(self) -> None:
        self._writes: GatheredWrites | None = None

    def of(self, loop: asyncio.AbstractEventLoop) -> GatheredWrites:
        """Give them, made with the first connection."""
        if self._writes is None:
            self._writes = GatheredWrites(loop)
        return self._writes


class _WrittenFields:
    """The server's own header fields, written anew when the server makes new ones: once a second, for the date."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._written = b""

    def of(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Give header fields as they are written."""
        if headers is not self._headers:
            self._headers, self._written = headers, b"".join([b"%b: %b\r\n" % field for field in headers])
        return self._written


def driving(exchanges: Exchanges, limits: Limits, turned_away: Callable[[], None] = lambda: None) -> type[EdgeProtocol]:
    """Make the protocol class of one server, which drives `exchanges`; `turned_away` is as of `shared_by`."""
    shared = {"exchanges": exchanges, **shared_by(limits, turned_away)}
    return type("Driving", (EdgeProtocol,), {**shared, "written": _WrittenFields(), "shared_writes": _SharedWrites()})


def _split(target: bytes) -> tuple[str, bytes]:
    """A request's raw path and query, without decoding: what is escaped is no other path's name."""
    if target.startswith(b"/") and b"#" not in target:
        path, _, query = target.partition(b"?")
    else:
        parsed = httptools.parse_url(target)
        path, query = parsed.path or b"", parsed.query or b""
    return path.decode("ascii", "replace"), query


def _reset(transport: asyncio.Transport) -> None:
    """Close so that the client sees an error, where a proper close would tell it that it has everything."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
