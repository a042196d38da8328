"""Fifth step: the answer's way back: held until it is worth committing to, then passed on in whole events."""

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from gateway.core.errors import UpstreamFault
from gateway.core.ports import Headers
from gateway.wire import headers
from gateway.wire.answer_text import MAX_BYTES, MAX_STREAM, has_text, stream_text, whole_text
from gateway.wire.compression import Decoder
from gateway.wire.dialect import Dialect, Scan
from gateway.wire.shape import decoded
from gateway.wire.sse import EventSplitter, fields

HOLD_BYTES = 1 << 20
"""How much of an answer is held back while a failure could still be answered by another release."""

HOLD_SECONDS = 10.0
"""How long a stream that has begun is held back waiting for content; a reasoning model may think for minutes."""

SCAN_BYTES = 16 << 20
"""The largest answer that is read for usage; a larger one passes, and its usage is unknown."""


class Relay(Protocol):
    """Turns an upstream answer's bytes into the client's. It sends nothing by itself."""

    @property
    def scan(self) -> Scan:
        """What has been found in the answer."""
        ...

    @property
    def hold_seconds(self) -> float:
        """How long the beginning of the answer may be held back."""
        ...

    @property
    def is_worth_sending(self) -> bool:
        """Whether the answer has shown what the client may have."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the answer has come to its end, good or bad, even if bytes may follow."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the provider; give what may go to the client.

        Raises:
            UpstreamFault: the bytes are not what their headers say.
        """
        ...

    def end(self) -> bytes:
        """Take the end of the upstream's body; give what is left for the client.

        Raises:
            UpstreamFault: the body ended before its end.
        """
        ...

    def failure(self, message: str) -> bytes:
        """Give the in-band event that tells a client of a failure in mid-answer; empty where there is no such form."""
        ...

    def take_text(self) -> str | None:
        """Give the text of an answer that is over, once; None where it was not kept or there is none."""
        ...


class StreamRelay:
    """A server-sent event stream: whole events only, never a half one."""

    __slots__ = ("_decoder", "_scanner", "_splitter", "scan")

    hold_seconds = HOLD_SECONDS

    def __init__(self, dialect: Dialect, endpoint: str, decoder: Decoder | None, *, hide_usage: bool) -> None:
        self._scanner = dialect.stream_scanner(endpoint, hide_usage=hide_usage)
        self._splitter = EventSplitter()
        self._decoder = decoder
        self.scan = self._scanner.scan

    def feed(self, data: bytes) -> bytes:
        """Give the whole events in `data`, less those that the client did not ask for."""
        if self._decoder is not None:
            data = self._decoder.feed(data)
        events = self._splitter.feed(data)
        if len(events) == 1:
            return self._scanner.event(events[0]) or b""
        look = self._scanner.event
        return b"".join([event for raw in events if (event := look(raw)) is not None])

    @property
    def is_worth_sending(self) -> bool:
        """Content, or the end of an answer that has none."""
        return self.scan.content or self.scan.finished

    @property
    def is_over(self) -> bool:
        """An end of every choice, or an error inside the stream."""
        return self.scan.finished or self.scan.error is not None

    def end(self) -> bytes:
        """End the stream: a last event without its blank line counts where it ends the answer, and is completed."""
        if self._decoder is not None:
            self._decoder.finish()
        was_over = self.is_over
        rest = self._splitter.rest()
        last = self._scanner.event(rest + b"\n\n") if rest and _lacks_its_end_alone(rest) else None
        if not self.is_over:
            raise UpstreamFault("cut", "the provider's stream ended before its end")
        is_whole = self.scan.terminal or not was_over
        return last if last is not None and is_whole else b""

    def failure(self, message: str) -> bytes:
        """The dialect's own error event."""
        return self._scanner.failure(message)

    def take_text(self) -> str | None:
        """Nothing is kept."""
        return None


def _lacks_its_end_alone(event: bytes) -> bool:
    """Say whether the last event of a stream is there but for its blank line; its name without its data is not."""
    data = fields(event).data
    return data is not None and (data.startswith(b"[DONE]") or decoded(data) is not None)


