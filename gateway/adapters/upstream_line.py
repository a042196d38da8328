"""One connection to a provider, which carries one call at a time.

The law: a connection is idle, or it carries a call, or it is closed. Its pool hears once that it is free again, or once
that it has closed, and its call hears nothing of it after `drop`.
"""

import asyncio
from typing import Any, Protocol

from gateway.adapters.gathered_writes import GatheredWrites
from gateway.wire.http_reader import AnswerReader, Headers
from gateway.wire.http_writer import JOINED_BYTES


class Carried(Protocol):
    """The call on a connection, as the connection knows it."""

    def head_came(self, status: int, headers: Headers) -> None:
        """The status and headers have come."""
        ...

    def data_came(self, data: bytes) -> None:
        """A piece of the body has come."""
        ...

    def end_came(self) -> None:
        """The answer is whole."""
        ...

    def broke(self, line: "Line") -> None:
        """The connection has failed the call."""
        ...


class Keeper(Protocol):
    """The pool of a connection."""

    def freed(self, line: "Line") -> None:
        """The connection may carry another call."""
        ...

    def closed(self, line: "Line") -> None:
        """The connection is gone."""
        ...


class Line(asyncio.Protocol):
    """One connection. `is_kept` is whether it has carried a call before; `idle_since` is loop time."""

    __slots__ = (
        "_call",
        "_is_closed",
        "_is_paused",
        "_keeper",
        "_reader",
        "_transport",
        "_writes",
        "idle_since",
        "is_kept",
    )

    _transport: asyncio.Transport
    _reader: AnswerReader

    def __init__(self, keeper: Keeper, writes: GatheredWrites) -> None:
        self._keeper = keeper
        self._writes = writes
        self._call: Carried | None = None
        self._is_closed, self._is_paused = True, False
        self.is_kept = False
        self.idle_since = 0.0

    # What its call and its pool do with it

    def carry(self, call: Carried, head: bytes, body: bytes) -> None:
        """Send a request and hand its answer to `call`."""
        self._call = call
        self._reader.expect()
        self._writes.write(self._transport, head + body if len(body) <= JOINED_BYTES else head)
        if len(body) > JOINED_BYTES:
            self._writes.write(self._transport, body)

    @property
    def is_open(self) -> bool:
        """Whether it can carry a call; the event loop tells of an end a moment after it came."""
        return not (self._is_closed or self._transport.is_closing())

    @property
    def has_heard(self) -> bool:
        """Whether any byte of the current call's answer has come."""
        return self._reader.heard

    @property
    def has_head(self) -> bool:
        """Whether the head of the current call's answer has come."""
        return self._reader.has_head

    def pause(self) -> None:
        """Stop reading: the provider's sending then stalls."""
        if not (self._is_paused or self._transport.is_closing()):
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        self._call = None
        if not self._is_closed:
            self._transport.abort()
            self._close()

    # What the event loop says

    def connection_made(self, transport: Any) -> None:
        """The connection stands."""
        self._transport, self._reader, self._is_closed = transport, AnswerReader(), False

    def data_received(self, data: bytes) -> None:
        """Bytes have come; while no call is under way they were not asked for."""
        call, reader = self._call, self._reader
        if call is None:
            self.drop()
            return
        had_head = reader.has_head
        body = reader.feed(data)
        if reader.has_head and not had_head:
            call.head_came(reader.status, reader.headers)
        if body and self._call is call:
            call.data_came(body)
        if (reader.is_whole or reader.is_broken) and self._call is call:
            self._over(call)

    def eof_received(self) -> None:
        """The provider sends nothing more: the transport closes by itself."""
        call = self._call
        self._reader.end()
        if call is None:
            self.drop()
        else:
            self._over(call)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, well or badly."""
        call = self._call
        if call is None:
            self._close()
            return
        if exc is None:
            self._reader.end()
        else:
            self._reader.is_broken = True
        self._over(call)

    def _over(self, call: Carried) -> None:
        """The answer is whole, or will never be. The connection is free before the call hears of it."""
        self._call = None
        if not self._reader.is_whole:
            try:
                call.broke(self)  # a call that is sent once more takes this connection's place before others can
            finally:
                self.drop()
            return
        if self.is_open and self._reader.is_reusable and not self._transport.get_write_buffer_size():
            self.is_kept = True
            self.resume()
            self._keeper.freed(self)
        else:
            self.drop()
        call.end_came()

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._reader.close()
            self._keeper.closed(self)
