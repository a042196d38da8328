"""Scripts of events for one exchange: every state, every event, every way for an answer to begin and to end."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.errors import TooSlow, UpstreamFault
from gateway.core.outcome import Outcome
from gateway.core.provider import Timeouts
from gateway.proxy import exchange as machine
from gateway.proxy.exchange import TRANSITIONS, WRITE_STALL_SECONDS, State
from gateway.proxy.lingering import LINGER_SECONDS
from gateway.proxy.relay import HOLD_BYTES, HOLD_SECONDS
from tests.proxy.playbook import (
    DONE,
    ROLE,
    USAGE,
    Play,
    chunk,
    completion,
    delta,
    named,
    provider,
    release,
    route,
)

TERSE = Timeouts(first_byte=5, idle=3, total=20)
STREAM = [ROLE, delta("hel"), delta("lo"), delta(finish="stop")]


def anthropic_play(**changes):
    """A world whose route speaks Anthropic's dialect."""
    source = provider("anthropic")
    return Play(route(stable=release("1.0.0", provider=source), **changes))


def ask_messages(play, **members):
    """A streamed request to Anthropic's endpoint."""
    return play.ask(path="/v1/messages", stream=True, max_tokens=9, **members)


MESSAGE_START = named(
    "message_start", message={"id": "msg_1", "model": "atlas-1.0.0", "usage": {"input_tokens": 7, "output_tokens": 1}}
)
BLOCK = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
OVERLOADED = named("error", error={"type": "overloaded_error", "message": "Overloaded"})
MESSAGE_STOP = named("message_stop")


def told(play):
    """What the breakers, by way of the record, were told of each attempt."""
    return [(tried.release, tried.track, tried.outcome, tried.status) for tried in play.record.attempts]


def in_state(play, state):
    """An exchange brought to a state, with its downstream."""
    if state is State.receiving:
        return play.open()
    exchange, downstream = play.ask(stream=True)
    if state is State.relaying:
        play.upstream.last.stream(ROLE, delta("hi"))
    if state is State.closed:
        play.upstream.last.answer()
    return exchange, downstream


# The state machine


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", ["asked", "answered", "committed", "gone", "nonsense"])
def test_the_table_is_the_law(state, event):
    """An event with an entry moves the exchange there; one without raises and changes nothing."""
    exchange, _ = Play().open()
    exchange.state = state
    expected = TRANSITIONS.get((state, event))
    if expected is None:
        with pytest.raises(KeyError):
            exchange._become(event)
        assert state is exchange.state
    else:
        exchange._become(event)
        assert expected is exchange.state


def test_the_table_is_told_as_it_is():
    """In the module's own law and in the page for readers, each entry with what it means."""
    page = (Path(__file__).parents[2] / "docs" / "requests.md").read_text(encoding="utf-8")
    cells = r"(receiving|trying|relaying)[ |]+(\w+)[ |]+(trying|relaying|closed)[ |]+(.+?)[ |]*$"
    law, told = (re.findall(rf"^[ |]+{cells}", text, re.MULTILINE) for text in (machine.__doc__, page))
    assert law == told
    assert TRANSITIONS == {(State(state), event): State(becomes) for state, event, becomes, _ in law}


@pytest.mark.parametrize("state", list(State))
def test_each_state_is_reached(state):
    """A request passes through every state that the table names."""
    assert state is in_state(Play(), state)[0].state


@pytest.mark.parametrize(
    ("state", "outcome", "status", "ended"),
    [
        (State.trying, "cancelled", None, None),
        (State.relaying, "cancelled", 200, None),
        (State.closed, "ok", 200, "finished"),
    ],
)
def test_a_client_leaves(state, outcome, status, ended):
    """Before and in mid-answer that is a cancelled request whose call is given up; after the end it is nothing."""
    play = Play()
    exchange, downstream = in_state(play, state)
    exchange.client_gone()
    exchange.client_gone()
    assert State.closed is exchange.state
    assert (status, ended) == (downstream.status, downstream.ended)
    assert (state is not State.closed) == play.upstream.last.cancelled
    assert [outcome] == [record.outcome for record in play.ledger.records]
    assert [("1.0.0", "stable", outcome, status or 0)] == told(play)


