"""Content encodings, both ways."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from gateway.simulator.encoding import DECODERS, ENCODERS, decoded
from gateway.simulator.turn import Refusal


@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_what_is_encoded_in_pieces_can_be_decoded(name):
    """The pieces of an encoded body, joined, decode to the pieces that went in."""
    encoder = ENCODERS[name]()
    content = encoder.feed(b"one ") + encoder.feed(b"two") + encoder.finish()
    assert b"one two" == DECODERS[name](content)


def test_each_piece_can_be_read_at_once():
    """A piece needs nothing of what follows to be decoded."""
    assert b"one" == zlib.decompressobj(wbits=31).decompress(ENCODERS["gzip"]().feed(b"one"))
    assert b"one" == brotli.Decompressor().process(ENCODERS["br"]().feed(b"one"))
    assert b"one" == zstandard.ZstdDecompressor().decompressobj().decompress(ENCODERS["zstd"]().feed(b"one"))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, b"text"),
        ("identity", b"text"),
        ("gzip", gzip.compress(b"text", mtime=0)),
        ("deflate", zlib.compress(b"text")),
        ("br", brotli.compress(b"text")),
        ("zstd", zstandard.compress(b"text")),
    ],
)
def test_requests_are_decoded(encoding, body):
    """A request's body is read in each encoding that clients use."""
    assert b"text" == decoded(body, encoding)


def test_an_unknown_encoding_is_refused():
    """An encoding that is not known is a 415 that names those that are."""
    with pytest.raises(Refusal, match="use one of gzip, deflate, br, zstd") as caught:
        decoded(b"text", "snappy")
    assert 415 == caught.value.status


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_of_another_encoding_is_refused(encoding):
    """A body that is not what its header says is a 400."""
    with pytest.raises(Refusal, match=f"not valid {encoding}") as caught:
        decoded(b"this is plain", encoding)
    assert 400 == caught.value.status
