"""A gateway that stood still past its lease: what it writes late rests on a record that others have moved."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gateway
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import epoch
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.recorded import RolloutEvent, RouteMove
from gateway.core.route_record import RouteRecord
from tests.adapters.databases import PostgresPlace, opened
from tests.adapters.store_records import ROLLOUT
from tests.adapters.test_sql_store_outages import answered

pytestmark = pytest.mark.anyio

ROOT = Path(gateway.__file__).parent.parent


async def test_a_former_leaders_late_write_is_refused(postgres):
    """The lease only says who should move; whether a move counts is decided by the revision that it rests on."""
    place = PostgresPlace(postgres)
    async with opened(place) as leader, opened(place) as other:
        start = RouteRecord(ROLLOUT.route, ROLLOUT.stable, ROLLOUT.candidate, ROLLOUT)
        await leader.record_routes([RouteMove(start)])
        assert await leader.take_lease("judging", 0.0)
        seen = (await leader.recorded()).routes[start.route]
        assert await other.take_lease("judging", 60.0)
        moved = replace(seen, revision=seen.revision + 1, out={"1.1.0": "rolled back: by the other"})
        await other.record_routes([RouteMove(moved, (), seen.revision, seen)])
        epoch = await other.epoch()

        late = RouteMove(replace(moved, out={}), (RolloutEvent(9.0, "promote", ROLLOUT),), seen.revision, seen)
        with pytest.raises(Overtaken, match="was recorded first"):
            await leader.record_routes([late])
        assert not await leader.take_lease("judging", 60.0)
        assert (epoch, moved) == (await other.epoch(), (await other.recorded()).routes[start.route])
        assert [] == [event for event in await other.history(start.route, 9) if event.verb == "promote"]


def test_a_machine_whose_clock_is_wrong_holds_a_lease_for_no_longer(postgres):
    """Its end is by the database's clock: one that is an hour ahead keeps nobody out once it is gone."""
    place = PostgresPlace(postgres)
    script = (
        "import asyncio, os, sys, time\n"
        "real = time.time\n"
        "time.time = lambda: real() + 3600\n"
        "from gateway.adapters.sql_store import SqlStore\n"
        "async def main():\n"
        "    store = await SqlStore.open(sys.argv[1])\n"
        "    assert await store.take_lease('judging', 10.0)\n"
        "    os._exit(0)\n"  # as a crash: nothing is given back
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script, place.url], env={"PYTHONPATH": str(ROOT)}, check=True)
    left = "select until - extract(epoch from clock_timestamp()) from leases where name = 'judging'"
    ((seconds,),) = place.execute(left)
    assert -600 < seconds <= 10


async def test_one_that_stands_still_within_a_transaction_holds_nobody_up_for_long(postgres):
    """The server ends the transaction, and what it held is free; whoever goes on later is told so."""
    place = PostgresPlace(postgres)
    async with opened(place) as store:
        stopped = Database.open(place.url, "store")
        try:
            with pytest.raises(StoreFault), stopped.transaction() as connection:  # noqa: PT012 - the end of it is what fails
                connection.execute(epoch.update().values(epoch=epoch.c.epoch + 1))
                await answered(lambda: store.record_served([]))
        finally:
            stopped.close()
