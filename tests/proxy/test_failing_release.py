"""What a failing release means, line by line, played through whole exchanges."""

import pytest

from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import Range, Salt
from gateway.core.outcome import Outcome
from gateway.core.prompt import PromptVersion
from gateway.core.route import Arm, Experiment
from gateway.core.rule import Rule
from tests.proxy.playbook import DONE, ROLE, Play, delta, named, prompt, provider, release, route

FULL = 1_000_000
CHAT_ERROR = b'data: {"error":{"message":"Overloaded","type":"server_error"}}\n\n'


def candidate_route(track, **changes):
    """A route that gives every request to release 1.1.0 on a track."""
    if track == "canary":
        return route(canary_ppm=FULL, **changes)
    if track == "arm":
        candidate = changes.pop("candidate", None) or release("1.1.0")
        arms = (Arm("treatment", candidate, Range(0, FULL)),)
        return route(candidate=candidate, experiment=Experiment("e", Salt("v1/e"), arms), **changes)
    return route(rules=(Rule("rule 1", "1.1.0"),), **changes)


def models(play):
    """The upstream names that were called, in order."""
    return [call.json["model"] for call in play.upstream.calls]


def told(play):
    """The attempts of the newest request: release, track, outcome."""
    return [(tried.release, tried.track, tried.outcome) for tried in play.record.attempts]


def counted(play, version):
    """What a release's breaker has counted: requests and failures."""
    state = play.breakers.describe("desk", version, play.clock.now)
    return state.get("requests", 0), state.get("failed", 0)


def open_breaker(play, version="1.0.0"):
    """Fail a release until its breaker opens."""
    one = play.route.releases[version]
    for _ in range(3):
        permit = play.breakers.permit(play.route, one, play.clock.now)
        play.breakers.report(play.route, one, permit, Outcome.failed, play.clock.now)
    assert play.breakers.is_open("desk", version)


@pytest.mark.parametrize("track", ["canary", "arm", "rule"])
@pytest.mark.parametrize("failure", ["connect", "status", "in_band", "malformed", "cut", "first_byte"])
@pytest.mark.parametrize("stream", [True, False])
def test_stable_answers_what_a_candidate_fails_on(track, failure, stream):
    """Before the first byte, at once and not tried again; the client sees a whole answer, and the candidate's count."""
    play = Play(candidate_route(track))
    exchange, downstream = play.ask(stream=stream)
    call = play.upstream.last
    match failure:
        case "connect":
            call.fail("connect")
        case "status":
            call.head(500)
        case "in_band":
            call.stream(ROLE, CHAT_ERROR)
        case "malformed":
            call.answer(b"<html>")
        case "cut":
            call.stream(ROLE)
            call.end()
        case _:
            exchange.tick(play.clock.now + 61)
    assert ["atlas-1.1.0", "atlas-1.0.0"] == models(play)
    play.upstream.last.answer()
    assert (200, "finished", "fallback") == (downstream.status, downstream.ended, downstream.headers["x-pinion-track"])
    assert [("1.1.0", track, "failed"), ("1.0.0", "fallback", "ok")] == told(play)
    assert ((1, 1), (1, 0)) == (counted(play, "1.1.0"), counted(play, "1.0.0"))


def test_a_first_event_that_is_an_error_leads_to_one_message_start():
    """Anthropic's overloaded_error after message_start: the client sees stable's stream alone."""
    play = Play(route(stable=release("1.0.0", provider=provider("anthropic")), canary_ppm=FULL))
    _, downstream = play.ask(path="/v1/messages", stream=True, max_tokens=9)
    start = named("message_start", message={"id": "msg_1"})
    play.upstream.last.stream(start, named("error", error={"type": "overloaded_error", "message": "Overloaded"}))
    block = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
    play.upstream.last.stream(start, named("ping"), block, named("message_stop"))
    assert start + named("ping") + block + named("message_stop") == downstream.body
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "ok")] == told(play)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_refusals_of_pinions_own_making_count_as_failed(status):
    """Credential, name and fault of a provider are not the application's."""
    play = Play(route(canary_ppm=FULL))
    play.ask()
    play.upstream.last.head(status)
    play.upstream.last.answer()
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "ok")] == told(play)
    assert (1, 1) == counted(play, "1.1.0")


