"""Two gateways on one PostgreSQL and one Redis: what a rollout shows at each of them is evidence at both."""

from collections.abc import Callable
from itertools import count

import httpx2
import pytest

from gateway.control.judging import KEEP_SECONDS
from tests.gateway_process import GatewayProcess, started, wait_until
from tests.system.chatting import NEW_MODEL, chat, sample, weight
from tests.system.test_fleet import fleet, told

pytestmark = pytest.mark.untraced

UNITS = count(1)


def plan(step: str, guardrail: str) -> str:
    """A rollout of one such step at half, with a breaker that no test here means to trip."""
    return (
        f'rollout: {{from: "1.0.0", steps: [{{percent: 50, {step}}}, {{percent: 100, bake: 1h}}], '
        f"guardrails: [{guardrail}]}}\n"
        "breaker: {min_requests: 10000, consecutive: 1000}"
    )


def shown(gateway: GatewayProcess) -> dict:
    """What a gateway tells of the rollout's evidence."""
    return gateway.ask("GET", "rollouts/desk")["judged"]


def requests(gateway: GatewayProcess) -> int:
    """How many requests of the candidate a gateway knows of."""
    return sum(shown(gateway)["candidate"]["outcomes"].values())


def ask(gateway: GatewayProcess, answers: int) -> list[httpx2.Response]:
    """So many requests of units of their own that the candidate answers."""
    found = []
    while len(found) < answers:
        answer = chat(gateway, unit=f"unit-{next(UNITS)}")
        if answer.headers["x-pinion-release"] == "desk/1.1.0":
            found.append(answer)
    return found


def until(condition: Callable[[], bool], each: Callable[[], object]) -> None:
    """Wait until a condition holds, doing something before each look."""

    def looked() -> bool:
        each()
        return condition()

    wait_until(looked)


def recorded(gateway, verb):
    """The latest act of a kind on the route that the store has, or None: it takes effect sooner than it is recorded."""
    return next((event for event in gateway.ask("GET", "rollouts/desk")["events"] if event["verb"] == verb), None)


def test_requests_of_two_gateways_promote_what_neither_has_seen_enough_of(tmp_path, simulator, postgres, redis):
    """Each has 30 of the 50 that the step wants. Both tell the same, in JSON, in words and in metrics."""
    more = plan("hold: 1s, min_requests: 50", "{metric: error_rate, max_delta: 0.9}")
    with fleet(tmp_path, simulator, postgres, redis, more=more) as gateways:
        for each in gateways:
            ask(each, 30)
        wait_until(lambda: [weight(each, "1.1.0") for each in gateways] == [1_000_000] * 2)
        event = wait_until(lambda: recorded(gateways[1], "advance"))
        assert 50 <= sum(event["evidence"]["candidate"]["outcomes"].values()) <= 60
        assert 0 == event["evidence"]["hand_overs"]["missed"]
        before = requests(gateways[0])
        ask(gateways[0], 3)
        wait_until(lambda: before + 3 <= requests(gateways[0]) == requests(gateways[1]))
        text = gateways[1].metrics()
        assert sample(text, "pinion_fleet_hand_overs_total", result="counted") >= 1
        assert 0 == sample(text, "pinion_fleet_hand_overs_total", result="refused")


def test_feedback_given_to_one_gateway_counts_at_the_other(tmp_path, simulator, postgres, redis):
    """Once, though it is said twice, and to each of them."""
    more = plan("hold: 1h", "{metric: feedback.resolved, max_delta: 0.1}")
    with fleet(tmp_path, simulator, postgres, redis, more=more) as gateways:
        (answer,) = ask(gateways[0], 1)
        said = {"request_id": answer.headers["x-request-id"], "name": "resolved", "value": 0.25}

        def give(gateway) -> int:
            return httpx2.post(f"{gateway.url}/v1/feedback", json=said, timeout=60).status_code

        wait_until(lambda: give(gateways[1]) == 200)  # once the ledger has the request
        give(gateways[0])
        for each in gateways:
            wait_until(lambda each=each: {"resolved": {"n": 1, "mean": 0.25}} == shown(each)["candidate"]["feedback"])


