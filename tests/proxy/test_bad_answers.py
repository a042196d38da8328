"""Scripts of events for answers that go wrong: cut, broken, an error in disguise, before their content and after it."""

import gzip
import json

import pytest

from gateway.proxy.relay import HOLD_BYTES
from tests.proxy.playbook import (
    BLOCK,
    MESSAGE_START,
    OVERLOADED,
    ROLE,
    STREAM,
    USAGE,
    Play,
    anthropic_play,
    ask_messages,
    completion,
    delta,
    told,
)


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


@pytest.mark.parametrize("last", [b"\n\n", b""])
def test_an_error_inside_a_stream_that_quotes_the_credential_is_told_by_pinion(last):
    """Whole, or without its blank line at the end; the failure counts all the same."""
    play = Play()
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(*STREAM[:2])
    play.upstream.last.data(b'data: {"error":{"message":"you sent Bearer sk-provider","type":"server_error"}}' + last)
    play.upstream.last.end()
    assert b"sk-provider" not in downstream.body
    assert downstream.body.endswith(b"\n\n")
    assert b"its own words quote the gateway's credential" in downstream.body
    assert ("failed", "finished") == (play.record.outcome, downstream.ended)
