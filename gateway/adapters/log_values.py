"""Values made fit for a log line: bounded, without secrets, and unable to break the line or steer a terminal."""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import islice
from pathlib import PurePath
from typing import Any

import orjson

MAX_TEXT = 2_000
MAX_ITEMS = 100
MAX_DEPTH = 8
MASK = "***"

_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:authorization|api_?-?keys?|credentials?|passwords?|secrets?|tokens?|cookies?|private_?-?keys?)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\b(?:bearer|basic)\s+[\w.~+/=-]+"  # an Authorization header
    r"|\bsk-[\w-]{8,}"  # a provider's key
    r"|\bpi[no]_[0-9a-z_]{16,}"  # a key or token of Pinion's own
    r"|(?<=://)[^/@\s]+(?=@)",  # the user and password of a URL
    re.IGNORECASE,
)
_KEY_MARK = re.compile(rb"\b(?:sk-|pi[no]_)")

_PLAIN = frozenset((str, int, float, bool, type(None)))

_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What JSON leaves as it is and readers obey: DEL, C1 controls, line separators, changes of writing direction."""


def rendered(fields: Mapping[str, Any]) -> bytes:
    """Render fields as one line of JSON, its newline included.

    Secrets, by name of field or by look, become `***`; text is cut at 2,000 characters, collections at 100 items and
    8 levels; bytes are shown as text; an object that is not data is shown as the name of its type.
    """
    line = _plain_line(fields) or orjson.dumps(_mapping(fields, 0))
    if not line.isascii() or b"\x7f" in line:
        line = _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", line.decode()).encode()
    return line + b"\n"


def _plain_line(fields: Mapping[str, Any]) -> bytes | None:
    """Render fields as they are, where a look shows nothing to be done: most lines of a busy log are such."""
    if not _PLAIN.issuperset(map(type, fields.values())):
        return None
    for name in _secret_names(tuple(fields)):
        if not _is_count(fields[name]):
            return None
    try:
        line = orjson.dumps(fields)
    except orjson.JSONEncodeError:  # half a surrogate pair, an integer of over 64 bits, a name that is no text
        return None
    return None if len(line) > MAX_TEXT or len(fields) > MAX_ITEMS or _may_hold_secret(line) else line


def _may_hold_secret(line: bytes) -> bool:
    """Whether a line has in it what every text has that looks like a secret."""
    lowered = line.lower()
    return b"bearer" in lowered or b"basic" in lowered or b"://" in line or _KEY_MARK.search(lowered) is not None


@lru_cache(maxsize=1024)
def _secret_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of a line's fields are named as secrets are; the lines of one kind all have the same names."""
    return tuple(filter(_is_secret, names))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    """Whether a field's name says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def _mapping(fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in islice(fields.items(), MAX_ITEMS):
        name = key if isinstance(key, str) else str(_value(key, MAX_DEPTH))
        hidden = _is_secret(name) and not _is_count(value)
        plain[_text(name)] = MASK if hidden else _value(value, depth)
    if len(fields) > MAX_ITEMS:
        plain["..."] = f"{len(fields) - MAX_ITEMS} more"
    return plain


def _value(value: Any, depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case Enum():
            return _value(value.value, depth)
        case str():
            return _text(value)
        case int() | float():
            return _number(value)
        case bytes() | bytearray() | memoryview():
            return _text(bytes(value[: MAX_TEXT + 1]).decode(errors="backslashreplace"))
        case BaseException():
            return _text(f"{type(value).__name__}: {_said(value)}")
        case PurePath() | Decimal() | date() | datetime():
            return _text(str(value))
        case Mapping() | list() | tuple() | set() | frozenset():
            return _collection(value, depth + 1)
        case _:
            return f"<{type(value).__name__}>"


def _collection(value: Mapping[Any, Any] | Collection[Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    plain = [_value(item, depth) for item in islice(value, MAX_ITEMS)]
    return plain if len(value) <= MAX_ITEMS else [*plain, f"... {len(value) - MAX_ITEMS} more"]


def _number(value: float) -> int | float | str:
    """JSON readers keep 64 bits; a longer integer is shown in hexadecimal, whose length has no limit in Python."""
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else _text(hex(value))
    return float(value)


def _text(text: str) -> str:
    cut = text[:MAX_TEXT].encode(errors="backslashreplace").decode()
    clean = _SECRET_TEXT.sub(MASK, cut)
    return clean if len(text) <= MAX_TEXT else f"{clean}... {len(text) - MAX_TEXT} more"


def _said(error: BaseException) -> str:
    """An exception's message; one whose own `__str__` fails must not take the log down."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # foreign code, which may raise anything
        return "<no message>"


def _is_count(value: Any) -> bool:
    """Whether a value under a name like `tokens` is a number, or holds numbers alone, and so is no secret."""
    if isinstance(value, Mapping):
        return all(map(_is_count, value.values()))
    return value is None or isinstance(value, int | float)
