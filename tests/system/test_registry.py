"""The registry on whole processes: headers of an end, kill -9, and two gateways on one PostgreSQL."""

import os
import signal

import httpx2
import pytest

from gateway.simulator.server import running
from tests.gateway_process import running_gateway, started, wait_until, write_policies
from tests.postgres_server import PostgresServer
from tests.system.chatting import NEW_MODEL, SIMULATED, STEADY_MODEL, chat, desk

STEADY, NEW = (name.replace("gpt-4o-", "gpt-4o/") for name in (STEADY_MODEL, NEW_MODEL))
FILES = {"p.yaml": SIMULATED, "desk.yaml": desk()}
ROLLING = {
    "p.yaml": SIMULATED,
    "desk.yaml": desk("1.1.0", 'rollout: {from: "1.0.0", steps: [{percent: 100, hold: 1h}]}'),
}


def move(gateway, verb, kind, version, **wanted):
    """Move a version, `NAME/VERSION`, and give where it stands."""
    return gateway.ask("POST", f"registry/{kind}/{version}/{verb}", json=wanted)


def release(gateway):
    """The release that answers a request, or None where none does."""
    answer = chat(gateway)
    return answer.headers["x-pinion-release"] if answer.status_code == 200 else None


def test_answers_say_that_their_release_will_end(tmp_path):
    """Since when and until when, and what comes after, in the forms of RFC 9745 and RFC 8594; not a moment before."""
    with running_gateway(tmp_path, FILES) as gateway:
        assert "deprecation" not in chat(gateway).headers
        told = move(gateway, "deprecate", "model", STEADY, retire_at=4_076_046_000.5, successor="2024-11-20")
        headers = chat(gateway).headers
        assert f"@{int(told['deprecated_at'])}" == headers["deprecation"]
        assert "Sun, 01 Mar 2099 11:00:00 GMT" == headers["sunset"]
        assert '<urn:pinion:model:gpt-4o@2024-11-20>; rel="successor-version"' == headers["link"]


def test_what_serves_is_not_retired_and_what_is_asked_for_neither(tmp_path):
    """First for its route, then for the requests that its application sent."""
    with running_gateway(tmp_path, FILES) as gateway:
        assert "desk/1.0.0" == release(gateway)
        with pytest.raises(httpx2.HTTPStatusError) as refused:
            move(gateway, "retire", "model", STEADY)
        assert "serves desk (stable)" in refused.value.response.text

        def told():
            return gateway.ask("GET", f"registry/model/{STEADY}/dependents")["dependents"]

        (dependent,) = wait_until(told)
        assert (1, "1.0.0", ["stable"]) == (dependent["requests"], dependent["release"], dependent["tracks"])
        assert "retired" == move(gateway, "retire", "model", NEW)["lifecycle"]


def test_a_revocation_survives_kill_9(tmp_path):
    """Acknowledged, it is in the store; the next life serves without the release, and says why at its start."""
    with running_gateway(tmp_path, FILES) as gateway:
        assert "desk/1.0.0" == release(gateway)
        move(gateway, "revoke", "model", STEADY, reason="it leaks")
        assert None is release(gateway)
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.ended()
    with running_gateway(tmp_path, FILES) as gateway:
        assert None is release(gateway)
        (warning,) = [one for one in gateway.status()["reload"]["warnings"] if "it leaks" in one["problem"]]
        assert "serve names 1.0.0, which is revoked with its model gpt-4o@2024-08-06" in warning["problem"]


def test_an_announced_end_comes_by_itself(tmp_path):
    """A second later it serves nobody, and is recorded as retired."""
    with running_gateway(tmp_path, ROLLING) as gateway:
        gateway.act("start", "desk")
        assert "desk/1.1.0" == release(gateway)
        told = move(gateway, "deprecate", "model", NEW)
        move(gateway, "deprecate", "model", NEW, retire_at=told["deprecated_at"] + 2)
        wait_until(lambda: gateway.ask("GET", f"registry/model/{NEW}")["lifecycle"] == "retired")
        wait_until(lambda: gateway.route("desk")["rollout"]["state"] == "rolled_back")
        assert "desk/1.0.0" == release(gateway)
        wait_until(lambda: 'pinion_rollbacks_total{reason="retired",route="desk"} 1.0' in gateway.metrics())


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL for these tests."""
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


def test_a_revoked_candidate_is_out_on_every_gateway(tmp_path, server):
    """At once where it is said; within a second or so where it is read; and its rollout is rolled back once."""
    with running() as simulator:
        store = server.new_database()
        gateways = []
        try:
            for name in ("one", "other"):
                policies = tmp_path / name
                policies.mkdir()
                write_policies(policies, ROLLING, simulator)
                copy = ("--store-copy", str(tmp_path / f"{name}.json"))
                gateways.append(started(policies, store, *copy))
            one, other = gateways
            one.act("start", "desk")
            assert "desk/1.1.0" == release(one)
            wait_until(lambda: release(other) == "desk/1.1.0")
            move(one, "revoke", "model", NEW, reason="it leaks")
            assert "desk/1.0.0" == release(one)
            wait_until(lambda: release(other) == "desk/1.0.0")
            wait_until(lambda: other.route("desk")["rollout"]["state"] == "rolled_back")
            assert "it leaks" in other.route("desk")["rollout"]["reason"]
            assert "revoked" == other.ask("GET", f"registry/model/{NEW}")["review"]
            told = wait_until(
                lambda: [
                    each
                    for each in other.ask("GET", "deployments?route=desk")["deployments"]
                    if each["track"] == "canary" and each["until"] is not None
                ]
            )
            assert 1 == len(told)
        finally:
            for each in gateways:
                each.stop()
