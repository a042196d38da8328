"""What is told of a request when it has ended."""

import json

import pytest

from gateway.core.price import NoPrice
from gateway.core.record import Tried
from gateway.core.unit import unit_digest
from gateway.proxy.settlement import upstream_id
from tests.proxy.playbook import DONE, ROLE, USAGE, Play, completion, delta, provider, release, route


def test_a_request_leaves_one_record():
    """With everything that is asked of it later, and none of its text."""
    play = Play()
    play.ask(user="u-1", headers={"x-stainless-retry-count": "1"})
    play.clock.now += 2
    play.upstream.last.answer(x_request_id="up-1")
    record = play.record
    assert [record] == play.ledger.records == play.meters.records
    assert {
        "request_id": "req-1",
        "at": 1_700_001_002.0,
        "app": "helpdesk",
        "route": "desk",
        "release": "1.0.0",
        "track": "stable",
        "why": "no rollout or experiment is running",
        "bucket": None,
        "unit_digest": unit_digest("u-1"),
        "outcome": "ok",
        "status": 200,
        "seconds": 2.0,
        "first_token_seconds": None,
        "overhead_seconds": 0.0,
        "input_tokens": 10,
        "output_tokens": 5,
        "cached_input_tokens": 0,
        "cost_nano_usd": 20_000,
        "cost_status": "exact",
        "partial": False,
        "served_model": "atlas-1.0.0",
        "fingerprint": "fp_1",
        "response_id": "chatcmpl-1",
        "upstream_request_id": "up-1",
        "endpoint": "chat",
        "stream": False,
        "sdk_retries": 1,
        "attempts": (Tried("1.0.0", "stable", "ok", 200),),
        "epoch": 1,
        "shadow_of": None,
        "schema_valid": None,
    } == {name: getattr(record, name) for name in record.__slots__ if name != "input_digest"}


def test_a_failover_is_two_attempts_of_one_request():
    """The record speaks for the one that answered, and keeps the other."""
    play = Play(route(canary_ppm=1_000_000))
    play.ask()
    play.upstream.last.head(500)
    play.upstream.last.answer()
    record = play.record
    assert ("1.0.0", "fallback", "ok", 200) == (record.release, record.track, record.outcome, record.status)
    assert (Tried("1.1.0", "canary", "failed", 500), Tried("1.0.0", "fallback", "ok", 200)) == record.attempts


def test_the_status_is_what_the_client_was_told():
    """What the provider said is in the attempts."""
    play = Play()
    play.ask()
    play.upstream.last.answer(b"{}", status=401)
    assert (502, 401) == (play.record.status, play.record.attempts[0].status)


def test_unknown_usage_is_unknown_and_its_cost_too():
    """Never zero."""
    play = Play()
    play.ask()
    play.upstream.last.answer(completion(usage=None))
    record = play.record
    assert (None, None, None, "unknown", False) == (
        record.input_tokens,
        record.output_tokens,
        record.cost_nano_usd,
        record.cost_status,
        record.partial,
    )
    assert play.journal.events[-1][1]["cost_usd"] is None


def test_usage_without_a_price_has_no_cost():
    """The tokens are known all the same."""
    play = Play()
    object.__setattr__(play.route.stable.model, "pricing", NoPrice())
    play.ask()
    play.upstream.last.answer()
    assert (10, None, "unknown") == (play.record.input_tokens, play.record.cost_nano_usd, play.record.cost_status)


def test_a_count_of_tokens_costs_nothing():
    """Which is known, and it uses none."""
    play = Play(route(stable=release("1.0.0", provider=provider("anthropic"))))
    play.ask(path="/v1/messages/count_tokens")
    play.upstream.last.answer(b'{"input_tokens":5}')
    assert (0, "exact", None) == (play.record.cost_nano_usd, play.record.cost_status, play.record.input_tokens)


def test_a_broken_stream_leaves_a_partial_usage():
    """Usage came before the break."""
    play = Play()
    play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi", usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}))
    play.upstream.last.fail("cut", "broke off")
    assert (3, True, "failed") == (play.record.input_tokens, play.record.partial, play.record.outcome)


def test_what_an_answer_says_of_its_model_is_heard():
    """Of the release that answered; an answer that says nothing is not."""
    play = Play()
    play.ask()
    play.upstream.last.answer()
    play.ask()
    play.upstream.last.answer(completion(model=None, system_fingerprint=None))
    play.ask()
    play.upstream.last.answer(completion(model=None))
    assert [("1.0.0", "atlas-1.0.0", "fp_1"), ("1.0.0", None, "fp_1")] == play.served.seen


@pytest.mark.parametrize(
    ("fields", "known"),
    [([(b"x-request-id", b"a")], "a"), ([(b"request-id", b"b")], "b"), ([], None)],
)
def test_a_provider_has_its_own_id_of_a_request(fields, known):
    """OpenAI's header, or Anthropic's."""
    assert known == upstream_id(fields)


def test_the_log_has_one_line_a_request():
    """Request id, route and release, digests and counts; a message only where there is one; no text at all."""
    play = Play()
    play.ask(messages=[{"role": "user", "content": "private"}])
    play.upstream.last.answer(completion("secret"))
    play.ask()
    play.upstream.last.fail("connect", "refused")
    good, bad = [fields for name, fields in play.journal.events if name == "request"]
    assert ("req-1", "desk", "1.0.0", "helpdesk", "ok", 0.00002) == (
        good["request_id"],
        good["route"],
        good["release"],
        good["app"],
        good["outcome"],
        good["cost_usd"],
    )
    assert "message" not in good
    assert "refused" == bad["message"]
    assert "private" not in json.dumps(play.journal.events)
    assert "secret" not in json.dumps(play.journal.events)


def test_a_canary_that_serves_is_told_to_its_own_breaker():
    """Each release has its own."""
    play = Play(route(canary_ppm=1_000_000))
    play.ask()
    play.upstream.last.answer()
    counts = [play.breakers.describe("desk", version, 0).get("requests") for version in ("1.0.0", "1.1.0")]
    assert [None, 1] == counts


def test_a_stream_of_a_slow_client_is_still_timed_by_its_provider():
    """First token and whole time of a stream."""
    play = Play(route(stable=release("1.0.0", provider=provider())))
    play.ask(stream=True)
    play.clock.now += 1
    play.upstream.last.stream(ROLE, delta("hi"))
    play.clock.now += 4
    play.upstream.last.data(delta(finish="stop") + USAGE + DONE)
    assert (1.0, 5.0, True) == (play.record.first_token_seconds, play.record.seconds, play.record.stream)
