"""Copies of what stable answered: who is copied, what leaves, and what comes of it."""

import gzip
import json
from dataclasses import replace

import pytest

from gateway.core.bucket import Salt
from gateway.core.errors import UpstreamFault
from gateway.core.price import NoPrice
from gateway.core.route import Shadow
from gateway.proxy.exchanges import Exchanges
from gateway.proxy.mirror import MAX_ACTIVE, MAX_ANSWER, MAX_QUEUED, Mirror
from tests.proxy.playbook import DONE, Play, Upstream, completion, delta, prompt, provider, release, route

SCHEMA = {"type": "object", "required": ["answer"]}


class Mirrored(Play):
    """A world with a mirror that has a transport of its own."""

    def __post_init__(self):
        super().__post_init__()
        self.shadow_upstream = Upstream()
        self.mirror = Mirror(self.shadow_upstream, self.meters, self.ledger, self.judging, self.journal, self.clock)
        self.around = replace(self.around, mirrors=self.mirror)
        self.exchanges = Exchanges(self.around)

    @property
    def results(self):
        """What was counted of the shadow."""
        return [result for _, _, result in self.meters.shadows]

    def answered(self, **request):
        """A request that stable has answered."""
        exchange, downstream = self.ask(**request)
        self.upstream.last.answer()
        return exchange, downstream


def mirrored(*, ppm=1_000_000, dialect="openai", candidate=None, **shadow):
    """A world whose route mirrors to release 1.1.0."""
    source = provider(dialect)
    candidate = candidate or release("1.1.0", provider=source)
    standing = Shadow(candidate, ppm, Salt("v1/shadow"), **shadow)
    return Mirrored(route(stable=release("1.0.0", provider=source), candidate=candidate, shadow=standing))


def test_a_copy_is_sent_when_stable_has_answered():
    """To the shadow's release, by its own transport; the client sees nothing of it."""
    play = mirrored()
    _, downstream = play.ask()
    assert [] == play.shadow_upstream.calls
    play.upstream.last.answer()
    assert ("atlas-1.1.0", "<Mirror 1 active, 0 queued>") == (
        play.shadow_upstream.last.json["model"],
        repr(play.mirror),
    )
    play.shadow_upstream.last.answer(completion("other"))
    assert (completion(), "1.0.0") == (downstream.body, downstream.headers["x-pinion-release"].split("/")[1])
    assert ([("desk", "1.1.0", "ok")], 0) == (play.meters.shadows, len(play.mirror))


def test_a_copy_leaves_a_record_of_its_own():
    """On track `shadow`, with its own cost, naming the request that it copied."""
    play = mirrored()
    play.answered(user="u-1")
    play.clock.now += 3
    play.shadow_upstream.last.answer(x_request_id="up-9")
    record = play.record
    assert ("req-1-shadow", "req-1", "1.1.0", "shadow", "ok", 200, 3.0, 20_000) == (
        record.request_id,
        record.shadow_of,
        record.release,
        record.track,
        record.outcome,
        record.status,
        record.seconds,
        record.cost_nano_usd,
    )
    assert (play.ledger.records[0].input_digest, "up-9", None, False) == (
        record.input_digest,
        record.upstream_request_id,
        record.unit_digest,
        record.partial,
    )
    assert [("1.1.0", "shadow", "ok", 200)] == [
        (tried.release, tried.track, tried.outcome, tried.status) for tried in record.attempts
    ]
    name, fields = play.journal.events[-1]
    assert ("shadow", "req-1-shadow", "ok") == (name, fields["request_id"], fields["outcome"])


# Who is copied


def test_requests_are_sampled_by_their_id():
    """The shadow has its own salt; about its share is copied."""
    play = mirrored(ppm=100_000)
    for _ in range(500):
        play.answered()
    assert 25 < len(play.shadow_upstream.calls) + len(play.mirror._queue) < 90


@pytest.mark.parametrize("ppm", [0, 1_000_000])
def test_none_and_all_are_exact(ppm):
    """No request too many or too few."""
    play = mirrored(ppm=ppm)
    for _ in range(20):
        play.answered()
    assert (20 if ppm else 0) == len(play.shadow_upstream.calls)


