"""The body of an act: a small JSON object with known fields."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY = 64 * 1024

_KIND_NAMES: Mapping[type, str] = {str: "a text", bool: "true or false", dict: "an object", float: "a number"}


async def read_body(request: Request, fields: Mapping[str, type], limit: int = MAX_BODY) -> Mapping[str, Any]:
    """Read what an act asks for, by the kinds of its fields: str, bool, dict or float; `limit` bytes at most.

    Raises:
        HTTPException: 413 for a body over the limit, 400 for one that is no JSON object of these fields.
    """
    raw = b""
    async for piece in request.stream():
        raw += piece
        if len(raw) > limit:
            raise HTTPException(413, f"the body is over {limit // 1024} KiB")
    try:
        value = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as exc:
        raise HTTPException(400, "the body is not JSON") from exc
    if not isinstance(value, Mapping):
        raise HTTPException(400, "the body must be a JSON object")
    for name, given in value.items():
        kind = fields.get(name)
        if kind is None:
            raise HTTPException(400, f"unknown field {name[:50]!a}; there is {', '.join(fields)}")
        if not _is_of(given, kind):
            raise HTTPException(400, f"{name} must be {_KIND_NAMES[kind]}")
    return value


def _is_of(given: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(given, int | float) and not isinstance(given, bool)
    return isinstance(given, kind)
