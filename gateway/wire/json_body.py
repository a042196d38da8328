"""JSON bodies: read strictly, edit as bytes.

A request is read once, strictly, so that no two readers of it can understand it differently, and then
edited in place: whatever is not pinned keeps its bytes, its order, its whitespace and the spelling of its
numbers.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

import orjson

from gateway.core.errors import Malformed

_STRING = rb'"(?:(?:[^"]*+(?<=[^\\]\\)")*+[^"]*+(?<!\\)"|[^"\\]*+(?:\\.[^"\\]*+)*+")'
"""A string. The first way is several times as fast, and gives up where a quote follows two backslashes."""

DEEPEST = 64
"""How deep a body may nest, for reading and for editing."""

MOST_VALUES = 2_000_000
"""How many values a body may hold: a value can take thirty times the memory of its bytes once it is read."""


def _value_pattern() -> bytes:
    """The regular expression of a JSON value that nests up to `DEEPEST` deep."""
    content = rb"[^\[\]{}\"]++|" + _STRING
    container = rb"(?!)"
    for _ in range(DEEPEST):
        container = rb"[\[{](?:" + content + rb"|" + container + rb")*+[\]}]"
    return _STRING + rb"|[^\s,:\[\]{}\"]++|" + container


_ITEM = re.compile(rb"[\s,:]*+(?:(" + _value_pattern() + rb")|[\]}])", re.DOTALL)
"""The next value in a container, or the container's end. In what is known to be JSON, commas tell nothing."""

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(body: bytes, *, max_depth: int = DEEPEST) -> dict[str, Any]:
    """Read a request's body: UTF-8 without a byte order mark, one JSON object, no key twice in one object.

    Raises:
        Malformed: naming what is wrong; also for NaN and Infinity, half a surrogate pair, numbers too long to
            read, and arrays or objects nested more than `max_depth` deep.
    """
    if len(body) > MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise Malformed(f"The body has more than {MOST_VALUES} values; send a smaller one.")
    try:
        parsed = _STRICT.decode(body.decode())
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8: a wrong byte at offset {error.start}.") from error
    except json.JSONDecodeError as error:
        if body.startswith(b"\xef\xbb\xbf"):
            raise Malformed("The body begins with a byte order mark; send the JSON without it.") from error
        raise Malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except ValueError as error:
        raise Malformed("The body has a number with too many digits to read.") from error
    if not isinstance(parsed, dict):
        raise Malformed("The body must be one JSON object, {...}.")
    if body.count(b"[") + body.count(b"{") > max_depth and _nests_deeper(parsed, max_depth):
        raise _too_deep(max_depth)
    if _SURROGATE_ESCAPE.search(body):
        _refuse_lone_surrogates(parsed)
    return parsed


