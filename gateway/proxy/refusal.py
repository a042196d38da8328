"""Answers that Pinion gives itself, in the shape of the dialect in use."""

import calendar
from dataclasses import dataclass, field
from email.utils import parsedate

from gateway.core.errors import (
    ClientFault,
    GatewayFault,
    PinionError,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamFault,
)
from gateway.core.outcome import Outcome
from gateway.core.ports import Headers
from gateway.core.provider import Provider
from gateway.proxy.attempts import Failure
from gateway.proxy.limit_headers import limit_headers
from gateway.proxy.relay import answer_headers
from gateway.wire import headers
from gateway.wire.dialect import Dialect

MAX_WAIT = 120
"""Seconds. OpenAI's SDK gives up on a longer wait before a retry, and Anthropic's would sleep for all of it."""

_CREDENTIAL_STATUSES = frozenset((401, 402, 403, 407))
"""A provider's word on Pinion's own credential or bill: not the application's business, and it may quote the key."""

_DEADLINES = frozenset(("first_byte", "idle", "total"))

_DO_NOT_RETRY = (b"x-should-retry", b"false")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole answer: status, head and body."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)


def refuse(fault: PinionError, dialect: Dialect, own: Headers) -> Refusal:
    """Answer a request that Pinion does not carry out. `own` are the headers that Pinion adds to every answer."""
    code = fault.code if isinstance(fault, ClientFault | GatewayFault) else "api_error"
    extra: Headers = [_DO_NOT_RETRY if isinstance(fault, ClientFault) else _retry_after(fault)]
    if isinstance(fault, RateLimited):
        extra = limit_headers(fault.overrun, dialect)
    elif isinstance(fault, Unauthenticated):
        extra.append((b"www-authenticate", b"Bearer"))
    return _own_answer(fault.status, code, fault.message, dialect, own + extra)


def _retry_after(fault: PinionError) -> tuple[bytes, bytes]:
    return (b"retry-after", b"%d" % fault.retry_after)


def answer_failure(failure: Failure, provider: Provider, dialect: Dialect, own: Headers, at: float) -> Refusal:
    """Answer a request whose attempts all failed with one of the failures, at wall time `at`.

    The provider's own error passes where it is one that applications may read; otherwise Pinion says it: also where the
    provider quotes the credential that it was shown. Retries have
    been spent by now, so a client is told not to add its own, but for a rate limit, whose wait it may keep.
    """
    if isinstance(failure.fault, ClientFault):
        return refuse(failure.fault, dialect, own)
    if failure.outcome is Outcome.gateway_fault:
        return refuse(Unavailable(failure.message), dialect, own)
    own = own + _waits(failure.headers, at)
    if failure.status != 429:
        own = [*own, _DO_NOT_RETRY]
    if not _passes(failure) or provider.is_quoted_in(failure.body):
        code = ClientFault.code if failure.outcome is Outcome.client_fault else "api_error"
        return _own_answer(_status(failure), code, _message(failure), dialect, own)
    said_by_pinion = {name for name, _ in own} | {b"retry-after", b"retry-after-ms"}
    passed = answer_headers(failure.headers, [], provider.secret)
    fields = [field for field in passed if field[0] not in said_by_pinion]
    return Refusal(failure.status, fields + own, failure.body)


def _passes(failure: Failure) -> bool:
    """Whether a provider's error is for applications to read: whole, JSON, and not about Pinion's credential."""
    if failure.status < 400 or failure.status in _CREDENTIAL_STATUSES:
        return False
    content_type = headers.text(failure.headers, b"content-type") or ""
    return "json" in content_type and failure.body.lstrip().startswith(b"{")


def _status(failure: Failure) -> int:
    if isinstance(failure.fault, UpstreamFault):
        return 504 if failure.fault.kind in _DEADLINES else 502
    is_kept = failure.outcome is Outcome.client_fault or failure.status in (429, 503, 529)
    return failure.status if is_kept else 502


def _message(failure: Failure) -> str:
    if failure.status in _CREDENTIAL_STATUSES:
        return f"the provider answered {failure.status} to the gateway's own credential; tell its operator"
    return failure.message


def _waits(fields: Headers, at: float) -> Headers:
    """Keep a provider's waits, from none up to what SDKs bear; what cannot be read as a wait is left out."""
    kept: Headers = []
    for name, most in ((b"retry-after", MAX_WAIT), (b"retry-after-ms", MAX_WAIT * 1000)):
        text = headers.text(fields, name)
        wait = None if text is None else _wait(text, at)
        if text is not None and wait is not None:
            kept.append((name, _within(text, wait, most).encode()))
    return kept


def _within(text: str, wait: float, most: int) -> str:
    """Give a wait as it was written, or the bound that it is beyond; what is not a number is as long as may be."""
    if wait < 0:
        return "0"
    return text if wait <= most else str(most)


def _wait(text: str, at: float) -> float | None:
    """Read a number, or the time from `at` to an HTTP date (RFC 9110, section 10.2.3)."""
    try:
        return float(text)
    except ValueError:
        date = parsedate(text)
    try:
        return None if date is None else calendar.timegm(date) - at
    except ValueError:
        return None


def _own_answer(status: int, code: str, message: str, dialect: Dialect, own: Headers) -> Refusal:
    request_id = headers.text(own, b"x-request-id") or ""
    body = dialect.error_body(status=status, code=code, message=message, request_id=request_id)
    return Refusal(status, [*own, (b"content-type", b"application/json")], body)