def test_a_client_leaves_before_its_request_is_whole():
    """Nothing was sent and no route is known: a line in the log is all."""
    play = Play()
    exchange, downstream = in_state(play, State.receiving)
    exchange.client_gone()
    assert (State.closed, None, []) == (exchange.state, downstream.status, play.ledger.records)
    assert ("refused", "the client left") == (play.journal.events[-1][0], play.journal.events[-1][1]["message"])


@pytest.mark.parametrize("state", list(State))
def test_an_edge_refuses_only_what_it_is_receiving(state):
    """A slow body is answered with 408; later the same word changes nothing."""
    play = Play()
    exchange, downstream = in_state(play, state)
    before = downstream.status
    assert (state is State.receiving) == exchange.wants_body
    exchange.refuse(TooSlow("the body did not arrive in time"))
    assert (408 if state is State.receiving else before) == downstream.status
    assert not exchange.wants_body


@pytest.mark.parametrize("state", [State.trying, State.relaying, State.closed])
def test_a_second_body_changes_nothing(state):
    """The request was complete once."""
    play = Play()
    exchange, _ = in_state(play, state)
    exchange.body(b"{}")
    assert state is exchange.state
    assert 1 == len(play.upstream.calls)


@pytest.mark.parametrize("state", list(State))
def test_a_drain_ends_every_state_with_a_word(state):
    """Before the answer a 503 says it, in a stream the dialect's own error event, and what has ended stays as it is."""
    play = Play()
    exchange, downstream = in_state(play, state)
    exchange.drain()
    exchange.drain()
    assert (State.closed, "finished") == (exchange.state, downstream.ended)
    if state in (State.receiving, State.trying):
        assert (503, "1") == (downstream.status, downstream.headers["retry-after"])
        assert "shutting down" in downstream.json["error"]["message"]
    if state is State.relaying:
        assert b"shutting down" in downstream.body.split(b"\n\n")[-2]
    if state in (State.trying, State.relaying):
        assert play.upstream.last.cancelled
        assert "gateway_fault" == play.record.outcome


def test_a_drained_answer_that_is_no_stream_is_cut():
    """Half a JSON has no form for an error, so the connection says it."""
    play = Play()
    exchange, downstream = play.ask()
    play.upstream.last.head()
    play.upstream.last.data(b"x" * (HOLD_BYTES + 1))
    exchange.drain()
    assert (200, "aborted") == (downstream.status, downstream.ended)


@pytest.mark.parametrize("state", [State.receiving, State.closed])
def test_pauses_and_ticks_without_an_attempt_change_nothing(state):
    """There is nothing to stop and no deadline to look at."""
    play = Play()
    exchange, _ = in_state(play, state)
    exchange.pause()
    exchange.resume()
    exchange.tick(play.clock.now + 9999)
    assert state is exchange.state


def test_what_arrives_after_the_end_changes_nothing():
    """A call that goes on after its exchange has closed is not heard."""
    play = Play()
    _, downstream = play.ask(stream=True)
    call = play.upstream.last
    call.stream(*STREAM, DONE)
    before = downstream.body
    call.head(500)
    call.data(delta("more"))
    call.fail("cut", "late")
    assert (before, "finished", 1) == (downstream.body, downstream.ended, len(play.ledger.records))


def test_an_exchange_tells_what_it_is_at():
    """For logs and asserts: its id, its state and its attempt."""
    play = Play()
    exchange, _ = play.open()
    assert "<Exchange req-1 receiving without an attempt>" == repr(exchange)
    exchange, _ = play.ask()
    assert "<Exchange req-2 trying <Attempt desk/1.0.0 stable 0>>" == repr(exchange)


# Good answers


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
    assert "1.0.0" == play.follow_ups.release_of("desk", "resp_1")


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


# Bad answers


def cut(place):
    """A stream's events up to a place."""
    events = [ROLE, delta("hi"), delta(finish="stop"), USAGE]
    return {"head": [], "role": events[:1], "text": events[:2], "half": [ROLE, delta("hi"), delta("!")[:-7]],
            "finish": events[:3], "usage": events}[place]  # fmt: skip