def test_without_a_shadow_nothing_is_copied():
    """Nor to one that is out."""
    play = Mirrored()
    play.answered()
    assert [] == play.shadow_upstream.calls
    play = mirrored()
    play.snapshots.current = play._snapshot(replace(play.route, out={"1.1.0": "rolled back"}))
    play.answered()
    assert ([], []) == (play.shadow_upstream.calls, play.results)


def test_a_rollouts_shadow_step_copies_to_its_candidate_though_that_is_out():
    """It gets no request but these: its step is at weight 0."""
    play = mirrored(is_step=True)
    play.snapshots.current = play._snapshot(replace(play.route, out={"1.1.0": "its step is at weight 0"}))
    _, downstream = play.answered()
    play.shadow_upstream.last.answer()
    assert (["ok"], 200, "1.0.0") == (play.results, downstream.status, play.ledger.records[0].release)


def test_the_judging_hears_a_copy_and_what_it_copied():
    """Each as its record says it, however the copy ended."""
    for end in (lambda call: call.answer(), lambda call: call.answer(status=500), lambda call: call.fail()):
        play = mirrored()
        play.answered()
        end(play.shadow_upstream.last)
        assert ["stable", "shadow"] == [record.track for record in play.judging.heard]
        assert play.ledger.records == play.judging.heard


def test_a_count_of_tokens_is_not_copied():
    """It says nothing of what the shadow would answer."""
    play = mirrored(dialect="anthropic")
    _, downstream = play.ask(path="/v1/messages/count_tokens")
    play.upstream.last.answer(b'{"input_tokens":5}')
    assert (200, [], []) == (downstream.status, play.shadow_upstream.calls, play.results)


def test_a_streamed_request_is_copied_as_a_whole_one():
    """When its stream begins; nobody reads the copy's stream."""
    play = mirrored()
    play.ask(stream=True)
    play.upstream.last.stream(delta("hi"))
    body = play.shadow_upstream.last.json
    assert {"model", "messages"} == body.keys()
    play.upstream.last.data(delta(finish="stop") + DONE)
    assert 1 == len(play.shadow_upstream.calls)


def test_a_client_that_leaves_does_not_end_its_copy():
    """Nor the other way round."""
    play = mirrored()
    exchange, _ = play.ask(stream=True)
    play.upstream.last.stream(delta("hi"))
    exchange.client_gone()
    assert not play.shadow_upstream.last.cancelled
    play.shadow_upstream.last.answer()
    assert ["ok"] == play.results


@pytest.mark.parametrize(
    ("members", "result"),
    [
        ({"padding": "x" * 200}, "too_large"),
        ({"previous_response_id": "r"}, "stateful"),
        ({"conversation": {"id": "c"}}, "stateful"),
        ({"container": "c"}, "stateful"),
    ],
)
def test_what_cannot_be_copied_is_counted(members, result):
    """Over the body limit, or leaning on state at the provider."""
    play = mirrored(max_body=150)
    play.answered(**members)
    assert ([result], []) == (play.results, play.shadow_upstream.calls)


# What leaves


