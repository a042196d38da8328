"""The lease of judging: whoever asks first has it, keeps it by asking, and loses it with the store."""

import pytest

from gateway.control.judge_lease import JudgeLease
from gateway.core.errors import StoreFault
from tests.control.serving_world import Clock, Disk, Store

pytestmark = pytest.mark.anyio


class LeaselessStore(Store):
    """A store whose lease of judging cannot be asked for while it is `silent`; all else can."""

    silent = False

    asked = 0

    async def take_lease(self, name, seconds):
        self.asked += 1
        if self.silent:
            raise StoreFault("no answer")
        return await super().take_lease(name, seconds)


async def test_one_gateway_of_a_store_has_it():
    """The others ask in vain for as long as it is held."""
    disk, clock = Disk(), Clock()
    one, other = (JudgeLease(Store(disk), clock) for _ in range(2))
    assert (False, True, False) == (one.was_ours, await one.is_ours(), await other.is_ours())
    assert (True, False) == (one.was_ours, other.was_ours)
    assert ("<JudgeLease ours>", "<JudgeLease of another>") == (repr(one), repr(other))


async def test_the_store_is_asked_a_few_times_within_its_time():
    """Not once a second."""
    clock, store = Clock(), LeaselessStore()
    lease = JudgeLease(store, clock)
    for _ in range(20):
        assert await lease.is_ours()
        clock.now += 1.0
    assert 5 == store.asked


@pytest.mark.parametrize(("later", "ours"), [(4.0, True), (9.9, True), (10.1, False)])
async def test_while_the_store_is_silent_it_lasts_for_its_time(later, ours):
    """After that another one may have it."""
    clock, store = Clock(), LeaselessStore()
    lease = JudgeLease(store, clock)
    assert await lease.is_ours()
    store.silent = True
    clock.now += later
    assert ours is await lease.is_ours() is lease.was_ours
    store.silent = False
    assert await lease.is_ours()
