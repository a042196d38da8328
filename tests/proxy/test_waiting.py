"""Who keeps whom waiting: a provider that is silent, a client that reads slowly, and one that leaves."""

import pytest

from gateway.core.provider import Timeouts
from gateway.proxy.exchange import WRITE_STALL_SECONDS, State
from tests.proxy.playbook import (
    BLOCK,
    DONE,
    MESSAGE_START,
    MESSAGE_STOP,
    ROLE,
    STREAM,
    Play,
    anthropic_play,
    ask_messages,
    completion,
    delta,
    provider,
    release,
    route,
    told,
)

TERSE = Timeouts(first_byte=5, idle=3, total=20)


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