def test_a_candidate_that_is_slow_at_one_gateway_alone_is_rolled_back_at_both(tmp_path, simulator, postgres, redis):
    """By the guardrail, not the breaker, on what both have shown: the one that is slow does not judge."""
    more = plan("hold: 1h", "{metric: slow_rate, over: 200ms, max_delta: 0.05}")
    with fleet(tmp_path, simulator, postgres, redis, more=more) as (one, two):
        ask(one, 20)
        wait_until(lambda: 20 == requests(two))
        simulator.behave_model(NEW_MODEL, latency=0.4)
        try:
            until(
                lambda: [0, 0] == [weight(each, "1.1.0") for each in (one, two)],
                lambda: [chat(two, unit=f"unit-{next(UNITS)}") for _ in range(4)],
            )
        finally:
            simulator.behave_model(NEW_MODEL, latency=0.0)
        event = wait_until(lambda: recorded(one, "rollback"))
        assert "slow_rate" in event["reason"]
        assert 20 < sum(event["evidence"]["candidate"]["outcomes"].values())


def test_nothing_counts_twice_when_redis_is_lost_and_the_judge_is_killed(tmp_path, simulator, postgres, redis):
    """What could not be said is said once Redis is back; whoever starts goes on from what was kept."""
    more = plan("hold: 1h", "{metric: error_rate, max_delta: 0.9}")
    with fleet(tmp_path, simulator, postgres, redis, more=more) as gateways:
        one, two = gateways
        ask(two, 5)
        wait_until(lambda: [5, 5] == [requests(each) for each in gateways])
        redis.kill()
        wait_until(lambda: not any(told(each)[0] for each in gateways))
        ask(one, 4), ask(two, 6)
        assert (9, 11) == (requests(one), requests(two))
        redis.start()
        wait_until(lambda: all(told(each) == (True, 2) for each in gateways))
        redis.ask("FLUSHALL")
        wait_until(lambda: [15, 15] == [requests(each) for each in gateways], 180)  # ten seconds after each absence
        began = shown(one)["elapsed_seconds"]
        wait_until(lambda: shown(one)["elapsed_seconds"] > began + 2 * KEEP_SECONDS)
        one.process.kill()
        one.process.wait()
        ask(two, 2)
        assert 17 == requests(two)
        copy = "--store-copy", str(tmp_path / "copy-0.json")
        again = started(one.policies, one.store, *copy, "--fleet", redis.url)
        try:
            known = requests(again)
            assert 15 <= known <= 17
            wait_until(lambda: all(told(each) == (True, 2) for each in (again, two)))
            ask(two, 3)
            wait_until(lambda: requests(two) == 20 and requests(again) >= known + 3)
            settled = requests(again)  # with or without the two that it may have heard of as it came
            assert settled in (known + 3, 20)
            ask(again, 3)
            wait_until(lambda: [settled + 3, 23] == [requests(again), requests(two)])
        finally:
            again.stop()


def test_what_redis_is_asked_does_not_grow_with_the_requests_of_a_rollout(tmp_path, simulator, postgres, redis):
    """One message a second, with twenty times the requests as well."""
    more = plan("hold: 1h", "{metric: error_rate, max_delta: 0.9}")
    with fleet(tmp_path, simulator, postgres, redis, more=more) as (one, two):

        def counted(each: int) -> float:
            """How many commands there are to a heartbeat, while each gateway gets so many requests at a time."""
            chat(one), chat(two)
            before, beats = redis.calls(), redis.calls("time")
            while redis.calls("time") < beats + 6:
                for _ in range(each):
                    chat(one), chat(two)
            return (redis.calls() - before) / (redis.calls("time") - beats)

        few, many = counted(1), counted(20)
        assert many < 1.5 * few
