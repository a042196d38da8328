"""Events as bytes, and the faults that disturb their order and content."""

import orjson
import pytest

from gateway.simulator.behaviour import Behaviour, StreamError
from gateway.simulator.events import Event, disturbed, rendered, unterminated

STREAM = (
    Event({"n": 0}),
    Event({"n": 1}, token=True),
    Event({"n": 2}, token=True),
    Event("[DONE]", terminal=True),
)


def told(behaviour):
    """What remains of the stream, as its data."""
    failure = Event({"failed": True})
    return [event.data for event in disturbed(STREAM, behaviour, lambda *_: failure)]


def test_nothing_is_disturbed_without_faults():
    """Without faults the events pass as they are."""
    assert [event.data for event in STREAM] == told(Behaviour())


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(omit_done=True), [{"n": 0}, {"n": 1}, {"n": 2}]),
        (Behaviour(stream_error=StreamError(after=0)), [{"failed": True}]),
        (Behaviour(stream_error=StreamError(after=2)), [{"n": 0}, {"n": 1}, {"failed": True}]),
        (Behaviour(malformed="json"), [{"n": 0}, "this is not JSON", {"n": 2}, "[DONE]"]),
        (Behaviour(malformed="truncated_json"), [{"n": 0}, '{"n', {"n": 2}, "[DONE]"]),
        (Behaviour(first_event={"own": 1}), [{"own": 1}, {"n": 0}, {"n": 1}, {"n": 2}, "[DONE]"]),
        (
            Behaviour(extra_fields={"x": 1}),
            [{"n": 0, "x": 1}, {"n": 1, "x": 1}, {"n": 2, "x": 1}, "[DONE]"],
        ),
    ],
)
def test_a_fault_disturbs_the_stream(behaviour, expected):
    """Each fault changes the events in its way and no other."""
    assert expected == told(behaviour)


def test_the_failure_is_told_what_and_where():
    """The dialect makes its in-stream error from what it says and the number of events before it."""
    fault = StreamError(after=2)
    (*_, last) = disturbed(STREAM, Behaviour(stream_error=fault), lambda *given: Event({"given": given}))
    assert (fault, 2) == last.data["given"]


EVENT = Event({"a": "é"}, name="tick")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(), 'event: tick\ndata: {"a":"é"}\n\n'),
        (Behaviour(newline="crlf"), 'event: tick\r\ndata: {"a":"é"}\r\n\r\n'),
        (Behaviour(newline="cr"), 'event: tick\rdata: {"a":"é"}\r\r'),
        (Behaviour(comments=True), ': ping\n\nevent: tick\ndata: {"a":"é"}\n\n'),
        (Behaviour(ids=True), 'id: 4\nevent: tick\ndata: {"a":"é"}\n\n'),
        (Behaviour(no_space=True), 'event:tick\ndata:{"a":"é"}\n\n'),
        (Behaviour(multiline=True), 'event: tick\ndata: {\ndata:   "a": "é"\ndata: }\n\n'),
    ],
)
def test_an_event_is_written(behaviour, expected):
    """An event is written the usual way, or in the legal but unusual way that is set."""
    assert expected.encode() == rendered(EVENT, behaviour, 4)


@pytest.mark.parametrize("newline", ["lf", "crlf"])
def test_a_text_is_sent_as_it_stands(newline):
    """Data that is a text is no JSON string, and needs no name."""
    assert b"data: [DONE]" == rendered(Event("[DONE]"), Behaviour(newline=newline), 0).strip()


def test_the_blank_line_can_be_left_out():
    """An event without its blank line still has the end of its last line."""
    assert b"data: x\r\n" == unterminated(b"data: x\r\n\r\n", Behaviour(newline="crlf"))


def test_multiline_data_is_the_same_json():
    """The lines of multi-line data, joined, are the JSON of the event."""
    content = rendered(Event({"a": [1, {"b": 2}]}), Behaviour(multiline=True), 0)
    joined = b"\n".join(line.removeprefix(b"data: ") for line in content.strip().split(b"\n"))
    assert {"a": [1, {"b": 2}]} == orjson.loads(joined)
