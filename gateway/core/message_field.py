"""A field of a message of another gateway: outside input, of which each is of its kind and no longer than it may be."""

import sys
from collections.abc import Mapping
from typing import Any, TypeGuard

MOST_NAME = 500
"""How many characters a name may have."""

_LARGEST = sys.float_info.max


def text(message: Mapping[str, Any], name: str, most: int = MOST_NAME) -> str:
    """Give a printable text of at most so many characters.

    Raises:
        ValueError: it is none.
    """
    found = message.get(name)
    if not isinstance(found, str) or len(found) > most or not found.isprintable():
        raise ValueError(f"its {name} is no text of at most {most} characters")
    return found


def number(message: Mapping[str, Any], name: str) -> float:
    """Give a finite number that is not negative.

    Raises:
        ValueError: it is none.
    """
    found = message.get(name)
    if not is_number(found) or found < 0:
        raise ValueError(f"its {name} is no number of seconds")
    return float(found)


def is_number(found: Any) -> TypeGuard[float]:
    """Say whether it is a finite number; a whole one may be larger than any that can be reckoned with."""
    return not isinstance(found, bool) and isinstance(found, int | float) and -_LARGEST <= found <= _LARGEST


def whole(message: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """Give a whole number between two.

    Raises:
        ValueError: it is none.
    """
    found = message.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
        raise ValueError(f"its {name} is no whole number from {least} to {most}")
    return found


def rows(message: Mapping[str, Any], name: str, width: int, most: int) -> list[list[Any]]:
    """Give a list of at most so many lists, of so many values each.

    Raises:
        ValueError: it is none.
    """
    found = message.get(name)
    if not isinstance(found, list) or len(found) > most:
        raise ValueError(f"its {name} is no list of at most {most}")
    if not all(isinstance(row, list) and len(row) == width for row in found):
        raise ValueError(f"its {name} holds what is not of {width} values")
    return found
