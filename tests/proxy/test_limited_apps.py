"""Requests of applications with limits: when they are counted, refused and settled."""

from dataclasses import replace

import pytest

from gateway.core.app import App
from gateway.core.limit import Limit, LimitUse, Overrun
from tests.proxy.playbook import KEY, Play, anthropic_play

MINUTE = Limit("requests", 2, 60.0)
LIMITED = App("helpdesk", limits=(MINUTE,))
OVERRUN = Overrun(MINUTE, 7, 1_700_001_000.0, (LimitUse(MINUTE, 2, 59.0),))


def test_a_request_is_counted_once_its_body_is_there():
    """At wall time; not by its head alone, which may be followed by nothing."""
    play = Play(app=LIMITED)
    exchange, _ = play.open()
    assert [] == play.app_limits.taken
    exchange.body(b'{"model": "desk", "messages": []}')
    assert [("helpdesk", play.clock.wall())] == play.app_limits.taken


def test_a_request_over_the_limit_is_sent_nowhere():
    """429 in the dialect's shape, with when to come back; a line in the log, and no record."""
    play = Play(app=LIMITED)
    play.app_limits.overrun = OVERRUN
    _, client = play.ask()
    error = client.json["error"]
    assert (429, "finished", []) == (client.status, client.ended, play.upstream.calls)
    assert ("rate_limit_error", "rate_limit_exceeded") == (error["type"], error["code"])
    assert "application helpdesk has used its 2 requests per 1m; try again in 7 s" == error["message"]
    assert ("7", "2", "0", "59s") == tuple(
        client.headers[name]
        for name in ("retry-after", *(f"x-ratelimit-{each}-requests" for each in ("limit", "remaining", "reset")))
    )
    assert "x-should-retry" not in client.headers
    assert ([], [("refused", 429)]) == (
        play.ledger.records,
        [(name, fields["status"]) for name, fields in play.journal.events],
    )


def test_anthropics_endpoint_refuses_in_its_own_shape():
    """Type, details and headers as its SDK reads them."""
    play = anthropic_play()
    play.app_limits.overrun = OVERRUN
    snapshot = play.snapshots.current
    play.snapshots.current = replace(snapshot, keys=dict.fromkeys(snapshot.keys, LIMITED))
    _, client = play.ask(path="/v1/messages", max_tokens=9)
    error = client.json["error"]
    assert (429, "error", "rate_limit_error") == (client.status, client.json["type"], error["type"])
    assert {"error_code": "rate_limit_exceeded"} == error["details"]
    assert ("7", "0") == (client.headers["retry-after"], client.headers["anthropic-ratelimit-requests-remaining"])


def test_a_body_is_not_read_for_nothing():
    """Over the limit even what is no request is a 429; within it, it has counted."""
    play = Play(app=LIMITED)
    assert (400, 1) == (play.ask(body=b"nonsense")[1].status, len(play.app_limits.taken))
    play.app_limits.overrun = OVERRUN
    assert 429 == play.ask(body=b"nonsense")[1].status


@pytest.mark.parametrize(("path", "key"), [("/v1/chat/completions", "Bearer other"), ("/v1/embeddings", None)])
def test_who_is_not_known_has_no_limit(path, key):
    """401 comes first, and counts for nobody."""
    play = Play(app=LIMITED)
    play.app_limits.overrun = OVERRUN
    headers = {} if key is None else {"authorization": key}
    _, client = play.open(path, **{**({"authorization": ""} if key is None else {}), **headers})
    assert (401, []) == (client.status, play.app_limits.taken)


def test_what_a_request_used_is_told_once_it_is_settled():
    """By its record; a failed one tells, too."""
    play = Play(app=LIMITED)
    play.ask()
    play.upstream.last.answer()
    play.around.afterwards.run()
    play.ask()
    play.upstream.last.fail()
    assert [15, None] == [record.tokens for record in play.app_limits.heard]
    assert play.ledger.records == play.app_limits.heard


def test_applications_without_limits_cost_nothing():
    """Nobody is asked, nobody is told."""
    play = Play()
    play.ask(headers={"authorization": KEY.decode()})
    play.upstream.last.answer()
    play.around.afterwards.run()
    assert ([], []) == (play.app_limits.taken, play.app_limits.heard)
    assert 1 == len(play.ledger.records)
