"""What an operator does and reads in the demo, before a real gateway."""

import time

import httpx2
import pytest

from gateway.cli.demo.desk import Desk
from gateway.cli.demo.policies import BREAKING, BROKEN, FIRST, PACES, SOUND, policy_files, serving
from gateway.cli.demo.processes import Cast, DemoFailure, GatewayLog
from gateway.simulator.server import running
from tests.gateway_process import running_gateway

pytestmark = pytest.mark.anyio

DIGESTS = {"openai": "0" * 64, "anthropic": "1" * 64}


@pytest.fixture
def cast(tmp_path):
    """A gateway on the demo's policies, with one simulator in the place of both."""
    with running() as sim:
        urls = {"openai": sim.url, "anthropic": sim.url}
        with running_gateway(tmp_path, policy_files(urls, DIGESTS), simulator=sim) as found:
            yield Cast(found.url, found.admin_url, urls, {}, found.policies, GatewayLog(tmp_path / "log"))


async def test_an_operator_reads_and_acts(cast):
    """A changed policy file starts a rollout, which can be explained; nothing costs anything or is under way yet."""
    with Desk(cast) as desk:
        await desk.serve(SOUND, "careful")
        for name, text in serving(SOUND, "careful").items():
            assert text == (cast.policies / name).read_text()
        httpx2.post(f"{cast.admin_url}/admin/v1/reload", json={}, trust_env=False).raise_for_status()
        explained = await desk.explained_rollout()
        assert ("shadow", SOUND.version) == (explained["state"], explained["candidate"])
        assert {} == (await desk.readings()).copies
        assert 0 == await desk.open_requests()


async def test_the_switches_of_the_simulators(cast):
    """Models get their paces, one breaks from a moment on, and its attempts since then are told."""
    url = cast.simulators["openai"]
    body = {"messages": [{"role": "user", "content": "hello"}]}
    with Desk(cast) as desk, httpx2.Client(trust_env=False) as client:
        await desk.set_paces()
        faults = client.get(f"{url}/_simulator/faults").json()
        assert PACES == faults["models"]
        before = time.time()
        for model in (BREAKING.model, FIRST.model):
            client.post(f"{url}/v1/chat/completions", json={**body, "model": model})
        broken = await desk.trouble(BREAKING, BROKEN)
        assert before <= broken
        for _ in range(2):
            try:
                client.post(f"{url}/v1/chat/completions", json={**body, "model": BREAKING.model})
            except httpx2.RemoteProtocolError:
                continue
        assert [False, True, True] == [one.failed for one in await desk.attempts(BREAKING, before)]
        assert 2 == len(await desk.attempts(BREAKING, broken))


async def test_what_does_not_answer_ends_the_demo(cast):
    """An address where nothing listens is a failure that names it."""
    with running() as gone:
        pass
    broken = Cast(cast.url, gone.url, {}, {}, cast.policies, cast.log)
    with (
        Desk(broken) as desk,
        pytest.raises(DemoFailure, match=f"GET {gone.url}/metrics failed: .*; run the demo again"),
    ):
        await desk.readings()
