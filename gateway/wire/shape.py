"""Read values whose shape is the provider's: what is not as expected reads as nothing, and nothing raises."""

import json
from typing import Any

import orjson

_LONGEST_ERROR = 300


def decoded(data: bytes) -> Any:
    """JSON that a provider sent, or None. Half surrogate pairs pass: some providers cut a text there."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects in the value if it is an array, else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """The value if it is a text that says something, else None."""
    return value if isinstance(value, str) and value else None


def error_text(error: Any) -> str:
    """An in-band error in short: its type (or code) and its message, as far as it has them; never empty."""
    about = mapping(error)
    parts = [text(about.get("type")) or text(about.get("code")), text(about.get("message")) or text(error)]
    return ": ".join(filter(None, parts))[:_LONGEST_ERROR] or "error"