def test_a_rate_limit_falls_back_and_counts_for_nothing():
    """429 is rate_limited: stable answers, the breaker does not count it."""
    play = Play(route(canary_ppm=FULL))
    _, downstream = play.ask()
    play.upstream.last.head(429)
    play.upstream.last.answer()
    assert 200 == downstream.status
    assert [("1.1.0", "canary", "rate_limited"), ("1.0.0", "fallback", "ok")] == told(play)
    assert (0, 0) == counted(play, "1.1.0")


@pytest.mark.parametrize("status", [400, 422])
def test_what_stable_accepts_a_canary_may_not_refuse(status):
    """Then its refusal is a failure and counts."""
    play = Play(route(canary_ppm=FULL))
    _, downstream = play.ask()
    play.upstream.last.head(status)
    play.upstream.last.answer()
    assert 200 == downstream.status
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "ok")] == told(play)
    assert (1, 1) == counted(play, "1.1.0")


def test_what_stable_refuses_as_well_is_the_clients_fault():
    """The client gets stable's word, and nothing counts against the canary."""
    play = Play(route(canary_ppm=FULL))
    _, downstream = play.ask()
    play.upstream.last.head(400)
    play.upstream.last.answer(b'{"error":{"message":"too long"}}', status=400)
    assert (400, "too long") == (downstream.status, downstream.json["error"]["message"])
    assert [("1.1.0", "canary", "client_fault"), ("1.0.0", "fallback", "client_fault")] == told(play)
    assert (0, 0) == counted(play, "1.1.0")


def test_a_failure_that_stable_repeats_does_not_count_against_the_canary():
    """Stable's own does count."""
    play = Play(route(canary_ppm=FULL))
    _, downstream = play.ask()
    play.upstream.last.head(500)
    play.upstream.last.answer(b"{}", status=500)
    assert 500 == downstream.status
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "failed")] == told(play)
    assert ((0, 0), (1, 1)) == (counted(play, "1.1.0"), counted(play, "1.0.0"))


def test_a_failure_counts_when_stable_was_only_limited():
    """A rate limit of stable's repeats nothing."""
    play = Play(route(canary_ppm=FULL))
    play.ask()
    play.upstream.last.head(500)
    play.upstream.last.answer(b"{}", status=429)
    assert (1, 1) == counted(play, "1.1.0")


def test_a_failure_does_not_count_while_stable_is_out_of_service():
    """Whatever ails both is not the canary's doing; the fallback's answer proves nothing against it."""
    old = release("0.9.0")
    play = Play(route(canary_ppm=FULL, more={"0.9.0": old}, fallback=(old,)))
    open_breaker(play)
    _, downstream = play.ask()
    play.upstream.last.head(500)
    assert ["atlas-1.1.0", "atlas-0.9.0"] == models(play)
    play.upstream.last.answer()
    assert 200 == downstream.status
    assert [("1.1.0", "canary", "failed"), ("0.9.0", "fallback", "ok")] == told(play)
    assert (0, 0) == counted(play, "1.1.0")


def test_a_candidate_is_out_after_three_failures_and_gets_nothing_then():
    """The trip takes it out of the snapshot; requests on their way to it meet stable at once."""
    play = Play(route(canary_ppm=FULL))
    late, _ = play.open()
    for _ in range(3):
        play.ask()
        play.upstream.last.fail()
        play.upstream.last.answer()
    assert [("desk", "1.1.0", "consecutive")] == play.trips
    late.body(b'{"model":"desk","messages":[]}')
    play.ask()
    assert ["atlas-1.0.0", "atlas-1.0.0"] == models(play)[-2:]


