"""The body of an act."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.api.act_body import MAX_BODY, read_body

pytestmark = pytest.mark.anyio

FIELDS = {"reason": str, "full": bool, "seen": dict}


def sent(raw):
    """A request with this body, in two pieces."""
    pieces = [raw[:3], raw[3:]]

    async def receive():
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_is_an_object_of_known_fields():
    """None at all is an empty one."""
    assert {"reason": "x", "full": True} == await read_body(sent(b'{"reason": "x", "full": true}'), FIELDS)
    assert {} == await read_body(sent(b""), FIELDS)


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"[" * 50_000, 400, "the body is not JSON"),
        (b"\xff\xfe\xff", 400, "the body is not JSON"),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"to": 1}', 400, "unknown field 'to'; there is reason, full, seen"),
        (b'{"reason": 1}', 400, "reason must be a text"),
        (b'{"full": 1}', 400, "full must be true or false"),
        (b'{"seen": []}', 400, "seen must be an object"),
        (b" " * (MAX_BODY + 1), 413, "the body is over 64 KiB"),
    ],
)
async def test_another_body_is_refused(raw, status, message):
    """It says what is wrong."""
    with pytest.raises(HTTPException) as caught:
        await read_body(sent(raw), FIELDS)
    assert (status, message) == (caught.value.status_code, caught.value.detail)
