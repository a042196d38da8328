"""Reading HTTP/1.1 answers: where heads and bodies end, what is refused, what a connection is good for afterwards."""

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.http_reader import MAX_HEAD, AnswerReader
from tests.wire.answers import answers, cuts, mutated, pieces_of

OK = b"HTTP/1.1 200 OK\r\n"
ONE = OK + b"Content-Length: 1\r\n\r\na"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(pieces, reader=None):
    """Read one answer as a connection does, up to where it is whole or broken; give the reader and the body."""
    reader = AnswerReader() if reader is None else reader
    body = b""
    for piece in pieces:
        body += reader.feed(piece)
        if reader.is_whole or reader.is_broken:
            return reader, body
    reader.end()
    return reader, body


def outcome(reader):
    """Where a reader stands: `whole`, `cut`, `no answer` or `open`."""
    if reader.is_whole:
        return "whole"
    if reader.is_broken:
        return "cut" if reader.has_head else "no answer"
    return "open"


def is_consistent(reader, body):
    """Whether what a reader says fits together."""
    return (
        (reader.has_head or not body)
        and (reader.has_head or not reader.is_whole)
        and (not reader.has_head or 200 <= reader.status <= 999)
        and (not reader.is_reusable or (reader.is_whole and not reader.is_broken))
    )


@pytest.mark.untraced
@given(answers(), cuts)
def test_cuts_do_not_change_an_answer(said, cuts):
    """A network's packets have no meaning: every cutting gives the answer that was sent."""
    reader, body = read(pieces_of(said.raw, cuts))
    assert (said.status, said.headers, said.body) == (reader.status, reader.headers, body)
    assert (True, False, True) == (reader.is_whole, reader.is_broken, reader.has_head)
    assert said.is_reusable == reader.is_reusable


@pytest.mark.untraced
@given(st.lists(answers(), min_size=1, max_size=3), cuts)
def test_answers_one_after_the_other(said, cuts):
    """While the connection is reusable the next answer is read as if it were the first."""
    reader = AnswerReader()
    for each in said:
        reader.expect()
        assert (False, False, False, 0, []) == (
            reader.heard,
            reader.has_head,
            reader.is_whole,
            reader.status,
            reader.headers,
        )
        _, body = read(pieces_of(each.raw, cuts), reader=reader)
        assert (each.status, each.headers, each.body) == (reader.status, reader.headers, body)
        assert each.is_reusable == reader.is_reusable
        if not reader.is_reusable:
            break


@pytest.mark.untraced
@given(st.one_of(st.binary(max_size=300), mutated(), mutated().map(lambda raw: raw * 2)), cuts)
@settings(max_examples=150)
def test_whatever_comes_is_read_without_an_error(raw, cuts):
    """No bytes make the reader raise, and what it says always fits together, also when it is fed on after the end."""
    reader, body = AnswerReader(), b""
    had_head = was_refused = False
    for piece in pieces_of(raw, cuts):
        body += reader.feed(piece)
        assert is_consistent(reader, body)
        assert reader.heard
        assert reader.has_head or not had_head
        assert not (reader.has_head and was_refused)
        had_head, was_refused = reader.has_head, reader.is_broken and not reader.has_head
    reader.end()
    assert is_consistent(reader, body)
    assert reader.is_whole or reader.is_broken


@pytest.mark.untraced
@given(mutated(), cuts)
@settings(max_examples=100)
def test_cuts_do_not_change_what_is_wrong(raw, cuts):
    """A damaged answer is the same one however it is cut, byte for byte up to where it is over."""
    whole, whole_body = read([raw] if raw else [])
    cut, cut_body = read(pieces_of(raw, cuts))
    assert outcome(whole) == outcome(cut)
    assert (whole.has_head, whole_body) == (cut.has_head, cut_body)
    if whole.has_head:
        assert (whole.status, whole.headers) == (cut.status, cut.headers)


