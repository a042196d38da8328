"""JSON bodies: read strictly, edit as bytes.

A request is read once, strictly, so that no two readers of it can understand it differently, and then
edited in place: whatever is not pinned keeps its bytes, its order, its whitespace and the spelling of its
numbers.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NoReturn

import orjson

from gateway.core.errors import Malformed

_STRING = rb'"(?:(?:[^"]*+(?<=[^\\]\\)")*+[^"]*+(?<!\\)"|[^"\\]*+(?:\\.[^"\\]*+)*+")'
"""A string. The first way is several times as fast, and gives up where a quote follows two backslashes."""

DEEPEST = 64
"""How deep a body may nest, for reading and for editing."""

NOTHING: Mapping[str, bytes] = MappingProxyType({})

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

_MEMBER = re.compile(
    rb"[\s,]*+(?:(" + _STRING + rb")[\s:]*+(" + _value_pattern() + rb")|\})",
    re.DOTALL,
)
"""The next member of an object, or the object's end, in what is known to be JSON."""

_TOO_MANY = -(1 << 40)
"""A count that no number of members makes up for."""

_SCALAR = re.compile(rb"[\w.+-]++")
"""A number, or one of true, false and null."""

_CLOSING_BRACE = ord("}")

_EMPTY_ARRAY = re.compile(rb"\[\s*+\]")

_KEY_END = re.compile(rb'"\s*+:')

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(body: bytes, *, max_depth: int = DEEPEST) -> dict[str, Any]:
    """Read a request's body: UTF-8 without a byte order mark, one JSON object, no key twice in one object.

    Raises:
        Malformed: naming what is wrong; also for NaN and Infinity, half a surrogate pair, numbers too long to
            read, and arrays or objects nested more than `max_depth` deep.
    """
    if len(body) > MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
        raise Malformed(f"The body has more than {MOST_VALUES} values; send a smaller one.")
    parsed = _parsed_at_once(body, max_depth)
    if parsed is None:
        parsed = _parsed_strictly(body, max_depth)
        if _nests_deeper(parsed, max_depth):
            raise _too_deep(max_depth)
    return parsed


def _parsed_strictly(body: bytes, max_depth: int) -> dict[str, Any]:
    """Read a body, or say why it cannot be read."""
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
    if _SURROGATE_ESCAPE.search(body):
        _refuse_lone_surrogates(parsed)
    return parsed


def _parsed_at_once(body: bytes, max_depth: int) -> dict[str, Any] | None:
    """Read a body by the fast decoder, where it is certain that no key stands twice in one object; None elsewhere.

    That decoder keeps the last of two members with one name and says nothing. But every member has a quote and then a
    colon, so a body with no more of those than members in what was read has no member hidden. One that nests too deep
    is left to the other decoder, too.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    is_certain = isinstance(parsed, dict) and _count_members(parsed, max_depth) == len(_KEY_END.findall(body))
    return parsed if is_certain else None


def _count_members(value: dict[str, Any] | list[Any], room: int) -> int:
    """How many members all objects in a value have together; less than none where it nests more than `room` deep."""
    if not room:
        return _TOO_MANY
    count, inner = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    for item in inner:
        if item.__class__ is dict or item.__class__ is list:
            count += _count_members(item, room - 1)
    return count


def dump(value: Any) -> bytes:
    """A value as compact JSON; whatever JSON can be read as, it can be written from."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a whole number of more than 64 bits, or half a surrogate pair
        return json.dumps(value, separators=(",", ":")).encode()


Member = tuple[str, int, int, int]
"""One member of an object: its key as text, and where in the body its key begins, its value begins, its value ends."""


def members(body: bytes, start: int | None = None) -> list[Member]:
    """The members of the object that opens at offset `start` (or first in the body), in order.

    Raises:
        Malformed: there is no whole object there.
    """
    position = len(body) - len(body.lstrip()) if start is None else start
    if body[position : position + 1] != b"{":
        raise Malformed(f"There is no {{ at offset {position} of the JSON.")
    found: list[Member] = []
    position += 1
    while member := _MEMBER.match(body, position):
        position = member.end()
        if member.lastindex is None:
            return found
        start, end = member.span(2)
        found.append((_key(member[1]), member.start(1), start, end))
    raise Malformed(f"The JSON breaks off, or nests more than {DEEPEST} deep, at offset {position}.")


def elements(array: bytes) -> list[tuple[int, int]]:
    """Where each element of an array lies, in order.

    Raises:
        Malformed: there is no whole array there.
    """
    if not array.startswith(b"["):
        raise Malformed("There is no [ at offset 0 of the JSON.")
    spans: list[tuple[int, int]] = []
    position = 1
    while item := _ITEM.match(array, position):
        if item.lastindex is None:
            return spans
        spans.append(item.span(1))
        position = item.end()
    raise Malformed(f"The JSON breaks off, or nests more than {DEEPEST} deep, at offset {position}.")