@pytest.mark.parametrize(
    ("dialect", "path", "members", "leaves"),
    [
        (
            "openai",
            "/v1/chat/completions",
            {"store": True, "metadata": {"a": "b"}, "web_search_options": {}, "temperature": 1},
            {"temperature": 1},
        ),
        (
            "openai",
            "/v1/chat/completions",
            {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
            {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"},
        ),
        ("openai", "/v1/responses", {"store": True, "background": True}, {"store": False}),
        (
            "openai",
            "/v1/responses",
            {"tools": [{"type": "web_search"}, {"type": "custom", "name": "c"}], "tool_choice": "required"},
            {"tools": [{"type": "custom", "name": "c"}], "store": False},
        ),
        ("openai", "/v1/responses", {"tools": [{"type": "mcp"}, 7]}, {"store": False}),
        (
            "anthropic",
            "/v1/messages",
            {"tools": [{"name": "own"}, {"type": "web_search_20250305"}], "mcp_servers": [], "max_tokens": 9},
            {"tools": [{"name": "own"}], "max_tokens": 9},
        ),
    ],
)
def test_a_copy_acts_on_nothing(dialect, path, members, leaves):
    """What would leave a trace at the provider, or be run there, is taken out."""
    play = mirrored(dialect=dialect)
    play.answered(path=path, **members)
    body = play.shadow_upstream.last.json
    assert {"model": "atlas-1.1.0", "messages": [{"role": "user", "content": "hi"}], **leaves} == body


def test_what_the_release_pins_is_stripped_as_well():
    """A stored or streamed copy helps nobody."""
    candidate = release("1.1.0", params={"store": True, "stream": True, "seed": 7})
    play = mirrored(candidate=candidate)
    play.answered()
    assert {"model", "messages", "seed"} == play.shadow_upstream.last.json.keys()


def test_a_copy_has_the_shadows_credential_and_never_the_clients():
    """As every request that leaves."""
    play = mirrored()
    play.answered()
    fields = play.shadow_upstream.last.request.headers
    assert [b"Bearer sk-provider"] == [value for name, value in fields if name == b"authorization"]


def test_a_request_that_does_not_fill_the_shadows_prompt_has_failed():
    """That is a finding about the release, and nothing is sent."""
    play = mirrored(candidate=release("1.1.0", prompt=prompt()))
    play.answered()
    assert (["failed"], []) == (play.results, play.shadow_upstream.calls)


# What comes of it


@pytest.mark.parametrize(
    ("play_it", "result", "outcome", "status"),
    [
        (lambda call: call.answer(), "ok", "ok", 200),
        (lambda call: call.answer(b"{}", status=500), "failed", "failed", 500),
        (lambda call: call.answer(b"{}", status=429), "failed", "rate_limited", 429),
        (lambda call: call.answer(b"{}", status=400), "failed", "client_fault", 400),
        (lambda call: call.answer(b'{"error":{"message":"no"}}'), "failed", "failed", 200),
        (lambda call: call.answer(b"<html>"), "failed", "failed", 200),
        (lambda call: call.answer(b"no gzip", content_encoding="gzip"), "failed", "failed", 200),
        (lambda call: call.answer(gzip.compress(completion())[:-9], content_encoding="gzip"), "failed", "failed", 200),
        (lambda call: call.answer(gzip.compress(completion()), content_encoding="gzip"), "ok", "ok", 200),
        (lambda call: call.answer(b"x", content_encoding="rot13"), "failed", "failed", 200),
        (lambda call: call.fail("connect"), "failed", "failed", 0),
        (lambda call: call.fail("local"), "dropped", "gateway_fault", 0),
        (lambda call: call.fail("pool"), "dropped", "gateway_fault", 0),
        (lambda call: call.answer(b" " * (MAX_ANSWER + 1)), "failed", "failed", 200),
    ],
    ids=[
        "ok", "500", "429", "400", "in band", "html", "no gzip", "cut gzip", "gzip", "rot13", "connect", "local",
        "pool", "huge",
    ],
)  # fmt: skip
def test_every_result_is_counted_and_recorded_once(play_it, result, outcome, status):
    """The breakers and the client hear of none."""
    play = mirrored()
    _, downstream = play.answered()
    play_it(play.shadow_upstream.last)
    assert ([result], outcome, status, 200) == (
        play.results,
        play.record.outcome,
        play.record.status,
        downstream.status,
    )
    assert (2, 0) == (len(play.ledger.records), len(play.mirror))
    assert "trips" not in play.breakers.describe("desk", "1.1.0", 0.0)


def test_a_copy_that_is_over_its_time_is_given_up():
    """It is counted as such; what it still says is not heard."""
    play = mirrored(timeout=5.0)
    play.answered()
    play.mirror.tick(play.clock.now + 5)
    assert 1 == len(play.mirror)
    play.mirror.tick(play.clock.now + 5.1)
    play.shadow_upstream.last.listener.upstream_failed(UpstreamFault("cut", "late"))
    assert (["timeout"], "failed", True, 0) == (
        play.results,
        play.record.outcome,
        play.shadow_upstream.last.cancelled,
        len(play.mirror),
    )


def test_an_answer_over_its_limit_is_given_up():
    """Nobody reads so much, and it would have to be kept."""
    play = mirrored()
    play.answered()
    play.shadow_upstream.last.head()
    play.shadow_upstream.last.data(b" " * (MAX_ANSWER + 1))
    assert (True, ["failed"]) == (play.shadow_upstream.last.cancelled, play.results)


@pytest.mark.parametrize(
    ("text", "result", "valid"), [('{"answer":1}', "ok", True), ("{}", "invalid", False), ("text", "invalid", False)]
)
def test_an_answer_is_held_against_the_prompts_schema(text, result, valid):
    """Where the shadow's prompt declares one."""
    play = mirrored(candidate=release("1.1.0", prompt=prompt(text="t", inputs={}, output_schema=SCHEMA)))
    play.answered()
    play.shadow_upstream.last.answer(completion(text))
    assert ([result], valid, "ok") == (play.results, play.record.schema_valid, play.record.outcome)


def test_a_failed_answer_is_held_against_nothing():
    """It says nothing about its shape."""
    play = mirrored(candidate=release("1.1.0", prompt=prompt(text="t", inputs={}, output_schema=SCHEMA)))
    play.answered()
    play.shadow_upstream.last.answer(b"{}", status=500)
    assert (["failed"], None) == (play.results, play.record.schema_valid)


# Bounds


def test_a_hung_shadow_fills_its_queue_and_nothing_else():
    """So many at once, so many waiting; the rest is dropped and counted, and every client has its answer."""
    play = mirrored()
    extra = 7
    for _ in range(MAX_ACTIVE + MAX_QUEUED + extra):
        _, downstream = play.answered()
        assert "finished" == downstream.ended
    assert (MAX_ACTIVE, MAX_ACTIVE + MAX_QUEUED) == (len(play.shadow_upstream.calls), len(play.mirror))
    assert ["dropped"] * extra == play.results


def test_what_waits_is_sent_when_there_is_room():
    """In order, as soon as a copy has ended."""
    play = mirrored()
    for _ in range(MAX_ACTIVE + 2):
        play.answered()
    play.shadow_upstream.calls[0].answer()
    assert (MAX_ACTIVE + 1, "<Mirror 64 active, 1 queued>") == (len(play.shadow_upstream.calls), repr(play.mirror))
    play.mirror.tick(play.clock.now + 61)
    assert (MAX_ACTIVE + 2, ["ok"] + ["timeout"] * MAX_ACTIVE) == (len(play.shadow_upstream.calls), play.results)


def test_a_spent_budget_stops_the_copies_until_tomorrow():
    """Days are counted in UTC; each answer's known cost is spent."""
    play = mirrored(daily_budget_usd=0.00003)
    for _ in range(2):
        play.answered()
        play.shadow_upstream.last.answer()
    play.answered()
    assert (["ok", "ok", "over_budget"], 2) == (play.results, len(play.shadow_upstream.calls))
    play.clock.now += 86_400
    play.answered()
    assert 3 == len(play.shadow_upstream.calls)


def test_an_unknown_cost_uses_a_budget_up():
    """It might be any cost, so it is not taken for nothing."""
    play = mirrored(daily_budget_usd=1000.0)
    object.__setattr__(play.route.shadow.release.model, "pricing", NoPrice())
    play.answered()
    play.shadow_upstream.last.answer()
    assert "unknown" == play.record.cost_status
    play.answered()
    assert ["ok", "over_budget"] == play.results


def test_a_copy_that_was_refused_spends_nothing():
    """A provider that answered with an error has not charged for an answer."""
    play = mirrored(daily_budget_usd=1000.0)
    for _ in range(2):
        play.answered()
        play.shadow_upstream.last.answer(b"{}", status=500)
    assert ["failed", "failed"] == play.results


def test_a_drain_takes_nothing_more_and_drops_what_waits():
    """What is under way may end."""
    play = mirrored()
    for _ in range(MAX_ACTIVE + 2):
        play.answered()
    play.mirror.drain()
    assert (["dropped"] * 2, MAX_ACTIVE) == (play.results, len(play.mirror))
    play.answered()
    play.shadow_upstream.calls[0].answer()
    assert (MAX_ACTIVE, MAX_ACTIVE - 1) == (len(play.shadow_upstream.calls), len(play.mirror))


def test_nothing_of_a_copys_text_is_kept():
    """Neither in the record nor in the log."""
    play = mirrored()
    play.answered(messages=[{"role": "user", "content": "private"}])
    play.shadow_upstream.last.answer(completion("secret"))
    kept = json.dumps(play.journal.events) + repr(play.ledger.records)
    assert "private" not in kept
    assert "secret" not in kept
