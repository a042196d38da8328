"""Several gateways on one PostgreSQL and one Redis: what takes a release out acts on all of them at once."""

import os
import signal
from contextlib import ExitStack, contextmanager

import httpx2
import pytest

from tests.gateway_process import TLS, started, wait_until, write_policies
from tests.system.chatting import NEW_MODEL, SIMULATED, chat, desk, sample, weight
from tests.tracing import traced

pytestmark = pytest.mark.untraced

PLAN = 'rollout: {from: "1.0.0", steps: [{percent: 50, hold: 1h}, {percent: 100}]}'
HALF = 500_000


@contextmanager
def fleet(folder, simulator, postgres, redis, count=2, more=PLAN, env=None):
    """So many gateways that serve a rollout at half, each of which has heard of the others."""
    store = postgres.new_database()
    with ExitStack() as stack:
        gateways = []
        for number in range(count):
            policies = folder / f"policies-{number}"
            policies.mkdir()
            write_policies(policies, {"all.yaml": f"{SIMULATED}---\n{desk('1.1.0', more)}"}, simulator)
            copy = "--store-copy", str(folder / f"copy-{number}.json")
            found = started(policies, store, *copy, "--fleet", redis.url, env=env)
            stack.callback(found.stop)
            gateways.append(found)
        wait_until(lambda: all(told(each) == (True, count) for each in gateways))
        if "from" in more:
            gateways[0].act("start", "desk")
            wait_until(lambda: [HALF] * count == [weight(each, "1.1.0") for each in gateways])
        yield gateways


def told(gateway) -> tuple[bool, int]:
    """Whether a gateway has its fleet, and how many it counts."""
    said = gateway.status()["fleet"]
    return said["up"], said["replicas"]


def weights(gateways) -> list[int]:
    """The candidate's weight at each gateway."""
    return [weight(each, "1.1.0") for each in gateways]


def test_three_gateways_stop_at_once_when_one_trips(tmp_path, simulator, postgres, redis):
    """A rollback at one, which the others hear of, is in force at all; the status, metrics and history tell one."""
    with fleet(tmp_path, simulator, postgres, redis, 3, env=traced()) as gateways:
        gateways[0].act("rollback", "desk")
        wait_until(lambda: weights(gateways) == [0, 0, 0])
        wait_until(lambda: all(each.status()["unrecorded_acts"] == 0 for each in gateways))
        events = gateways[1].ask("GET", "rollouts/desk")["events"]
        assert ["rollback", "start"] == [event["verb"] for event in events][:2]
        text = gateways[1].metrics()
        assert (1.0, 3.0) == (sample(text, "pinion_fleet_up"), sample(text, "pinion_fleet_replicas"))
        assert sample(text, "pinion_fleet_commands_total", result="ok") > 0


def test_a_trip_acts_everywhere_while_the_database_is_away_and_is_recorded_once_it_is_back(
    tmp_path, simulator, postgres, redis
):
    """Nobody can read it of the store; the message is enough. Back, the store has it once."""
    with fleet(tmp_path, simulator, postgres, redis) as gateways:
        postgres.stop()
        try:
            wait_until(lambda: all(each.status()["store_away"] for each in gateways))
            gateways[1].act("rollback", "desk")
            wait_until(lambda: weights(gateways) == [0, 0])
        finally:
            postgres.start()
        wait_until(lambda: not any(each.status()["store_away"] for each in gateways))
        wait_until(lambda: all(each.status()["unrecorded_acts"] == 0 for each in gateways))
        assert [0, 0] == weights(gateways)
        events = gateways[0].ask("GET", "rollouts/desk")["events"]
        assert 1 == [event["verb"] for event in events].count("rollback")


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_without_redis_the_others_follow_by_the_store(how, tmp_path, simulator, postgres, redis):
    """Dead or frozen, it keeps no request and no act; the others find what happened within a look or two."""
    with fleet(tmp_path, simulator, postgres, redis) as gateways:
        getattr(redis, how)()
        wait_until(lambda: not any(told(each)[0] for each in gateways))
        assert 200 == chat(gateways[0]).status_code
        gateways[0].act("rollback", "desk")
        wait_until(lambda: weights(gateways) == [0, 0])
        for each in gateways:
            assert len(each.events("fleet_away")) < 20  # a line for each change, however often it is asked
        redis.thaw() if how == "freeze" else redis.start()
        wait_until(lambda: all(told(each) == (True, 2) for each in gateways))
        redis.ask("FLUSHALL")
        wait_until(lambda: all(told(each) == (True, 2) for each in gateways))
        assert [0, 0] == weights(gateways)


