"""Streams of chat and completions chunks: what is found, what is relayed, what is hidden."""

import json

import pytest

from gateway.core.usage import Usage
from gateway.wire.openai_chat import ChatScanner
from gateway.wire.sse import EventSplitter, fields

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
DONE = b"data: [DONE]\n\n"


def event(chunk, *, compact=True):
    """A chunk as providers write it: compact as OpenAI does, or with spaces as many others do."""
    return b"data: " + json.dumps(chunk, separators=(",", ":") if compact else (", ", ": ")).encode() + b"\n\n"


def chunk(delta=None, *, index=0, finish=None, **rest):
    """One chunk with one choice."""
    choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "model": "m-1", "system_fingerprint": "fp_1", "choices": [choice]} | rest


def bare(**rest):
    """A chunk without a choice."""
    return {"id": "c-1", "model": "m-1", "choices": []} | rest


def scanned(events, *, hide_usage=False):
    """A scanner that has seen the events, and what it relayed of them."""
    scanner = ChatScanner(hide_usage=hide_usage)
    return scanner, [scanner.event(raw) for raw in events]


def ordinary(*, compact=True, null=True):
    """A stream with usage: role, three pieces of text, the finish, the usage, the end."""
    rest = {"usage": None} if null else {}
    chunks = [chunk({"role": "assistant", "content": ""}, **rest)]
    chunks += [chunk({"content": word}, **rest) for word in ('say "usage"', " 🙂\u2028", ' {"error":1}')]
    chunks += [chunk(finish="stop", **rest), bare(usage=USAGE, service_tier="default")]
    return [event(one, compact=compact) for one in chunks] + [DONE]


@pytest.mark.parametrize("compact", [True, False])
def test_everything_is_found_in_an_ordinary_stream(compact):
    """Who answered, what it used, that it said something, ended and did not fail."""
    scan = scanned(ordinary(compact=compact))[0].scan
    assert Usage(10, 5, service_tier="default") == scan.usage
    assert ("m-1", "fp_1", "c-1") == (scan.served_model, scan.fingerprint, scan.response_id)
    assert (True, None, True) == (scan.finished, scan.error, scan.content)


@pytest.mark.parametrize("compact", [True, False])
def test_a_client_that_asked_for_usage_gets_every_byte(compact):
    """Without hiding, each event is relayed as the very object that came."""
    events = ordinary(compact=compact)
    assert all(sent is relayed for sent, relayed in zip(events, scanned(events)[1], strict=True))


@pytest.mark.parametrize("compact", [True, False])
def test_a_client_that_did_not_ask_sees_no_trace_of_usage(compact):
    """The usage chunk goes, null usages go, and all else is what the provider sends when it is not asked."""
    asked, unasked = ordinary(compact=compact), ordinary(compact=compact, null=False)
    scanner, relayed = scanned(asked, hide_usage=True)
    assert [*unasked[:-2], None, DONE] == relayed
    assert Usage(10, 5, service_tier="default") == scanner.scan.usage


def test_null_usage_goes_wherever_it_stands():
    """As the first, a middle or the only other member, and in any spacing."""
    relayed = scanned(
        [
            b'data: {"usage":null,"choices":[]}\n\n',
            b'data: {"choices":[],"usage" : null ,"x":1}\n\n',
            b'data: {"choices":[],\ndata: "usage": null}\n\n',
        ],
        hide_usage=True,
    )[1]
    assert [b'data: {"choices":[]}\n\n', b'data: {"choices":[] ,"x":1}\n\n'] == relayed[:2]
    assert b'"usage"' in relayed[2]  # legal, unheard of, and harmless to leave


@pytest.mark.parametrize(
    "kept",
    [
        bare(prompt_filter_results=[{"prompt_index": 0}], id="", model=""),
        bare(moderation={"flagged": False}),
        bare(moderation={"flagged": False}, usage=USAGE),
        bare(),
        chunk({}, finish="stop", usage=USAGE),
        chunk({"content": "x"}, usage=USAGE),
        chunk({}, finish="stop", x_groq={"id": "g", "usage": USAGE}),
    ],
)
def test_what_is_never_dropped(kept):
    """Azure's filter results, moderation, and usage that comes with a choice are the provider's own."""
    assert [event(kept)] == scanned([event(kept)], hide_usage=True)[1]


def test_azures_first_chunk_keeps_its_filter_results_without_the_null_usage():
    """The filter results stay although the chunk has no choices; a real id and model come with later chunks."""
    first = bare(prompt_filter_results=[{"prompt_index": 0}], id="", model="", usage=None)
    scanner, relayed = scanned([event(first), event(chunk({"content": "x"}))], hide_usage=True)
    del first["usage"]
    assert event(first) == relayed[0]
    assert ("c-1", "m-1") == (scanner.scan.response_id, scanner.scan.served_model)


@pytest.mark.parametrize(
    "last", [chunk(finish="stop", usage=USAGE), chunk(finish="stop", x_groq={"usage": USAGE}), bare(usage=USAGE)]
)
def test_usage_is_found_wherever_a_provider_puts_it(last):
    """On its own, with the last choice, or in Groq's corner."""
    assert Usage(10, 5) == scanned([event(chunk({"content": "x"})), event(last)])[0].scan.usage


def test_the_last_usage_counts():
    """A provider that tells running totals with each chunk is not added up."""
    counts = [{"prompt_tokens": 10, "completion_tokens": n} for n in (1, 2, 3)]
    events = [event(chunk({"content": "x"}, usage=usage)) for usage in counts] + [event(chunk({}, usage=None))]
    assert Usage(10, 3) == scanned(events)[0].scan.usage


