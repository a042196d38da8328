"""Content encodings: reading compressed requests, and compressing an answer piece by piece."""

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from gateway.simulator.turn import Refusal


class Encoder(Protocol):
    """Compresses an answer so that each piece can be read as soon as it has come."""

    def feed(self, data: bytes) -> bytes:
        """The compressed form of `data`, complete up to here."""
        ...

    def finish(self) -> bytes:
        """What ends the compressed body."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush()


class _Brotli:
    def __init__(self) -> None:
        self._compressor: Any = brotli.Compressor(quality=4)

    def feed(self, data: bytes) -> bytes:
        return bytes(self._compressor.process(data) + self._compressor.flush())

    def finish(self) -> bytes:
        return bytes(self._compressor.finish())


class _Zstandard:
    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor().compressobj()

    def feed(self, data: bytes) -> bytes:
        return self._compressor.compress(data) + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._compressor.flush()


ENCODERS: dict[str, Callable[[], Encoder]] = {"gzip": _Gzip, "br": _Brotli, "zstd": _Zstandard}

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: zlib.decompress(body, wbits=31),
    "deflate": zlib.decompress,
    "br": lambda body: bytes(brotli.decompress(body)),
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def decoded(body: bytes, encoding: str | None) -> bytes:
    """A request's body without its Content-Encoding.

    Raises:
        Refusal: the encoding is unknown (415), or the body is not of that encoding (400).
    """
    if encoding is None or encoding == "identity":
        return body
    if encoding not in DECODERS:
        known = ", ".join(DECODERS)
        raise Refusal(f"content-encoding {encoding!r} is not supported; use one of {known}", status=415)
    try:
        return DECODERS[encoding](body)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise Refusal(f"the body is not valid {encoding}: {error}") from error