def as_h11_reads(raw):
    """Status, headers and body as h11 reads them, or None where it does not understand."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    status, headers, body = 0, [], b""
    coming = [raw, b""] if raw else [b""]
    try:
        while True:
            match client.next_event():
                case h11.NEED_DATA if coming:
                    client.receive_data(coming.pop(0))
                case h11.Response() as event:
                    status, headers = event.status_code, list(event.headers)
                case h11.Data() as event:
                    body += event.data
                case h11.EndOfMessage():
                    return status, headers, body
                case h11.InformationalResponse():
                    pass
                case _:
                    return None
    except h11.RemoteProtocolError:
        return None


def normal(headers):
    """Headers as h11 gives them: no space after a value, codings in lower case."""
    stripped = [(name, value.rstrip(b" \t")) for name, value in headers]
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in stripped]


@pytest.mark.untraced
@given(st.one_of(answers().map(lambda said: said.raw), mutated()))
@settings(max_examples=150)
def test_another_reader_reads_the_same(raw):
    """Where h11 understands an answer too, both say the same status, headers and body."""
    reader, body = read([raw] if raw else [])
    theirs = as_h11_reads(raw)
    if theirs is not None and reader.is_whole and not reader.is_broken:
        assert theirs == (reader.status, normal(reader.headers), body)


@pytest.mark.untraced
@given(answers())
def test_h11_understands_what_is_taken_for_valid(said):
    """The answers of these tests are HTTP for others as well."""
    assert (said.status, normal(said.headers), said.body) == as_h11_reads(said.raw)


ACCEPTED = {
    "a length": (ONE, True),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", True),
    "a length with zeros before it": (OK + b"Content-Length: 0001\r\n\r\na", True),
    "spaces around a length": (OK + b"Content-Length:  1 \r\n\r\na", True),
    "chunks": (CHUNKED + b"1\r\na\r\n0\r\n\r\n", True),
    "a chunk with an extension": (CHUNKED + b"1;x=y\r\na\r\n0;z\r\n\r\n", True),
    "chunks with spaces after the name": (OK + b"Transfer-Encoding: CHUNKED \r\n\r\n1\r\na\r\n0\r\n\r\n", True),
    "chunked said twice": (OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n1\r\na\r\n0\r\n\r\n", True),
    "trailers": (CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", True),
    "trailers that close": (CHUNKED + b"1\r\na\r\n0\r\nConnection: close\r\n\r\n", False),
    "trailers that speak of framing": (CHUNKED + b"1\r\na\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n", False),
    "the connection's end": (OK + b"\r\na", False),
    "an upgrade that was not asked for": (OK + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\na", False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", True),
    "204 with chunks": (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", True),
    "205 without a length": (b"HTTP/1.1 205 Reset Content\r\n\r\n", False),
    "a status that nobody knows": (b"HTTP/1.1 799 \r\nContent-Length: 0\r\n\r\n", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", True),
    "empty values": (OK + b"X:\r\nY: \r\nContent-Length: 0\r\n\r\n", True),
    "Latin-1 in a value": (OK + b"X: \xff\r\nContent-Length: 0\r\n\r\n", True),
    "line ends before it": (b"\r\n\n" + ONE, True),
    "line ends after it": (ONE + b"\r\n", True),
    "close": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na", False),
    "close and keep-alive": (OK + b"Connection: keep-alive\r\nConnection: Close\r\nContent-Length: 1\r\n\r\na", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", False),
    "HTTP/1.0 kept alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", True),
    "HTTP/1.0 in chunks": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", False),
    "HTTP/0.9 by name": (b"HTTP/0.9 200 OK\r\nContent-Length: 1\r\n\r\na", False),
    "HTTP/2.0 by name": (b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\na", False),
    "RTSP, whose answers look alike": (b"RTSP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", False),
    "an early head with a length": (b"HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n" + ONE, True),
}


@pytest.mark.parametrize(("raw", "is_reusable"), ACCEPTED.values(), ids=ACCEPTED.keys())
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_an_answer(raw, is_reusable, size):
    """Odd answers that have one meaning are read; the connection is used again only where that is certain."""
    reader, _ = read([raw[at : at + size] for at in range(0, len(raw), size)])
    assert ("whole", False) == (outcome(reader), reader.is_broken)
    assert is_reusable == reader.is_reusable


def with_field(field):
    """An answer of one byte with a field of its own."""
    return OK + field + b"\r\nContent-Length: 1\r\n\r\na"


def with_coding(coding):
    """An answer with a transfer coding, and a body that would fit many."""
    return OK + b"Transfer-Encoding:" + coding + b"\r\n\r\n1\r\na\r\n0\r\n\r\n"


def with_length(length):
    """An answer that states a length."""
    return OK + b"Content-Length:" + length + b"\r\n\r\nabc"


REFUSED = {
    "nothing": b"",
    "no HTTP": b"hello",
    "TLS": b"\x16\x03\x01\x00\x02\x02\x46",
    "frames of HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    "half a head": ONE[:20],
    "small letters": b"http/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
    "a space before it": b" " + ONE,
    "ICY": b"ICY 200 OK\r\n\r\na",
    "HTTP/2 by name": b"HTTP/2 200 OK\r\nContent-Length: 1\r\n\r\na",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\na",
    "HTTP/3.0": b"HTTP/3.0 200 OK\r\nContent-Length: 1\r\n\r\na",
    "status 000": b"HTTP/1.1 000 X\r\nContent-Length: 1\r\n\r\na",
    "status 099": b"HTTP/1.1 099 X\r\nContent-Length: 1\r\n\r\na",
    "status 20": b"HTTP/1.1 20 X\r\nContent-Length: 1\r\n\r\na",
    "status 2000": b"HTTP/1.1 2000 X\r\nContent-Length: 1\r\n\r\na",
    "status -20": b"HTTP/1.1 -20 X\r\nContent-Length: 1\r\n\r\na",
    "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ONE,
    "101 with an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "an early head that closes": b"HTTP/1.1 103 Early\r\nConnection: close\r\n\r\n" + ONE,
    "an early head of HTTP/1.0": b"HTTP/1.0 100 Continue\r\n\r\n" + ONE,
    "only early heads": b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    "length and coding": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "one length twice": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": with_length(b" 3, 3"),
    "a negative length": with_length(b" -3"),
    "a length with a sign": with_length(b" +3"),
    "a length in hexadecimal": with_length(b" 0x3"),
    "a length in parts": with_length(b" 1 0"),
    "an empty length": with_length(b""),
    "a length beyond 64 bits": with_length(b" 18446744073709551616"),
    "a length on the next line": with_length(b"\r\n 3"),
    "identity": with_coding(b" identity"),
    "gzip": with_coding(b" gzip"),
    "gzip in chunks": with_coding(b" gzip, chunked"),
    "chunks in gzip": with_coding(b" chunked, gzip"),
    "chunks and nothing": with_coding(b" chunked,"),
    "chunks with a parameter": with_coding(b" chunked;a=b"),
    "chunks in quotes": with_coding(b' "chunked"'),
    "chunks and a tab": with_coding(b" chunked\t"),
    "chunks and a form feed": with_coding(b" chunked\x0c"),
    "chunks after a vertical tab": with_coding(b" \x0bchunked"),
    "chunks that are not": with_coding(b" xchunked"),
    "chunks and something on the next line": with_coding(b" chunked\r\n , gzip"),
    "chunks, then gzip in a field of its own": with_coding(b" chunked\r\nTransfer-Encoding: gzip"),
    "gzip, then chunks in a field of their own": with_coding(b" gzip\r\nTransfer-Encoding: chunked"),
    "an empty coding": with_coding(b""),
    "a folded value": with_field(b"X: a\r\n b"),
    "a value folded by a tab": with_field(b"X: a\r\n\tb"),
    "a fold at the start": with_field(b" X: a"),
    "LF after the status": b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na",
    "LF after a field": with_field(b"X: a\nY: b"),
    "LF at the head's end": OK + b"Content-Length: 1\r\n\na",
    "LF alone": ONE.replace(b"\r\n", b"\n"),
    "CR after the status": b"HTTP/1.1 200 OK\rContent-Length: 1\r\n\r\na",
    "CR within a value": with_field(b"X: a\rb"),
    "CR after a field": with_field(b"X: a\rY: b"),
    "NUL in a value": with_field(b"X: a\0b"),
    "NUL in a name": with_field(b"X\0: a"),
    "a control in a value": with_field(b"X: a\x01"),
    "a space in a name": with_field(b"X y: a"),
    "a space after a name": with_field(b"X : a"),
    "an empty name": with_field(b": a"),
    "Latin-1 in a name": with_field(b"X\xff: a"),
    "no colon": with_field(b"X"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_answer(raw, size):
    """What is not HTTP/1.1, or has more than one meaning, is broken before there is a head, and has no body."""
    reader, body = read([raw[at : at + size] for at in range(0, len(raw), size)])
    assert ("no answer", b"") == (outcome(reader), body)
    assert not reader.is_reusable


@pytest.mark.parametrize("raw", [with_coding(b" gzip, chunked"), b"HTTP/1.1 099 X\r\nContent-Length: 1\r\n\r\na"])
def test_after_a_refused_head_comes_no_other(raw):
    """A second answer behind one that was refused is not taken for the one that was asked for."""
    reader = AnswerReader()
    assert [b"", b""] == [reader.feed(raw + ONE), reader.feed(ONE)]
    assert (True, False) == (reader.is_broken, reader.has_head)


CUT = {
    "half a body": (OK + b"Content-Length: 3\r\n\r\na", b"a"),
    "the largest length": (OK + b"Content-Length: 18446744073709551615\r\n\r\na", b"a"),
    "no last chunk": (CHUNKED + b"1\r\na\r\n", b"a"),
    "half a last chunk": (CHUNKED + b"1\r\na\r\n0\r\n", b"a"),
    "half the trailers": (CHUNKED + b"1\r\na\r\n0\r\nX-Trailer: 1\r\n", b"a"),
    "a broken trailer": (CHUNKED + b"1\r\na\r\n0\r\nno colon\r\n\r\n", b"a"),
    "a length in the trailers": (CHUNKED + b"1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n", b"a"),
    "a chunk longer than it says": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", b"a"),
    "a chunk without a length": (CHUNKED + b"\r\na\r\n0\r\n\r\n", b""),
    "a chunk of a negative length": (CHUNKED + b"-1\r\na\r\n0\r\n\r\n", b""),
    "a chunk with a prefix": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", b""),
    "a chunk with a space": (CHUNKED + b"1 \r\na\r\n0\r\n\r\n", b""),
    "a chunk beyond 64 bits": (CHUNKED + b"1" + b"0" * 16 + b"\r\na\r\n0\r\n\r\n", b""),
    "chunks with LF": (CHUNKED + b"1\na\n0\n\n", b""),
    "LF in an extension": (CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n", b""),
}


@pytest.mark.parametrize(("raw", "body"), CUT.values(), ids=CUT.keys())
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_cut(raw, body, size):
    """What is wrong after the head leaves the head and the body so far, and tells that the answer has no proper end."""
    reader, came = read([raw[at : at + size] for at in range(0, len(raw), size)])
    assert ("cut", body) == (outcome(reader), came)


SURPLUS = {
    "an answer": ONE,
    "an answer after a line end": b"\r\n" + ONE,
    "an early head": b"HTTP/1.1 100 Continue\r\nX: a\r\n\r\n",
    "a protocol switch": b"HTTP/1.1 101 Switching Protocols\r\nX: a\r\n\r\n",
    "a refused answer": with_coding(b" gzip"),
    "part of an answer": b"H",
    "something": b"xyz",
}


@pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS.keys())
@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("raw", [ONE, OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na"])
def test_bytes_after_an_answer(raw, surplus, size):
    """They change nothing of it, add nothing to it, and the connection is not used again."""
    alone, _ = read([raw])
    reader, body = AnswerReader(), b""
    stream = raw + surplus
    for at in range(0, len(stream), size):
        body += reader.feed(stream[at : at + size])
    assert (True, 200, alone.headers, b"a") == (reader.is_whole, reader.status, reader.headers, body)
    assert not reader.is_reusable
    reader.end()
    assert reader.is_whole


@pytest.mark.parametrize("size", [1000, 65536])
@pytest.mark.parametrize(
    "raw", [OK + b"X: " + b"a" * MAX_HEAD * 2, b"HTTP/1.1 100 Continue\r\n\r\n" * 20000], ids=["one", "many"]
)
def test_a_head_has_a_limit(raw, size):
    """A head without an end does not fill the memory, and neither does an endless row of early ones."""
    reader, fed = AnswerReader(), 0
    for at in range(0, len(raw), size):
        reader.feed(raw[at : at + size])
        fed += size
        if reader.is_broken:
            break
    assert "no answer" == outcome(reader)
    assert MAX_HEAD < fed <= MAX_HEAD + size


def test_a_head_up_to_the_limit_is_read():
    """A head of the largest size is an answer, byte for byte."""
    start, end = OK + b"X: ", b"\r\nContent-Length: 1\r\n\r\n"
    value = b"a" * (MAX_HEAD - len(start) - len(end))
    raw = start + value + end + b"a"
    reader, body = read([raw[at : at + 1000] for at in range(0, len(raw), 1000)])
    assert (b"x", value) == reader.headers[0]
    assert (True, b"a") == (reader.is_reusable, body)


def test_the_end_of_a_connection_without_an_answer():
    """A connection that ends before it was asked for anything, or before it has answered, has given no answer."""
    reader = AnswerReader()
    reader.end()
    assert (False, "no answer") == (reader.heard, outcome(reader))


def test_a_broken_body_has_no_proper_end():
    """An answer that ended in nonsense does not become whole by the connection's end."""
    reader, _ = read([CHUNKED, b"nonsense\r\n"])
    reader.end()
    assert "cut" == outcome(reader)


def test_a_body_is_given_once():
    """The chunks of one feeding together, and none of them again."""
    reader = AnswerReader()
    assert b"ab" == reader.feed(CHUNKED + b"1\r\na\r\n1\r\nb\r\n")
    assert b"c" == reader.feed(b"1\r\nc\r\n")


def test_an_endless_head_is_broken_however_it_comes():
    """Also within one piece, which may be larger than any head; a body behind a head may be as long as it likes."""
    endless = b"HTTP/1.1 200 OK\r\nx: " + b"y" * (2 * MAX_HEAD)
    reader = AnswerReader()
    assert b"" == reader.feed(endless + b"\r\n\r\n")
    assert (True, False) == (reader.is_broken, reader.has_head)
    long = b"z" * (2 * MAX_HEAD)
    reader = AnswerReader()
    assert long == reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(long) + long)
    assert (True, True) == (reader.is_whole, reader.is_reusable)


def test_a_closed_reader_keeps_what_it_read():
    """Its parser is gone, and where the answer stands is known."""
    reader = AnswerReader()
    reader.feed(ONE)
    reader.close()
    reader.end()
    assert (True, False, 200) == (reader.is_whole, reader.is_broken, reader.status)
