"""What is told of a request when it has ended."""

import gzip
import json
from dataclasses import replace

import pytest

from gateway.core.breaker import BreakerPolicy
from gateway.core.price import NoPrice
from gateway.core.record import Tried
from gateway.core.unit import unit_digest
from gateway.proxy.afterwards import Afterwards
from gateway.proxy.exchanges import Exchanges
from gateway.proxy.relay import AnswerRelay
from gateway.proxy.settlement import upstream_id
from gateway.wire.answer_text import MAX_BYTES, MAX_TEXT
from tests.proxy.playbook import (
    DONE,
    ROLE,
    USAGE,
    Play,
    chunk,
    completion,
    delta,
    named,
    prompt,
    provider,
    release,
    route,
)


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
        "split": None,
        "revision": "r",
        "prompt_digest": None,
    } == {name: getattr(record, name) for name in record.__slots__ if name != "input_digest"}


def test_a_request_belongs_to_its_split_whoever_answers():
    """The rollout that decided is told for its canary, for stable beside it, and where stable answered instead."""
    for ppm, status in ((1_000_000, 200), (0, 200), (1_000_000, 500)):
        play = Play(route(canary_ppm=ppm))
        play.ask(user="u-1")
        if status == 500:
            play.upstream.last.head(500)
        play.upstream.last.answer()
        assert "rollout-1" == play.record.split


def test_the_judging_hears_what_the_ledger_does():
    """Every record once, good and bad."""
    play = Play(route(canary_ppm=1_000_000))
    play.ask()
    play.upstream.last.answer()
    play.ask()
    play.upstream.last.fail()
    play.upstream.last.fail()
    exchange, _ = play.ask()
    exchange.client_gone()
    assert (3, play.ledger.records) == (len(play.judging.heard), play.judging.heard)


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
    ("first", "known"),
    [({b"x-request-id": b"a"}, "a"), ({b"request-id": b"b"}, "b"), ({}, None)],
)
def test_a_provider_has_its_own_id_of_a_request(first, known):
    """OpenAI's header, or Anthropic's."""
    assert known == upstream_id(first)


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


# Whether an answer follows its prompt's schema

SCHEMA = {"type": "object", "required": ["answer"]}
GOOD = '{"answer":"hé"}'


def promised(dialect="openai", **changes):
    """A world whose only release promises answers of a schema."""
    kept = prompt(text="t", inputs={}, output_schema=SCHEMA)
    return Play(route(stable=release("1.0.0", provider=provider(dialect), prompt=kept), **changes))


def streamed(play, events, path="/v1/chat/completions"):
    """The record of a request whose answer came as a stream."""
    _, downstream = play.ask(path=path, stream=True, **asked_at(path))
    play.upstream.last.stream(*events)
    play.upstream.last.end()
    assert "finished" == downstream.ended
    return play.record


STREAMS = {
    "/v1/chat/completions": lambda text: [ROLE, *map(delta, text), delta(finish="stop"), DONE],
    "/v1/completions": lambda text: [
        *(chunk(choices=[{"index": 0, "text": piece, "finish_reason": None}]) for piece in text),
        chunk(choices=[{"index": 0, "text": "", "finish_reason": "stop"}]),
        DONE,
    ],
    "/v1/responses": lambda text: [
        *(named("response.output_text.delta", delta=piece) for piece in text),
        named("response.completed", response={"output": [{"content": [{"type": "output_text", "text": text}]}]}),
    ],
    "/v1/messages": lambda text: [
        named("message_start", message={"id": "m"}),
        *(named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}) for piece in text),
        named("message_stop"),
    ],
}

WHOLES = {
    "/v1/chat/completions": completion,
    "/v1/completions": lambda text: completion(choices=[{"text": text}]),
    "/v1/responses": lambda text: json.dumps(
        {"output": [{"content": [{"type": "output_text", "text": text}]}]}
    ).encode(),
    "/v1/messages": lambda text: json.dumps({"content": [{"type": "text", "text": text}]}).encode(),
}


def asked_at(path):
    """What a request at a path must say."""
    return {"prompt": "hi"} if path == "/v1/completions" else {}


def dialect_of(path):
    """Who speaks at a path."""
    return "anthropic" if path == "/v1/messages" else "openai"


@pytest.mark.parametrize(("text", "valid"), [(GOOD, True), ("{}", False), ("no JSON", False), ("[" * 1_100, False)])
@pytest.mark.parametrize("path", STREAMS)
def test_an_answer_is_held_against_its_prompts_schema(path, text, valid):
    """Whole and streamed, at every endpoint whose answers are text."""
    play = promised(dialect_of(path))
    play.ask(path=path, **asked_at(path))
    play.upstream.last.answer(WHOLES[path](text))
    assert ("ok", valid) == (play.record.outcome, play.record.schema_valid)
    record = streamed(play, STREAMS[path](text), path)
    assert ("ok", valid) == (record.outcome, record.schema_valid)


