"""Strategies for hypothesis: HTTP/1.1 answers as providers send them, damaged ones, and how a network cuts them."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

NAMES = [b"Content-Type", b"x-request-id", b"X-Long-Name_1.2~", b"Set-Cookie", b"ETag", b"!#$%&'*+-.^_`|~"]
visible = [*range(0x21, 0x7F), *range(0x80, 0x100)]
words = st.lists(st.sampled_from(visible), min_size=1, max_size=12).map(bytes)
values = st.lists(words, max_size=3).map(b" ".join)
fields = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=4)
cuts = st.lists(st.integers(0, 4000), max_size=20)
spaces = st.sampled_from([b"", b" ", b"  ", b"\t "])
bodies = st.lists(st.binary(max_size=40), max_size=5)


@dataclass(frozen=True)
class Said:
    """What a provider says on a connection, and what a reader should take from it."""

    raw: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_reusable: bool


def head_of(line, rows, draw_space):
    """A head as bytes."""
    return line + b"".join(b"%b:%b%b\r\n" % (name, draw_space(), value) for name, value in rows) + b"\r\n"


@st.composite
def informational(draw):
    """A head that is not yet an answer."""
    status = draw(st.sampled_from([100, 102, 103, 199]))
    return head_of(b"HTTP/1.1 %d Early\r\n" % status, draw(fields), lambda: draw(spaces))


@st.composite
def chunks_of(draw, pieces):
    """A chunked body, with extensions and trailers."""
    written = b""
    for piece in filter(None, pieces):
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(piece)
        written += size + draw(st.sampled_from([b"", b";a", b";a=b"])) + b"\r\n" + piece + b"\r\n"
    trailers = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n", b"X-Trailer: 1\r\nX-Other:\r\n"]))
    return written + b"0\r\n" + trailers + b"\r\n"


@st.composite
def answers(draw):
    """A whole and valid answer, informational heads before it included."""
    version, keeps_by_default = draw(st.sampled_from([(b"1.1", True), (b"1.0", False)]))
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 429, 500, 529]))
    reason = draw(st.sampled_from([b" OK", b" ", b"", b" \xe9 of its own"]))
    rows, pieces = draw(fields), draw(bodies)
    keeps = draw(st.sampled_from([None, True, False]))
    if keeps is not None:
        rows.append((b"Connection", b"keep-alive" if keeps else b"Close"))
    body, ends = b"".join(pieces), True
    if status in {204, 304}:
        body = raw = b""
    elif (framing := draw(st.sampled_from(["length", "chunked", "until close"]))) == "length":
        rows.insert(draw(st.integers(0, len(rows))), (b"Content-length", b"%d" % len(body)))
        raw = body
    elif framing == "chunked":
        rows.insert(
            draw(st.integers(0, len(rows))), (b"transfer-Encoding", draw(st.sampled_from([b"chunked", b"Chunked"])))
        )
        raw = draw(chunks_of(pieces))
    else:
        raw, ends = body, False
    early = b"".join(draw(st.lists(informational(), max_size=2)))
    head = head_of(b"HTTP/%b %d%b\r\n" % (version, status, reason), rows, lambda: draw(spaces))
    is_reusable = ends and (keeps_by_default if keeps is None else keeps)
    return Said(early + head + raw, status, [(name.lower(), value) for name, value in rows], body, is_reusable)


@st.composite
def mutated(draw):
    """A valid answer of which some bytes were changed, taken away or added."""
    raw = bytearray(draw(answers()).raw)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["flip", "delete", "insert", "repeat", "end"])):
            case "flip" if at < len(raw):
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case "delete":
                del raw[at : at + draw(st.integers(1, 10))]
            case "insert":
                raw[at:at] = draw(
                    st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b"0", b"-", b",", b"HTTP/"])
                )
            case "repeat":
                raw[at:at] = raw[at : at + draw(st.integers(1, 60))]
            case "end":
                del raw[at:]
    return bytes(raw)


def pieces_of(raw, cuts):
    """`raw` in pieces that begin at the cuts, none of them empty."""
    edges = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    return [raw[start:end] for start, end in pairwise(edges)]