def test_a_canary_that_trips_meanwhile_is_passed_over():
    """The permit is asked before each attempt, whatever snapshot the request was assigned by."""
    play = Play(route(canary_ppm=FULL))
    stale = play.snapshots.current
    play.trip("desk", "1.1.0", "test")
    live = play.snapshots.current
    exchange, _ = play.open()
    play.snapshots.current = stale
    original = play.breakers.permit
    play.breakers.permit = lambda *args: (setattr(play.snapshots, "current", live), original(*args))[1]
    exchange.body(b'{"model":"desk","messages":[]}')
    assert ["atlas-1.0.0"] == models(play)


# Stable's own retries, and fallbacks


@pytest.mark.parametrize("failure", ["connect", "protocol", "cut", "status"])
def test_stable_is_tried_again_as_its_provider_says(failure):
    """After connection errors and 5xx, the same release once more, on the same track."""
    play = Play(route(stable=release("1.0.0", provider=provider(retries=2))))
    _, downstream = play.ask()
    for _ in range(2):
        play.upstream.last.answer(b"{}", status=503) if failure == "status" else play.upstream.last.fail(failure)
    play.upstream.last.answer()
    assert (200, "stable") == (downstream.status, downstream.headers["x-pinion-track"])
    assert [("1.0.0", "stable", "failed")] * 2 + [("1.0.0", "stable", "ok")] == told(play)


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (400, 400),
        (401, 502),
        (403, 502),
        (404, 404),
        (422, 422),
        (429, 429),
        ("first_byte", 504),
        ("pool", 503),
        ("local", 503),
    ],
)
def test_stable_is_not_tried_again_otherwise(failure, status):
    """A second try of the same would meet the same, or spend a deadline twice."""
    play = Play(route(stable=release("1.0.0", provider=provider(retries=2))))
    _, downstream = play.ask()
    if isinstance(failure, int):
        play.upstream.last.answer(b'{"error":{}}', status=failure)
    else:
        play.upstream.last.fail(failure)
    assert (1, status) == (len(play.upstream.calls), downstream.status)


def test_retries_spent_leave_the_last_error():
    """The client is told not to retry, for that has been done."""
    play = Play(route(stable=release("1.0.0", provider=provider(retries=1))))
    _, downstream = play.ask()
    play.upstream.last.answer(b'{"error":{"message":"first"}}', status=500)
    play.upstream.last.answer(b'{"error":{"message":"second"}}', status=500, x_should_retry="true")
    assert (500, "second", "false") == (
        downstream.status,
        downstream.json["error"]["message"],
        downstream.headers["x-should-retry"],
    )


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_fallbacks_follow_stable(status):
    """In order, each once, until one answers."""
    more = {version: release(version) for version in ("0.8.0", "0.9.0")}
    play = Play(route(more=more, fallback=(more["0.9.0"], more["0.8.0"], more["0.9.0"])))
    _, downstream = play.ask()
    play.upstream.last.head(status)
    play.upstream.last.fail()
    play.upstream.last.answer()
    assert ["atlas-1.0.0", "atlas-0.9.0", "atlas-0.8.0"] == models(play)
    assert ("desk/0.8.0", "fallback") == (downstream.headers["x-pinion-release"], downstream.headers["x-pinion-track"])


def test_a_fallbacks_refusal_is_not_the_clients_fault():
    """Stable took the request as it was, so the client hears of stable's failure."""
    old = release("0.9.0")
    play = Play(route(more={"0.9.0": old}, fallback=(old,)))
    _, downstream = play.ask()
    play.upstream.last.head(503)
    play.upstream.last.answer(b'{"error":{"message":"unknown field"}}', status=400)
    assert (503, "desk/1.0.0", "failed") == (
        downstream.status,
        downstream.headers["x-pinion-release"],
        play.record.outcome,
    )
    assert [("1.0.0", "stable", "failed"), ("0.9.0", "fallback", "client_fault")] == told(play)


def test_a_release_that_is_out_is_no_fallback():
    """Rolled back means no request at all."""
    old = release("0.9.0")
    play = Play(route(more={"0.9.0": old}, fallback=(old,), out={"0.9.0": "rolled back"}))
    _, downstream = play.ask()
    play.upstream.last.fail()
    assert (502, 1) == (downstream.status, len(play.upstream.calls))