class AnswerRelay:
    """A whole answer: held until it is complete, so that a broken one can still be answered by another release."""

    __slots__ = ("_decoder", "_dialect", "_endpoint", "_parts", "_size", "scan")

    hold_seconds = math.inf

    def __init__(self, dialect: Dialect, endpoint: str, decoder: Decoder | None) -> None:
        self._dialect = dialect
        self._endpoint = endpoint
        self._decoder = decoder
        self._parts: list[bytes] = []
        self._size = 0
        self.scan = Scan()

    def feed(self, data: bytes) -> bytes:
        """Pass bytes on, keeping a copy to read while the answer is small enough."""
        if self._decoder is not None:
            data = self._decoder.feed(data)
        self._size += len(data)
        if self._size <= SCAN_BYTES:
            self._parts.append(data)
        else:
            self._parts.clear()
        return data

    @property
    def is_worth_sending(self) -> bool:
        """Only a complete answer is."""
        return self.scan.finished

    @property
    def is_over(self) -> bool:
        """A complete answer; half of one tells nothing."""
        return self.scan.finished

    def end(self) -> bytes:
        """Read the whole answer: usage, served model, or the error that it hides. Nothing is left to pass on."""
        if self._decoder is not None:
            self._decoder.finish()
        if self._size <= SCAN_BYTES:
            self.scan = self._dialect.scan_answer(self._endpoint, b"".join(self._parts))
        return b""

    def failure(self, message: str) -> bytes:
        """A JSON answer has no form for a failure half-way: the connection must be cut."""
        del message
        return b""

    def take_text(self) -> str | None:
        """Nothing is kept for it."""
        return None


class KeepingRelay:
    """Any relay, and a copy of what has passed it, so that the answer's text can be read once the client has it."""

    def __init__(self, relay: Relay, read: Callable[[bytes], str | None], most: int) -> None:
        """`read` finds the text in the bytes that the client got, where those are `most` or fewer."""
        self._relay = relay
        self._read = read
        self._most = most
        self._kept: bytearray | None = bytearray()
        self.hold_seconds = relay.hold_seconds

    @property
    def scan(self) -> Scan:
        """What the relay has found."""
        return self._relay.scan

    @property
    def is_worth_sending(self) -> bool:
        """As the relay says."""
        return self._relay.is_worth_sending

    @property
    def is_over(self) -> bool:
        """As the relay says."""
        return self._relay.is_over

    def feed(self, data: bytes) -> bytes:
        """Give what the relay gives."""
        return self._keep(self._relay.feed(data))

    def end(self) -> bytes:
        """Give what the relay gives."""
        return self._keep(self._relay.end())

    def failure(self, message: str) -> bytes:
        """As the relay says."""
        return self._relay.failure(message)

    def take_text(self) -> str | None:
        """Read what was kept, which is all of the answer or, where that is too large, nothing."""
        kept, self._kept = self._kept, None
        return None if kept is None else self._read(bytes(kept))

    def _keep(self, passed: bytes) -> bytes:
        if self._kept is not None:
            self._kept += passed
            if len(self._kept) > self._most:
                self._kept = None
        return passed


def relay_for(
    dialect: Dialect, endpoint: str, first: dict[bytes, bytes], *, hide_usage: bool, keep_text: bool = False
) -> Relay:
    """Choose how an answer of status 200 passes, by its content type, which is among the `first` values of its head.

    `keep_text` says that its text is wanted later.

    Raises:
        UpstreamFault: its Content-Encoding is not one that can be read.
    """
    decoder = Decoder(headers.text(first, b"content-encoding")) if b"content-encoding" in first else None
    is_stream = first.get(b"content-type", b"").lower().startswith(b"text/event-stream")
    relay: Relay = (
        StreamRelay(dialect, endpoint, decoder, hide_usage=hide_usage)
        if is_stream
        else AnswerRelay(dialect, endpoint, decoder)
    )
    if keep_text and has_text(endpoint):
        read, most = (stream_text, MAX_STREAM) if is_stream else (whole_text, MAX_BYTES)
        return KeepingRelay(relay, partial(read, endpoint), most)
    return relay


def answer_headers(upstream_headers: Headers, own: Headers, secret: bytes = b"") -> Headers:
    """The head of an answer: the provider's own fields that may pass, none with the `secret` in it, then Pinion's."""
    return headers.forwardable_response(upstream_headers, drop=(b"content-encoding",), secret=secret) + own