@pytest.mark.untraced
@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_may_come_in_any_pieces(path):
    """Its text is the same, and the client has every byte."""
    stream = b"".join(STREAMS[path](GOOD))
    for at in range(1, len(stream)):
        play = promised(dialect_of(path))
        _, downstream = play.ask(path=path, stream=True, **asked_at(path))
        play.upstream.last.stream(stream[:at], stream[at:])
        assert (stream, True) == (downstream.body, play.record.schema_valid)


def test_a_packed_answer_is_held_against_the_schema():
    """As it is when it is unpacked."""
    play = promised()
    play.ask()
    play.upstream.last.answer(gzip.compress(completion(GOOD)), content_encoding="gzip")
    assert play.record.schema_valid is True


def test_a_prompt_without_a_schema_promises_nothing():
    """Nothing of its answers is kept."""
    play = Play(route(stable=release("1.0.0", prompt=prompt(text="t", inputs={}))))
    play.ask()
    play.upstream.last.head()
    attempt = play.upstream.last.listener
    assert isinstance(attempt.relay, AnswerRelay)
    play.upstream.last.data(completion(GOOD))
    play.upstream.last.end()
    assert (None, None) == (play.record.schema_valid, attempt.take_text())


def test_tool_calls_are_no_text():
    """There is nothing to hold against the schema."""
    call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    events = [ROLE, chunk(choices=[{"index": 0, "delta": call}]), delta(finish="tool_calls"), DONE]
    assert ("ok", None) == (streamed(play := promised(), events).outcome, play.record.schema_valid)


@pytest.mark.untraced
def test_of_an_answer_over_the_limits_nothing_is_known():
    """Neither of a long text, nor of one with a great deal around it; the client has them all the same."""
    play = promised()
    for body in (completion(GOOD.ljust(MAX_TEXT + 1)), completion(GOOD).ljust(MAX_BYTES + 1)):
        _, downstream = play.ask()
        play.upstream.last.answer(body)
        assert (body, "ok", None) == (downstream.body, play.record.outcome, play.record.schema_valid)
    pings = [b": ping\n\n" * 1024] * (MAX_BYTES // 8192)
    for events in ([delta(GOOD), *pings], [delta(GOOD.ljust(MAX_TEXT + 1))]):
        record = streamed(play, [*events, delta(finish="stop"), DONE])
        assert ("ok", None) == (record.outcome, record.schema_valid)


def test_an_answer_that_is_cut_off_is_not_judged():
    """By the provider, or by the client."""
    play = promised()
    play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta(GOOD))
    play.upstream.last.fail("cut", "broke off")
    assert ("failed", None) == (play.record.outcome, play.record.schema_valid)
    exchange, _ = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta(GOOD))
    exchange.client_gone()
    assert ("cancelled", None) == (play.record.outcome, play.record.schema_valid)


def test_a_client_that_leaves_after_the_end_has_had_an_answer():
    """All of its text had come."""
    play = promised()
    exchange, _ = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta(GOOD, finish="stop"))
    exchange.client_gone()
    assert ("ok", True) == (play.record.outcome, play.record.schema_valid)


def test_a_slow_answer_is_judged_too():
    """It is as whole as a fast one."""
    play = promised(breaker=BreakerPolicy(slow_over=1.0))
    play.ask()
    play.clock.now += 2
    play.upstream.last.answer(completion("{}"))
    assert ("slow", False) == (play.record.outcome, play.record.schema_valid)


def test_the_release_that_answered_is_judged():
    """By its own prompt, whatever the one before it promised."""
    play = promised(canary_ppm=1_000_000)
    play.ask()
    play.upstream.last.head(500)
    play.upstream.last.answer(completion("{}"))
    assert ("1.0.0", False) == (play.record.release, play.record.schema_valid)


def test_the_client_does_not_wait_for_the_judgement():
    """Its answer is complete before the text is looked at."""
    play, later = promised(), []
    play.exchanges = Exchanges(replace(play.around, afterwards=Afterwards(later.append)))
    _, downstream = play.ask()
    play.upstream.last.answer(completion(GOOD))
    assert ("finished", [], 1) == (downstream.ended, play.ledger.records, len(later))
    later.pop()()
    assert play.record.schema_valid is True


def test_a_count_of_tokens_has_no_text():
    """There is nothing to judge."""
    play = promised("anthropic")
    play.ask(path="/v1/messages/count_tokens")
    play.upstream.last.answer(b'{"input_tokens":5}')
    assert ("ok", None) == (play.record.outcome, play.record.schema_valid)
