"""HTTP/1.1 answers as bytes arrive: where a head ends, where a body ends, and whether the connection is good for more.

The law:

1. One answer is read at a time, after `expect`. Informational heads (1xx) before it are passed over.
2. A body ends by its Content-Length, by its last chunk, or, with neither, by the connection's end (RFC 9112, 6.3).
3. Bytes after an answer's end were not asked for: the connection is not used again.
4. What is wrong before the head is whole tells that no HTTP was spoken; after it, that the answer is cut.

What makes an answer ambiguous is refused: by llhttp, the parser below, Content-Length together with Transfer-Encoding
or twice, and broken heads; here, every Transfer-Encoding but `chunked`, since its bytes would be none of the body's.
"""

import httptools

MAX_HEAD = 100 * 1024
"""The largest head of an answer that is read, in bytes, informational ones included."""

_BODILESS = frozenset((204, 304))

Headers = list[tuple[bytes, bytes]]


class AnswerReader:
    """Reads the answers that come on one connection, one after the other.

    Attributes:
        heard: whether any byte came since `expect`.
        has_head: whether the answer's head is whole; then `status` and `headers`, names in lower case, are known.
        is_whole: whether the answer has come to its end.
        is_broken: whether what came is no answer, or no longer one.
    """

    __slots__ = (
        "_body",
        "_ends_with_connection",
        "_head_bytes",
        "_keeps_alive",
        "_parser",
        "has_head",
        "headers",
        "heard",
        "is_broken",
        "is_whole",
        "status",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.is_broken = False
        self.expect()

    def expect(self) -> None:
        """A request has been sent: the next bytes are its answer's."""
        self.heard = self.has_head = self.is_whole = False
        self.status = 0
        self.headers: Headers = []
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._keeps_alive = self._ends_with_connection = False

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection; give the body in them, without the framing of chunks.

        What else they say is in the attributes.
        """
        self.heard = True
        if not self.has_head:
            room = MAX_HEAD - self._head_bytes
            self._head_bytes += len(data)
            if len(data) > room:
                return self._feed_past_a_head(data, room)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.is_broken = True
        body = self._body
        if not body:
            return b""
        self._body = []
        return body[0] if len(body) == 1 else b"".join(body)

    def _feed_past_a_head(self, data: bytes, room: int) -> bytes:
        """Take bytes of which a head may have the first `room`; what comes after must be body."""
        self._head_bytes = MAX_HEAD - room
        body = self.feed(data[:room])
        if self.has_head:
            return body + self.feed(data[room:])
        self.is_broken = True
        return body

    def end(self) -> None:
        """The connection has ended: the answer's proper end where it has no other, too early everywhere else."""
        if self.has_head and self._ends_with_connection and not self.is_broken:
            self.is_whole = True
        elif not self.is_whole:
            self.is_broken = True

    def close(self) -> None:
        """Let go of the parser: the two hold each other, and would wait together for a collection. `feed` is over."""
        del self._parser

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request now that this answer is whole."""
        return self.is_whole and self._keeps_alive and not self.is_broken

    # What the parser says

    def on_message_begin(self) -> None:
        """An answer begins; after the end of another one it is none that was asked for."""
        if self.is_whole:
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; after it, of trailers, which nothing here makes use of."""
        if not self.has_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """A head is whole."""
        if self.is_broken or self.is_whole:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            self.is_broken = status == 101 or status < 100
        else:
            self.status, self.has_head = status, self._frame(status)
            self.is_broken = not self.has_head

    def on_body(self, body: bytes) -> None:
        """A piece of body."""
        if self.has_head and not self.is_whole:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """An answer is whole, unless it was an informational one."""
        if self.has_head and not self.is_whole:
            self.is_whole = True
            self._keeps_alive = self._parser.should_keep_alive()

    def _frame(self, status: int) -> bool:
        """Find out how the body ends; False where that cannot be known."""
        ends = status not in _BODILESS
        for name, value in self.headers:
            if name == b"content-length":
                ends = False
            elif name == b"transfer-encoding":
                if value.rstrip(b" ").lower() != b"chunked":  # the parser bears spaces after it, and no tab
                    return False
                ends = False
        self._ends_with_connection = ends
        return True
