"""What a dialect tells the simulator about each of its endpoints."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.simulator.behaviour import StreamError
from gateway.simulator.events import Event
from gateway.simulator.turn import Refusal, Turn, Wish


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider's answers look apart from their content.

    `headers` gives the headers of every answer from 24 hexadecimal digits that name the request; `error` an
    error's body from status, message, parameter at fault, and those digits; `failure` the error inside a
    stream, given the number of events before it; `model` and `model_list` describe models by name.
    """

    headers: Callable[[str], tuple[tuple[str, str], ...]]
    error: Callable[[int, str, str | None, str], dict[str, Any]]
    failure: Callable[[Turn, StreamError, int], Event]
    model: Callable[[str], dict[str, Any]]
    model_list: Callable[[tuple[str, ...]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: how its request is read, and its answer written whole and as events.

    `read` raises Refusal for what the provider would refuse. `events` is None where there are no streams.
    """

    dialect: Dialect
    read: Callable[[Mapping[str, Any]], Wish]
    whole: Callable[[Turn], dict[str, Any]]
    events: Callable[[Turn], Iterator[Event]] | None = None


def known(status: int, types: Mapping[int, str], otherwise: str) -> str:
    """The error type of a status: from the table, `otherwise` for a server's, else an invalid request."""
    return types.get(status, otherwise if status >= 500 else "invalid_request_error")


def whole_number(body: Mapping[str, Any], names: tuple[str, ...], *, least: int = 0) -> int | None:
    """The first of the named parameters that is there, None if none is.

    Raises:
        Refusal: it is not a whole number of at least `least`.
    """
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Refusal(f"{name} must be a whole number of at least {least}", param=name)
        return value
    return None


def items(body: Mapping[str, Any], name: str) -> list[Any]:
    """The list of objects under `name`, empty when it is not there.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refusal(f"{name} must be a list of objects", param=name)
    return value


def schema_of(value: Any) -> Mapping[str, Any]:
    """A tool's schema, empty where it has none that can be read."""
    return value if isinstance(value, dict) else {}
