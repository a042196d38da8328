"""The truth, in SQL, while its database is away, and after it or the gateway was killed."""

import asyncio
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import gateway
from gateway.adapters.sql_store import SqlStore
from gateway.core.errors import SetupFault, StoreFault
from gateway.core.recorded import RouteMove
from gateway.core.route_record import RouteRecord
from tests.adapters.audit_trails import verdict_of
from tests.adapters.databases import PostgresPlace, opened
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("store_writer.py")
ROOT = Path(gateway.__file__).parent.parent


async def test_an_outage_is_a_fault_and_does_not_hold_the_loop(place):
    """While the database cannot be used, calls fail and the loop goes on; afterwards they succeed by themselves."""
    async with opened(place) as store:
        assert 1 == await store.record_served([])
        with place.away():
            write = asyncio.create_task(store.record_served([]))
            turns = 0
            while not write.done():
                turns += 1
                await asyncio.sleep(0.01)
            with pytest.raises(StoreFault, match=place.outage):
                await write
            assert turns > 0
        assert 2 == await store.record_served([])


async def test_a_closed_store_is_a_fault_and_its_place_is_free(place):
    """After closing, twice if need be, no thread is left, calls fail, and the store can be opened anew."""
    store = await SqlStore.open(place.url)
    await store.close()
    await store.close()
    with pytest.raises(StoreFault, match="is closed"):
        await store.recorded()
    async with opened(place) as again:
        assert 0 == (await again.recorded()).epoch


async def test_a_store_that_cannot_be_opened_leaves_no_thread(tmp_path):
    """The fault of opening comes through, and the thread that tried ends."""
    with pytest.raises(SetupFault, match="No such file or directory"):
        await SqlStore.open(f"sqlite:///{tmp_path}/nowhere/a.db")
    for thread in threading.enumerate():
        if thread.name.startswith("pinion-store"):
            thread.join(30)
            assert not thread.is_alive()


async def test_a_store_that_is_awaited_opens_itself_once_it_can(postgres):
    """A server that is away at the start is a fault of the store; every call tries anew to open it."""
    place = PostgresPlace(postgres)
    with place.away():
        with pytest.raises(StoreFault, match=r"cannot be reached: .*not currently accepting connections"):
            await SqlStore.open(place.url)
        store = SqlStore.awaited(place.url)
        with pytest.raises(StoreFault, match="cannot be reached"):
            await store.epoch()
    assert 1 == await store.record_served([])
    await store.close()


async def test_an_awaited_store_that_turns_out_to_be_another_is_a_fault(place):
    """What would have kept the gateway from starting is said by every call."""
    async with opened(place):
        pass
    place.set_version("store_9999")
    store = SqlStore.awaited(place.url)
    for _ in range(2):
        with pytest.raises(StoreFault, match="is no store of this version of Pinion but 'store_9999'"):
            await store.epoch()
    await store.close()


@pytest.fixture
def own_server():
    """A server that a test may crash: it writes to the disk as a real one does."""
    server = PostgresServer(settings=())
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def test_a_server_that_crashed_has_lost_nothing_and_is_used_again(own_server):
    """While it is down every call is a fault within a moment; started again, it has what was acknowledged."""
    place = PostgresPlace(own_server)
    async with opened(place) as store:
        for number in range(5):
            await store.record_routes([RouteMove(RouteRecord(f"route-{number}", "1", "1"))])
        own_server.stop()
        for call in (store.epoch, store.recorded, store.kept_evidence):
            with pytest.raises(StoreFault, match="Connection refused"):
                await call()
        own_server.start()
        recorded = await store.recorded()
        assert (5, 5) == (recorded.epoch, len(recorded.routes))
        assert 6 == await store.record_served([])


async def test_a_server_that_says_nothing_is_a_fault_in_three_seconds(own_server):
    """Its connections stay and no answer comes: calls at the same time are given up together, and not done later."""
    place = PostgresPlace(own_server)
    async with opened(place) as store:
        await store.epoch()
        own_server.freeze()
        began = time.monotonic()
        calls = [store.record_routes([RouteMove(RouteRecord(f"route-{n}", "1", "1"))]) for n in range(5)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 6
        assert 5 * [StoreFault] == [type(outcome) for outcome in outcomes]
        own_server.thaw()
        recorded = await store.recorded()
        assert recorded.epoch == len(recorded.routes) <= 1
        assert recorded.epoch + 1 == await store.record_served([])


async def test_a_server_that_was_silent_is_given_up_sooner_until_it_answers(own_server):
    """Whoever asks for an act is told soon; the look at the epoch waits as ever, and ends it by an answer."""
    place = PostgresPlace(own_server)
    async with opened(place) as store:
        own_server.freeze()
        for call, patience in ((store.epoch, 3.0), (store.recorded, 1.5), (store.epoch, 3.0)):
            began = time.monotonic()
            with pytest.raises(StoreFault):
                await call()
            assert patience - 0.6 < time.monotonic() - began
        with pytest.raises(StoreFault, match=r"has not answered within 1\.5 s"):
            await store.recorded()
        own_server.thaw()
        assert 0 == await answered(store.epoch)
        assert 0 == (await store.recorded()).epoch


async def answered(call):
    """What a call gives once the server is there again."""
    for _ in range(60):
        try:
            return await call()
        except StoreFault:
            await asyncio.sleep(0.1)
    return await call()


async def state_of(place):
    """What a store holds, and each route's history."""
    async with opened(place) as store:
        recorded = await store.recorded()
        assert (await verdict_of(store.trail)).is_whole
        return recorded, {name: await store.history(name, 2) for name in recorded.routes}


def test_a_killed_gateway_has_lost_nothing_that_was_acknowledged(place):
    """After SIGKILL at any moment, migrating included, the store opens with every acknowledged write, whole."""
    chance = random.Random(7)
    acknowledged = 0
    for life in range(5):
        command = [sys.executable, str(WRITER), place.url, f"life{life}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as writer:
            assert b"opening\n" == writer.stdout.readline()
            if life > 0:  # the first is killed while it makes the tables
                for _ in range(chance.randrange(1, 30)):
                    acknowledged = int(writer.stdout.readline())
            time.sleep(chance.random() * 0.02)  # the moment is the point, nothing is waited for
            writer.kill()
            for line in writer.stdout:
                acknowledged = int(line)
        recorded, histories = asyncio.run(state_of(place))
        assert acknowledged <= recorded.epoch <= acknowledged + 1
        assert recorded.epoch == len(recorded.routes)
        for name, record in recorded.routes.items():
            assert [record.rollout] == [event.rollout for event in histories[name]]
        acknowledged = recorded.epoch
    assert acknowledged > 4