@pytest.mark.parametrize("ending", ["fail", "end"])
@pytest.mark.parametrize("place", ["head", "role"])
def test_a_stream_cut_before_its_content_is_a_clean_error(place, ending):
    """Nothing was sent yet, so the client gets a 502 of its dialect and no half stream."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(*cut(place))
    play.upstream.last.fail("cut", "broke off") if ending == "fail" else play.upstream.last.end()
    assert (502, "finished", "failed") == (downstream.status, downstream.ended, play.record.outcome)
    assert "api_error" == downstream.json["error"]["code"]
    assert [("1.0.0", "stable", "failed", 200)] == told(play)


@pytest.mark.parametrize("ending", ["fail", "end"])
@pytest.mark.parametrize("place", ["text", "half"])
def test_a_stream_cut_in_its_text_ends_with_an_error_event(place, ending):
    """In whole events: the half one is dropped, and no [DONE] makes it look like a success."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(*cut(place))
    play.upstream.last.fail("cut", "broke off") if ending == "fail" else play.upstream.last.end()
    events = downstream.body.split(b"\n\n")
    assert [ROLE.strip(), delta("hi").strip()] == events[:2]
    assert "message" in json.loads(events[2].removeprefix(b"data: "))["error"]
    assert [b""] == events[3:]
    assert ("finished", "failed") == (downstream.ended, play.record.outcome)


@pytest.mark.parametrize("ending", ["fail", "end", "idle"])
@pytest.mark.parametrize("place", ["finish", "usage"])
def test_a_stream_cut_after_its_finish_is_whole(place, ending):
    """The client has every choice's end: it is an ok answer, its usage known as far as it came."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(*cut(place))
    if ending == "idle":
        exchange.tick(play.clock.now + 61)
    else:
        play.upstream.last.fail("cut", "broke off") if ending == "fail" else play.upstream.last.end()
    assert ("finished", "ok") == (downstream.ended, play.record.outcome)
    assert (10 if place == "usage" else None) == play.record.input_tokens
    assert b"error" not in downstream.body


def test_half_a_usage_event_after_the_finish_is_dropped():
    """A client would stumble over half a JSON."""
    play = Play()
    _, downstream = play.ask(stream=True, stream_options={"include_usage": True})
    play.upstream.last.stream(*STREAM, USAGE[:-9])
    play.upstream.last.end()
    assert (b"".join(STREAM), "finished") == (downstream.body, downstream.ended)


@pytest.mark.parametrize("cut_at", [0, 9])
def test_a_whole_answer_that_is_cut_is_a_clean_error(cut_at):
    """Before the head, or in mid-body while it is held."""
    play = Play()
    _, downstream = play.ask()
    if cut_at:
        play.upstream.last.head()
        play.upstream.last.data(completion()[:cut_at])
    play.upstream.last.fail("cut" if cut_at else "connect", "broke off")
    assert (502, "broke off") == (downstream.status, downstream.json["error"]["message"])


def test_a_large_answer_that_is_cut_cuts_the_connection():
    """Its beginning is out, and half a JSON has no form for an error."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.head()
    play.upstream.last.data(b"{" + b" " * HOLD_BYTES)
    play.upstream.last.fail("cut", "broke off")
    assert (200, "aborted", "failed") == (downstream.status, downstream.ended, play.record.outcome)


