"""Scripts of events for answers that go well: when they begin, how they are passed on, and their end."""

import gzip

import pytest

from gateway.proxy.exchange import State
from gateway.proxy.lingering import LINGER_SECONDS
from gateway.proxy.relay import HOLD_BYTES, HOLD_SECONDS
from tests.proxy.playbook import (
    BLOCK,
    DONE,
    MESSAGE_START,
    MESSAGE_STOP,
    ROLE,
    STREAM,
    USAGE,
    Play,
    anthropic_play,
    ask_messages,
    completion,
    delta,
    named,
    told,
)


def test_a_whole_answer_is_passed_on_with_who_gave_it():
    """Status, the provider's fields, Pinion's own, a length, and the body byte for byte."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.answer(x_request_id="up-1", openai_version="2020-10-01")
    assert (200, "finished", completion()) == (downstream.status, downstream.ended, downstream.body)
    assert {
        "content-type": "application/json",
        "x-upstream-request-id": "up-1",
        "openai-version": "2020-10-01",
        "x-request-id": "req-1",
        "x-pinion-route": "desk",
        "x-pinion-release": "desk/1.0.0",
        "x-pinion-model": "atlas@1.0.0",
        "x-pinion-track": "stable",
        "content-length": str(len(completion())),
    } == downstream.headers


def test_a_whole_answer_is_held_until_it_is_complete():
    """Until then another release could still answer, so the client sees nothing."""
    play = Play()
    exchange, downstream = play.ask()
    play.upstream.last.head()
    play.upstream.last.data(completion()[:20])
    exchange.tick(play.clock.now + HOLD_SECONDS + 1)
    assert (None, State.trying) == (downstream.status, exchange.state)
    play.upstream.last.data(completion()[20:])
    play.upstream.last.end()
    assert (completion(), "finished") == (downstream.body, downstream.ended)


def test_a_large_answer_is_passed_on_as_it_comes():
    """More than 1 MiB is not held back; the usage at its end is still found."""
    play = Play()
    exchange, downstream = play.ask()
    body = completion("x" * HOLD_BYTES)
    play.upstream.last.head()
    play.upstream.last.data(body[: HOLD_BYTES + 10])
    assert (State.relaying, HOLD_BYTES + 10) == (exchange.state, len(downstream.body))
    assert "content-length" not in downstream.headers
    play.upstream.last.data(body[HOLD_BYTES + 10 :])
    play.upstream.last.end()
    assert (body, "finished") == (downstream.body, downstream.ended)
    assert ("ok", 10, False) == (play.record.outcome, play.record.input_tokens, play.record.partial)


def test_a_stream_starts_with_its_first_content():
    """The role alone commits to nothing; with content all that was held goes out in order."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE)
    assert (State.trying, None) == (exchange.state, downstream.status)
    play.clock.now += 1
    play.upstream.last.data(delta("hi"))
    assert (State.relaying, ROLE + delta("hi")) == (exchange.state, downstream.body)
    play.upstream.last.data(delta(" there") + delta(finish="stop") + USAGE)
    play.clock.now += 1
    play.upstream.last.data(DONE)
    assert (State.closed, "finished") == (exchange.state, downstream.ended)
    assert (1.0, 2.0) == (play.record.first_token_seconds, play.record.seconds)
    assert (10, 5, 20_000, "exact") == (
        play.record.input_tokens,
        play.record.output_tokens,
        play.record.cost_nano_usd,
        play.record.cost_status,
    )


def test_half_an_event_is_never_passed_on():
    """Bytes wait for the empty line that makes them an event."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi")[:-5])
    assert b"" == downstream.body
    play.upstream.last.data(delta("hi")[-5:] + delta("!")[:9])
    assert ROLE + delta("hi") == downstream.body
    play.upstream.last.data(delta("!")[9:])
    assert ROLE + delta("hi") + delta("!") == downstream.body


def test_a_stream_without_content_is_sent_when_it_is_held_long_enough():
    """After ten seconds the client gets what there is; the first token is still to come."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE)
    exchange.tick(play.clock.now + HOLD_SECONDS)
    assert State.trying is exchange.state
    play.clock.now += HOLD_SECONDS + 1
    exchange.tick(play.clock.now)
    assert (State.relaying, ROLE) == (exchange.state, downstream.body)
    play.clock.now += 4
    play.upstream.last.data(delta("hi"))
    play.upstream.last.data(delta(finish="stop") + DONE)
    assert HOLD_SECONDS + 5 == play.record.first_token_seconds


def test_a_stream_without_content_is_sent_when_it_is_large():
    """More than 1 MiB is not held back, whatever it is."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    comment = b": " + b"-" * HOLD_BYTES + b"\n\n"
    play.upstream.last.stream(comment)
    assert (State.relaying, comment) == (exchange.state, downstream.body)


def test_the_terminal_event_ends_the_answer_at_once():
    """The client does not wait for the provider to hang up; the call is left to end, and given up after a second."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(*STREAM, DONE)
    assert (State.closed, "finished", "ok") == (exchange.state, downstream.ended, play.record.outcome)
    play.exchanges.close(exchange)
    play.exchanges.tick(play.clock.now + LINGER_SECONDS)
    assert not play.upstream.last.cancelled
    play.exchanges.tick(play.clock.now + LINGER_SECONDS + 0.1)
    assert play.upstream.last.cancelled


