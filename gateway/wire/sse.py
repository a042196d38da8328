"""Server-sent events as bytes: cut a stream into whole events, read one, write one.

A line ends with LF, CRLF or CR and with nothing else
(https://html.spec.whatwg.org/multipage/server-sent-events.html): other characters that Unicode calls line
ends are content. An event ends with an empty line, and so with two line ends in a row. Bytes that are
relayed are never decoded, joined or rewritten here.
"""

import re
from dataclasses import dataclass

from gateway.core.errors import UpstreamFault

_LF_END = re.compile(rb"\n\n")
_ANY_END = re.compile(rb"\r\n(?:\r\n|\n|\r(?=[^\n]))|(?:(?<!\r)\n|\r(?!\n))(?:\r\n|\n|\r)")
"""Two line ends in a row. A CR as the last byte so far is a whole one, except after a CRLF (see below)."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_END = 4
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    r"""Cuts the chunks of one stream into whole raw events, each with the empty line that ends it.

    The law: all outputs in order, then `rest()`, are the input, byte for byte, however the input was cut
    into chunks; and each output ends at the end of an event.

    A CR that is the last byte so far may be a line end or half of one. After a CRLF (`x CRLF CR`) it is
    taken for half of another and waits for its LF, so that a stream of CRLFs is never cut inside one.
    Otherwise (`x CR CR`, `x LF CR`) it is taken for a line end and the event is given out at once; should
    an LF follow after all, it opens the next output, where it is an empty line that means nothing.
    """

    __slots__ = ("_end", "_held", "_max_event")

    def __init__(self, max_event: int = 8 << 20) -> None:
        """`max_event` is the most bytes that one event may have."""
        self._max_event = max_event
        self._held = bytearray()
        self._end = _LF_END

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes, oldest first; what is held is not searched again.

        Raises:
            UpstreamFault: protocol, when one event is larger than `max_event`.
        """
        if self._end is _LF_END and b"\r" in data:
            self._end = _ANY_END
        fresh = self._end is _LF_END and not self._held
        if fresh and 0 < data.find(b"\n\n") == len(data) - 2 and len(data) <= self._max_event:
            return [data]  # one event, one chunk: the usual case, without a copy
        scanned = max(0, len(self._held) - _LONGEST_END + 1)
        self._held += data
        ends = [match.end() for match in self._end.finditer(self._held, scanned)]
        events = []
        start = 0
        with memoryview(self._held) as held:
            for end in ends:
                self._check(end - start)
                events.append(bytes(held[start:end]))
                start = end
        del self._held[:start]
        self._check(len(self._held))
        return events

    def rest(self) -> bytes:
        """What is held of an event that has not ended: after a stream's end, a half event or nothing."""
        return bytes(self._held)

    def _check(self, size: int) -> None:
        if size > self._max_event:
            raise UpstreamFault(
                "protocol",
                f"The provider sent an event of more than {self._max_event} bytes, which is the limit.",
            )


@dataclass(frozen=True, slots=True)
class Event:
    """What one event says: its name, if it has one, and its data, if it has a data line."""

    name: str | None
    data: bytes | None


def fields(event: bytes) -> Event:
    """Read one raw event: data lines are joined by LF, one space after a colon goes, comments too."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return Event(None, event[6:-2])
    name = None
    data = []
    for line in _LINE_END.split(event.removeprefix(_BOM)):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return Event(name, b"\n".join(data) if data else None)


def written(data: bytes, *, name: str | None = None, line_end: bytes = b"\n") -> bytes:
    """One event of one data line, as bytes; `data` has no line end in it."""
    head = b"event: " + name.encode() + line_end if name else b""
    return head + b"data: " + data + line_end + line_end


def line_end(event: bytes) -> bytes:
    """How the lines of a raw event end; there are clients that understand only one way in a stream."""
    if event.endswith(b"\r\n"):
        return b"\r\n"
    return b"\r" if event.endswith(b"\r") else b"\n"
