"""Messages that two servers might understand differently, as data: what is sent, and the one thing that may come of it.

Every refused message carries `MARKER`, a request of its own for whoever misreads where the message ends. It must never
be taken for one.
"""

from dataclasses import dataclass

from tests.adapters.edge_server import CHUNKED, EdgeServer, request, wait_for
from tests.adapters.edge_stage import GOVERNED

MARKER = request(b"!", "X-Marker: 1")


@dataclass(frozen=True)
class Case:
    """One connection's bytes.

    `bodies` are what reaches exchanges, in order. `refusal` is the status that ends the connection, None where it goes
    on. `opened` is how many exchanges begin; where that is one more than there are bodies, it need not, because an edge
    may see that a body is broken before it begins. `closes` says that the connection ends without a refusal.
    """

    name: str
    sent: bytes
    bodies: tuple[bytes, ...] = ()
    refusal: int | None = None
    opened: int = 0
    closes: bool = False


def head(*fields: bytes, line: bytes = f"POST {GOVERNED} HTTP/1.1".encode(), host: bytes = b"Host: gw.test") -> bytes:
    """A head of just these lines."""
    return b"\r\n".join([line, host, *fields, b"", b""])


def old(sent: bytes) -> bytes:
    """The same in HTTP/1.0."""
    return sent.replace(b"HTTP/1.1", b"HTTP/1.0")


def refused(name: str, sent: bytes, status: int = 400) -> Case:
    """A message whose head is refused: no exchange ever hears of it."""
    return Case(name, sent + MARKER, refusal=status)


def broken(name: str, body: bytes, status: int = 400) -> Case:
    """A chunked body that is refused after its head was taken."""
    return Case(name, CHUNKED + body + MARKER, refusal=status, opened=1)


def understood(name: str, sent: bytes, *bodies: bytes) -> Case:
    """A message with one meaning, after which the connection goes on."""
    return Case(name, sent, bodies, opened=len(bodies))


LAST = b"0\r\n\r\n"

_LENGTHS = [
    refused("a length before chunked", head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + LAST),
    refused("a length after chunked", head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + LAST),
    refused("a length and identity", head(b"Transfer-Encoding: identity", b"Content-Length: 2") + b"{}"),
    refused("two equal lengths", head(b"Content-Length: 2", b"Content-Length: 2") + b"{}"),
    refused("two lengths", head(b"Content-Length: 2", b"Content-Length: 0") + b"{}"),
    *(
        refused(f"length {value!r}", head(b"Content-Length: " + value) + b"{}")
        for value in (
            b"2, 2",
            b"2,0",
            b"+2",
            b"-2",
            b"0x2",
            b"2 2",
            b"",
            b"2_0",
            b"2.0",
            b"2e0",
            b"2;",
            b"2\x0b",
            b"\x0b2",
            b"\xb2",
            b"18446744073709551618",
            b"1" + b"0" * 40,
        )
    ),
    understood("a length with zeros before", head(b"Content-Length: 002") + b"{}", b"{}"),
    understood("a length with blanks around", head(b"Content-Length: \t 2 \t") + b"{}", b"{}"),
    understood("a length without a blank", head(b"content-length:2") + b"{}", b"{}"),
    understood("a length spelt with an underscore is none", head(b"Content_Length: 7") + request(b"two"), b"", b"two"),
    understood("no length is no body", head() + request(b"two"), b"", b"two"),
    understood("a request within a length", request(MARKER), MARKER),
    understood("a request within the length of a GET", request(MARKER, method="GET"), MARKER),
]

