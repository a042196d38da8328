"""Both transports as one: who carries which call, and that both are looked after."""

import re

import pytest

from gateway.adapters.upstreams import Upstreams
from tests.adapters.upstream_peer import Listener, answers, call, is_silent, peer_of, request_to, wait_for

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstreams():
    """Both transports without connections, closed after the test."""
    transports = Upstreams()
    yield transports
    await transports.aclose()


def sizes(upstreams) -> dict[str, int]:
    """How many connections each transport says it has; one that nobody has asked for has none."""
    found = re.findall(r"'(\w+)': <\w+ .*?(\d+) connections", repr(upstreams))
    return {"httpx": 0, **{name: int(count) for name, count in found}}


async def test_a_call_goes_by_the_transport_that_its_provider_names(upstreams):
    """The native one carries what does not name another."""
    async with peer_of(answers) as peer:
        assert b"{}" == (await call(upstreams, peer.url)).body
        assert {"native": 1, "httpx": 0} == sizes(upstreams)
        assert b"{}" == (await call(upstreams, peer.url, transport="httpx")).body
        assert {"native": 1, "httpx": 1} == sizes(upstreams)
        assert b"{}" == (await call(upstreams, peer.url, transport="native")).body
        assert {"native": 1, "httpx": 1} == sizes(upstreams)
        assert 2 == len(peer.lines)


async def test_a_provider_that_changes_its_transport_leaves_the_other(upstreams):
    """Each transport closes what is not in use on it, though the provider is in use on the other."""
    async with peer_of(answers) as peer:
        native, httpx = request_to(peer.url), request_to(peer.url, transport="httpx")
        for transport in ("native", "httpx"):
            await call(upstreams, peer.url, transport=transport)
        upstreams.retire(iter([native.provider, httpx.provider]))
        assert {"native": 1, "httpx": 1} == sizes(upstreams)
        upstreams.retire(iter([httpx.provider]))
        await wait_for(lambda: sizes(upstreams) == {"native": 0, "httpx": 1})
        await call(upstreams, peer.url)
        upstreams.retire([native.provider])
        await wait_for(lambda: sizes(upstreams)["httpx"] == 0)


async def test_closing_closes_both(upstreams):
    """Calls on either are given up, and no connection stays."""
    async with peer_of(is_silent) as peer:
        listeners = [Listener(), Listener()]
        for listener, transport in zip(listeners, ("native", "httpx"), strict=True):
            upstreams.send(request_to(peer.url, transport=transport), listener)
        await wait_for(lambda: len(peer.requests) == 2)
        assert {"native": 1, "httpx": 1} == sizes(upstreams)
        await upstreams.aclose()
        assert {"native": 0, "httpx": 0} == sizes(upstreams)
    assert [[], []] == [listener.heard for listener in listeners]
