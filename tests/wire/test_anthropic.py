"""The Anthropic dialect: streams, whole answers, errors."""

import json

import pytest

from gateway.core.usage import Usage
from gateway.wire.anthropic import Anthropic
from gateway.wire.dialect import MALFORMED, Dialect, Scan
from gateway.wire.sse import EventSplitter, fields

ANTHROPIC: Dialect = Anthropic()
SPLIT = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}


def event(kind, *, end=b"\n", **said):
    """One event of a kind."""
    data = json.dumps({"type": kind} | said, separators=(",", ":"), ensure_ascii=False).encode()
    return b"event: " + kind.encode() + end + b"data: " + data + end + end


def start(**usage):
    """A stream's first event."""
    return event("message_start", message={"id": "msg_1", "model": "m-1", "content": [], "usage": usage})


def scanned(events):
    """A scanner that has seen the events, all of which it relayed untouched."""
    scanner = ANTHROPIC.stream_scanner("messages", hide_usage=True)
    assert all(scanner.event(raw) is raw for raw in events)
    return scanner


def ordinary(end=b"\n"):
    """A stream: start, ping, a block with text, the final counts, stop."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    return [
        event("message_start", message={"id": "msg_1", "model": "m-1", "usage": usage}, end=end),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}, end=end),
        event("ping", end=end),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi \u2028🙂"}, end=end),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "event: error"}, end=end),
        event("content_block_stop", index=0, end=end),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}, end=end),
        event("message_stop", end=end),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_everything_is_found_in_an_ordinary_stream(end):
    """Who answered, what it used and that it is whole, in every line end and byte by byte."""
    stream = b"".join(ordinary(end))
    splitter = EventSplitter()
    scanner = scanned([raw for at in range(len(stream)) for raw in splitter.feed(stream[at : at + 1])])
    found = Scan(Usage(10, 5), "m-1", None, "msg_1", finished=True, terminal=True, content=True)
    assert found == scanner.scan
    assert scanner.failure("Cut.").endswith(end * 2)


def test_only_message_stop_is_terminal():
    """After the stop reason the stream goes on to its last event."""
    assert (False, True) == (scanned(ordinary()[:-1]).scan.terminal, scanned(ordinary()).scan.terminal)


def test_a_stream_that_is_cut_has_the_usage_so_far():
    """After the first event the input is known, and the output as far as it was told."""
    scan = scanned(ordinary()[:4]).scan
    assert (Usage(10, 1), False) == (scan.usage, scan.finished)


def test_all_details_of_usage():
    """Input is the sum of fresh, read and written; the split by life, tier and speed come with the first event."""
    first = start(
        input_tokens=100,
        output_tokens=1,
        cache_creation_input_tokens=30,
        cache_read_input_tokens=50,
        cache_creation=SPLIT,
        service_tier="priority",
        speed="fast",
    )
    more = {"output_tokens": 40, "server_tool_use": {"web_search_requests": 2}, "input_tokens": None}
    more["output_tokens_details"] = {"thinking_tokens": 25}
    scan = scanned([first, event("message_delta", delta={}, usage=more)]).scan
    assert Usage(180, 40, 50, 30, 10, 25, web_searches=2, service_tier="priority", speed="fast") == scan.usage


def test_later_counts_take_the_place_of_earlier_ones():
    """Servers that first tell the whole prompt, and then the split with the cache, are not added up."""
    events = [
        start(input_tokens=1000, output_tokens=0, cache_read_input_tokens=None),
        event("message_delta", delta={}, usage={"output_tokens": 3}),
        event(
            "message_delta", delta={}, usage={"input_tokens": 200, "cache_read_input_tokens": 800, "output_tokens": 7}
        ),
    ]
    assert Usage(1000, 7, 800) == scanned(events).scan.usage


@pytest.mark.parametrize(
    "usage", [{}, {"output_tokens": 3}, {"input_tokens": True, "output_tokens": 1}, {"input_tokens": 4}]
)
def test_usage_that_does_not_say_enough_is_unknown(usage):
    """A missing or broken count is never taken for zero."""
    assert scanned([start(**usage)]).scan.usage is None


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (start(input_tokens=1, output_tokens=1), False),
        (event("ping"), False),
        (b": ping\n\n", False),
        (event("content_block_start", content_block={"type": "text", "text": ""}), False),
        (event("content_block_start", content_block={"type": "text", "text": "x"}), True),
        (event("content_block_start", content_block={"type": "tool_use", "name": "f"}), True),
        (event("content_block_start", content_block={"type": "server_tool_use"}), True),
        (event("content_block_start", content_block={"type": "thinking", "thinking": ""}), True),
        (event("content_block_start", content_block={}), False),
        (event("content_block_delta", delta={"type": "input_json_delta", "partial_json": ""}), True),
        (b'data: {"type":"content_block_delta"}\n\n', True),
        (event("something_new"), False),
        (b"event: message_start\ndata: 7\n\n", False),
    ],
)
def test_what_is_content(raw, content):
    """A block that says something and every delta count; the frame around them and pings do not."""
    assert content == scanned([raw]).scan.content


def test_an_error_event_is_found():
    """An overload in the middle of a stream, or as its first event, is an error and no end."""
    raw = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    for before in ([], ordinary()[:4]):
        scan = scanned([*before, raw]).scan
        assert ("overloaded_error", False) == (scan.error, scan.finished)


def test_failure_is_an_error_that_sdks_raise():
    """An error event with its name; a code that says more than the type goes into the details."""
    failed = fields(scanned([]).failure("The provider broke off."))
    error = {"type": "api_error", "message": "The provider broke off."}
    assert "error" == failed.name
    assert {"type": "error", "error": error} == json.loads(failed.data)
    coded = json.loads(fields(scanned([]).failure("Cut.", "upstream_cut")).data)
    assert {"error_code": "upstream_cut"} == coded["error"]["details"]


def test_a_whole_answer():
    """Who answered, what it used, that it says something and is whole."""
    assert "anthropic" == ANTHROPIC.name
    answer = {
        "id": "msg_1",
        "type": "message",
        "model": "m-1",
        "content": [{"type": "text", "text": "Hi"}],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2},
    }
    expected = Scan(Usage(15, 2, 5), "m-1", None, "msg_1", True, None, True)
    assert expected == ANTHROPIC.scan_answer("messages", json.dumps(answer).encode())
    assert not ANTHROPIC.scan_answer("messages", json.dumps(answer | {"content": []}).encode()).content


def test_a_count_of_tokens_uses_none():
    """It is free: its usage is unknown and not zero tokens of an answer."""
    assert Scan(finished=True, content=True) == ANTHROPIC.scan_answer("count_tokens", b'{"input_tokens":7}')


@pytest.mark.parametrize("endpoint", ["messages", "count_tokens"])
def test_an_answer_of_status_200_that_is_none(endpoint):
    """An error inside, and what is no JSON object, are errors and never exceptions."""
    wrapped = b'{"type":"error","error":{"type":"api_error","message":"Oh"}}'
    assert "api_error" == ANTHROPIC.scan_answer(endpoint, wrapped).error
    for body in (b"", b"<html>", b"[]", b'{"a":'):
        assert Scan(error=MALFORMED) == ANTHROPIC.scan_answer(endpoint, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
    ],
)
def test_error_body(status, kind):
    """Anthropic's envelope, its type by the status."""
    body = ANTHROPIC.error_body(status=status, code=kind, message="No.", request_id="r-1")
    assert {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "r-1"} == json.loads(body)
