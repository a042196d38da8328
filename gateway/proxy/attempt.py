"""One attempt under way: hears the upstream, keeps what has come, and tells its exchange."""

from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.breaker import Permit
from gateway.core.errors import UpstreamFault
from gateway.core.ports import Headers, UpstreamCall
from gateway.core.provider import Provider
from gateway.core.route import Leg
from gateway.proxy.relay import Relay
from gateway.proxy.way import Way
from gateway.wire.dialect import Scan
from gateway.wire.headers import first_values

MAX_ERROR_BODY = 64 * 1024
"""The largest error of a provider that is passed on, in bytes."""


class Hearer(Protocol):
    """The exchange, as an attempt knows it."""

    def now(self) -> float:
        """The monotonic time."""
        ...

    def head_came(self, attempt: "Attempt") -> None:
        """The status and headers are here."""
        ...

    def data_came(self, attempt: "Attempt", data: bytes) -> None:
        """A piece of the body is here."""
        ...

    def end_came(self, attempt: "Attempt") -> None:
        """The body is complete."""
        ...

    def failure_came(self, attempt: "Attempt", fault: UpstreamFault) -> None:
        """The call has failed."""
        ...


@dataclass(slots=True, eq=False, repr=False)
class Attempt:
    """One attempt. Without an `exchange` it is deaf; without a `call` it is not sent yet, or over.

    `place` is the leg's index in its way, `first` gives the first value under each name of `headers`, `held` is what
    has come and was not passed on: the beginning of an answer, or an error. `first_at` and `heard_at` are when the
    first and the newest piece of the body came.
    """

    exchange: Hearer | None
    way: Way
    place: int
    leg: Leg
    permit: Permit | None
    sent_at: float
    hide_usage: bool = False
    prompt_digest: str | None = None
    call: UpstreamCall | None = None
    status: int = 0
    headers: Headers = field(default_factory=list)
    first: dict[bytes, bytes] = field(default_factory=dict)
    relay: Relay | None = None
    held: bytearray = field(default_factory=bytearray)
    first_at: float | None = None
    heard_at: float = 0.0

    def __repr__(self) -> str:
        return f"<Attempt {self.leg.release} {self.leg.track} {self.status}>"

    # What the upstream says

    def upstream_head(self, status: int, headers: Headers) -> None:
        """The status and headers have come."""
        if self.exchange is not None:
            self.status, self.headers, self.first = status, headers, first_values(headers)
            self.exchange.head_came(self)

    def upstream_data(self, data: bytes) -> None:
        """A piece of the body has come."""
        if self.exchange is not None:
            self.heard_at = self.exchange.now()
            if self.first_at is None:
                self.first_at = self.heard_at
            self.exchange.data_came(self, data)

    def upstream_end(self) -> None:
        """The body is complete."""
        self.call = None
        if self.exchange is not None:
            self.exchange.end_came(self)

    def upstream_failed(self, fault: UpstreamFault) -> None:
        """The call failed."""
        self.call = None
        if self.exchange is not None:
            self.exchange.failure_came(self, fault)

    # What the exchange does with it

    def keep_error(self, data: bytes) -> None:
        """Keep a piece of an error's body, until it is more than would be passed on."""
        if len(self.held) <= MAX_ERROR_BODY:
            self.held += data

    def take_held(self) -> bytes:
        """Give what is held, once."""
        held, self.held = bytes(self.held), bytearray()
        return held

    def pause(self) -> None:
        """Stop reading from the provider."""
        if self.call is not None:
            self.call.pause()

    def resume(self, now: float) -> None:
        """Read on; the pause was not the provider's silence."""
        self.heard_at = now
        if self.call is not None:
            self.call.resume()

    def cancel(self) -> None:
        """Give the call up, if it is not over, and hear nothing more."""
        self.exchange = None
        if self.call is not None:
            self.call.cancel()
            self.call = None

    # What is known of it

    @property
    def provider(self) -> Provider:
        """Who is asked."""
        return self.leg.release.model.provider

    @property
    def scan(self) -> Scan | None:
        """What has been found in the answer."""
        return None if self.relay is None else self.relay.scan

    @property
    def is_answered(self) -> bool:
        """Whether the client has the end of an answer, good or bad, even if the provider goes on."""
        return self.relay is not None and self.relay.is_over

    def take_text(self) -> str | None:
        """Give the text of an answer that is over, once, where it was kept and is no more than is read."""
        return None if self.relay is None else self.relay.take_text()

    def error_body(self) -> bytes:
        """The body of an answer of error that has ended; nothing, where it is more than would be passed on."""
        return bytes(self.held) if len(self.held) <= MAX_ERROR_BODY else b""

    def failure_event(self, message: str) -> bytes:
        """What tells a client, in the form of the answer under way, that it has failed; empty where it has no form."""
        return b"" if self.relay is None else self.relay.failure(message)

    def without_credential(self, piece: bytes) -> bytes:
        """Give a piece in which the provider tells an error; where that quotes the credential, Pinion's own word."""
        if not self.provider.is_quoted_in(piece):
            return piece
        return self.failure_event("the provider's stream failed; its own words quote the gateway's credential")

    def is_held_too_long(self, now: float) -> bool:
        """Whether what is held must go to the client, content or not."""
        if self.relay is None or self.first_at is None or not self.held:
            return False
        return now - self.first_at > self.relay.hold_seconds

    def overdue(self, now: float) -> UpstreamFault | None:
        """Say which deadline has passed, if any."""
        provider = self.provider
        limits, name = provider.timeouts, provider.name
        if now - self.sent_at > limits.total:
            return UpstreamFault("total", f"provider {name} took longer than {limits.total:g} s in all")
        if self.first_at is None and now - self.sent_at > limits.first_byte:
            return UpstreamFault("first_byte", f"provider {name} sent nothing for {limits.first_byte:g} s")
        if self.first_at is not None and now - self.heard_at > limits.idle:
            return UpstreamFault("idle", f"provider {name} fell silent for {limits.idle:g} s")
        return None