def dump(value: Any) -> bytes:
    """A value as compact JSON; whatever JSON can be read as, it can be written from."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a whole number of more than 64 bits, or half a surrogate pair
        return json.dumps(value, separators=(",", ":")).encode()


class Member(NamedTuple):
    """One member of an object: its key as text, and where its key and its value lie in the body."""

    key: str
    key_start: int
    value_start: int
    value_end: int


def members(body: bytes, start: int | None = None) -> list[Member]:
    """The members of the object that opens at offset `start` (or first in the body), in order.

    Raises:
        Malformed: there is no whole object there.
    """
    values = _values(body, start, b"{")
    try:
        pairs = zip(values[::2], values[1::2], strict=True)
        return [Member(_key(body[key:end]), key, value, value_end) for (key, end), (value, value_end) in pairs]
    except ValueError as error:
        raise Malformed("The body has an object whose keys and values do not go in pairs.") from error


def elements(body: bytes, start: int | None = None) -> list[tuple[int, int]]:
    """Where each element of the array lies that opens at offset `start` (or first in the body), in order.

    Raises:
        Malformed: there is no whole array there.
    """
    return _values(body, start, b"[")


def splice(body: bytes, edits: Mapping[str, bytes | None], *, parsed: Mapping[str, Any] | None = None) -> bytes:
    """The body with members of its top-level object replaced, removed or appended; no other byte changes.

    `edits` maps a key to the JSON bytes of its new value, or to None, which takes the member out. A key
    that the body does not have goes to the end. `body` is one that `parse` accepts; `parsed`, its result,
    saves the scan when there is nothing to do.

    Raises:
        Malformed: the body is not a whole JSON object.
    """
    if parsed is not None and all(new is None and key not in parsed for key, new in edits.items()):
        return body
    spans = members(body)
    absent = dict(edits)
    changes: list[Change] = []
    removed: set[int] = set()
    for index, member in enumerate(spans):
        if member.key in absent:
            new = absent.pop(member.key)
            if new is None:
                removed.add(index)
            else:
                changes.append((member.value_start, member.value_end, new))
    if removed:
        changes += _cuts([(member.key_start, member.value_end) for member in spans], removed)
    added = [dump(key) + b":" + new for key, new in absent.items() if new is not None]
    if added:
        end = spans[-1].value_end if spans else body.index(b"{") + 1
        comma = b"," if len(spans) > len(removed) else b""
        changes.append((end, end, comma + b",".join(added)))
    return _changed(body, sorted(changes))


def insert_first(array: bytes, element: bytes) -> bytes:
    """A JSON array with `element` put before its first one."""
    start = array.index(b"[") + 1
    comma = b"," if elements(array) else b""
    return array[:start] + element + comma + array[start:]


def without(array: bytes, indexes: Collection[int]) -> bytes:
    """A JSON array without the elements at `indexes`, counted from 0."""
    return _changed(array, _cuts(elements(array), set(indexes)))


Change = tuple[int, int, bytes]
"""From where to where the bytes are replaced, and by what."""


def _cuts(spans: list[tuple[int, int]], removed: Collection[int]) -> list[Change]:
    """The changes that take parts of a list out, each with one comma; `spans` is where the parts lie."""
    last_kept = max((index for index in range(len(spans)) if index not in removed), default=-1)
    cuts = [(spans[index][0], spans[index + 1][0], b"") for index in sorted(removed) if index < last_kept]
    if last_kept < len(spans) - 1:
        start = spans[last_kept][1] if last_kept >= 0 else spans[0][0]
        cuts.append((start, spans[-1][1], b""))
    return cuts


def _changed(body: bytes, changes: Iterable[Change]) -> bytes:
    """The body with changes made, which are in order and do not overlap."""
    view = memoryview(body)
    pieces: list[bytes | memoryview] = []
    position = 0
    for start, end, new in changes:
        pieces += (view[position:start], new)
        position = end
    pieces.append(view[position:])
    return b"".join(pieces)


def _values(body: bytes, start: int | None, opening: bytes) -> list[tuple[int, int]]:
    """Begins and ends of all that stands directly in a container: an object's keys and values take turns."""
    position = len(body) - len(body.lstrip()) if start is None else start
    if body[position : position + 1] != opening:
        raise Malformed(f"There is no {opening.decode()} at offset {position} of the JSON.")
    spans: list[tuple[int, int]] = []
    position += 1
    while item := _ITEM.match(body, position):
        if item.lastindex is None:
            return spans
        spans.append(item.span(1))
        position = item.end()
    raise Malformed(f"The JSON breaks off, or nests more than {DEEPEST} deep, at offset {position}.")


def _key(token: bytes) -> str:
    return json.loads(token) if b"\\" in token else token[1:-1].decode()


def _nests_deeper(value: Any, limit: int) -> bool:
    """Whether arrays and objects nest more than `limit` deep; looks at one level after the other."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _too_deep(max_depth: int) -> Malformed:
    return Malformed(f"The body nests arrays and objects more than {max_depth} deep.")


def _refuse_lone_surrogates(parsed: dict[str, Any]) -> None:
    """Python reads half a surrogate pair as a character that UTF-8 cannot hold: encoding would fail later."""
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed("The body has a string with half a surrogate pair (\\ud800 to \\udfff).") from error


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"The body is not JSON: {name} is no JSON number.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its members; with two members of one name, readers would differ on which one counts."""
    built = dict(pairs)
    if len(built) < len(pairs):
        repeated, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise Malformed(f"The body has the key {json.dumps(repeated[:80])} twice in one object.")
    return built


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
