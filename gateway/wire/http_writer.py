"""HTTP/1.1 heads as bytes: a request's on its way to a provider, an answer's on its way to an application."""

from collections.abc import Sequence
from http import HTTPStatus

JOINED_BYTES = 16 * 1024
"""Up to how many bytes a body is copied behind its head: one piece is written several microseconds faster than two."""

_LINE_END = b"\r\n"
_SEPARATOR = b": "


class Unsendable(ValueError):
    """A field would break its line. The message names no value, which may be a credential."""


def request_head(line: bytes, headers: Sequence[tuple[bytes, bytes]], length: int) -> bytes:
    """A request's head: its line and Host as they stand in `line`, the fields, and the body's length in bytes.

    Raises:
        Unsendable: a field's name or value holds CR, LF or NUL.
    """
    ending = b"content-length: %d\r\n\r\n" % length
    return _checked(line + _written(headers) + ending, line.count(b"\n") + len(headers) + 2)


def answer_head(status: int, fields: bytes, headers: Sequence[tuple[bytes, bytes]], ending: bytes) -> bytes:
    """An answer's head: its status line, `fields` already written, the headers, and `ending`, which ends the head.

    Raises:
        Unsendable: a header's name or value holds CR, LF or NUL.
    """
    lines = 1 + fields.count(b"\n") + len(headers) + ending.count(b"\n")
    return _checked(status_line(status) + fields + _written(headers) + ending, lines)


def _written(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return _LINE_END.join([*map(_SEPARATOR.join, headers), b""]) if headers else b""


def status_line(status: int) -> bytes:
    """The first line of an answer, its line end included; a status without a name of its own has none."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def _checked(head: bytes, lines: int) -> bytes:
    """A head, unless it has more line ends than lines: then a field would smuggle in a line of its own."""
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise Unsendable("a header's name or value holds a line break or NUL")
    return head


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
