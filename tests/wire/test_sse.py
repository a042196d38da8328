"""Cutting streams into events, byte for byte, and reading one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import UpstreamFault
from gateway.wire.sse import Event, EventSplitter, fields, line_end, written

PIECES = [b"\n", b"\r", b"\r\n", b"\n\n", b"data: x", b"event: y", b": ping", "é\u2028\x85".encode(), b""]
streams = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


def chunked(data, cuts):
    """`data` in chunks that begin at the cuts."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def split(chunks, **limits):
    """All events of the chunks, and what is left."""
    splitter = EventSplitter(**limits)
    return [event for chunk in chunks for event in splitter.feed(chunk)], splitter.rest()


def said(events):
    """What the events say, without those that say nothing."""
    return [event for event in map(fields, events) if event != Event(None, None)]


@given(streams, st.lists(st.integers(0, 200), max_size=20))
def test_nothing_is_lost_added_or_moved(stream, cuts):
    """The outputs and the rest are the input, however it is cut."""
    events, rest = split(chunked(stream, cuts))
    assert stream == b"".join(events) + rest


@given(streams, st.lists(st.integers(0, 200), max_size=20))
def test_cuts_do_not_change_what_events_say(stream, cuts):
    """A network's packets have no meaning: every cutting gives the same names and data."""
    assert said(split([stream])[0]) == said(split(chunked(stream, cuts))[0])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_one_kind_of_line_end_gives_the_events_exactly(end, size):
    """Streams of LF, CRLF or CR, also byte by byte, give each event with its own empty line."""
    sent = [b"event: a" + end + b"data: 1" + end * 2, b": ping" + end * 2, b"data: 2" + end * 2]
    stream = b"".join(sent)
    assert (sent, b"") == split([stream[at : at + size] for at in range(0, len(stream), size)])


def test_one_event_in_one_chunk_is_not_copied():
    """The usual case costs nothing: the chunk itself is the event."""
    chunk = b"data: {}\n\n"
    assert EventSplitter().feed(chunk)[0] is chunk


def test_an_event_ended_by_cr_cr_does_not_wait():
    """The event goes out at once; an LF that follows after all opens the next output and means nothing there."""
    splitter = EventSplitter()
    assert [b"data: 1\r\r"] == splitter.feed(b"data: 1\r\r")
    assert [b"\ndata: 2\r\r"] == splitter.feed(b"\ndata: 2\r\r")
    assert Event(None, b"2") == fields(b"\ndata: 2\r\r")


def test_a_stream_of_crlf_is_not_cut_inside_one():
    """The last LF of an event is waited for, so that the event has one way of ending its lines."""
    splitter = EventSplitter()
    assert [] == splitter.feed(b"data: 1\r\n\r")
    assert [b"data: 1\r\n\r\n"] == splitter.feed(b"\n")


def test_mixed_line_ends():
    """Every two line ends in a row end an event, whichever they are."""
    sent = [b"data: 1\n\r\n", b"data: 2\r\r\n", b"data: 3\r\n\n", b"data: 4\n\r", b"data: 5\r\n\r"]
    assert (sent, b"x") == split([b"".join(sent) + b"x"])


@pytest.mark.parametrize("stream", [b"data: 1\n", b"data: 1", b"data: 1\r\n", b"\xef\xbb\xbf", b"\n"])
def test_an_event_without_its_empty_line_is_left_over(stream):
    """What a stream ends in the middle of is not given out as an event."""
    assert ([], stream) == split([stream])


def test_a_large_event_in_small_chunks():
    """5 MB in chunks of 1 KB come out whole, without searching again what was searched."""
    event = b"data: " + b"x" * (5 << 20) + b"\n\n"
    chunks = [event[at : at + 1024] for at in range(0, len(event), 1024)]
    assert ([event], b"") == split(chunks)


@pytest.mark.parametrize(
    "chunks", [[b"data: 123\n\n"], [b"data: 123", b"4"], [b"data: 12", b"3\n\n"], [b"x\n\ndata: 123\n\n"]]
)
def test_an_event_over_the_limit_is_a_fault_of_the_provider(chunks):
    """Neither a finished nor an endless event can take more memory than the limit."""
    with pytest.raises(UpstreamFault, match="more than 9 bytes") as caught:
        split(chunks, max_event=9)
    assert "protocol" == caught.value.kind
    assert ([b"data: 1\n\n"] * 2, b"") == split([b"data: 1\n\n", b"data:", b" 1\n\n"], max_event=9)


@pytest.mark.parametrize(
    ("raw", "name", "data"),
    [
        (b"data: {}\n\n", None, b"{}"),
        (b"data:{}\n\n", None, b"{}"),
        (b"data:  {}\n\n", None, b" {}"),
        (b"data: {}\r\n\r\n", None, b"{}"),
        (b"data: {}\r\r", None, b"{}"),
        (b"event: a\ndata: 1\n\n", "a", b"1"),
        (b"event:a\r\ndata: 1\r\ndata: 2\r\n\r\n", "a", b"1\n2"),
        (b"data\n\n", None, b""),
        (b"data: \n\n", None, b""),
        (b": ping\n\n", None, None),
        (b": c\nid: 7\nretry: 5\ndata: 1\n\n", None, b"1"),
        (b"event: ping\n\n", "ping", None),
        (b"event: a\nevent: b\n\n", "b", None),
        (b"\xef\xbb\xbfdata: 1\n\n", None, b"1"),
        (b"\ndata: 1\n\n", None, b"1"),
        (b"database: 1\n\n", None, None),
        ("data: \u2028\u2029\x85\n\n".encode(), None, "\u2028\u2029\x85".encode()),
        ("event: é\ndata: 😀\n\n".encode(), "é", "😀".encode()),
        (b"event: \xff\n\n", "\ufffd", None),
        (b"", None, None),
    ],
)
def test_reading_one_event(raw, name, data):
    """Names and data as the standard reads them; only CR and LF end a line."""
    assert Event(name, data) == fields(raw)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_written_event_reads_as_it_was_meant(end):
    """An event is written with the line ends that its stream has."""
    raw = written(b"{}", name="error", line_end=end)
    assert Event("error", b"{}") == fields(raw)
    assert end == line_end(raw)
    assert [raw] == EventSplitter().feed(raw)
    assert b"data: {}" + end * 2 == written(b"{}", line_end=end)
