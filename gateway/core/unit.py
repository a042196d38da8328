"""The unit: who must keep getting the same release, and where a request says so."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.core.digest import canonical
from gateway.core.value import value

EXPLICIT_HEADER = "x-pinion-unit"
MAX_UNIT_CHARS = 1024


@dataclass(frozen=True, slots=True)
class UnitSource:
    """One place to look for the unit: a header, a path into the body, or the conversation itself; `text` names it."""

    kind: Literal["header", "body", "conversation"]
    path: tuple[str, ...] = ()
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = self.kind if self.kind == "conversation" else f"{self.kind}:{'.'.join(self.path)}"
        object.__setattr__(self, "text", text)

    def __str__(self) -> str:
        return self.text


def parse_unit_source(text: str) -> UnitSource:
    """Read `header:NAME`, `body:PATH` (dots descend) or `conversation`.

    Raises:
        ValueError: the text is none of these.
    """
    if text == "conversation":
        return UnitSource("conversation")
    kind, _, rest = text.partition(":")
    if kind == "header" and rest:
        return UnitSource("header", (rest.lower(),))
    if kind == "body" and rest and all(rest.split(".")):
        return UnitSource("body", tuple(rest.split(".")))
    raise ValueError(f"{text!r} is not a place for a unit; write header:NAME, body:PATH or conversation")


DEFAULT_STICKY_BY = tuple(
    parse_unit_source(text)
    for text in (
        "header:x-pinion-unit",
        "header:x-session-id",
        "body:user",
        "body:safety_identifier",
        "body:metadata.user_id",
        "conversation",
    )
)


@value
class Unit:
    """A unit's bare value and the place it was found in."""

    value: str
    source: str


def find_unit(
    sources: Sequence[UnitSource],
    header: Callable[[str], str | None],
    body: Mapping[str, Any],
    app: str,
) -> Unit | None:
    """Find the unit of a request: `x-pinion-unit` always wins, then the first source that the request has.

    `header` gives a request header by lower-case name. Values longer than 1,024 characters are digested, so that a
    unit stays small.
    """
    explicit = header(EXPLICIT_HEADER)
    if explicit:
        return Unit(_bounded(explicit), f"header:{EXPLICIT_HEADER}")
    for source in sources:
        value = _look(source, header, body, app)
        if value:
            return Unit(_bounded(value), source.text)
    return None


def _look(source: UnitSource, header: Callable[[str], str | None], body: Mapping[str, Any], app: str) -> str | None:
    if source.kind == "header":
        return header(source.path[0])
    if source.kind == "body":
        return _at(body, source.path)
    return conversation_digest(app, body)


def _at(body: Mapping[str, Any], path: tuple[str, ...]) -> str | None:
    value: Any = body
    for name in path:
        if not isinstance(value, dict | Mapping):
            return None
        value = value.get(name)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _bounded(value: str) -> str:
    return value if len(value) <= MAX_UNIT_CHARS else hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def conversation_digest(app: str, body: Mapping[str, Any]) -> str | None:
    """Digest the application and a conversation's opening, up to and with its first user message.

    The opening is the same on every turn, so a conversation keeps its unit without the client's help. Requests that
    are not conversations (completions, embeddings) open with their whole input.
    """
    opening = {name: body[name] for name in ("system", "instructions") if name in body}
    turns = body.get("messages", body.get("input", body.get("prompt")))
    if turns is None:
        return None
    if isinstance(turns, list):
        turns = turns[: 1 + next((n for n, turn in enumerate(turns) if _is_user(turn)), len(turns))]
    return hashlib.sha256(canonical([app, opening, turns])).hexdigest()[:32]


def _is_user(turn: Any) -> bool:
    return isinstance(turn, Mapping) and turn.get("role") == "user"


def unit_digest(unit: str) -> str:
    """Digest a unit for the ledger, which keeps no personal identifier: 32 hexadecimal digits of SHA-256."""
    return hashlib.sha256(unit.encode("utf-8", "surrogatepass")).hexdigest()[:32]
