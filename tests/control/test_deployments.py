"""What served when: recorded of each swap, by a queue of its own."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.control import deployments
from gateway.control.deployments import FIRST
from gateway.control.terms import Terms
from tests.control.registry_world import TWO, Desk, registry
from tests.control.serving_world import ADA, Disk, Store, serving

pytestmark = pytest.mark.anyio

ROLLING = registry("1.1.0", 'rollout: {from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}')


@asynccontextmanager
async def following(store=None, terms=None, policies=ROLLING):
    """A life whose deployments are written down; its end is a kill."""
    async with serving(policies, store or Store(), terms) as process:
        writing = asyncio.ensure_future(process.deployments.run())
        try:
            yield process
        finally:
            writing.cancel()
            await asyncio.wait([writing])


async def lasting(process):
    """What serves, by the disk, once it is written: route aside, each with when it began."""
    await come(process)
    return {(each.release, each.track): each.since for each in process.store.disk.deployments if each.until is None}


async def come(process):
    """Everything is written that was begun: what served last is learnt in a few turns of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert await process.deployments.settled(60)


async def test_a_rollout_is_written_down_track_by_track():
    """Each with its reason and the actor; what ends gets its end, and stays."""
    async with following() as process:
        assert {("1.0.0", "stable")} == set(await lasting(process))
        assert "<Deployments 1 lasting>" == repr(process.deployments)
        process.clock.ahead += 10
        await process.rollouts.start("desk", ADA)
        assert {("1.0.0", "stable"), ("1.1.0", "canary")} == set(await lasting(process))
        process.clock.ahead += 10
        await process.rollouts.promote("desk", ADA, full=True)
        assert {("1.1.0", "stable")} == set(await lasting(process))
        told = process.store.disk.deployments
        assert ["stable", "canary", "stable"] == [each.track for each in told]
        assert ["because", "because"] == [each.why for each in told[1:]]
        assert ["ada", "ada"] == [each.actor for each in told[1:]]
        assert told[0].until == told[1].until == told[2].since == told[1].since + 10
        assert process.desk.stable.digest == told[2].digest


async def test_the_first_deployment_of_a_route_has_no_rollout_to_tell_of():
    """It says so, and that a file asked for it."""
    async with following(policies=registry()) as process:
        await lasting(process)
        (first,) = process.store.disk.deployments
        assert (FIRST, "policy", "default") == (first.why, first.actor, first.environment)


async def test_a_restart_goes_on():
    """The same stretch lasts on, whatever the time between; what changed meanwhile is written at the start."""
    store = Store()
    async with following(store) as process:
        before = await lasting(process)
        await process.rollouts.start("desk", ADA)
        await process.recording.settled(60)
    async with following(store) as process:
        after = await lasting(process)
        assert before.items() <= after.items()
        assert ("1.1.0", "canary") in after
        assert 2 == len(store.disk.deployments)


async def test_a_revoked_canary_ends():
    """At the moment that it is out."""
    async with following() as process:
        desk = Desk(process)
        await process.rollouts.start("desk", ADA)
        assert ("1.1.0", "canary") in await lasting(process)
        await desk.registries.revoke(TWO, "it leaks")
        await process.judging.judge()
        assert {("1.0.0", "stable")} == set(await lasting(process))


async def test_what_serves_in_the_place_of_a_revoked_stable_says_so():
    """Not what the latest rollout said, which is over."""
    async with following() as process:
        await process.rollouts.start("desk", ADA)
        await process.rollouts.promote("desk", ADA, full=True)
        await Desk(process).registries.revoke(TWO, "it leaks")
        assert {("1.0.0", "stable")} == set(await lasting(process))
        last = process.store.disk.deployments[-1]
        assert ("1.1.0 is revoked with its model atlas@2: it leaks", "gateway") == (last.why, last.actor)


async def test_a_route_that_is_removed_has_ended():
    """Its file has gone."""
    async with following() as process:
        await lasting(process)
        files = ROLLING["all.yaml"].replace("name: desk", "name: shop").replace("routes: [desk]", "routes: [shop]")
        assert (await process.serving.reload({**ROLLING, "all.yaml": files})).accepted
        await come(process)
        assert {"shop"} == {each.route for each in process.store.disk.deployments if each.until is None}


async def test_a_store_that_is_away_gets_all_of_it_later(monkeypatch):
    """At the start, too, when what served last is not known yet."""
    monkeypatch.setattr(deployments, "RETRY_SECONDS", 0.01)
    async with serving(ROLLING, Store()) as process:
        await process.rollouts.start("desk", ADA)
        process.store.away = True
        writing = asyncio.ensure_future(process.deployments.run())
        await asyncio.sleep(0.03)
        assert "<Deployments 0 lasting>" == repr(process.deployments)
        assert [] == process.store.disk.deployments
        process.store.away = False
        for _ in range(1_000):
            if process.store.disk.deployments:
                break
            await asyncio.sleep(0.01)
        assert {("1.0.0", "stable"), ("1.1.0", "canary")} == set(await lasting(process))
        writing.cancel()
        await asyncio.wait([writing])


async def test_environments_of_one_store_stand_apart():
    """Each keeps what serves in its own."""
    disk = Disk()
    async with following(Store(disk)) as one, following(Store(disk), Terms(environment="lab")) as other:
        await lasting(one)
        await lasting(other)
        assert {"default", "lab"} == {each.environment for each in disk.deployments}


async def test_a_development_server_keeps_no_record():
    """Its versions are nobody's."""
    async with serving(ROLLING, Store(), Terms(dev=True)) as process:
        await process.deployments.run()
        process.live.swap_all()
        assert [] == process.store.disk.deployments
