"""A start while the store is away: what was copied of it serves, nothing changes, and its return is a start."""

import pytest

from gateway.core.errors import StoreFault
from gateway.core.recorded import Recorded
from tests.control.serving_world import ADA, TESTED, Copy, Store, files, living, once, rolling, route, serving

pytestmark = pytest.mark.anyio


async def copied(policies):
    """A store and a copy of it, with a rollout at its first step."""
    store, copy = Store(), Copy()
    async with serving(files(route()), store, copy=copy) as process:
        await process.serving.reload(policies)
        assert await process.recording.settled(60)
        await process.serving.follow()
    return store, copy


async def test_a_start_without_the_store_serves_by_the_copy():
    """The recorded stable; a candidate that may be rolled back since waits, and what is not recorded does not serve."""
    store, copy = await copied(rolling())
    store.away = True
    more = files(route("new"), rolling()["all.yaml"].split("---")[1])
    async with serving(more, store, copy=copy) as process:
        assert ["desk"] == list(process.live.current.routes)
        assert ("1.0.0", 0, "running") == (process.desk.stable.version, process.weight, process.state)
        assert process.serving.store_is_away
        assert [("error", copy.kept.epoch, "the disk is away")] == [
            tuple(event.values()) for event in process.events("serving_from_copy")
        ]
        assert not await process.serving.follow()
        assert [] == process.events("store_away")


async def test_by_the_copy_nothing_changes():
    """No verb that gives traffic and no line of a file; what takes out does, and is recorded once the store is back."""
    store, copy = await copied(rolling())
    store.away = True
    async with serving(rolling(), store, copy=copy) as process:
        with pytest.raises(StoreFault):
            await process.rollouts.promote("desk", ADA)
        assert (await process.serving.reload(rolling(serve="1.2.0"))).accepted
        assert (0, "1.1.0") == (process.weight, process.live.record_of("desk").rollout.candidate)

        assert "rolled_back" == (await process.rollouts.rollback("desk", ADA)).state.value
        store.away = False
        assert await process.recording.settled(60)
        assert await process.serving.follow()
        assert (0, "rolled_back", "rolled_back") == (process.weight, process.state, process.kept.rollout.state.value)


async def test_by_the_copy_no_experiment_begins():
    """Its beginning could not be recorded; with the store it is."""
    store, copy = await copied(files(route()))
    store.away = True
    async with serving(TESTED, store, copy=copy) as process:
        assert () == process.live.state.experiments
        store.away = False
        assert await process.serving.follow()
        assert (await process.serving.reload(TESTED)).accepted
        assert ["length"] == [start.name for start in process.live.state.experiments]


async def test_the_stores_return_is_a_start():
    """What others have recorded meanwhile serves at once, and the files are asked for until a set has been taken."""
    store, copy = await copied(rolling())
    async with serving(rolling(), Store(store.disk)) as other:
        await other.rollouts.promote("desk", ADA)
        assert await other.recording.settled(60)
    store.away = True
    async with serving(rolling(), store, copy=copy) as process:
        assert {"1.1.0": "the store is away, and may hold that it was rolled back"} == process.desk.out
        store.away = False
        assert [True, True] == [await process.serving.follow() for _ in range(2)]
        assert (500_000, False) == (process.weight, process.serving.store_is_away)
        assert ["store_back"] == [name for name, _ in process.journal.events if name.startswith("store_")]
        assert (await process.serving.reload(rolling(serve="1.2.0"))).accepted
        assert "1.2.0" == process.desk.canary.release.version
        assert not await process.serving.follow()


async def test_a_trip_while_the_store_is_read_after_its_return_wins():
    """What was read does not know of it, so it is read again."""
    store, copy = await copied(rolling())
    store.away = True
    async with serving(rolling(), store, copy=copy) as process:
        store.away = False
        store.reading = once(
            lambda: process.rollouts.roll_back(process.live.record_of("desk").rollout, "bad", {}, "no_data")
        )
        assert [False, True] == [await process.serving.follow() for _ in range(2)]
        assert (0, "rolled_back", "rolled_back") == (process.weight, process.state, process.kept.rollout.state.value)


async def test_without_a_store_and_without_a_copy_nothing_serves():
    """Nothing serves without its records."""
    store = Store()
    store.away = True
    async with living(store, copy=Copy()) as process:
        with pytest.raises(StoreFault, match="the disk is away"):
            await process.serving.open(files(route()))
        assert {} == process.live.current.routes


async def test_what_is_kept_is_all_that_the_store_holds():
    """And it is kept anew only once something has moved that the store knows of."""
    async with serving(TESTED) as process:
        process.trip()
        assert await process.recording.settled(60)
        await process.serving.follow()
        first = process.copy.kept
        assert process.store.disk.recorded == Recorded(
            first.epoch,
            first.routes,
            first.experiments,
            first.arms_out,
            first.served,
            first.standings,
            governance=first.governance,
        )
        await process.serving.follow()
        assert first == process.copy.kept
