"""Streams of Responses events."""

import json

import pytest

from gateway.core.usage import Usage
from gateway.wire.openai_responses import ResponsesScanner
from gateway.wire.sse import fields

RESPONSE = {"id": "resp_1", "object": "response", "model": "m-1", "status": "in_progress", "output": [], "error": None}
DONE = RESPONSE | {
    "status": "completed",
    "output": [{"type": "message"}],
    "usage": {"input_tokens": 10, "output_tokens": 5},
}


def event(kind, number=0, *, end=b"\n", named=True, **said):
    """One event of a kind."""
    name = b"event: " + kind.encode() + end if named else b""
    data = json.dumps({"type": kind, "sequence_number": number} | said).encode()
    return name + b"data: " + data + end + end


def scanned(events):
    """A scanner that has seen the events, all of which it relayed untouched."""
    scanner = ResponsesScanner()
    assert all(scanner.event(raw) is raw for raw in events)
    return scanner


def ordinary(**how):
    """A stream: created, an item, two pieces of text, completed."""
    return [
        event("response.created", 0, response=RESPONSE, **how),
        event("response.output_item.added", 1, item={"type": "message"}, **how),
        event("response.output_text.delta", 2, delta="Hi", **how),
        event("response.output_text.delta", 3, delta=' "error": x', **how),
        event("response.completed", 4, response=DONE, **how),
    ]


@pytest.mark.parametrize("how", [{}, {"end": b"\r\n"}, {"end": b"\r"}, {"named": False}])
def test_everything_is_found_in_an_ordinary_stream(how):
    """Who answered, what it used and that it is whole; also in CRLF, and without event lines."""
    scan = scanned(ordinary(**how)).scan
    assert (Usage(10, 5), "m-1", "resp_1") == (scan.usage, scan.served_model, scan.response_id)
    assert (True, None, True) == (scan.finished, scan.error, scan.content)


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (event("response.created", response=RESPONSE), False),
        (event("response.queued", response=RESPONSE), False),
        (event("response.output_item.added", item={"type": "message"}), False),
        (event("response.output_item.added", item={"type": "reasoning"}), False),
        (event("response.output_item.added", item={"type": "function_call", "name": "f"}), True),
        (event("response.output_item.added", item={"type": "web_search_call"}), True),
        (event("response.output_item.done", item={"type": "message"}), True),
        (event("response.output_text.delta", delta="x"), True),
        (event("response.refusal.delta", delta="x"), True),
        (event("response.reasoning_summary_text.delta", delta="x"), True),
        (event("response.function_call_arguments.delta", delta="{"), True),
        (event("response.image_generation_call.partial_image"), True),
        (event("response.completed", response=DONE), True),
        (event("response.failed", response=RESPONSE | {"status": "failed"}), False),
        (b": ping\n\n", False),
        (b"event: ping\ndata: {}\n\n", False),
    ],
)
def test_what_is_content(raw, content):
    """A piece or a thing of the answer counts; announcing an empty one does not."""
    assert content == scanned([raw]).scan.content


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
def test_the_event_with_the_whole_response_is_terminal(kind):
    """Nothing follows it, whichever way the response ended."""
    assert not scanned(ordinary()[:-1]).scan.terminal
    assert scanned([*ordinary()[:-1], event(kind, 9, response=RESPONSE)]).scan.terminal


def test_an_incomplete_response_is_finished():
    """One that ran into its token limit is an answer with usage."""
    scan = scanned([event("response.incomplete", response=DONE | {"status": "incomplete"})]).scan
    assert (True, None, Usage(10, 5)) == (scan.finished, scan.error, scan.usage)


@pytest.mark.parametrize(
    ("raw", "finished", "error"),
    [
        (event("error", code="rate_limit_exceeded", message="Slow down"), False, "rate_limit_exceeded"),
        (event("error", error={"code": "rate_limit_exceeded", "message": "Slow down"}), False, "rate_limit"),
        (b'data: {"error":{"type":"server_error","message":"Oh"}}\n\n', False, "server_error"),
        (
            event("response.failed", response=RESPONSE | {"status": "failed", "error": {"code": "c", "message": "Oh"}}),
            True,
            "c",
        ),
        (event("response.failed", response=RESPONSE | {"status": "failed"}), True, "failed"),
    ],
)
def test_errors_inside_the_stream_are_found(raw, finished, error):
    """A failed response ends the stream; an error event is one in each of its shapes."""
    scan = scanned([ordinary()[0], raw]).scan
    assert finished == scan.finished
    assert scan.error.startswith(error)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_failure_is_the_response_as_far_as_known_with_the_next_number(end):
    """Clients that follow sequence numbers and the response's id see their response fail."""
    scanner = scanned([event("response.created", 0, response=RESPONSE, end=end), *ordinary(end=end)[1:3]])
    raw = scanner.failure("The provider broke off.", "upstream_cut")
    assert raw.endswith(end * 2)
    failed = fields(raw)
    assert "response.failed" == failed.name
    response = RESPONSE | {"status": "failed", "error": {"code": "upstream_cut", "message": "The provider broke off."}}
    assert {"type": "response.failed", "sequence_number": 3, "response": response} == json.loads(failed.data)


def test_failure_before_anything_is_known():
    """There is always a response object for a client to look at."""
    said = json.loads(fields(ResponsesScanner().failure("No.")).data)
    assert (0, "failed", []) == (said["sequence_number"], said["response"]["status"], said["response"]["output"])
