"""Fourth step: what the failure of an attempt was, and which attempt it lets come next."""

from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.core.errors import ClientFault, UpstreamFault
from gateway.core.outcome import Outcome, classify_status
from gateway.core.ports import Headers
from gateway.core.route import Leg

_CONNECTION_FAULTS = frozenset(("connect", "protocol", "cut"))
"""Faults of a connection. A deadline is none: its time is spent, and a second try would spend it again."""

_OWN_FAULTS = frozenset(("local", "pool"))
"""What Pinion lacked for an attempt: its machine's descriptors, or a connection within its own limit."""

_NAMES_USAGE = b"stream_options"


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed before anything reached the client.

    `status` is the upstream's, or 0 when there was none; `headers` and `body` are those of an answer of error, the body
    empty unless it is whole. `fault` is what the transport met, or why the request could not be made for the release.
    """

    outcome: Outcome
    message: str
    status: int = 0
    fault: UpstreamFault | ClientFault | None = None
    headers: Headers = field(default_factory=list, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def repeatable(self) -> bool:
        """Whether the same release might do better on a second try: after connection errors and 5xx."""
        if isinstance(self.fault, UpstreamFault):
            return self.fault.kind in _CONNECTION_FAULTS
        return self.status >= 500

    @property
    def refuses_usage(self) -> bool:
        """Whether a provider says that it does not know OpenAI's `stream_options`."""
        return self.status in (400, 422) and _NAMES_USAGE in self.body


def status_failure(status: int, headers: Headers, body: bytes = b"") -> Failure:
    """The failure that an answer of error stands for."""
    return Failure(
        classify_status(status), f"the provider answered {status}", status=status, headers=headers, body=body
    )


def in_band_failure(status: int, error: str) -> Failure:
    """The failure that an error inside an answer of success stands for."""
    return Failure(Outcome.failed, f"the provider's answer failed: {error}", status=status)


def fault_failure(fault: UpstreamFault | ClientFault, status: int = 0) -> Failure:
    """The failure that a fault stands for; what Pinion itself lacked for the attempt says nothing about a release.

    The fault is kept without its traceback, which would hold the exchange that keeps it.
    """
    if isinstance(fault, ClientFault):
        outcome = Outcome.client_fault
    else:
        outcome = Outcome.gateway_fault if fault.kind in _OWN_FAULTS else Outcome.failed
    return Failure(outcome, fault.message, status=status, fault=fault.with_traceback(None))


def put_off(legs: tuple[Leg, ...], late: Collection[str]) -> tuple[Leg, ...]:
    """Move the attempts at the `late` versions behind all others; the order is kept otherwise."""
    return tuple(sorted(legs, key=lambda leg: leg.release.version in late))


def next_leg(legs: tuple[Leg, ...], current: int, failure: Failure, *, may_retry: bool = True) -> int | None:
    """Give the index of the attempt that may follow a failed one, or None when there is none.

    `may_retry` says whether there is room for a retry; without it the next release is tried.
    That a request is the client's fault is believed of stable alone: what another release refuses, the next may take.
    """
    if failure.outcome is Outcome.client_fault and legs[current].is_stable:
        return None
    for index in range(current + 1, len(legs)):
        if not legs[index].retry or (may_retry and failure.repeatable and index == current + 1):
            return index
    return None
