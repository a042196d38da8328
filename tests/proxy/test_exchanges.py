"""All requests under way."""

from dataclasses import replace

import pytest

from gateway.core.errors import NotFound
from gateway.core.head import Head
from gateway.proxy.admission import Limits
from tests.proxy.playbook import DONE, Downstream, Play, delta


@pytest.mark.parametrize(
    ("path", "governed"),
    [
        ("/v1/chat/completions", True),
        ("/v1/messages/count_tokens", True),
        ("/v1/models", False),
        ("/v1/chat/completions/", False),
        ("/v1/chat%2Fcompletions", False),
        ("", False),
    ],
)
def test_only_exact_paths_are_governed(path, governed):
    """Nothing is decoded or trimmed, so that nothing can be mistaken."""
    play = Play()
    assert governed == play.exchanges.governs(path)
    if not governed:
        with pytest.raises(NotFound):
            play.exchanges.open(Downstream(), Head("POST", path, b"", []))


def test_an_exchange_is_open_until_it_is_handed_back():
    """However it ended."""
    play = Play()
    first, _ = play.ask()
    second, downstream = play.ask()
    play.upstream.last.answer()
    assert (2, "<Exchanges 2 open>") == (len(play.exchanges), repr(play.exchanges))
    play.exchanges.close(second)
    assert (1, "finished") == (len(play.exchanges), downstream.ended)
    play.exchanges.close(first)
    play.exchanges.close(first)
    assert 0 == len(play.exchanges)


def test_one_that_is_handed_back_before_its_end_has_lost_its_client():
    """Its call is given up at once."""
    play = Play()
    exchange, _ = play.ask()
    play.exchanges.close(exchange)
    assert (True, "cancelled") == (play.upstream.last.cancelled, play.record.outcome)


def test_one_tick_looks_after_all():
    """Every deadline of every exchange, and the calls that are left to end."""
    play = Play()
    _, first = play.ask()
    _, second = play.ask()
    play.ask(stream=True)
    play.upstream.last.stream(delta("hi", finish="stop"), DONE)
    play.exchanges.tick(play.clock.now + 61)
    assert ([504, 504], True) == ([first.status, second.status], play.upstream.last.cancelled)


def test_a_drain_ends_all():
    """Each with a clear word."""
    play = Play()
    _, first = play.ask()
    _, second = play.open()
    play.exchanges.drain()
    assert [503, 503] == [first.status, second.status]


@pytest.mark.parametrize(("drawn", "wait"), [(0.0, "1"), (0.5, "3"), (0.999, "5")])
def test_one_more_than_may_be_under_way_is_refused_by_its_head(drawn, wait):
    """Nothing is read of it, not even its key; it is told when to come back, and counted. Then there is room again."""
    play = Play()
    play.exchanges.around = replace(play.around, limits=Limits(max_requests=2))
    play.drawn = drawn
    first, _ = play.ask()
    play.open()
    exchange, refused = play.open(authorization="Bearer wrong")
    assert (503, wait, "finished") == (refused.status, refused.headers["retry-after"], refused.ended)
    assert f"too many requests are under way; send the request again in {wait} s" == refused.json["error"]["message"]
    assert (False, ["overload"], []) == (exchange.wants_body, play.meters.refusals, play.denials.denied)
    assert ("refused", 503) == (play.journal.events[-1][0], play.journal.events[-1][1]["status"])
    play.exchanges.close(exchange)
    play.exchanges.close(first)
    _, let_in = play.ask()
    assert None is let_in.status


def test_the_largest_body_is_known_to_the_edge():
    """It stops reading there."""
    assert 32 << 20 == Play().exchanges.max_body
