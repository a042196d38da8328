"""First step: who asks, at which endpoint, and what. Refuses before anything is sent upstream."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.core.app import App
from gateway.core.errors import (
    Forbidden,
    HeadTooLarge,
    KeyInDoubt,
    Malformed,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
    Unauthenticated,
    Withheld,
)
from gateway.core.head import Head
from gateway.core.route import Route
from gateway.core.snapshot import Snapshot
from gateway.core.value import value
from gateway.wire import compression, headers, json_body
from gateway.wire.endpoint import Endpoint

FORCE_HEADER = b"x-pinion-release"
RETRY_COUNT_HEADER = b"x-stainless-retry-count"

SPREAD_SECONDS = 5
"""Over how many seconds the clients of an overloaded gateway are asked to come back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may measure, in bytes, how deep its JSON may nest, and how many may be under way at once."""

    max_head: int = 16 * 1024
    max_body: int = 32 * 1024 * 1024
    max_depth: int = 64
    max_requests: int = 10_000


@value
class Caller:
    """Who asks at which endpoint, known from the head alone."""

    head: Head
    endpoint: Endpoint
    app: App


@value
class Asked:
    """A whole request: its body as bytes (decompressed) and parsed, and the route it names.

    `variables` are those of the prompt's place, or None where the body has no such place; `input_digest` is the SHA-256
    of the body.
    """

    caller: Caller
    snapshot: Snapshot
    route: Route
    body: bytes = field(repr=False)
    parsed: Mapping[str, Any] = field(repr=False)
    stream: bool
    variables: Mapping[str, Any] | None = field(repr=False)
    input_digest: str
    forced: str | None

    @property
    def sdk_retries(self) -> int:
        """How often the client's SDK says it has tried this request before."""
        count = _count(self.caller.head.first.get(RETRY_COUNT_HEADER))
        return count if count is not None and count < 1000 else 0


def admit_another(under_way: int, draw: Callable[[], float], limits: Limits) -> None:
    """Admit one request more than are under way; before anything is asked of it, so that refusing costs least.

    Raises:
        Overloaded: there are as many as may be; `draw`, from 0 up to 1, spreads when clients come back.
    """
    if under_way >= limits.max_requests:
        raise Overloaded(1 + int(draw() * SPREAD_SECONDS))


def admit_head(head: Head, endpoint: Endpoint, snapshot: Snapshot, limits: Limits) -> Caller:
    """Admit a caller by the head alone, before any body is read.

    Raises:
        ClientFault: the head is too large, the method is wrong, or the key is not an application's.
        KeyInDoubt: it may be one, and the store is away.
    """
    if head.method != "POST":
        raise MethodNotAllowed(f"{endpoint.path} takes POST, not {head.method}")
    if head.size() > limits.max_head:
        raise HeadTooLarge(f"the request's headers are over {limits.max_head} bytes; send fewer or shorter ones")
    credential = headers.credential(head.first)
    app = snapshot.app_of(credential)
    if app is None:
        raise KeyInDoubt if snapshot.is_in_doubt(credential) else Unauthenticated
    if (_count(head.first.get(b"content-length")) or 0) > limits.max_body:
        raise TooLarge.body_over(limits.max_body)
    return Caller(head, endpoint, app)


def _count(said: bytes | None) -> int | None:
    """Read a header that should be a count; Python reads no number of 5,000 digits."""
    return int(said) if said is not None and said.isdigit() and len(said) < 20 else None


def admit_body(caller: Caller, raw: bytes, snapshot: Snapshot, limits: Limits) -> Asked:
    """Read a whole body and find the route it names, in the snapshot taken now.

    Raises:
        ClientFault: the body is over its limit, not what the endpoint takes, or names a route that the key may not
            call.
    """
    if len(raw) > limits.max_body:
        raise TooLarge.body_over(limits.max_body)
    first = caller.head.first
    body = raw
    if b"content-encoding" in first:
        body = compression.decode_body(raw, headers.text(first, b"content-encoding"), limit=limits.max_body)
    parsed = json_body.parse(body, max_depth=limits.max_depth)
    name = parsed.get("model")
    if not isinstance(name, str) or not name:
        raise Malformed("the body has no model; name a route, for example " + _routes_of(caller.app, snapshot))
    route = find_route(caller.app, name, caller.endpoint.dialect_name, snapshot)
    forced = headers.text(first, FORCE_HEADER) if FORCE_HEADER in first else None
    return Asked(
        caller=caller,
        snapshot=snapshot,
        route=route,
        body=body,
        parsed=parsed,
        stream=caller.endpoint.streams and parsed.get("stream") is True,
        variables=_variables(parsed),
        input_digest=hashlib.sha256(body).hexdigest(),
        forced=None if forced is None else _forced(caller.app, route, forced),
    )


def find_route(app: App, name: str, dialect: str | None, snapshot: Snapshot) -> Route:
    """Find a route that the application may call and that speaks `dialect` (None: any).

    Raises:
        NotFound: there is none; the message names the routes that the key may call.
        Withheld: there is one that the application may not call; the message is the same.
    """
    route = snapshot.routes.get(name)
    if route is None or not app.may_call(name):
        message = f"{_no_route(name, snapshot)}; it may call {_routes_of(app, snapshot)}"
        if route is None:
            raise NotFound(message)
        raise Withheld(message, "the route is not in the key's list", name)
    if dialect is not None and route.dialect != dialect:
        raise NotFound(f"route {name} speaks {route.dialect}, not {dialect}; call it at an endpoint of that dialect")
    return route


def _no_route(name: str, snapshot: Snapshot) -> str:
    """Say that there is no such route; a key that was sent in a route's place is not said again, nor logged."""
    if hashlib.sha256(name.encode(errors="replace")).digest() in snapshot.keys:
        return "the model is a key, not a route for this key"
    shown = name if len(name) <= 128 else name[:128] + "..."
    return f"no route {shown!r} for this key"


def _routes_of(app: App, snapshot: Snapshot) -> str:
    return ", ".join(sorted(name for name in snapshot.routes if app.may_call(name))) or "none"


def _variables(parsed: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find the prompt's variables; a `prompt` with an id is one that the provider keeps, and none of Pinion's."""
    prompt = parsed.get("prompt")
    if prompt is None or not isinstance(prompt, Mapping) or "id" in prompt:
        return None
    variables = prompt.get("variables")
    if variables is None:
        return {}
    if not isinstance(variables, Mapping):
        raise Malformed("prompt.variables must be an object of names and values")
    return variables


def _forced(app: App, route: Route, text: str) -> str:
    if not app.may_force_release:
        message = f"application {app.name} may not force a release; leave {FORCE_HEADER.decode()} out"
        raise Forbidden(message, "may not force a release", route.name)
    return text.removeprefix(f"{route.name}/")
