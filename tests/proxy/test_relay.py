"""The answer's way back: whole events, whole answers, and what is found in them."""

import gzip
import math

import pytest

from gateway.core.errors import UpstreamFault
from gateway.proxy.relay import HOLD_SECONDS, SCAN_BYTES, answer_headers, relay_for
from gateway.wire.answer_text import MAX_BYTES
from gateway.wire.dialects import DIALECTS
from tests.proxy.playbook import DONE, ROLE, USAGE, completion, delta, named

JSON = [(b"content-type", b"application/json")]
STREAM = [(b"content-type", b"Text/Event-Stream; charset=utf-8")]
GZIP = [(b"content-encoding", b"gzip")]


def made(fields, dialect="openai", endpoint="chat", *, hide_usage=False):
    """A relay for an answer with these headers."""
    return relay_for(DIALECTS[dialect], endpoint, dict(fields), hide_usage=hide_usage)


def test_the_content_type_decides():
    """Events are relayed as they come, everything else as a whole."""
    assert (HOLD_SECONDS, math.inf, math.inf) == tuple(made(f).hold_seconds for f in (STREAM, JSON, []))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_passes_whatever_its_pieces(size):
    """Byte for byte, and never half an event."""
    stream = b"".join([ROLE, delta("hé\u2028"), b": ping\n\n", delta(finish="stop"), USAGE, DONE])
    relay = made(STREAM)
    pieces = [relay.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert stream == b"".join(pieces) + relay.end()
    assert all(piece == b"" or piece.endswith(b"\n\n") for piece in pieces)
    assert (True, True, 10) == (relay.scan.finished, relay.scan.terminal, relay.scan.usage.input_tokens)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_relay_that_keeps_the_text_gives_what_another_gives(size):
    """The text is what came through, and is there once."""
    stream = b"".join([ROLE, delta("a"), delta("b", finish="stop"), USAGE, DONE])
    plain = made(STREAM, hide_usage=True)
    keeping = relay_for(DIALECTS["openai"], "chat", dict(STREAM), hide_usage=True, keep_text=True)
    assert plain.hold_seconds == keeping.hold_seconds
    for piece in (stream[at : at + size] for at in range(0, len(stream), size)):
        assert plain.feed(piece) == keeping.feed(piece)
        assert (plain.scan, plain.is_over) == (keeping.scan, keeping.is_over)
        assert plain.is_worth_sending == keeping.is_worth_sending
    assert (plain.end(), plain.failure("cut")) == (keeping.end(), keeping.failure("cut"))
    assert ["ab", None, None] == [keeping.take_text(), keeping.take_text(), plain.take_text()]


def test_a_last_event_without_its_empty_line_is_part_of_the_text():
    """It was completed for the client."""
    relay = relay_for(DIALECTS["openai"], "chat", dict(STREAM), hide_usage=False, keep_text=True)
    relay.feed(delta("a"))
    relay.feed(delta("b", finish="stop")[:-2])
    relay.end()
    assert "ab" == relay.take_text()


def test_a_whole_answer_is_kept_where_its_text_is_wanted():
    """Unless its endpoint has none, or it is over the limit."""
    relay = relay_for(DIALECTS["openai"], "chat", dict(JSON), hide_usage=False, keep_text=True)
    assert completion("a") == relay.feed(completion("a"))
    relay.end()
    assert (True, "a") == (relay.scan.finished, relay.take_text())
    relay = relay_for(DIALECTS["openai"], "chat", dict(JSON), hide_usage=False, keep_text=True)
    relay.feed(completion("a"))
    relay.feed(b" " * MAX_BYTES)
    relay.feed(b" ")
    assert relay.take_text() is None
    assert isinstance(
        relay_for(DIALECTS["openai"], "embeddings", dict(JSON), hide_usage=False, keep_text=True), type(made(JSON))
    )


def test_a_stream_is_worth_sending_with_content_or_its_end():
    """A role or a comment is neither."""
    relay = made(STREAM)
    relay.feed(b": hello\n\n" + ROLE)
    assert not relay.is_worth_sending
    relay.feed(delta(finish="stop"))
    assert (True, True) == (relay.is_worth_sending, relay.is_over)
    relay = made(STREAM)
    relay.feed(delta("hi"))
    assert (True, False) == (relay.is_worth_sending, relay.is_over)


def test_an_error_inside_a_stream_is_its_end():
    """Good or bad, the client has it."""
    relay = made(STREAM)
    relay.feed(b'data: {"error":{"message":"no"}}\n\n')
    assert (True, "error") == (relay.is_over, relay.scan.error)
    assert b"" == relay.end()


@pytest.mark.parametrize("rest", [b"", delta("hi"), delta("hi")[:-9], b": ping"])
def test_a_stream_that_ends_before_its_end_is_cut(rest):
    """A clean close does not make it whole."""
    relay = made(STREAM)
    relay.feed(ROLE + rest)
    with pytest.raises(UpstreamFault) as caught:
        relay.end()
    assert "cut" == caught.value.kind


@pytest.mark.parametrize(
    ("rest", "given"),
    [(DONE[:-2], DONE), (USAGE[:-9], b""), (b"  \n", b""), (b": bye", b"")],
)
def test_a_rest_after_the_finish_is_given_only_if_it_is_an_end(rest, given):
    """Half an event is dropped."""
    relay = made(STREAM)
    relay.feed(delta("hi", finish="stop") + rest)
    assert given == relay.end()


def test_a_rest_that_is_hidden_is_not_given():
    """The usage that only Pinion asked for, without its empty line."""
    relay = made(STREAM, hide_usage=True)
    relay.feed(delta("hi", finish="stop") + USAGE[:-2])
    assert (b"", 10) == (relay.end(), relay.scan.usage.input_tokens)


@pytest.mark.parametrize(
    "rest", [b"event: message_stop\n", b'event: message_stop\ndata: {"type":"mess', b"event: error"]
)
def test_a_last_event_without_its_data_ends_nothing(rest):
    """What its name says counts once it is there."""
    relay = made(STREAM, "anthropic", "messages")
    relay.feed(named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"}))
    relay.feed(rest)
    with pytest.raises(UpstreamFault, match="ended before its end"):
        relay.end()
    assert not relay.is_over


def test_a_failure_has_the_dialects_form():
    """An error that its SDK raises; a whole answer has none."""
    assert b'"message":"cut"' in made(STREAM).failure("cut")
    assert made(STREAM, "anthropic", "messages").failure("cut").startswith(b"event: error\n")
    assert made(STREAM, endpoint="responses").failure("cut").startswith(b"event: response.failed\n")
    assert b"" == made(JSON).failure("cut")


def test_a_whole_answer_passes_and_is_read_at_its_end():
    """In whatever pieces it comes."""
    relay = made(JSON)
    assert completion() == relay.feed(completion()[:9]) + relay.feed(completion()[9:])
    assert (False, False, None) == (relay.is_worth_sending, relay.is_over, relay.scan.usage)
    assert b"" == relay.end()
    assert (True, True, 10) == (relay.is_worth_sending, relay.is_over, relay.scan.usage.input_tokens)


def test_a_very_large_answer_passes_unread():
    """Its usage is unknown, and nothing of it is kept."""
    relay = made(JSON)
    relay.feed(b"{")
    relay.feed(b" " * SCAN_BYTES)
    relay.feed(b"}")
    relay.end()
    assert (None, None, []) == (relay.scan.usage, relay.scan.error, relay._parts)


@pytest.mark.parametrize("fields", [JSON, STREAM])
def test_an_encoded_answer_is_decoded(fields):
    """As it comes; one that ends before its encoding does is broken."""
    plain = completion() if fields is JSON else delta("hi", finish="stop")
    packed = gzip.compress(plain)
    relay = made(fields + GZIP)
    assert plain == relay.feed(packed[:5]) + relay.feed(packed[5:])
    relay.end()
    relay = made(fields + GZIP)
    relay.feed(packed[:-9])
    with pytest.raises(UpstreamFault):
        relay.end()


@pytest.mark.parametrize("encoding", [b"", b"identity", b"IDENTITY"])
def test_no_encoding_by_another_name(encoding):
    """The bytes pass as they are."""
    assert completion() == made([*JSON, (b"content-encoding", encoding)]).feed(completion())


@pytest.mark.parametrize("encoding", [b"rot13", b"gzip, br"])
def test_an_encoding_that_cannot_be_read_is_a_fault(encoding):
    """Its bytes could not be looked at."""
    with pytest.raises(UpstreamFault):
        made([*JSON, (b"content-encoding", encoding)])


def test_usage_is_hidden_where_it_was_not_asked_for():
    """The chunk goes, and the events beside it stay."""
    relay = made(STREAM, hide_usage=True)
    assert delta("hi") + DONE == relay.feed(delta("hi") + USAGE + DONE)
    assert b"" == made(STREAM, hide_usage=True).feed(USAGE)


def test_anthropics_events_pass_untouched():
    """Every one has its name."""
    relay = made(STREAM, "anthropic", "messages")
    events = named("message_start", message={"id": "m"}) + named("ping") + named("message_stop")
    assert events == relay.feed(events)
    assert relay.is_over


def test_the_head_of_an_answer():
    """The provider's fields that may pass, its request id under another name, then Pinion's own."""
    fields = [
        (b"x-request-id", b"up"),
        (b"set-cookie", b"a"),
        (b"content-encoding", b"gzip"),
        (b"content-length", b"9"),
        (b"x-ratelimit-remaining-requests", b"7"),
        (b"x-pinion-release", b"forged"),
    ]
    own = [(b"x-request-id", b"own")]
    assert [(b"x-upstream-request-id", b"up"), (b"x-ratelimit-remaining-requests", b"7"), *own] == answer_headers(
        fields, own
    )
