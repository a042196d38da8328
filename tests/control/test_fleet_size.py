"""How many gateways share what all of them may use: by the fleet, by the record, by the workers of this machine."""

import pytest

from gateway.control.fleet_size import FEWER_SECONDS, FleetSize
from gateway.core.errors import FleetFault
from tests.control.limit_fleet import Counters, Fleet
from tests.control.serving_world import Copy, Store, files, living, route, serving

pytestmark = pytest.mark.anyio


class Sized:
    """A process, its fleet, and the number that it goes by."""

    def __init__(self, process, counters: Counters | None = None, workers: int = 1) -> None:
        self.process = process
        self.size = FleetSize(process.live, None if counters is None else Fleet(counters), workers)
        self.counters = counters

    @property
    def recorded(self) -> int:
        """What the store has."""
        return self.process.store.disk.recorded.replicas

    async def second(self, told: int) -> int:
        """A second in which the fleet counts so many; give the number gone by."""
        self.counters.gateways = told
        await self.size.count()
        await self.size.record()
        self.process.clock.now += 1
        return self.size.number


async def test_a_fleet_that_grows_is_followed_and_recorded_at_once():
    """By whichever gateway sees it first."""
    async with serving(files(route())) as process:
        sized = Sized(process, Counters())
        assert [(1, 1), (3, 3), (4, 4)] == [(await sized.second(told), sized.recorded) for told in (1, 3, 4)]
        assert "<FleetSize 4>" == repr(sized.size)


async def test_fewer_are_believed_once_they_have_been_fewer_for_a_while():
    """A fleet that has lost its count finds it again before that; one that is really smaller is recorded so."""
    async with serving(files(route())) as process:
        sized = Sized(process, Counters())
        await sized.second(4)
        assert {4} == {await sized.second(1 + second % 3) for second in range(int(FEWER_SECONDS))}
        assert 4 == sized.recorded
        await sized.second(4)
        assert {4} == {await sized.second(3) for _ in range(int(FEWER_SECONDS))}
        assert (3, 3) == (await sized.second(3), sized.recorded)


async def test_while_the_fleet_is_away_nothing_shrinks():
    """Nobody has seen that there are fewer, however long it lasts."""
    async with serving(files(route())) as process:
        sized = Sized(process, Counters())
        await sized.second(3)
        await sized.second(1)
        sized.counters.away = True
        process.clock.now += 10 * FEWER_SECONDS
        with pytest.raises(FleetFault):
            await sized.size.count()
        await sized.size.record()
        sized.counters.away = False
        assert (3, 3) == (await sized.second(1), sized.recorded)


async def test_what_others_recorded_counts():
    """Fewer, and more, by the look at the store that all gateways have."""
    store = Store()
    async with serving(files(route()), store) as process, serving(files(route()), store) as other:
        sized, theirs = Sized(process, Counters()), Sized(other, Counters())
        await theirs.second(5)
        await process.live.look_again()
        assert 5 == sized.size.number
        await other.live.write_replicas(2)
        await process.live.look_again()
        assert 2 == sized.size.number


async def test_the_number_outlives_a_process_whatever_is_away():
    """It is in the store, and in the copy of it."""
    store, copy = Store(), Copy()
    async with serving(files(route()), store, copy=copy) as process:
        await Sized(process, Counters()).second(3)
        assert await process.recording.settled(60)
        await process.serving.follow()
    for store.away in (False, True):
        async with living(store, copy=copy) as process:
            await process.serving.open(files(route()))
            assert 3 == Sized(process, Counters()).size.number


async def test_a_store_that_is_away_is_told_later():
    """Meanwhile the gateway goes by what it was told, and asks for nothing that waits."""
    async with serving(files(route())) as process:
        sized = Sized(process, Counters())
        process.store.away = True
        assert (3, 1) == (await sized.second(3), sized.recorded)
        await process.serving.follow()
        assert (3, 1) == (await sized.second(3), sized.recorded)
        process.store.away = False
        await process.serving.follow()
        assert (3, 3) == (await sized.second(3), sized.recorded)


async def test_a_machine_has_at_least_its_workers():
    """Whether they have a fleet or none; one that tells more counts."""
    async with serving(files(route())) as process:
        alone = Sized(process, workers=4)
        await alone.size.count()
        await alone.size.record()
        assert (4, 1) == (alone.size.number, alone.recorded)
        fleet = Sized(process, Counters(), workers=4)
        assert [4, 6] == [await fleet.second(told) for told in (1, 6)]
