"""Server-sent events: how an answer's events are disturbed, and how they become bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.simulator.behaviour import Behaviour, StreamError

NEWLINES = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    `data` is a JSON object, or a text that is sent as it stands; `name` the `event:` line, None for none.
    `token` marks an event that carries a token of the answer, which is what pacing counts; `terminal` the
    dialect's own end.
    """

    data: Mapping[str, Any] | str
    name: str | None = None
    token: bool = False
    terminal: bool = False


def disturbed(
    events: Iterable[Event], behaviour: Behaviour, failure: Callable[[StreamError, int], Event]
) -> Iterator[Event]:
    """The events as the behaviour's faults leave them.

    `failure` makes the dialect's in-stream error, given what it says and the number of events before it.
    """
    if behaviour.first_event is not None:
        yield Event(behaviour.first_event)
    spoilt = behaviour.malformed is None
    for count, event in enumerate(events):
        if behaviour.stream_error is not None and count >= behaviour.stream_error.after:
            yield failure(behaviour.stream_error, count)
            return
        if event.terminal and behaviour.omit_done:
            return
        if event.token and not spoilt:
            spoilt = True
            yield replace(event, data=_spoilt(event, behaviour))
        elif behaviour.extra_fields and not isinstance(event.data, str):
            yield replace(event, data={**event.data, **behaviour.extra_fields})
        else:
            yield event


def _spoilt(event: Event, behaviour: Behaviour) -> str:
    """The data of an event that is no JSON, or half of it."""
    text = orjson.dumps(event.data).decode()
    return "this is not JSON" if behaviour.malformed == "json" else text[: len(text) // 2]


def rendered(event: Event, behaviour: Behaviour, number: int) -> bytes:
    """The event as bytes, the blank line after it included; `number` is its place in the stream, from 0."""
    if behaviour.plain:
        data = event.data.encode() if isinstance(event.data, str) else orjson.dumps(event.data)
        name = b"event: %b\n" % event.name.encode() if event.name is not None else b""
        return b"%bdata: %b\n\n" % (name, data)
    newline = NEWLINES[behaviour.newline]
    lines = _lines(event, behaviour, number)
    comment = b": ping" + newline + newline if behaviour.comments else b""
    return comment + newline.join(lines) + newline + newline


def unterminated(content: bytes, behaviour: Behaviour) -> bytes:
    """An event's bytes without the blank line that should end it."""
    return content.removesuffix(NEWLINES[behaviour.newline])


def _lines(event: Event, behaviour: Behaviour, number: int) -> list[bytes]:
    """The lines of an event that is written in an unusual, but legal way."""
    if isinstance(event.data, str):
        data = [event.data.encode()]
    else:
        data = orjson.dumps(event.data, option=orjson.OPT_INDENT_2 if behaviour.multiline else 0).split(b"\n")
    space = b"" if behaviour.no_space else b" "
    lines = [b"id:" + space + str(number).encode()] if behaviour.ids else []
    if event.name is not None:
        lines.append(b"event:" + space + event.name.encode())
    return [*lines, *(b"data:" + space + line for line in data)]
