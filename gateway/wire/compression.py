"""Content-Encoding: decode whole request bodies, and answers as they come, without ever making much too much.

A few bytes can decompress to gigabytes. Every decoder here is told how much room there is and stops when it
is used up.
"""

import zlib
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from gateway.core.errors import Malformed, TooLarge, UnsupportedEncoding, UpstreamFault

_ZSTD_WINDOW = 8 << 20
"""The largest window that a decoder for the web has to have (RFC 9659)."""

_ZSTD_STEP = 256
"""Input per step, in bytes. The library gives out all that a step holds, at most 80 blocks of 128 KiB."""

_BROTLI_STEP = 64 << 10


class _Overflow(Exception):
    """There is more output than there is room for."""


class _Broken(Exception):
    """The bytes are not what the encoding asks for."""


class _Codec(Protocol):
    """Decodes one body piece by piece."""

    @property
    def whole(self) -> bool:
        """Whether what was fed so far is complete; nothing at all is."""

    def feed(self, data: bytes, room: int) -> bytes:
        """All that is decodable; raises `_Overflow` past `room` bytes and `_Broken` for wrong bytes."""


class _Zlib:
    """gzip, of one or more members (RFC 1952, section 2.2), and deflate, which for HTTP is zlib's format."""

    __slots__ = ("_member", "_window_bits", "whole")

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._member = zlib.decompressobj(window_bits)
        self.whole = True

    def feed(self, data: bytes, room: int) -> bytes:
        pieces = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(self._window_bits)
            try:
                piece = self._member.decompress(data, room + 1)
            except zlib.error as error:
                raise _Broken from error
            room -= len(piece)
            if room < 0:
                raise _Overflow
            pieces.append(piece)
            self.whole = self._member.eof
            data = self._member.unused_data
        return b"".join(pieces)


class _Zstd:
    """Zstandard, of one or more frames (RFC 8878)."""

    __slots__ = ("_context", "_frame", "whole")

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._context.decompressobj()
        self.whole = True

    def feed(self, data: bytes, room: int) -> bytes:
        pieces = []
        for start in range(0, len(data), _ZSTD_STEP):
            piece = self._step(data[start : start + _ZSTD_STEP])
            room -= len(piece)
            if room < 0:
                raise _Overflow
            pieces.append(piece)
        return b"".join(pieces)

    def _step(self, data: bytes) -> bytes:
        pieces = []
        while data:
            if self._frame.eof:
                self._frame = self._context.decompressobj()
            try:
                pieces.append(self._frame.decompress(data))
            except zstandard.ZstdError as error:
                raise _Broken from error
            self.whole = self._frame.eof
            data = self._frame.unused_data
        return b"".join(pieces)


class _Brotli:
    """Brotli (RFC 7932)."""

    __slots__ = ("_stream", "whole")

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self.whole = True

    def feed(self, data: bytes, room: int) -> bytes:
        pieces = []
        while data or not self._stream.can_accept_more_data():
            try:
                piece = self._stream.process(data, output_buffer_limit=_BROTLI_STEP)
            except brotli.error as error:
                raise _Broken from error
            room -= len(piece)
            if room < 0:
                raise _Overflow
            pieces.append(piece)
            self.whole = self._stream.is_finished()
            data = b""
        return b"".join(pieces)


def _codec(encoding: str | None) -> _Codec | None:
    """The decoder of a Content-Encoding; None where there is nothing to decode.

    Raises:
        UnsupportedEncoding: Pinion does not read it; also for several encodings on top of each other.
    """
    match (encoding or "").strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Zlib(16 + zlib.MAX_WBITS)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "zstd":
            return _Zstd()
        case "br":
            return _Brotli()
    raise UnsupportedEncoding("The body's Content-Encoding is not one of gzip, deflate, zstd, br and identity.")


def supported(encoding: str | None) -> bool:
    """Whether a Content-Encoding is one that Pinion reads; None and identity are."""
    try:
        _codec(encoding)
    except UnsupportedEncoding:
        return False
    return True


def decode_body(body: bytes, encoding: str | None, *, limit: int) -> bytes:
    """A whole request body without its Content-Encoding, of at most `limit` bytes.

    Raises:
        UnsupportedEncoding: the encoding is not one that Pinion reads.
        TooLarge: the body is, or decompresses to, more than `limit` bytes; found before much more is made.
        Malformed: the body is not what its encoding asks for, or ends too early.
    """
    codec = _codec(encoding)
    try:
        decoded = codec.feed(body, limit) if codec else body
    except _Overflow as error:
        raise _too_large(limit) from error
    except _Broken as error:
        raise Malformed(f"The body is not valid {encoding}, as its Content-Encoding says it is.") from error
    if codec and not codec.whole:
        raise Malformed(f"The body ends before its {encoding} encoding does.")
    if len(decoded) > limit:
        raise _too_large(limit)
    return decoded


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes when decompressed, which is the limit.")


class Decoder:
    """Takes the Content-Encoding off a provider's answer while it arrives.

    Every `feed` gives out all that can be decoded so far, so that an event that the provider flushed leaves
    at once.
    """

    __slots__ = ("_codec", "_encoding", "_max_output")

    def __init__(self, encoding: str | None, *, max_output: int = 32 << 20) -> None:
        """`max_output` is the most bytes that one `feed` may decompress to.

        Raises:
            UpstreamFault: protocol, the encoding is not one that Pinion reads.
        """
        try:
            self._codec = _codec(encoding)
        except UnsupportedEncoding as error:
            raise UpstreamFault(
                "protocol", "The provider's answer has a Content-Encoding that was not asked for."
            ) from error
        self._encoding = encoding
        self._max_output = max_output

    def feed(self, data: bytes) -> bytes:
        """What the answer's bytes so far decode to, less what was given out before.

        Raises:
            UpstreamFault: protocol, for bytes that are not the encoding and for too many at once.
        """
        if self._codec is None:
            return data
        try:
            return self._codec.feed(data, self._max_output)
        except _Overflow as error:
            raise UpstreamFault(
                "protocol", f"A piece of the provider's answer decompresses to over {self._max_output} bytes."
            ) from error
        except _Broken as error:
            raise UpstreamFault("protocol", f"The provider's answer is not valid {self._encoding}.") from error

    def finish(self) -> bytes:
        """To call after the last byte: what is left to give out. That is nothing: `feed` gives out all.

        Raises:
            UpstreamFault: protocol, the answer ended before its encoding did.
        """
        if self._codec and not self._codec.whole:
            raise UpstreamFault("protocol", f"The provider's answer ended before its {self._encoding} encoding did.")
        return b""