def test_a_key_that_is_revoked_at_one_gateway_opens_nothing_at_another(tmp_path, simulator, postgres, redis):
    """While the database is away, too."""
    app = "kind: app\nname: help\nkeys: []\nroutes: [desk]\n"
    with fleet(tmp_path, simulator, postgres, redis, more=f"{PLAN}\n---\n{app}") as gateways:
        issued = gateways[0].ask("POST", "apps/help/keys", json={})
        headers = {"authorization": f"Bearer {issued['secret']}"}

        def status(gateway):
            body = {"model": "desk", "messages": [{"role": "user", "content": "hi"}]}
            return httpx2.post(
                f"{gateway.url}/v1/chat/completions", json=body, headers=headers, timeout=60, verify=TLS
            ).status_code

        wait_until(lambda: [status(each) for each in gateways] == [200, 200])
        postgres.stop()
        try:
            wait_until(lambda: all(each.status()["store_away"] for each in gateways))
            gateways[1].ask("POST", f"keys/{issued['key']}/revoke", json={})
            wait_until(lambda: [status(each) for each in gateways] == [401, 401])
        finally:
            postgres.start()
        wait_until(lambda: all(each.status()["unrecorded_acts"] == 0 for each in gateways))
        assert [401, 401] == [status(each) for each in gateways]


def breaker_of(gateway) -> dict:
    """What a gateway tells of the breaker of the release that serves."""
    return next(one["breaker"] for one in gateway.route("desk")["releases"] if one["release"] == "1.1.0")


def test_failures_that_each_gateway_sees_too_few_of_trip_by_what_all_have_seen(tmp_path, simulator, postgres, redis):
    """Neither has the ten requests that a rate is judged by. A trip opens the other's, and good probes close both."""
    breaker = "breaker: {min_requests: 10, failure_rate: 0.4, consecutive: 50, window: 10m, open: 1s}"
    with fleet(tmp_path, simulator, postgres, redis, more=breaker) as (one, two):
        simulator.behave_model(NEW_MODEL, error_rate=1.0)
        try:
            for each in (one, two, one, two):
                chat(each)
            wait_until(lambda: "4" in [redis.ask("GET", key) for key in redis.ask("KEYS", "pinion:*:requests")])
            for each in (one, one, one, one, one, two, two, two):
                chat(each)
            wait_until(lambda: all(each.events("breaker_open") or elsewhere(each) for each in (one, two)))
        finally:
            simulator.behave_model(NEW_MODEL, error_rate=0.0)
        (event,) = [*one.events("breaker_open"), *two.events("breaker_open")][:1]
        assert ("failure_rate", True) == (event["rule"], event["evidence"]["requests"] >= 10)

        def closed() -> bool:
            chat(one)
            return "closed" == breaker_of(one)["state"]

        wait_until(closed)
        wait_until(lambda: "closed" == breaker_of(two)["state"])


def elsewhere(gateway) -> list[dict]:
    """What a gateway has heard of trips of the others."""
    return gateway.events("breaker_open_elsewhere")


def test_a_trip_of_a_release_that_serves_opens_its_breaker_everywhere(tmp_path, simulator, postgres, redis):
    """Three failures at one; the others, which had no request, send the release none. One prober closes it for all."""
    breaker = "breaker: {consecutive: 3, open: 2s}"
    with fleet(tmp_path, simulator, postgres, redis, 3, more=breaker) as gateways:
        simulator.behave_model(NEW_MODEL, error_rate=1.0)
        for _ in range(3):
            chat(gateways[0])
        wait_until(lambda: all(elsewhere(each) for each in gateways[1:]))
        simulator.behave_model(NEW_MODEL, error_rate=0.0)
        assert "consecutive" == elsewhere(gateways[1])[0]["rule"]
        assert [] == gateways[1].events("breaker_open")

        def closed() -> bool:
            chat(gateways[2])
            return "closed" == breaker_of(gateways[2])["state"]

        wait_until(closed)
        wait_until(lambda: all("closed" == breaker_of(each)["state"] for each in gateways))


def test_what_redis_is_asked_does_not_grow_with_requests(tmp_path, simulator, postgres, redis):
    """A few commands for each second of each gateway, and with ten times the requests as many."""
    with fleet(tmp_path, simulator, postgres, redis, more="") as gateways:

        def counted(requests: int) -> float:
            """How many commands there are to a heartbeat, while each gateway gets so many requests for each."""
            chat(gateways[0]), chat(gateways[1])
            before, beats = redis.calls(), redis.calls("time")
            while redis.calls("time") < beats + 6:
                for _ in range(requests):
                    chat(gateways[0])
            return (redis.calls() - before) / (redis.calls("time") - beats)

        few, many = counted(1), counted(20)
        assert many < 1.5 * few


def test_a_gateway_that_stood_still_moves_nothing_when_it_goes_on(tmp_path, simulator, postgres, redis):
    """Whatever it had in mind rests on a record that others have moved since: it finds theirs, and serves by it."""
    with fleet(tmp_path, simulator, postgres, redis) as (one, two):
        os.kill(one.process.pid, signal.SIGSTOP)
        try:
            two.act("rollback", "desk")
            wait_until(lambda: two.status()["unrecorded_acts"] == 0)
        finally:
            os.kill(one.process.pid, signal.SIGCONT)
        wait_until(lambda: weights((one, two)) == [0, 0])
        assert "rollback" == two.ask("GET", "rollouts/desk")["events"][0]["verb"]