def splice(
    body: bytes,
    edits: Mapping[str, bytes | None],
    *,
    first: Mapping[str, bytes] = NOTHING,
    parsed: Mapping[str, Any] | None = None,
) -> bytes:
    """The body with members of its top-level object replaced, removed or appended; no other byte changes.

    `edits` maps a key to the JSON bytes of its new value, or to None, which takes the member out. A key
    that the body does not have goes to the end. `first` maps the key of an array that the body has to the JSON bytes
    of a new first element of it. `body` is one that `parse` accepts; `parsed`, its result, spares most bodies a scan.

    Raises:
        Malformed: the body is not a whole JSON object.
    """
    changes = None if parsed is None else _changes_at_sight(body, edits, first, parsed)
    if changes is None:
        changes = _changes(body, members(body), edits, first)
    return _changed(body, changes) if changes else body


def _changes(
    body: bytes, spans: list[Member], edits: Mapping[str, bytes | None], first: Mapping[str, bytes]
) -> list["Change"]:
    """What `splice` changes, in order, by where each member of the body lies."""
    absent = dict(edits)
    changes: list[Change] = []
    removed: set[int] = set()
    for index, (key, _, start, end) in enumerate(spans):
        if key in absent:
            new = absent.pop(key)
            if new is None:
                removed.add(index)
            else:
                changes.append((start, end, new))
        elif key in first:
            comma = b"" if _EMPTY_ARRAY.match(body, start) else b","
            changes.append((start + 1, start + 1, first[key] + comma))
    if removed:
        changes += _cuts([(key_start, value_end) for _, key_start, _, value_end in spans], removed)
        changes.sort()
    added = [dump(key) + b":" + new for key, new in absent.items() if new is not None]
    if added:
        end = spans[-1][3] if spans else body.index(b"{") + 1
        comma = b"," if len(spans) > len(removed) else b""
        changes.append((end, end, comma + b",".join(added)))
    return changes


def _changes_at_sight(
    body: bytes, edits: Mapping[str, bytes | None], first: Mapping[str, bytes], parsed: Mapping[str, Any]
) -> list["Change"] | None:
    """What `splice` changes, without a scan of the body; None where that cannot be seen at once.

    In a body that escapes no character by its number, a key that needs no escape is spelt as it is. Where that spelling
    of a key of the body occurs just once, it is its place; where it occurs again, as a key of a nested object or as a
    text, nothing is at sight.
    """
    if not parsed or (b"\\" in body and b"\\u" in body):
        return None
    changes: list[Change] = []
    added = b""
    for key, new in edits.items():
        if key not in parsed:
            added += b"" if new is None else b"," + _spelt(key) + b":" + new
            continue
        span = None if new is None else _value_at_sight(body, key, parsed[key])
        if new is None or span is None:
            return None
        changes.append((*span, new))
    for key, element in first.items():
        start = _place_at_sight(body, key)
        if start is None:
            return None
        comma = b"" if _EMPTY_ARRAY.match(body, start) else b","
        changes.append((start + 1, start + 1, element + comma))
    changes.sort()
    if added:
        end = len(body) - 1
        while body[end] != _CLOSING_BRACE:
            end -= 1
        changes.append((end, end, added))
    return changes


def _place_at_sight(body: bytes, key: str) -> int | None:
    """Where the value of a key begins; None where that takes a scan, as for a key that may be written with escapes."""
    spelling = _spelt(key)
    if b"\\" in spelling or b"/" in spelling:  # a slash is one sign that need not be escaped, and may be
        return None
    at = body.find(spelling)
    if at < 0 or body.find(spelling, at + 1) >= 0:
        return None
    at += len(spelling)
    while body[at] in b" \t\r\n:":
        at += 1
    return at


@lru_cache(maxsize=1024)
def _spelt(key: str) -> bytes:
    """A key as JSON. They are those of parameters and of what a prompt needs, few and always the same."""
    return dump(key)


def _value_at_sight(body: bytes, key: str, value: Any) -> tuple[int, int] | None:
    """Where the value of a key lies, for texts without escapes and numbers."""
    start = _place_at_sight(body, key)
    if start is None:
        return None
    if isinstance(value, str):
        end = body.find(b'"', start + 1) + 1
        return (start, end) if body[start + 1 : end - 1] == value.encode() else None
    number = _SCALAR.match(body, start)
    return None if number is None else number.span()


def insert_first(array: bytes, element: bytes) -> bytes:
    """A JSON array with `element` put before its first one."""
    start = array.index(b"[") + 1
    comma = b"" if _EMPTY_ARRAY.match(array, start - 1) else b","
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


def _key(token: bytes) -> str:
    if b"\\" not in token:
        return token[1:-1].decode()
    try:
        key: str = json.loads(token)
    except ValueError as error:
        raise Malformed("The JSON has a key that cannot be read.") from error
    return key


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


def _whole_number(digits: str) -> int | float:
    """A whole number as the fast decoder reads it: one of more than 64 bits is a float."""
    number = int(digits)
    return number if -(1 << 63) <= number < 1 << 64 else float(digits)


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_whole_number)
