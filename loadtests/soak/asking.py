"""A client's side of one connection: a request, what came of it, and the ways in which a client may leave."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

import httptools

from loadtests.soak.numbered import Order, Received, is_completion
from loadtests.soak.upstream import reset

Kind = Literal["stream", "whole", "short", "cancel", "reset", "refusal"]
KINDS: tuple[Kind, ...] = ("stream", "whole", "short", "cancel", "reset", "refusal")

Ending = Literal["succeeded", "failed", "refused", "cancelled"]
ENDINGS: tuple[Ending, ...] = ("succeeded", "failed", "refused", "cancelled")

Leaving = Literal["", "closes", "resets", "leaves twice"]
LEAVINGS: tuple[Leaving, ...] = ("closes", "resets", "leaves twice")
"""How a client leaves: it closes; it breaks off; it closes its half, and breaks off a moment later."""

REFUSED = frozenset((401, 404))
"""Statuses of requests that were no good, which never came to a route."""

TARGET = "/v1/chat/completions"


@dataclass(slots=True)
class Asked:
    """One request. `unit` is its own alone, so that the gateway's record of it is found though no answer came.

    `begun` and `seconds` are monotonic; `first_seconds` is until its first content.
    """

    unit: str
    kind: Kind
    order: Order
    route: str
    key: str
    begun: float = 0.0
    seconds: float = 0.0
    first_seconds: float = 0.0
    status: int = 0
    request_id: str = ""
    ending: Ending | None = None
    leaving: Leaving = ""
    why: str = ""
    received: Received = field(default_factory=Received)
    body: bytes = b""

    @property
    def is_stream(self) -> bool:
        """Whether a stream is asked for."""
        return self.kind not in ("whole", "refusal")

    def bytes(self, *, keeps: bool) -> bytes:
        """Give the request as it is sent."""
        told = {
            "model": self.route,
            "user": self.unit,
            "stream": self.is_stream,
            "messages": [{"role": "user", "content": self.order.text()}],
        }
        body = json.dumps(told).encode()
        head = (
            f"POST {TARGET} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\nconnection: {'keep-alive' if keeps else 'close'}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def end(self, *, whole: bool) -> None:
        """Say how it ended: its answer is complete (`whole`), or the connection was cut."""
        self.seconds = time.monotonic() - self.begun
        is_right = (
            self.received.is_whole(self.order.events) if self.is_stream else is_completion(self.body, self.order.events)
        )
        if whole and self.status in REFUSED:
            self.ending = "refused"
        elif whole and self.status == 200 and is_right:
            self.ending = "succeeded"
        else:
            self.ending = "failed"
            self.why = self._why(whole=whole)

    def _why(self, *, whole: bool) -> str:
        if not self.status:
            return "no answer"
        if self.status != 200:
            return f"status {self.status}"
        if self.received.has_error:
            return "error event"
        return "wrong" if whole else "cut"


class Connection(asyncio.Protocol):
    """One connection, one request at a time; `over` is told of each request once it has ended."""

    def __init__(self, over: Callable[["Connection", Asked], None]) -> None:
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.asked: Asked | None = None
        self.is_kept = False

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class

    def ask(self, asked: Asked, *, keeps: bool) -> None:
        """Send a request."""
        self.asked, self.is_kept = asked, keeps
        self._parser = httptools.HttpResponseParser(self)
        asked.begun = time.monotonic()
        if self._transport is not None:
            self._transport.write(asked.bytes(keeps=keeps))

    def leave(self, leaving: Leaving) -> None:
        """Give the request up, unless it has ended."""
        asked, transport = self.asked, self._transport
        if asked is None or transport is None:
            return
        asked.leaving, asked.ending = leaving, "cancelled"
        asked.seconds = time.monotonic() - asked.begun
        self.asked = None
        if leaving == "closes":
            transport.close()
        elif leaving == "resets":
            reset(transport)
        else:
            transport.write_eof()
            self._loop.call_soon(reset, transport)
        self._over(self, asked)

    def drop(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    # What comes

    def data_received(self, data: bytes) -> None:
        """Read an answer; one that cannot be read ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.drop()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note what the gateway calls the request, and whether it keeps the connection."""
        lower = name.lower()
        if lower == b"x-request-id" and self.asked is not None:
            self.asked.request_id = value.decode()
        elif lower == b"connection" and value.lower() == b"close":
            self.is_kept = False

    def on_headers_complete(self) -> None:
        """Note the status."""
        if self.asked is not None:
            self.asked.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """Count the events of a stream, keep any other body."""
        asked = self.asked
        if asked is None:
            return
        if not asked.first_seconds:
            asked.first_seconds = time.monotonic() - asked.begun
        if asked.is_stream and asked.status == 200:
            asked.received.feed(data)
        else:
            asked.body += data

    def on_message_complete(self) -> None:
        """The answer is complete."""
        asked, self.asked = self.asked, None
        if asked is not None:
            if not self.is_kept:
                self.drop()
            asked.end(whole=True)
            self._over(self, asked)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """What was under way was cut."""
        self._transport = None
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.end(whole=False)
            self._over(self, asked)