@pytest.mark.parametrize(
    "body", [b'{"error":{"message":"Overloaded","type":"overloaded"}}', b"<html>busy</html>", b"", b'{"half":']
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_200_that_is_no_answer_is_a_failure(body, stream):
    """An error or rubbish under a good status is not passed off as an answer, streamed or not."""
    play = Play()
    _, downstream = play.ask(stream=stream)
    play.upstream.last.answer(body)
    assert (502, "failed") == (downstream.status, play.record.outcome)
    assert [("1.0.0", "stable", "failed", 200)] == told(play)


def test_an_error_inside_a_stream_before_content_is_a_clean_error():
    """The stream never began for the client."""
    play = anthropic_play()
    _, downstream = ask_messages(play)
    play.upstream.last.stream(MESSAGE_START, OVERLOADED)
    assert (502, "the provider's answer failed: overloaded_error") == (
        downstream.status,
        downstream.json["error"]["message"],
    )
    assert play.upstream.last.cancelled


@pytest.mark.parametrize("ending", ["end", "fail", "gone", "idle", "drain"])
def test_an_error_inside_a_stream_after_content_is_passed_on_and_counts(ending):
    """The client hears it from the provider; however the stream ends then, the answer has failed, and is told once."""
    play = anthropic_play()
    exchange, downstream = ask_messages(play)
    play.upstream.last.stream(MESSAGE_START, BLOCK, OVERLOADED)
    match ending:
        case "end":
            play.upstream.last.end()
        case "fail":
            play.upstream.last.fail("cut", "broke off")
        case "gone":
            exchange.client_gone()
        case "idle":
            exchange.tick(play.clock.now + 61)
        case _:
            exchange.drain()
    assert MESSAGE_START + BLOCK + OVERLOADED == downstream.body
    assert ("failed", 7, True) == (play.record.outcome, play.record.input_tokens, play.record.partial)


def test_an_answer_in_an_unknown_encoding_is_a_failure():
    """Its bytes could not be read, and are not passed on."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.head(content_encoding="rot13")
    assert (502, True) == (downstream.status, play.upstream.last.cancelled)


@pytest.mark.parametrize("content", [False, True])
def test_bytes_that_are_not_what_they_say_are_a_failure(content):
    """Before content a clean error, after it an error event; the call is given up."""
    play = Play()
    _, downstream = play.ask(stream=True)
    call = play.upstream.last
    call.head(content_type="text/event-stream", content_encoding="gzip")
    if content:
        call.data(gzip.compress(ROLE + delta("hi")))
    call.data(b"\x00not gzip")
    assert (200 if content else 502, "finished", True) == (downstream.status, downstream.ended, call.cancelled)
    assert "failed" == play.record.outcome


@pytest.mark.parametrize(("status", "outcome", "told"), [(429, "rate_limited", 429), (400, "client_fault", 400)])
@pytest.mark.parametrize("ending", ["fail", "idle"])
def test_an_error_that_is_cut_is_still_what_its_status_says(status, outcome, told, ending):
    """Half of its body is not passed on."""
    play = Play()
    exchange, downstream = play.ask()
    play.upstream.last.head(status)
    play.upstream.last.data(b'{"error":{"message":"half')
    play.upstream.last.fail("cut", "broke off") if ending == "fail" else exchange.tick(play.clock.now + 61)
    assert (told, outcome) == (downstream.status, play.record.outcome)
    assert f"the provider answered {status}" == downstream.json["error"]["message"]


def test_a_redirect_is_a_failure():
    """It is never followed, and its body never passed on."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.answer(b"{}", status=302, location="http://elsewhere.test")
    assert (502, "failed") == (downstream.status, play.record.outcome)
    assert "location" not in downstream.headers


# Deadlines


def test_a_silent_provider_is_given_up_at_its_first_byte():
    """A 504 tells it, and the call is cancelled."""
    play = Play(route(stable=release("1.0.0", provider=provider(timeouts=TERSE))))
    exchange, downstream = play.ask(stream=True)
    exchange.tick(play.clock.now + 5)
    assert downstream.status is None
    exchange.tick(play.clock.now + 5.1)
    assert (504, "finished", "failed") == (downstream.status, downstream.ended, play.record.outcome)
    assert play.upstream.last.cancelled


def test_a_provider_that_falls_silent_is_given_up():
    """Every piece of the body starts the idle time anew; then the client is told in its stream."""
    play = Play(route(stable=release("1.0.0", provider=provider(timeouts=TERSE))))
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"))
    play.clock.now += 2
    play.upstream.last.data(b": ping\n\n")
    exchange.tick(play.clock.now + 3)
    assert downstream.ended is None
    exchange.tick(play.clock.now + 3.1)
    assert ("finished", "failed") == (downstream.ended, play.record.outcome)
    assert b"fell silent" in downstream.body


def test_a_slow_drip_is_given_up_in_the_end():
    """The total time counts although there was never a silence."""
    play = Play(route(stable=release("1.0.0", provider=provider(timeouts=TERSE))))
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"))
    for _ in range(10):
        play.clock.now += 2
        play.upstream.last.data(delta("."))
    exchange.tick(play.clock.now)
    assert downstream.ended is None
    exchange.tick(play.clock.now + 0.1)
    assert b"longer than 20 s in all" in downstream.body


def test_a_provider_that_is_waited_for_in_vain_while_nothing_was_sent_is_a_clean_error():
    """Idle before the content: a 504 and no half stream."""
    play = Play(route(stable=release("1.0.0", provider=provider(timeouts=TERSE))))
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE)
    exchange.tick(play.clock.now + 3.1)
    assert (504, "finished") == (downstream.status, downstream.ended)