_CODINGS = [
    *(
        refused(f"coding {value!r}", head(b"Transfer-Encoding: " + value) + LAST)
        for value in (
            b"xchunked",
            b"chunkedx",
            b"identity",
            b"gzip",
            b"",
            b"gzip, chunked",
            b"identity, chunked",
            b"chunked, chunked",
            b"chunked, identity",
            b"chunked, gzip",
            b"chunked,",
            b",chunked",
            b"\x0bchunked",
            b"chunked\x0b",
            b'"chunked"',
            b"chunked;q=1",
            b"chunked\t",
            b"chun ked",
            b"\xe7hunked",
        )
    ),
    refused("chunked twice", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + LAST),
    refused("identity, then chunked", head(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked") + LAST),
    refused("chunked, then identity", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + LAST),
    refused("a blank before the coding's colon", head(b"Transfer-Encoding : chunked") + LAST),
    refused("a tab before the coding's colon", head(b"Transfer-Encoding\t: chunked") + LAST),
    refused("a coding on a folded line", head(b"Transfer-Encoding:\r\n chunked") + LAST),
    refused("a blank before the coding's name", head(b" Transfer-Encoding: chunked") + LAST),
    refused("a coding behind a bare CR", head(b"X: y\rTransfer-Encoding: chunked") + LAST),
    refused("a coding behind a bare LF", head(b"X: y\nTransfer-Encoding: chunked") + LAST),
    refused("chunked in HTTP/1.0", old(CHUNKED) + LAST),
    refused(
        "chunked and a length in HTTP/1.0",
        old(head(b"Transfer-Encoding: chunked", b"Content-Length: 5")) + LAST,
    ),
    understood("chunked in capitals", head(b"TRANSFER-ENCODING: ChUnKeD") + b"2\r\n{}\r\n" + LAST, b"{}"),
    understood("chunked with blanks around", head(b"Transfer-Encoding: \t chunked ") + b"2\r\n{}\r\n" + LAST, b"{}"),
    understood("a request within a chunk", CHUNKED + b"%x\r\n%b\r\n" % (len(MARKER), MARKER) + LAST, MARKER),
]

_CHUNKS = [
    *(
        broken(f"chunk {line!r}", line + b"{}\r\n" + LAST)
        for line in (
            b"\r\n",
            b"zz\r\n",
            b"2g\r\n",
            b"0x2\r\n",
            b"+2\r\n",
            b"-2\r\n",
            b"2_0\r\n",
            b" 2\r\n",
            b"2 \r\n",
            b"2\t\r\n",
            b"2\n",
            b"2\r",
            b"2\r\r\n",
            b"2;a\n",
            b"2;a=b\n",
            b"2;a\rb\r\n",
            b"2;\r\n",
            b"2 ;a\r\n",
            b"2;a=\x00\r\n",
            b'2;a="b\r\n"\r\n',
            b"fffffffffffffffff\r\n",
            b"10000000000000002\r\n",
        )
    ),
    broken("nothing after a chunk's data", b"2\r\n{}" + LAST),
    broken("two other bytes after a chunk's data", b"2\r\n{}xx" + LAST),
    broken("a bare LF after a chunk's data", b"2\r\n{}\n" + LAST),
    broken("more data than the chunk's size", b"2\r\n{}}\r\n" + LAST),
    broken("a last chunk below zero", b"2\r\n{}\r\n-0\r\n\r\n"),
    broken("a last chunk that ends in LF", b"2\r\n{}\r\n0\n\n"),
    broken("an end of the trailers in LF", b"2\r\n{}\r\n0\r\n\n"),
    broken("a chunk's extension without end", b"2;" + b"a" * 100_000 + b"\r\n{}\r\n" + LAST, 431),
    understood("a chunk's size with zeros before", CHUNKED + b"0000002\r\n{}\r\n" + LAST, b"{}"),
    understood("a chunk's size in capitals", CHUNKED + b"A\r\n0123456789\r\n" + LAST, b"0123456789"),
    understood("a chunk's extension", CHUNKED + b"2;a=b;c\r\n{}\r\n0;d\r\n\r\n", b"{}"),
    understood("a chunk's extension in quotes", CHUNKED + b'2;a="\\"; b"\r\n{}\r\n' + LAST, b"{}"),
    understood("a last chunk of several noughts", CHUNKED + b"2\r\n{}\r\n000\r\n\r\n", b"{}"),
    understood("no chunk but the last", CHUNKED + LAST, b""),
]

_TRAILERS = [
    *(
        broken(f"trailer {line!r}", b"2\r\n{}\r\n0\r\n" + line + b"\r\n\r\n")
        for line in (
            b"Content-Length: 5",
            b"Transfer-Encoding: chunked",
            b"X : y",
            b" X: y",
            b"X: y\n",
            b"X: \x00",
            b"X: y\r\n z",
            b"X",
            b"Connection: close",
            b"Proxy-Connection: close",
            b"X: y\r\nconnection: keep-alive",
        )
    ),
    *(
        understood(f"trailer {line!r}", CHUNKED + b"2\r\n{}\r\n0\r\n" + line + b"\r\n\r\n", b"{}")
        for line in (
            b"Authorization: Bearer other",
            b"Host: other",
            b"Upgrade: websocket",
            b"Content_Length: 5",
            b"Expect: 100-continue",
        )
    ),
]

_FIELDS = [
    *(
        refused(f"field {line!r}", head(line, b"Content-Length: 2") + b"{}")
        for line in (
            b"X: a\x00b",
            b"X\x00: a",
            b"X: a\rb",
            b"X: a\nb",
            b"X: a\r\n b",
            b"X: a\r\n\tb",
            b"X",
            b": a",
            b"X : a",
            b"X(: a",
            b"X\x80: a",
            b"X: \x01",
            b"X: \x7f",
        )
    ),
    refused("a blank before the first field", head(b"Content-Length: 2", host=b" Host: gw.test") + b"{}"),
    refused("lines that end in LF", head(b"Content-Length: 2").replace(b"\r\n", b"\n") + b"{}"),
    refused("lines that end in CR", head(b"Content-Length: 2").replace(b"\r\n", b"\r") + b"{}"),
    refused("a head that ends in LF", head(b"Content-Length: 2")[:-2] + b"\n{}"),
    refused("a CR too many before the end", head(b"Content-Length: 2")[:-2] + b"\r\r\n{}"),
    *(
        refused(
            f"upgrade to {kind!r} by {kept!r}",
            head(b"Connection: " + kept, b"Upgrade: " + kind, b"Content-Length: 2"),
            501,
        )
        for kind in (b"h2c", b"websocket", b"HTTP/3")
        for kept in (b"Upgrade", b"keep-alive, upgrade", b"Upgrade, HTTP2-Settings")
    ),
    understood("an upgrade that no connection option names", request(b"{}", "Upgrade: h2c"), b"{}"),
    understood("a connection option that no upgrade follows", request(b"{}", "Connection: upgrade"), b"{}"),
    understood("no Host", request().replace(b"Host: gw.test\r\n", b""), b"{}"),
    understood("two Hosts", request(b"{}", "Host: other"), b"{}"),
    understood("a Host that is none", request(b"{}").replace(b"gw.test", b"a/b?c#d@e:f"), b"{}"),
    Case("nothing after a close", request(b"{}", "Connection: close") + MARKER, (b"{}",), opened=1, closes=True),
    Case(
        "nothing after one close of many",
        request(b"{}", "Connection: x, Close") + MARKER,
        (b"{}",),
        None,
        1,
        closes=True,
    ),
    Case("nothing after HTTP/1.0", old(request()) + MARKER, (b"{}",), opened=1, closes=True),
    Case(
        "nothing after HTTP/1.0 that asks for it",
        old(request(b"{}", "Connection: keep-alive")) + MARKER,
        (b"{}",),
        None,
        1,
        closes=True,
    ),
]

_LINES = [
    *(
        refused(f"line {line!r}", head(b"Content-Length: 0", line=line), status)
        for line, status in (
            (f"POST {GOVERNED} HTTP/1.2".encode(), 400),
            (f"POST {GOVERNED} HTTP/1.10".encode(), 400),
            (f"POST {GOVERNED} HTTP/1".encode(), 400),
            (f"POST {GOVERNED} HTTP/3.0".encode(), 400),
            (f"POST {GOVERNED} HTTP/2.0".encode(), 505),
            (f"POST {GOVERNED} HTTP/0.9".encode(), 505),
            (f"POST {GOVERNED} http/1.1".encode(), 400),
            (f"POST {GOVERNED} ICE/1.0".encode(), 400),
            (f"POST {GOVERNED} HTTP/1.1 ".encode(), 400),
            (f"POST {GOVERNED} x HTTP/1.1".encode(), 400),
            (f"POST\t{GOVERNED} HTTP/1.1".encode(), 400),
            (f"POST {GOVERNED}\tHTTP/1.1".encode(), 400),
            (f"POST {GOVERNED}\x00 HTTP/1.1".encode(), 400),
            (f"POST {GOVERNED}\u00e9 HTTP/1.1".encode(), 400),
            (f"post {GOVERNED} HTTP/1.1".encode(), 400),
            (f"POSTS {GOVERNED} HTTP/1.1".encode(), 400),
            (f" POST {GOVERNED} HTTP/1.1".encode(), 400),
            (f"\x00POST {GOVERNED} HTTP/1.1".encode(), 400),
            (f"\ufeffPOST {GOVERNED} HTTP/1.1".encode(), 400),
            (b"POST v1/chat/completions HTTP/1.1", 400),
            (b"POST ?v1/chat/completions HTTP/1.1", 400),
            (b"POST http://gw.test HTTP/1.1", 400),
            (b"POST http:///v1/chat/completions HTTP/1.1", 400),
            (b"POST gw.test:80 HTTP/1.1", 400),
            (b"CONNECT gw.test:80 HTTP/1.1", 501),
            (b"PRI * HTTP/2.0", 400),
        )
    ),
    refused("a line without a version", f"GET {GOVERNED}\r\n\r\n".encode(), 505),
    refused("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    *(
        understood(f"target {target!r}", request(path=target), b"{}")
        for target in (
            f"http://gw.test{GOVERNED}",
            f"http://other:80{GOVERNED}?a=b",
            f"https://user@other{GOVERNED}",
            f"{GOVERNED}#fragment",
            f"{GOVERNED}?",
        )
    ),
    understood("two blanks after the method", request().replace(b"POST ", b"POST  "), b"{}"),
    understood("empty lines before", b"\r\n\r\n" + request(), b"{}"),
    understood("an empty line between", request(b"one") + b"\r\n" + request(b"two"), b"one", b"two"),
]

CORPUS = [*_LENGTHS, *_CODINGS, *_CHUNKS, *_TRAILERS, *_FIELDS, *_LINES]


def has_one_meaning(edge: EdgeServer, case: Case, *, apart: bool) -> None:
    """Send a case, all at once or byte by byte, and hold what comes of it against what must.

    A case that leaves the connection open is followed by one more request, which must be understood, too.
    """
    ends = case.refusal is not None or case.closes
    last = () if ends else (b"the last one",)
    sent = case.sent if ends else case.sent + request(*last, "Connection: close")
    with edge.connection() as client:
        if apart:
            client.send(*(sent[n : n + 1] for n in range(1_000)))
            sent = sent[1_000:]
        client.send(sent)
        statuses = [status for status, _ in client.answers()]
    edge.settle()
    wait_for(lambda: len(edge.stage.opened) == len(edge.stage.closed))
    bodies = tuple(exchange.whole for exchange in edge.stage.opened if exchange.whole is not None)

    assert case.bodies + last == bodies
    assert len(edge.stage.opened) in {len(bodies), case.opened + len(last)}
    assert [200] * len(bodies) + ([case.refusal] if case.refusal else []) == statuses
    marked = [exchange for exchange in edge.stage.opened if (b"x-marker", b"1") in exchange.head.headers]
    assert [] == marked
