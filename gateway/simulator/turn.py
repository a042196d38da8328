"""One request as the simulated provider understands it, and what it will answer, apart from any dialect."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.simulator.behaviour import Behaviour

_WORDS = (
    "the a one each this that river stone garden window letter morning evening market engine harbour "
    "lantern meadow paper bridge kettle orchard pebble season signal summer tunnel valley winter "
    "captain teacher sailor neighbour carries finds keeps leaves makes moves opens reads sends shows "
    "starts takes turns writes waits answers follows again always before below beside early here later "
    "nearby never often quietly slowly soon still there today bright calm clear cold deep green narrow "
    "new old open plain quiet small steady warm wide and with from under"
)
WORDS = tuple(_WORDS.split())


class Refusal(Exception):
    """The provider does not accept the request; `status` and `param` go into the dialect's error shape."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.param = param


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the answer must call: its name and the JSON Schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, read from its dialect.

    `prompt` holds the parts of the body that count as input; `limit` is the most tokens of a choice, None for
    no limit.
    """

    prompt: tuple[Any, ...]
    choices: int = 1
    limit: int | None = None
    calls: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call: its arguments as JSON text, in the pieces in which a stream tells them."""

    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        """The arguments as JSON text."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: tokens of text, or tool calls; `truncated` when the request's limit ended it."""

    tokens: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    truncated: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def size(self) -> int:
        """The number of tokens, those of tool calls included."""
        return len(self.tokens) + sum(len(call.pieces) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Turn:
    """A request with its answer: what a dialect needs to write it down.

    `id` is 24 hexadecimal digits, new for each request; `model` the name that the answer gives; `created`
    Unix seconds.
    """

    id: str
    request: Mapping[str, Any]
    model: str
    created: int
    prompt_tokens: int
    choices: tuple[Choice, ...]
    behaviour: Behaviour

    @property
    def answer_tokens(self) -> int:
        """The tokens of all choices."""
        return sum(choice.size for choice in self.choices)

    @property
    def fingerprint(self) -> str:
        """The backend's fingerprint: as set, else one that belongs to the model's name."""
        return self.behaviour.fingerprint or f"fp_{digest(self.model.encode(), size=5).hex()}"

    def usage(self, counted: Mapping[str, Any], *overlays: Mapping[str, Any]) -> dict[str, Any]:
        """The counted usage with what the behaviour (or `overlays`) sets laid over it, details key by key."""
        usage = dict(counted)
        for overlay in overlays or (self.behaviour.usage,):
            for name, value in overlay.items():
                own = usage.get(name)
                usage[name] = {**own, **value} if isinstance(own, dict) and isinstance(value, dict) else value
        return usage


def digest(*parts: bytes, size: int = 8) -> bytes:
    """A short digest of the parts, the same in every process."""
    whole = hashlib.blake2b(digest_size=size)
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.digest()


def draw(seed: int, model: str, count: int) -> float:
    """A number in [0, 1) for the request number `count` of `model`, the same for the same seed."""
    return (int.from_bytes(digest(b"draw", f"{seed}/{model}/{count}".encode())) >> 11) / 2**53


def count_tokens(*parts: Any) -> int:
    """The input tokens of the parts of a body: the words of every text in them, at least 1."""
    total, waiting = 0, list(parts)
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            total += len(part.split())
        elif isinstance(part, int):
            total += 1
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return max(1, total)


def compose(seed: int, body: bytes, wish: Wish, behaviour: Behaviour) -> tuple[Choice, ...]:
    """The choices that answer a request: a function of the seed and the request's body."""
    start = int.from_bytes(digest(str(seed).encode(), body))
    return tuple(_choice(random.Random(start + number), wish, behaviour) for number in range(wish.choices))


def _choice(chance: random.Random, wish: Wish, behaviour: Behaviour) -> Choice:
    if wish.calls:
        return Choice(calls=tuple(Call(tool.name, _arguments(chance, tool.schema)) for tool in wish.calls))
    tokens = _sentence(chance, behaviour.length) if behaviour.answer is None else _tokens(behaviour.answer)
    if wish.limit is not None and wish.limit < len(tokens):
        return Choice(tokens=tokens[: wish.limit], truncated=True)
    return Choice(tokens=tokens)


def _sentence(chance: random.Random, length: int) -> tuple[str, ...]:
    """Plain words, `length` tokens of them, the first with a capital letter."""
    words = chance.choices(WORDS, k=length)
    return tuple(f" {word}" if place else word.capitalize() for place, word in enumerate(words))


def _tokens(text: str) -> tuple[str, ...]:
    """A fixed text in tokens: each word with the space before it. Only U+0020 parts words."""
    first, *others = text.split(" ")
    return tuple(token for token in (first, *(f" {word}" for word in others)) if token)


def _arguments(chance: random.Random, schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Arguments that suit a tool's schema, as pieces of JSON text of at most 8 characters."""
    properties = schema.get("properties")
    values = {name: _value(chance, one) for name, one in properties.items()} if isinstance(properties, dict) else {}
    text = orjson.dumps(values).decode()
    return tuple(text[place : place + 8] for place in range(0, len(text), 8))


def _value(chance: random.Random, schema: Any) -> Any:
    """A value of one property; what is not understood becomes a word."""
    if not isinstance(schema, dict):
        return chance.choice(WORDS)
    if options := schema.get("enum"):
        return options[0]
    plain = {"integer": 7, "number": 0.5, "boolean": True, "array": [], "object": {}, "null": None}
    kind = schema.get("type")
    return plain[kind] if isinstance(kind, str) and kind in plain else chance.choice(WORDS)


def required_calls(offered: Iterable[Tool], name: str | None, *, every: bool = False) -> tuple[Tool, ...]:
    """The tools that an answer must call: the one with `name`, else the first offered, or `every` one.

    Raises:
        Refusal: there is no such tool.
    """
    able = tuple(tool for tool in offered if name in (None, tool.name))
    if not able:
        raise Refusal("tool_choice asks for a call, but tools has no such tool; add it to tools", param="tool_choice")
    return able if every else able[:1]
