"""Digests of values: equal values have equal digests, on every machine."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

_EXACT = 2**53
"""Up to here a float that is whole has one integer that it means (IEEE 754 binary64)."""


def canonical(value: Any) -> bytes:
    """Write a JSON value in the one form that is digested.

    Keys are sorted, nothing is spaced, text is UTF-8 (a lone surrogate, which JSON can carry, as it stands),
    and a whole float is its integer, since JSON has one kind of number: 1.0 and 1 are equal, and so are -0.0
    and 0.

    Raises:
        ValueError: the value holds a number that is not finite.
        TypeError: the value holds something that JSON has no form for.
    """
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def digest(value: Any) -> str:
    """Digest a JSON value: SHA-256 of its canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def finite(value: Any) -> Any:
    """Give a JSON value with null for each number that JSON has no form for."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [finite(inner) for inner in value]
    return value


def hash_of(text: str) -> int:
    """Hash a text to 64 bits, for telling apart in memory what need not be told apart for ever."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