def test_a_fallback_whose_breaker_is_open_is_passed_over():
    """The next one answers."""
    more = {version: release(version) for version in ("0.8.0", "0.9.0")}
    play = Play(route(more=more, fallback=(more["0.9.0"], more["0.8.0"])))
    open_breaker(play, "0.9.0")
    play.ask()
    play.upstream.last.fail()
    assert ["atlas-1.0.0", "atlas-0.8.0"] == models(play)


def test_a_forced_release_stands_alone():
    """Who names a release wants that one's answer, good or bad; its failure counts."""
    old = release("0.9.0")
    play = Play(route(more={"0.9.0": old}, fallback=(old,)))
    _, downstream = play.ask(headers={"x-pinion-release": "desk/1.1.0"})
    play.upstream.last.answer(b'{"error":{"message":"no"}}', status=500)
    assert (500, ["atlas-1.1.0"], "forced") == (downstream.status, models(play), downstream.headers["x-pinion-track"])
    assert (1, 1) == counted(play, "1.1.0")


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_a_forced_release_whose_breaker_is_open_is_not_replaced(version):
    """A 503 that names it, and nothing is sent."""
    play = Play()
    open_breaker(play, version)
    _, downstream = play.ask(headers={"x-pinion-release": version})
    assert (503, [], f"desk/{version}") == (
        downstream.status,
        play.upstream.calls,
        downstream.headers["x-pinion-release"],
    )
    assert [] == list(play.record.attempts)


@pytest.mark.parametrize("status", [400, 500])
def test_a_forced_refusal_is_passed_on(status):
    """A forced release's word is believed as it is."""
    play = Play()
    _, downstream = play.ask(headers={"x-pinion-release": "1.1.0"})
    play.upstream.last.answer(b'{"error":{"message":"no"}}', status=status)
    assert (status, "no") == (downstream.status, downstream.json["error"]["message"])


# Panic


def test_stable_keeps_being_asked_when_nothing_else_can_serve():
    """With an alarm, without a permit, and its answer is as good as any."""
    play = Play()
    open_breaker(play)
    _, downstream = play.ask()
    play.upstream.last.answer()
    assert (200, "stable") == (downstream.status, downstream.headers["x-pinion-track"])
    name, fields = play.journal.events[-2]
    assert ("panic", "error", "1.0.0", "req-1") == (name, fields["level"], fields["release"], fields["request_id"])


@pytest.mark.parametrize("canary_ppm", [None, 0])
def test_a_stable_release_that_is_out_is_asked_nothing(canary_ppm):
    """Retired or undone with none before it that serves: a 503 at once, no call and no alarm of panic."""
    play = Play(route(canary_ppm=canary_ppm, out={"1.0.0": "rolled back: it lies"}))
    _, downstream = play.ask(user="u-1")
    assert (503, [], "gateway_fault") == (downstream.status, play.upstream.calls, play.record.outcome)
    assert "no release of this route can serve now; try again soon" == downstream.json["error"]["message"]
    assert "panic" not in [name for name, _ in play.journal.events]


def test_a_canary_that_fails_does_not_lead_to_a_stable_release_that_is_out():
    """Fallbacks answer, or nobody."""
    old = release("0.9.0")
    for fallback, status in (((old,), 200), ((), 502)):
        play = Play(
            route(canary_ppm=1_000_000, more={"0.9.0": old}, fallback=fallback, out={"1.0.0": "retired: it lies"})
        )
        _, downstream = play.ask(user="u-1")
        play.upstream.last.fail()
        if fallback:
            play.upstream.last.answer()
        assert status == downstream.status
        assert "atlas-1.0.0" not in [call.json["model"] for call in play.upstream.calls]


def test_panic_asks_stable_once():
    """Its failure then is the answer, retries or not."""
    play = Play(route(stable=release("1.0.0", provider=provider(retries=3))))
    open_breaker(play)
    _, downstream = play.ask()
    play.upstream.last.fail()
    assert (502, 1) == (downstream.status, len(play.upstream.calls))