def test_no_usage_is_unknown():
    """A provider that ignores the wish for usage leaves it unknown."""
    assert scanned([*ordinary(null=False)[:-2], DONE])[0].scan.usage is None


@pytest.mark.parametrize(
    ("delta", "content"),
    [
        ({"content": "x"}, True),
        ({"refusal": "No"}, True),
        ({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]}, True),
        ({"function_call": {"name": "f"}}, True),
        ({"reasoning": "hm"}, True),
        ({"reasoning_content": "hm"}, True),
        ({"audio": {"id": "a"}}, True),
        ({"role": "assistant", "content": ""}, False),
        ({"role": "assistant", "content": None, "refusal": None, "tool_calls": []}, False),
        ({}, False),
    ],
)
def test_what_is_content(delta, content):
    """The first piece of any kind of answer counts; announcing a role does not."""
    assert content == scanned([event(chunk(delta))])[0].scan.content


@pytest.mark.parametrize(
    "raw", [b": ping\n\n", b"event: ping\ndata: {}\n\n", b"data: : keepalive\n\n", b"data\n\n", b"\n\n", b"id: 1\n\n"]
)
def test_comments_and_pings_are_relayed_and_are_no_content(raw):
    """What keeps a connection alive is not an answer."""
    scanner, relayed = scanned([raw], hide_usage=True)
    assert [raw] == relayed
    assert (False, False, None) == (scanner.scan.content, scanner.scan.finished, scanner.scan.error)


def test_completions_text_is_content():
    """A choice of completions holds its text itself."""
    assert scanned([event({"choices": [{"index": 0, "text": "x"}]})])[0].scan.content
    assert not scanned([event({"choices": [{"index": 0, "text": ""}]})])[0].scan.content


def test_three_choices_end_when_the_last_of_them_ends():
    """Interleaved choices with log probabilities and parallel tool calls: none is forgotten after the first content."""
    tool = {"tool_calls": [{"index": 1, "function": {"arguments": "{"}}]}
    events = [event(chunk({"content": "a"}, index=0))]
    events += [event(chunk(tool, index=index)) for index in (1, 2, 0)]
    scanner, relayed = scanned(events)
    assert events == relayed
    for index in (1, 0, 2):
        assert not scanner.scan.finished
        scanner.event(event(chunk({}, index=index, finish="tool_calls")))
    assert scanner.scan.finished


def test_done_ends_a_stream_without_finish_reasons():
    """`[DONE]` is the end whatever came before it, also without a space and in CRLF."""
    for done in (DONE, b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n", b": bye\ndata: [DONE]\n\n"):
        assert scanned([event(chunk({"content": "x"})), done])[0].scan.finished


def test_only_done_is_terminal():
    """After the finish reason usage may follow, so the stream has not come to its end."""
    finished, done = scanned(ordinary()[:-1])[0].scan, scanned(ordinary())[0].scan
    assert (True, False) == (finished.finished, finished.terminal)
    assert (True, True) == (done.finished, done.terminal)


def test_a_stream_that_breaks_off_is_not_finished():
    """Without a finish reason and `[DONE]` a clean end is no success."""
    assert not scanned(ordinary()[:3])[0].scan.finished


@pytest.mark.parametrize("after", [[], [event(chunk({"content": "x"}))]])
def test_an_error_inside_the_stream_is_found(after):
    """As the first event and after content, and relayed as it came."""
    raw = event({"error": {"type": "overloaded", "message": "Busy", "code": 503}, "usage": USAGE})
    scanner, relayed = scanned([*after, raw], hide_usage=True)
    assert "overloaded" == scanner.scan.error
    assert raw == relayed[-1]
    assert scanned([event(chunk({"content": "x"}, error=None))])[0].scan.error is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_streams_in_every_line_end_byte_by_byte(end):
    """T09 to T13: one-byte chunks, emoji cut in two, U+2028 and no space after the colon change nothing."""
    stream = b"".join(ordinary()).replace(b"data: ", b"data:").replace(b"\n", end)
    splitter, scanner = EventSplitter(), ChatScanner(hide_usage=True)
    events = [raw for at in range(len(stream)) for raw in splitter.feed(stream[at : at + 1])]
    relayed = [scanner.event(raw) for raw in events]
    assert 1 == relayed.count(None)
    assert Usage(10, 5, service_tier="default") == scanner.scan.usage
    assert scanner.scan.finished
    failure = scanner.failure("Cut.")
    assert failure.endswith(end * 2)
    assert [failure] == EventSplitter().feed(failure)


def test_data_on_several_lines_is_one_chunk():
    """A chunk may be spread over data lines; it is read as one and relayed as it came."""
    raw = (
        b'data: {"id":"c-1","choices":[{"index":0,\ndata: "delta":{"content":"x"},"finish_reason":\ndata: "stop"}]}\n\n'
    )
    scanner, relayed = scanned([event(chunk({"content": "y"})), raw])
    assert raw is relayed[1]
    assert scanner.scan.finished


def test_shapes_that_no_provider_should_send():
    """Nonsense is relayed and raises nothing."""
    nonsense = [[1], {"choices": {}}, {"choices": [None, {"index": [], "delta": 3}]}, {"usage": [1]}, {"id": 7}, "x"]
    events = [event(value) for value in nonsense]
    assert events == scanned(events)[1]


def test_failure_is_an_error_that_sdks_raise():
    """A data event with OpenAI's envelope; in LF where the stream has said nothing yet."""
    raw = ChatScanner(hide_usage=False).failure("The provider broke off.", "upstream_cut")
    assert raw.endswith(b"}\n\n")
    error = {"message": "The provider broke off.", "type": "server_error", "param": None, "code": "upstream_cut"}
    assert {"error": error} == json.loads(fields(raw).data)
