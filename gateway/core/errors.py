"""The one error tree. The type says whose fault it is; `status` hints how HTTP should say it.

- PinionError
    - ClientFault: the application's request cannot be served as it was sent
        - Malformed (400), NotFound (404), MethodNotAllowed (405), TooSlow (408), TooLarge (413),
          UnsupportedEncoding (415), RateLimited (429), HeadTooLarge (431)
        - Denied: its key gives it no right to what it asks, which the audit trail tells
            - NotContinued (400), Unauthenticated (401), Forbidden (403), Withheld (404)
    - GatewayFault: Pinion itself cannot serve now
        - Unavailable (503)
            - Overloaded: more requests are under way than may be
            - KeyInDoubt: a key may be good, and the store that would tell is away
    - UpstreamFault: a provider did not answer as its protocol asks
    - OperatorFault: an operator's command cannot be carried out
        - Unidentified (401), NotPermitted (403), UnknownSubject (404), VerbRefused (409)
            - Overtaken: somebody else's act was recorded first
    - PolicyFault: a set of policy files is not acceptable; carries every problem
    - StoreFault: the store cannot be read or written
    - FleetFault: the other gateways cannot be told anything, or asked
    - AnchorFault: a checkpoint of the audit trail could not be sent to a place outside
    - DeliveryFault: a message was not taken by whom it was posted to
    - SetupFault: the process cannot start as it was told to

Foreign exceptions are mapped into this tree by the adapter that meets them, with their cause kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from gateway.core.limit import Overrun


class PinionError(Exception):
    """Everything that Pinion raises on purpose. `retry_after` is in how many whole seconds another try may help."""

    status: ClassVar[int] = 500
    retry_after: int = 1

    def __init__(self, message: str) -> None:
        """`message` says what is wrong, where, and what to do."""
        super().__init__(message)
        self.message = message


class ClientFault(PinionError):
    """The application's request cannot be served as it was sent."""

    status = 400
    code: ClassVar[str] = "invalid_request_error"


class Malformed(ClientFault):
    """The request is not what its endpoint takes."""


class Denied(ClientFault):
    """The key of the request gives it no right to what it asks. No application is answered by this type alone.

    `why`, with the names of a route and a release that there are, is what the audit trail tells: nothing of what was
    sent is in them.
    """

    status = 403
    code = "permission_error"

    def __init__(self, message: str, why: str, route: str | None = None, release: str | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.route = route
        self.release = release


class Unauthenticated(Denied):
    """No key, a malformed key or a wrong key: one answer for all three."""

    status = 401
    code = "authentication_error"

    def __init__(self) -> None:
        super().__init__(
            "The API key is missing or not valid; send the key of your application.", "no application's key"
        )


class Forbidden(Denied):
    """The key is valid and may not do this."""


class Withheld(Denied):
    """The key may not call the route, and is answered as if there were none."""

    status = 404
    code = "not_found_error"


class NotContinued(Denied):
    """The response to go on from is another application's, and the answer is a provider's where there is none."""

    status = 400
    code = "previous_response_not_found"

    def __init__(self, response_id: str, route: str) -> None:
        super().__init__(
            f"Previous response with id {response_id[:100]!r} not found; continue one of your own, or send all input.",
            "continues a response of another application",
            route,
        )


class NotFound(ClientFault):
    """No such endpoint, or no such route."""

    status = 404
    code = "not_found_error"


class MethodNotAllowed(ClientFault):
    """The endpoint exists and takes another method."""

    status = 405


class TooSlow(ClientFault):
    """The request did not arrive within its deadline."""

    status = 408
    code = "timeout_error"


class TooLarge(ClientFault):
    """The body, or what it decompresses to, is over the limit."""

    status = 413
    code = "request_too_large"

    @classmethod
    def body_over(cls, limit: int) -> Self:
        """A request body of more than `limit` bytes."""
        return cls(f"the request body is over {limit} bytes; send a smaller one")


class UnsupportedEncoding(ClientFault):
    """The body's Content-Encoding is not one that Pinion reads."""

    status = 415


class RateLimited(ClientFault):
    """The application has used up one of its limits."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, app: str, overrun: Overrun) -> None:
        """`overrun` says which limit, and when there is room again."""
        super().__init__(f"application {app} has used its {overrun.limit}; try again in {overrun.wait} s")
        self.overrun = overrun


class HeadTooLarge(ClientFault):
    """The request's target and headers are over the limit."""

    status = 431
    code = "request_too_large"


class GatewayFault(PinionError):
    """Pinion itself cannot serve this request now."""

    status = 500
    code: ClassVar[str] = "api_error"


class Unavailable(GatewayFault):
    """Nothing can serve at the moment: overload, drain, or no servable release."""

    status = 503
    code = "overloaded_error"


class Overloaded(Unavailable):
    """More requests are under way than may be."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests are under way; send the request again in {retry_after} s")
        self.retry_after = retry_after


class KeyInDoubt(Unavailable):
    """The key may have been issued, and the store that would tell is away."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__(
            "The API key cannot be looked up, since the gateway's store is away; send the request again in a moment."
        )


UpstreamFaultKind = Literal["connect", "local", "pool", "first_byte", "idle", "total", "protocol", "cut", "status"]


class UpstreamFault(PinionError):
    """A provider did not answer as its protocol asks.

    `kind` is one of: connect (refused, name, TLS), local (this machine has no descriptor, port or memory for a
    connection), pool (no free connection in time), first_byte, idle and total (deadlines), protocol (bytes that are not
    the protocol), cut (ended before its end), status (an answer of error).
    """

    status = 502

    def __init__(self, kind: UpstreamFaultKind, message: str) -> None:
        super().__init__(message)
        self.kind: UpstreamFaultKind = kind


class OperatorFault(PinionError):
    """An operator's command cannot be carried out."""

    status = 400


class Unidentified(OperatorFault):
    """Nobody knows who asks: no token, or one that is nobody's. One answer, whatever was wrong."""

    status = 401


class NotPermitted(OperatorFault):
    """Who asks is known, and may not."""

    status = 403


class UnknownSubject(OperatorFault):
    """The route, release or request that the command names does not exist."""

    status = 404

    @classmethod
    def route(cls, name: str, known: Iterable[str]) -> Self:
        """Say that there is no route of this name, and which there are."""
        return cls(f"no route {name[:100]!r}; there is {', '.join(sorted(known)) or 'none'}")


class VerbRefused(OperatorFault):
    """The subject is in a state that does not take this verb."""

    status = 409


class Overtaken(VerbRefused):
    """Somebody else's act on the subject was recorded first."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a set of policy files: `file` as given, `line` from 1, and what to do about it."""

    file: str
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}; {self.remedy}"


class PolicyFault(PinionError):
    """A set of policy files that cannot be accepted, with every problem found in it."""

    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class StoreFault(PinionError):
    """The store cannot be read or written."""

    status = 503


class FleetFault(PinionError):
    """The other gateways cannot be told anything, or asked."""

    status = 503


class AnchorFault(PinionError):
    """A checkpoint of the audit trail could not be sent to a place outside."""

    status = 502


class DeliveryFault(PinionError):
    """A message was not taken by whom it was posted to. `answered` is the status of the answer, where there was one."""

    status = 502

    def __init__(self, message: str, answered: int | None = None) -> None:
        super().__init__(message)
        self.answered = answered


class SetupFault(PinionError):
    """The process cannot start as it was told to."""