# A slow reader


def test_a_slow_reader_stops_the_provider():
    """Pause and resume reach the call once each; the pause does not count as the provider's silence."""
    play = Play(route(stable=release("1.0.0", provider=provider(timeouts=TERSE))))
    exchange, downstream = play.ask(stream=True)
    call = play.upstream.last
    call.stream(ROLE, delta("hi"))
    exchange.pause()
    exchange.pause()
    assert call.paused
    exchange.tick(play.clock.now + 19)
    play.clock.now += 10
    exchange.resume()
    exchange.resume()
    assert not call.paused
    exchange.tick(play.clock.now + 2)
    assert (State.relaying, None) == (exchange.state, downstream.ended)


def test_a_client_that_never_reads_is_given_up():
    """After a minute its connection is cut, and the request is a cancelled one."""
    play = Play()
    exchange, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"))
    exchange.pause()
    exchange.tick(play.clock.now + WRITE_STALL_SECONDS)
    assert downstream.ended is None
    exchange.tick(play.clock.now + WRITE_STALL_SECONDS + 0.1)
    assert ("aborted", "cancelled", True) == (downstream.ended, play.record.outcome, play.upstream.last.cancelled)


def test_a_pause_lasts_from_one_attempt_to_the_next():
    """The client is as slow as before, whoever answers it."""
    play = Play(route(canary_ppm=1_000_000))
    exchange, _ = play.ask()
    exchange.pause()
    play.upstream.last.fail()
    assert play.upstream.last.paused
    exchange.resume()
    assert not play.upstream.last.paused


def test_a_paused_call_reads_on_after_its_terminal_event():
    """It could not come to its end otherwise."""
    play = Play()
    exchange, _ = play.ask(stream=True)
    play.upstream.last.stream(*STREAM)
    exchange.pause()
    play.upstream.last.data(DONE)
    assert not play.upstream.last.paused


def test_a_pause_after_the_provider_has_ended_is_nothing():
    """There is no call to stop any more."""
    play = Play()
    exchange, downstream = play.ask()
    downstream.write = lambda data: (exchange.pause(), exchange.resume(), setattr(downstream, "body", data))
    play.upstream.last.answer()
    assert (completion(), "finished", False) == (downstream.body, downstream.ended, play.upstream.last.paused)


# A client that leaves


@pytest.mark.parametrize(
    ("events", "outcome", "tokens", "partial"),
    [
        ([], "cancelled", None, False),
        ([MESSAGE_START], "cancelled", 7, True),
        ([MESSAGE_START, BLOCK], "cancelled", 7, True),
        ([MESSAGE_START, BLOCK, MESSAGE_STOP], "ok", 7, False),
    ],
)
def test_a_client_that_leaves_a_stream_leaves_what_is_known_of_its_usage(events, outcome, tokens, partial):
    """Marked partial where the answer was not over; after its last event it was."""
    play = anthropic_play()
    exchange, _ = ask_messages(play)
    play.upstream.last.stream(*events)
    exchange.client_gone()
    assert (outcome, tokens, partial) == (play.record.outcome, play.record.input_tokens, play.record.partial)


