"""Streams whose events are numbered: how they are made, and what has become of one on its way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"

_BEGIN = (
    b'data: {"id":"chatcmpl-soak","object":"chat.completion.chunk","created":1790000000,"model":"%b",'
    b'"choices":[{"index":0,"delta":{"content":"'
)
_END = b'"},"finish_reason":null}]}\n\n'
_CONTENT = b'"content":"'


@dataclass(frozen=True, slots=True)
class Order:
    """What a request orders: so many events, `every` so many seconds; after `cut` of them the provider breaks off."""

    events: int
    every: float
    cut: int | None = None

    def text(self) -> str:
        """Give it as what the user says."""
        return json.dumps([self.events, self.every, self.cut])

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Order":
        """Read it from a request's body.

        Raises:
            ValueError: it holds none.
        """
        try:
            return cls(*json.loads(body["messages"][-1]["content"]))
        except (LookupError, TypeError, ValueError) as fault:
            raise ValueError("no order in the last message") from fault


def event(model: bytes, number: int) -> bytes:
    """Make one event of a stream."""
    return b"%b%d%b" % (_BEGIN % model, number, _END)


def usage_event(model: bytes, events: int) -> bytes:
    """Make the event that tells the tokens, one for each event."""
    return (
        b'data: {"id":"chatcmpl-soak","object":"chat.completion.chunk","created":1790000000,"model":"%b","choices":[],'
        b'"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}}\n\n' % (model, events, events + 9)
    )


def completion(model: str, events: int) -> bytes:
    """Make a whole answer, which says the numbers of all events."""
    told = {
        "id": "chatcmpl-soak",
        "object": "chat.completion",
        "created": 1790000000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": " ".join(map(str, range(events)))},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": events, "total_tokens": events + 9},
    }
    return json.dumps(told).encode()


def is_completion(body: bytes, events: int) -> bool:
    """Say whether a body is the whole answer of so many events."""
    try:
        said: str = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return False
    return said == " ".join(map(str, range(events)))


@dataclass(slots=True)
class Received:
    """A stream as it comes in. `duplicated` and `reordered` count events; `missing` are those that were jumped over."""

    next: int = 0
    duplicated: int = 0
    reordered: int = 0
    missing: set[int] = field(default_factory=set)
    is_done: bool = False
    has_error: bool = False
    rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take a piece of the body, cut anywhere."""
        *events, self.rest = (self.rest + data if self.rest else data).split(b"\n\n")
        for each in events:
            at = each.find(_CONTENT)
            if at >= 0:
                begin = at + len(_CONTENT)
                self._count(int(each[begin : each.index(b'"', begin)]))
            elif each == DONE[:-2]:
                self.is_done = True
            elif b'"error"' in each:
                self.has_error = True

    def _count(self, number: int) -> None:
        if number == self.next:
            self.next += 1
        elif number > self.next:
            self.missing.update(range(self.next, number))
            self.next = number + 1
        elif number in self.missing:
            self.missing.discard(number)
            self.reordered += 1
        else:
            self.duplicated += 1

    def is_whole(self, events: int) -> bool:
        """Say whether it is all of a stream of so many events, each once and in order, with its end."""
        in_order = not (self.missing or self.reordered or self.duplicated)
        return self.is_done and not self.has_error and not self.rest and in_order and self.next == events
