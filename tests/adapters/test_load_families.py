"""What Prometheus reads of what is in hand."""

import asyncio

import pytest
from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from gateway.adapters.load_families import load_families
from gateway.adapters.upstreams import Upstreams
from gateway.core.loop_lag import LoopLag
from tests.adapters.upstream_peer import Listener, call, is_silent, peer_of, request_to, wait_for
from tests.adapters.upstream_peer import answers as does_answer

pytestmark = pytest.mark.anyio


class _Told(Collector):
    def __init__(self, requests, upstreams):
        lag = LoopLag(1.0)
        for now in (10.0, 13.5):
            lag.tick(now)
        self.collect = lambda: load_families(requests, upstreams, lag)


def lines(requests, upstreams) -> list[str]:
    """The samples, as they are scraped."""
    told = generate_latest(_Told(requests, upstreams)).decode().splitlines()
    return [line for line in told if not line.startswith("#")]


async def test_what_is_in_hand_is_counted_when_somebody_looks():
    """Requests, connections of every transport by whether a call has them, the loop's tasks, and its lag."""
    upstreams, shadows = Upstreams(), Upstreams()
    async with peer_of(does_answer) as answering, peer_of(is_silent) as silent:
        for transport in ("native", "httpx"):
            await call(upstreams, answering.url, transport=transport)
        shadows.send(request_to(silent.url), Listener())
        await wait_for(lambda: silent.requests)
        told = lines(range(3), (upstreams, shadows))
        assert [
            "pinion_open_requests 3.0",
            'pinion_upstream_connections{state="busy"} 1.0',
            'pinion_upstream_connections{state="idle"} 2.0',
            f"pinion_tasks {len(asyncio.all_tasks())}.0",
            "pinion_loop_lag_seconds 2.5",
        ] == told
        await upstreams.aclose()
        await shadows.aclose()
        assert 'pinion_upstream_connections{state="busy"} 0.0' in lines((), (upstreams, shadows))