def test_fallbacks_come_before_panic():
    """An open stable is asked only after its fallbacks failed, and they are not asked twice."""
    old = release("0.9.0")
    play = Play(route(more={"0.9.0": old}, fallback=(old,)))
    open_breaker(play)
    _, downstream = play.ask()
    play.upstream.last.fail()
    assert ["atlas-0.9.0", "atlas-1.0.0"] == models(play)
    play.upstream.last.fail()
    assert (502, 2) == (downstream.status, len(play.upstream.calls))


def test_a_canary_that_fails_while_all_else_is_open_leads_to_panic():
    """Stable accepts, so the canary has failed."""
    play = Play(route(canary_ppm=FULL))
    open_breaker(play)
    play.ask()
    play.upstream.last.fail()
    play.upstream.last.answer()
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "ok")] == told(play)
    assert (1, 1) == counted(play, "1.1.0")


# Prompts that a release cannot fill


def asking(version, place="system"):
    """A prompt that needs an input which another does not."""
    return PromptVersion("support", version, "Say {{tone}}.", {"tone": "string"}, place, version)


def test_a_canary_whose_prompt_the_request_does_not_fill_has_failed():
    """Stable takes the request as it is, so the client never hears of the canary's new input."""
    play = Play(route(canary_ppm=FULL, candidate=release("1.1.0", prompt=asking("2.0.0"))))
    _, downstream = play.ask()
    play.upstream.last.answer()
    assert (200, ["atlas-1.0.0"]) == (downstream.status, models(play))
    assert [("1.1.0", "canary", "failed"), ("1.0.0", "fallback", "ok")] == told(play)
    assert (1, 1) == counted(play, "1.1.0")


def test_a_request_that_fills_no_prompt_is_the_clients_fault():
    """Nothing is sent, the missing variable of stable's prompt is named, and nothing counts."""
    stable = release("1.0.0", prompt=prompt())
    play = Play(route(stable=stable, canary_ppm=FULL, candidate=release("1.1.0", prompt=asking("2.0.0"))))
    _, downstream = play.ask()
    assert (400, []) == (downstream.status, play.upstream.calls)
    assert "'product' of prompt support@1.0.0 is missing" in downstream.json["error"]["message"]
    assert "desk/1.0.0" == downstream.headers["x-pinion-release"]
    assert (0, 0) == counted(play, "1.1.0")


def test_a_fallback_whose_prompt_the_request_does_not_fill_is_passed_over():
    """The client hears of stable's failure, not of an old prompt's input."""
    old = release("0.9.0", prompt=asking("0.9.0"))
    play = Play(route(more={"0.9.0": old}, fallback=(old,)))
    _, downstream = play.ask()
    play.upstream.last.fail("connect", "refused")
    assert (502, "refused") == (downstream.status, downstream.json["error"]["message"])


# After the first byte


@pytest.mark.parametrize("track", ["canary", "arm", "rule"])
def test_after_the_first_byte_nobody_else_answers(track):
    """No replay: the client gets the error in its stream, and the release's failure counts at once."""
    play = Play(candidate_route(track))
    _, downstream = play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"))
    play.upstream.last.fail("cut", "broke off")
    assert (200, "finished", 1) == (downstream.status, downstream.ended, len(play.upstream.calls))
    assert DONE not in downstream.body
    assert (1, 1) == counted(play, "1.1.0")


def test_a_slow_answer_is_told_to_the_breaker():
    """By the stream's first content, or by the end of a whole answer."""
    play = Play(route(breaker=BreakerPolicy(slow_over=2.0)))
    play.ask(stream=True)
    play.clock.now += 3
    play.upstream.last.stream(ROLE, delta("hi"), delta(finish="stop"), DONE)
    assert "slow" == play.record.outcome
    play.ask(stream=True)
    play.upstream.last.stream(ROLE, delta("hi"))
    play.clock.now += 3
    play.upstream.last.data(delta(finish="stop") + DONE)
    assert "ok" == play.record.outcome
    play.ask()
    play.clock.now += 3
    play.upstream.last.answer()
    assert ("slow", False) == (play.record.outcome, play.record.partial)
    play.ask()
    play.clock.now += 1
    play.upstream.last.answer()
    assert "ok" == play.record.outcome
