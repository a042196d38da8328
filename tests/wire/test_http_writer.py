"""Heads as bytes: what is given out reads as it was meant, and what would not is refused."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.http_writer import Unsendable, answer_head, request_head, status_line

LINE = b"POST /v1/chat?x=1 HTTP/1.1\r\nhost: acme.test\r\n"
FIELDS = b"server: pinion\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"upgrade"}

tokens = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
names = st.lists(st.sampled_from(tokens), min_size=1, max_size=20).map(bytes)
visible = [*range(0x21, 0x7F), *range(0x80, 0x100)]
words = st.lists(st.sampled_from(visible), min_size=1, max_size=20).map(bytes)
values = st.lists(words, max_size=4).map(b" ".join)
headers = st.lists(st.tuples(names.filter(lambda name: name.lower() not in FRAMING), values), max_size=8)
anything = st.binary(max_size=30)
breaks = st.sampled_from([b"\r", b"\n", b"\0", b"\r\n", b"\r\nx: y", b"\r\n\r\n", b"\n\r"])


class Heard:
    """Keeps what a parser says."""

    def __init__(self):
        self.fields = []
        self.is_whole = False

    def on_header(self, name, value):
        self.fields.append((name, value))

    def on_message_complete(self):
        self.is_whole = True


def as_request(head, body=b""):
    """What a server makes of a request: method, target, fields; it must be one, and whole."""
    heard, target = Heard(), []
    heard.on_url = target.append
    parser = httptools.HttpRequestParser(heard)
    parser.feed_data(head + body)
    assert heard.is_whole
    return parser.get_method(), b"".join(target), heard.fields


def as_answer(head):
    """What a client makes of an answer: status and fields; it must be one, and whole."""
    heard = Heard()
    parser = httptools.HttpResponseParser(heard)
    parser.feed_data(head)
    assert heard.is_whole
    return parser.get_status_code(), heard.fields


def is_breaking(fields):
    """Whether any of the fields would break its line."""
    return any(sign in part for field in fields for part in field for sign in (b"\r", b"\n", b"\0"))


def test_a_request_head():
    """The line and Host come first, the body's length last."""
    expected = LINE + b"X-A: 1\r\nx-b: \r\ncontent-length: 7\r\n\r\n"
    assert expected == request_head(LINE, [(b"X-A", b"1"), (b"x-b", b"")], 7)


def test_an_answer_head():
    """The status line, what is written already, the headers, the ending."""
    expected = b"HTTP/1.1 404 Not Found\r\n" + FIELDS + b"x-a: 1\r\nconnection: close\r\n\r\n"
    assert expected == answer_head(404, FIELDS, [(b"x-a", b"1")], b"connection: close\r\n\r\n")
    assert b"HTTP/1.1 200 OK\r\n\r\n" == answer_head(200, b"", [], b"\r\n")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (429, b"HTTP/1.1 429 Too Many Requests\r\n"),
        (529, b"HTTP/1.1 529 \r\n"),
        (999, b"HTTP/1.1 999 \r\n"),
    ],
)
def test_a_status_line(status, line):
    """A status has its own name; one without has none, and the space that HTTP asks for."""
    assert line == status_line(status)


@pytest.mark.untraced
@given(headers, st.binary(max_size=50))
def test_a_request_head_reads_as_it_was_meant(fields, body):
    """A server gets exactly the fields that were given, in order, between Host and the length, and the body whole."""
    expected = [(b"host", b"acme.test"), *fields, (b"content-length", b"%d" % len(body))]
    assert (b"POST", b"/v1/chat?x=1", expected) == as_request(request_head(LINE, fields, len(body)), body)


@pytest.mark.untraced
@given(st.integers(200, 999), headers)
def test_an_answer_head_reads_as_it_was_meant(status, fields):
    """A client gets exactly the fields that were given, in order."""
    head = answer_head(status, FIELDS, fields, b"content-length: 0\r\n\r\n")
    written = [(b"server", b"pinion"), (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")]
    assert (status, [*written, *fields, (b"content-length", b"0")]) == as_answer(head)


@pytest.mark.untraced
@given(headers, st.integers(0, 8), st.tuples(anything, breaks, anything), st.booleans())
def test_a_field_that_would_break_its_line_is_refused(fields, place, parts, in_name):
    """CR, LF and NUL, in a name or a value: none of it is given out, and the message has nothing of it."""
    broken = b"".join(parts)
    fields.insert(place, (broken, b"sk-secret") if in_name else (b"x-api-key", b"sk-secret" + broken))
    message = "^a header's name or value holds a line break or NUL$"
    with pytest.raises(Unsendable, match=message):
        request_head(LINE, fields, 0)
    with pytest.raises(Unsendable, match=message):
        answer_head(200, FIELDS, fields, b"\r\n")


@given(st.lists(st.tuples(anything, anything), max_size=4))
def test_fields_keep_to_their_lines(fields):
    """Whatever the fields hold, a head has one line for each and ends once, or it is refused."""
    try:
        head = request_head(LINE, fields, 0)
    except Unsendable:
        assert is_breaking(fields)
        return
    assert not is_breaking(fields)
    assert [*LINE.splitlines(), *[b"%b: %b" % field for field in fields], b"content-length: 0", b"", b""] == head.split(
        b"\r\n"
    )


def test_fields_that_make_up_for_each_other_are_refused():
    """One field's CR and another's LF are not taken for a line's end."""
    for fields in ([(b"a", b"1\r"), (b"b", b"2\n")], [(b"a\n", b"1\r")], [(b"a", b"\n\r")], [(b"a", b"1\r\n")]):
        with pytest.raises(Unsendable):
            request_head(LINE, fields, 0)
        with pytest.raises(Unsendable):
            answer_head(200, b"", fields, b"\r\n")
