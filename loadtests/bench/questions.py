"""Requests of the load: chat completions of a given size, of many users, to every route in turn."""

import json

from loadtests.bench.setups import Address, route_name

USERS = 4000
"""How many users ask, at most: enough for a canary of 5 % to have its own."""

PREPARED_BYTES = 40_000_000
"""How much a load generator may hold in prepared requests."""

TEXT = "Our gearbox hums at forty turns a second and stops when the lid is opened, what could that be? "


def question(number: int, address: Address, size: int, *, stream: bool = False) -> bytes:
    """Give the whole HTTP request number `number`, with a body of about `size` bytes."""
    route = number % address.routes
    body = body_of(route_name(route), f"user-{number}", size, stream=stream)
    headers = {
        "Host": f"127.0.0.1:{address.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **address.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {address.path(route)} HTTP/1.1\r\n{lines}\r\n".encode() + body


def body_of(model: str, user: str, size: int, *, stream: bool = False) -> bytes:
    """Give a body as an SDK writes it, of about `size` bytes."""
    asked: dict[str, object] = {"model": model, "user": user, "messages": [{"role": "user", "content": ""}]}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    missing = max(0, size - len(_written(asked)))
    asked["messages"] = [{"role": "user", "content": (TEXT * (missing // len(TEXT) + 1))[:missing]}]
    return _written(asked)


def users(address: Address, size: int) -> int:
    """Say how many different requests are prepared: every route gets some, and memory stays bounded."""
    return max(address.routes, min(USERS, PREPARED_BYTES // size))


def _written(asked: dict[str, object]) -> bytes:
    return json.dumps(asked, separators=(",", ":")).encode()
