"""Scripts of events for one exchange: every state, every event, and what the exchange causes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.errors import TooSlow, UpstreamFault
from gateway.core.outcome import Outcome
from gateway.proxy import exchange as machine
from gateway.proxy.exchange import TRANSITIONS, State
from gateway.proxy.relay import HOLD_BYTES
from tests.proxy.playbook import DONE, ROLE, STREAM, Play, chunk, delta, route, told


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
