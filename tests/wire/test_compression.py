"""Decoding of bodies and answers: right, in pieces, bounded."""

import gzip
import tracemalloc
import zlib

import brotli
import pytest
import zstandard

from gateway.core.errors import Malformed, TooLarge, UnsupportedEncoding, UpstreamFault
from gateway.wire.compression import Decoder, decode_body, supported

TEXT = b'{"model":"support-assistant","messages":[]}' * 50
ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "br": brotli.compress,
}

each_encoding = pytest.mark.parametrize("encoding", ENCODERS)


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_a_plain_body_is_itself(encoding):
    """Nothing to decode gives the same bytes, and the limit holds all the same."""
    assert decode_body(TEXT, encoding, limit=len(TEXT)) is TEXT
    with pytest.raises(TooLarge):
        decode_body(TEXT, encoding, limit=len(TEXT) - 1)


@each_encoding
def test_a_compressed_body_of_exactly_the_limit_is_decoded(encoding):
    """The limit counts decoded bytes, and allows as many as it says."""
    body = ENCODERS[encoding](TEXT)
    assert TEXT == decode_body(body, encoding.upper(), limit=len(TEXT))
    with pytest.raises(TooLarge, match="limit"):
        decode_body(body, encoding, limit=len(TEXT) - 1)


@each_encoding
def test_a_body_that_ends_early_is_malformed(encoding):
    """Half a body is not taken for a whole one."""
    with pytest.raises(Malformed, match="ends before"):
        decode_body(ENCODERS[encoding](TEXT)[:-3], encoding, limit=1 << 20)


@each_encoding
def test_a_body_that_is_something_else_is_malformed(encoding):
    """JSON that calls itself compressed is refused, not passed on."""
    with pytest.raises(Malformed, match=encoding):
        decode_body(TEXT, encoding, limit=1 << 20)


@each_encoding
def test_an_empty_body_stays_empty(encoding):
    """No bytes at all are complete in every encoding, as an answer without a body has none."""
    assert b"" == decode_body(b"", encoding, limit=10)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_in_a_row_are_one_body(encoding):
    """In gzip and Zstandard a body may be several compressed pieces one after the other."""
    body = ENCODERS[encoding](b"first ") + ENCODERS[encoding](b"second")
    assert b"first second" == decode_body(body, encoding, limit=100)


@pytest.mark.parametrize("encoding", ["compress", "gzip, br", "utf-8"])
def test_an_encoding_that_is_not_read_is_refused(encoding):
    """Unknown and stacked encodings are named as unsupported before anything is decoded."""
    assert not supported(encoding)
    with pytest.raises(UnsupportedEncoding):
        decode_body(TEXT, encoding, limit=1 << 20)
    with pytest.raises(UpstreamFault) as caught:
        Decoder(encoding)
    assert "protocol" == caught.value.kind


@pytest.mark.parametrize("encoding", [None, "identity", "x-gzip", *ENCODERS])
def test_supported_encodings(encoding):
    """What Pinion reads is what it says it reads."""
    assert supported(encoding)


@each_encoding
def test_a_bomb_is_refused_without_being_made(encoding):
    """64 MB out of a few bytes are refused after little more than the limit was made."""
    bomb = ENCODERS[encoding](bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode_body(bomb, encoding, limit=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


@each_encoding
def test_an_answer_is_decoded_byte_by_byte(encoding):
    """However an answer is cut into chunks, the decoded chunks make the whole."""
    decoder = Decoder(encoding)
    body = ENCODERS[encoding](TEXT)
    decoded = b"".join(decoder.feed(body[at : at + 1]) for at in range(len(body)))
    assert TEXT == decoded + decoder.finish()


def _flushing_gzip():
    encoder = zlib.compressobj(wbits=31)
    return lambda event: encoder.compress(event) + encoder.flush(zlib.Z_SYNC_FLUSH)


def _flushing_zstd():
    encoder = zstandard.ZstdCompressor().compressobj()
    return lambda event: encoder.compress(event) + encoder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def _flushing_brotli():
    encoder = brotli.Compressor()
    return lambda event: encoder.process(event) + encoder.flush()


@pytest.mark.parametrize(
    ("encoding", "flushing"), [("gzip", _flushing_gzip), ("zstd", _flushing_zstd), ("br", _flushing_brotli)]
)
def test_an_event_that_the_provider_flushed_comes_out_at_once(encoding, flushing):
    """Compressed streams are relayed event by event, not when some buffer is full."""
    encode = flushing()
    decoder = Decoder(encoding)
    for number in range(5):
        event = b"data: %d\n\n" % number
        assert event == decoder.feed(encode(event))
    with pytest.raises(UpstreamFault, match="ended before"):
        decoder.finish()


@each_encoding
def test_an_answer_that_explodes_is_a_fault_of_the_provider(encoding):
    """One chunk may not decompress to more than the bound."""
    decoder = Decoder(encoding, max_output=1 << 20)
    with pytest.raises(UpstreamFault, match="decompresses to over") as caught:
        decoder.feed(ENCODERS[encoding](bytes(20 << 20)))
    assert "protocol" == caught.value.kind


@each_encoding
def test_an_answer_that_is_something_else_is_a_fault_of_the_provider(encoding):
    """Bytes that are not the encoding are named as such."""
    with pytest.raises(UpstreamFault, match=f"not valid {encoding}"):
        Decoder(encoding).feed(b"<html>502 Bad Gateway</html>")


def test_an_answer_without_encoding_passes():
    """A plain answer's chunks are the same objects, and it may end anywhere."""
    decoder = Decoder(None)
    assert decoder.feed(TEXT) is TEXT
    assert b"" == decoder.finish()