def test_a_client_that_leaves_after_the_finish_has_its_answer():
    """SDKs hang up as soon as they have what they need; the usage is unknown then, and never zero."""
    play = Play()
    exchange, _ = play.ask(stream=True)
    play.upstream.last.stream(*STREAM)
    exchange.client_gone()
    assert ("ok", None, "unknown") == (play.record.outcome, play.record.input_tokens, play.record.cost_status)
    assert play.upstream.last.cancelled


def test_a_client_that_leaves_while_another_release_is_tried():
    """The first release's failure counts, the second's attempt does not."""
    play = Play(route(canary_ppm=1_000_000))
    exchange, _ = play.ask()
    play.upstream.last.fail()
    exchange.client_gone()
    assert [("1.1.0", "canary", "failed", 0), ("1.0.0", "fallback", "cancelled", 0)] == told(play)


# Settlement, as the exchange causes it


def test_overhead_is_time_spent_in_pinion_alone():
    """What the provider takes is not part of it."""
    play = Play()
    _, _ = play.ask(stream=True)
    play.clock.now += 30
    play.upstream.last.stream(ROLE, delta("hi"), delta(finish="stop"), DONE)
    assert 0.0 == play.record.overhead_seconds


def test_stable_offers_its_request_to_the_mirror_once():
    """Streams when they begin, answers when they are whole; no other track does."""
    play = Play()
    play.ask(stream=True)
    play.upstream.last.stream(*STREAM, DONE)
    play.ask()
    play.upstream.last.answer()
    assert ["req-1", "req-2"] == play.mirrors.offers
    play = Play(route(canary_ppm=1_000_000))
    play.ask()
    play.upstream.last.answer()
    play.ask()
    play.upstream.last.fail()
    play.upstream.last.answer()
    assert [] == play.mirrors.offers


def test_the_snapshot_is_the_one_when_the_body_is_whole():
    """A release that trips while a body is on its way gets no request from it."""
    play = Play(route(canary_ppm=1_000_000))
    exchange, _ = play.open()
    play.trip("desk", "1.1.0", "test")
    exchange.body(b'{"model":"desk","messages":[]}')
    assert "atlas-1.0.0" == play.upstream.last.json["model"]


def test_a_key_that_was_good_when_its_head_came_stays_good():
    """Keys are checked once."""
    play = Play()
    exchange, _ = play.open()
    play.snapshots.current = replace(play.snapshots.current, keys={})
    exchange.body(b'{"model":"desk","messages":[]}')
    assert 1 == len(play.upstream.calls)


def test_a_fault_of_the_pool_is_pinions_own():
    """A quick 503 that may be tried again, and no word against the release."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.fail("pool", "all 1000 connections are in use")
    assert (503, "1", "gateway_fault") == (downstream.status, downstream.headers["retry-after"], play.record.outcome)
    assert "x-should-retry" not in downstream.headers


def test_the_outcome_of_an_attempt_comes_with_its_end():
    """A stream that began well and broke counts as failed, once."""
    play = Play()
    for _ in range(3):
        play.ask(stream=True)
        play.upstream.last.stream(ROLE, delta("hi"))
        play.upstream.last.fail("cut", "broke off")
    assert play.breakers.is_open("desk", "1.0.0")
    assert [Outcome.failed.value] * 3 == [record.outcome for record in play.ledger.records]


def test_a_stream_of_several_choices_ends_with_all_of_them():
    """One choice's finish is not the others'."""
    play = Play()
    exchange, downstream = play.ask(stream=True, n=2)
    choices = [{"index": n, "delta": {"content": "x"}, "finish_reason": None} for n in (0, 1)]
    play.upstream.last.stream(chunk(choices=choices), delta(finish="stop"))
    play.upstream.last.fail("cut", "broke off")
    assert ("failed", State.closed) == (play.record.outcome, exchange.state)
    assert b"broke off" in downstream.body


def test_a_fault_is_one_of_the_tree():
    """What a transport says arrives as it is."""
    play = Play()
    _, downstream = play.ask()
    play.upstream.last.listener.upstream_failed(UpstreamFault("protocol", "no HTTP"))
    assert (502, "no HTTP") == (downstream.status, downstream.json["error"]["message"])