def test_a_call_that_ends_after_its_terminal_event_keeps_its_connection():
    """It is never cancelled, so that the connection can be used again."""
    play = Play()
    play.ask(stream=True)
    play.upstream.last.stream(*STREAM, DONE)
    play.upstream.last.end()
    play.exchanges.tick(play.clock.now + LINGER_SECONDS + 1)
    assert not play.upstream.last.cancelled


def test_a_finish_reason_is_not_the_end():
    """The usage chunk and the terminal event come after it."""
    play = Play()
    _, downstream = play.ask(stream=True, stream_options={"include_usage": True})
    play.upstream.last.stream(*STREAM)
    assert downstream.ended is None
    play.upstream.last.data(USAGE)
    play.upstream.last.data(DONE)
    assert b"".join([*STREAM, USAGE, DONE]) == downstream.body


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_a_response_ends_with_its_terminal_event(kind):
    """Responses: the event with the whole response."""
    play = Play()
    exchange, downstream = play.ask(path="/v1/responses", messages=None, input="hi", stream=True)
    whole = {"id": "resp_1", "model": "atlas-1.0.0", "output": [{"type": "message"}], "usage": {}}
    text = named("response.output_text.delta", delta="hi")
    play.upstream.last.stream(named("response.created", response={"id": "resp_1"}), text, named(kind, response=whole))
    assert (State.closed, "finished", "ok") == (exchange.state, downstream.ended, play.record.outcome)
    assert "1.0.0" == play.follow_ups.release_of("helpdesk", "desk", "resp_1")


def test_a_message_ends_with_message_stop():
    """Anthropic: the last event, whose stream is passed on byte for byte."""
    play = anthropic_play()
    exchange, downstream = ask_messages(play)
    play.upstream.last.stream(MESSAGE_START, BLOCK, MESSAGE_STOP)
    assert (State.closed, "finished") == (exchange.state, downstream.ended)
    assert MESSAGE_START + BLOCK + MESSAGE_STOP == downstream.body


def test_a_last_event_without_its_empty_line_is_completed():
    """A provider that closes right after its last line has ended its stream all the same."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"), delta(finish="stop"), DONE[:-2])
    play.upstream.last.end()
    assert ("finished", "ok") == (downstream.ended, play.record.outcome)
    assert downstream.body.endswith(DONE)


def test_a_stream_that_is_one_unended_event_is_sent_whole():
    """Even the only event may come without its empty line."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(delta("hi", finish="stop")[:-2])
    play.upstream.last.end()
    assert (delta("hi", finish="stop"), "finished") == (downstream.body, downstream.ended)
    assert "ok" == play.record.outcome


def test_an_answer_is_decoded_on_its_way():
    """A provider that compresses although it was asked not to is read all the same."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.answer(gzip.compress(completion()), content_encoding="gzip")
    assert completion() == downstream.body
    assert "content-encoding" not in downstream.headers


# Usage that the client did not ask for


def test_usage_is_asked_for_and_hidden():
    """The provider is asked, the ledger knows, and the client sees neither the chunk nor a null."""
    play = Play()
    _, downstream = play.ask(stream=True)
    assert {"include_usage": True} == play.upstream.last.json["stream_options"]
    play.upstream.last.stream(ROLE, delta("hi", usage=None), delta(finish="stop"), USAGE, DONE)
    assert ROLE + delta("hi") + delta(finish="stop") + DONE == downstream.body
    assert 10 == play.record.input_tokens


@pytest.mark.parametrize(("status", "streams"), [(400, 2), (422, 2)])
def test_a_provider_that_knows_no_stream_options_is_asked_again_without(status, streams):
    """Once, on the same release, before the first byte; it does not count against the release and is remembered."""
    play = Play()
    _, downstream = play.ask(stream=True)
    refusal = b'{"error":{"message":"Unrecognized field: stream_options"}}'
    play.upstream.last.answer(refusal, status=status)
    assert streams == len(play.upstream.calls)
    assert "stream_options" not in play.upstream.last.json
    play.upstream.last.stream(*STREAM, DONE)
    assert (200, "ok") == (downstream.status, play.record.outcome)
    assert [("1.0.0", "stable", "ok", 200)] == told(play)
    play.ask(stream=True)
    assert "stream_options" not in play.upstream.last.json


def test_another_400_is_no_word_about_usage():
    """It is passed on as it is, after one attempt."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.answer(b'{"error":{"message":"too long"}}', status=400)
    assert (1, 400, "too long") == (
        len(play.upstream.calls),
        downstream.status,
        downstream.json["error"]["message"],
    )


def test_a_client_that_sends_stream_options_itself_hears_that_they_are_refused():
    """Nothing was added for it, so nothing can be left out."""
    play = Play()
    _, downstream = play.ask(stream=True, stream_options={"include_usage": True})
    play.upstream.last.answer(b'{"error":{"message":"stream_options"}}', status=400)
    assert (1, 400) == (len(play.upstream.calls), downstream.status)
