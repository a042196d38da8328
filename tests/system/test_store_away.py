"""Gateways on PostgreSQL: one whose store goes and comes back, one that starts without it, and two on one store."""

import os
import signal
import time
from contextlib import contextmanager

import httpx2
import pytest

from tests.gateway_process import PROVIDERS, TLS, started, wait_until, write_policies
from tests.postgres_server import PostgresServer

STEPS = "{steps: [{percent: 10, hold: 1h}, {percent: 50, hold: 1h}, {percent: 100}]}"
ROUTE = """
kind: route
name: support
releases:
  "1.0.0": {model: openai/gpt-4o-2024-08-06}
  "1.1.0": {model: openai/gpt-4o-2024-11-20}
"""


def serving(version: str) -> dict[str, str]:
    """The policies of a route that asks for a version."""
    return {"providers.yaml": PROVIDERS, "route.yaml": f'{ROUTE}serve: "{version}"\nrollout: {STEPS}\n'}


@pytest.fixture
def server():
    """A PostgreSQL of its own for a test that stops it."""
    made = PostgresServer()
    made.start()
    yield made
    made.remove()


@contextmanager
def gateway(folder, simulator, store, version="1.1.0"):
    """A gateway on a store, whose route asks for a version; its policies and copy are in the folder."""
    policies = folder / "policies"
    write_policies(policies, serving(version), simulator)
    found = started(policies, store, "--store-copy", str(folder / "copy.json"))
    found.simulator = simulator
    try:
        yield found
    finally:
        found.stop()


def asked(gateway, user: str = "ann") -> httpx2.Response:
    """The answer to one request."""
    body = {"model": "support", "user": user, "messages": [{"role": "user", "content": "hi"}]}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=60, verify=TLS)


def rollout(gateway) -> tuple[str, int | None] | None:
    """The state and step of the route's rollout, where it has one."""
    told = gateway.route("support")["rollout"]
    return told and (told["state"], told["step"])


def begun(gateway) -> None:
    """Change the line to the newer version, and wait until its rollout runs."""
    write_policies(gateway.policies, serving("1.1.0"), gateway.simulator)
    wait_until(lambda: gateway.route("support")["rollout"] is not None)


def test_without_its_store_a_gateway_serves_on_and_refuses_to_give_more(tmp_path, simulator, server):
    """A rollback acts at once; what gives traffic is a 503; once the store is back all is recorded and goes on."""
    with gateway(tmp_path, simulator, server.new_database(), "1.0.0") as found:
        begun(found)
        server.stop()
        wait_until(lambda: found.status()["store_away"])
        assert 200 == asked(found).status_code
        with pytest.raises(httpx2.HTTPStatusError, match="503"):
            found.act("promote", "support")
        assert ("running", 1) == rollout(found)
        assert "rolled_back" == found.act("rollback", "support")["state"]
        assert found.status()["unrecorded_acts"]
        scraped = found.metrics()
        assert "pinion_store_up 0.0\n" in scraped
        assert "pinion_unrecorded_acts 0.0\n" not in scraped
        server.start()
        wait_until(lambda: not found.status()["unrecorded_acts"] and not found.status()["store_away"])
        assert "pinion_store_up 1.0\n" in found.metrics()
        assert "rollback" == found.ask("GET", "rollouts/support")["events"][0]["verb"]
        assert "running" == found.act("retry", "support")["state"]
        wait_until(lambda: found.events("store_back"))
        told = [event["event"] for event in found.events() if event["event"].startswith("store_")]
        assert ["store_away", "store_back"] == told


def test_a_gateway_starts_from_its_copy_and_catches_up(tmp_path, simulator, server):
    """It is ready with stable alone, since the candidate may be rolled back; with the store it goes on as recorded."""
    store = server.new_database()
    with gateway(tmp_path, simulator, store, "1.0.0") as found:
        begun(found)
        found.act("promote", "support")
        wait_until(lambda: '"step": 1' in copied(tmp_path))
    server.stop()
    with gateway(tmp_path, simulator, store) as found:
        assert ("running", 2) == rollout(found)
        assert {"stable"} == {asked(found, f"user-{n}").headers["x-pinion-track"] for n in range(20)}
        with pytest.raises(httpx2.HTTPStatusError, match="503"):
            found.act("promote", "support")
        server.start()
        wait_until(lambda: not found.status()["store_away"])
        wait_until(lambda: len(found.events("reload_accepted")) == 2)
        assert {"canary", "stable"} == {asked(found, f"user-{n}").headers["x-pinion-track"] for n in range(20)}
        assert ("running", 3) == (found.act("promote", "support")["state"], rollout(found)[1])


def test_a_gateway_without_store_and_copy_does_not_start(tmp_path, simulator, server):
    """What serves is not known, so nobody is exposed to a guess; it says so in one line."""
    store = server.new_database()
    server.stop()
    told = pytest.raises(
        RuntimeError, match=r"pinion: postgresql://pinion:\*\*\*@\S+ cannot be reached: .+; see that the server"
    )
    with told, gateway(tmp_path, simulator, store):
        pass


def test_two_gateways_move_one_rollout(tmp_path, simulator, server):
    """A step or a rollback on the one is the other's within two seconds; of two promotions at once one is refused."""
    store = server.new_database()
    with gateway(tmp_path, simulator, store, "1.0.0") as one, gateway(tmp_path, simulator, store, "1.0.0") as two:
        begun(one)
        wait_until(lambda: rollout(two) == ("running", 1), 3)
        one.act("promote", "support")
        wait_until(lambda: rollout(two) == ("running", 2), 3)
        seen = {"state": "running", "step": 1}
        with pytest.raises(httpx2.HTTPStatusError, match="409"):
            two.act("promote", "support", seen=seen)
        two.act("rollback", "support")
        wait_until(lambda: rollout(one) == ("rolled_back", 2), 3)
        assert {"stable"} == {asked(one, f"user-{n}").headers["x-pinion-track"] for n in range(20)}


def test_a_killed_gateway_goes_on_with_its_step(tmp_path, simulator, server):
    """The rollout, its step, and what the step had shown and lasted until the last checkpoint are there again."""
    store = server.new_database()
    with gateway(tmp_path, simulator, store, "1.0.0") as found:
        begun(found)
        for number in range(60):
            asked(found, f"user-{number}")
        until, database = time.time(), store.rpartition("/")[2]
        wait_until(lambda: server.execute(f"select 1 from kept_evidence where at > {until}", database))  # noqa: S608
        before = found.ask("GET", "rollouts/support")["judged"]
        os.kill(found.process.pid, signal.SIGKILL)
    with gateway(tmp_path, simulator, store) as found:
        after = found.ask("GET", "rollouts/support")["judged"]
        assert ("running", 1) == rollout(found)
        assert before["candidate"]["outcomes"] == after["candidate"]["outcomes"]
        assert 0 < after["elapsed_seconds"] <= before["elapsed_seconds"] + 5


def copied(folder) -> str:
    """The copy of the store as text, empty before there is one."""
    copy = folder / "copy.json"
    return copy.read_text() if copy.exists() else ""
