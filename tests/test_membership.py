"""A gateway's membership in its fleet, joined."""

import contextlib

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.errors import SetupFault
from gateway.membership import Membership
from tests.adapters.clock_and_journal import Journal
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_without_an_address_there_is_no_fleet():
    """Nothing is opened, and nothing is to be ended."""
    async with contextlib.AsyncExitStack() as stack:
        assert await Membership.open(None, Journal(), SystemClock(), stack) is None


async def test_an_address_that_is_none_is_refused():
    """Before anything serves."""
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(SetupFault, match=r"^--fleet"):
            await Membership.open("http://somewhere", Journal(), SystemClock(), stack)


async def test_a_member_is_there_and_leaves_with_the_stack():
    """What it does again and again is told with how often."""
    with RedisServer() as server:
        async with contextlib.AsyncExitStack() as stack:
            member = await Membership.open(server.url, Journal(), SystemClock(), stack)
            assert [1.0, 1.0, 0.25] == [seconds for seconds, _ in member.acts()]
            assert not member.bus.reading().is_up  # the store has not told its name
