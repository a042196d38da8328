"""Read values whose shape is the provider's: what is not as expected reads as nothing, and nothing raises."""

import json
import re
from typing import Any

import orjson

_KIND = re.compile(r"[A-Za-z0-9_.-]{1,64}")


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


def error_kind(error: Any) -> str:
    """An in-band error's type, or its code; `error` where it has neither that is a plain name.

    Its message is left alone: providers quote prompts there, and what is found here goes into the log.
    """
    about = mapping(error)
    for said in (about.get("type"), about.get("code")):
        if isinstance(said, str) and _KIND.fullmatch(said):
            return said
    return "error"
