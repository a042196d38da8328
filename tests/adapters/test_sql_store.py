"""The truth, in SQL."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gateway
from gateway.adapters.sql_store import SqlStore
from gateway.core.errors import SetupFault, StoreFault
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.ports import ArmOut, Recorded, RolloutEvent, ServedVersion
from gateway.core.rollout import Rollout, RolloutState, RouteRecord, rollback, start

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("store_writer.py")
ROOT = Path(gateway.__file__).parent.parent

PLAN = Plan(
    "careful",
    (
        Step(shadow_ppm=100_000, hold=3600.0),
        Step(percent_ppm=10_000, hold=600.0, min_requests=100, guardrails=(Criterion("error_rate", max=0.02),)),
        Step(percent_ppm=1_000_000, bake=86400.0, approval=True),
    ),
    guardrails=(Criterion("slow_rate", over=8.0, max_delta=0.03),),
    signals=(Criterion("cost_per_request", max_ratio=1.1),),
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
ROLLOUTS = st.builds(
    Rollout,
    id=NAMES,
    route=st.just("support"),
    stable=NAMES,
    candidate=NAMES,
    attempt=st.integers(1, 1000),
    state=st.sampled_from(RolloutState),
    step=st.none() | st.integers(0, 9),
    plan=st.sampled_from([PLAN, Plan.default()]),
    reason=NAMES,
    actor=NAMES,
    evidence=st.none() | st.dictionaries(NAMES, JSON, max_size=3),
    started_at=NUMBERS,
    updated_at=NUMBERS,
)


def held(**changes):
    """A rollout that waits to be started."""
    rollout = Rollout(
        id="r1",
        route="support",
        stable="1.0.0",
        candidate="1.1.0",
        attempt=1,
        state=RolloutState.held,
        step=None,
        plan=PLAN,
        reason="new",
        actor="policy",
        evidence=None,
        started_at=1.0,
        updated_at=1.0,
    )
    return replace(rollout, **changes)


@asynccontextmanager
async def opened(path):
    """A store at a path, closed at the end."""
    store = await SqlStore.open(f"sqlite:///{path}")
    try:
        yield store
    finally:
        await store.close()


async def test_a_new_store_records_nothing(tmp_path):
    """The first epoch is 0, and nothing is known."""
    async with opened(tmp_path / "a.db") as store:
        assert Recorded() == replace(await store.recorded(), routes={})
        assert () == await store.history("support", 10)
        assert f"SqlStore('{tmp_path}/a.db')" == repr(store)


async def test_a_rollback_survives_a_restart(tmp_path):
    """What was acknowledged is there when the store is opened again: state, step, plan, evidence and history."""
    running = start(held(), "local", "begin", 2.0)
    out = rollback(running, "breaker", "consecutive failures", 3.0, evidence={"failed": 3, "of": [3, 0.5]})
    attempts = {("1.0.0", "1.1.0"): 1}
    record = RouteRecord("support", "1.0.0", "1.1.0", running, attempts)
    async with opened(tmp_path / "a.db") as store:
        assert 1 == await store.record_route(record, [RolloutEvent(2.0, "start", running)])
        assert 2 == await store.record_route(replace(record, rollout=out), [RolloutEvent(3.5, "rollback", out)])
    async with opened(tmp_path / "a.db") as store:
        recorded = await store.recorded()
        assert 2 == recorded.epoch
        assert {"support": RouteRecord("support", "1.0.0", "1.1.0", out, attempts)} == recorded.routes
        expected = (RolloutEvent(3.5, "rollback", out), RolloutEvent(2.0, "start", running))
        assert expected == await store.history("support", 10)
        assert expected[:1] == await store.history("support", 1)
        assert () == await store.history("other", 10)


@settings(max_examples=30)
@given(
    record=st.builds(
        RouteRecord,
        route=st.just("support"),
        stable=NAMES,
        serve_line=NAMES,
        rollout=st.none() | ROLLOUTS,
        attempts=st.dictionaries(st.tuples(NAMES, NAMES), st.integers(1, 1000), max_size=3),
        out=st.dictionaries(NAMES, st.text(max_size=20), max_size=3),
    ),
    moves=st.lists(st.tuples(NUMBERS, NAMES, ROLLOUTS), max_size=3, unique_by=lambda move: move[2].id),
)
def test_whatever_is_recorded_is_read_back(record, moves):
    """Routes, rollouts, plans, evidence and events come back equal, whatever text and numbers they hold."""
    events = [RolloutEvent(*move) for move in moves if record.rollout is None or move[2].id != record.rollout.id]

    async def there_and_back():
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder) / "a.db") as store:
                await store.record_route(record, events)
                return await store.recorded(), await store.history("support", 10)

    recorded, history = asyncio.run(there_and_back())
    assert record == recorded.routes["support"]
    assert events[::-1] == list(history)


async def test_a_route_without_a_rollout_is_recorded(tmp_path):
    """The first deployment of a route has no rollout; a later record replaces it."""
    async with opened(tmp_path / "a.db") as store:
        await store.record_route(RouteRecord("support", "1.0.0", "1.0.0"), [])
        await store.record_route(RouteRecord("support", "1.0.0", "1.1.0"), [])
        assert {"support": RouteRecord("support", "1.0.0", "1.1.0")} == (await store.recorded()).routes


async def test_several_acts_are_one_write(tmp_path):
    """A rollout that ends and the one that follows it share an epoch, and both are in the history."""
    ended = held(state=RolloutState.superseded)
    following = held(id="r2", candidate="1.2.0", state=RolloutState.running, step=1)
    record = RouteRecord("support", "1.0.0", "1.2.0", following)
    events = [RolloutEvent(5.0, "supersede", ended), RolloutEvent(5.0, "start", following)]
    async with opened(tmp_path / "a.db") as store:
        assert 1 == await store.record_route(record, events)
        assert events[::-1] == list(await store.history("support", 10))


async def test_the_routes_of_a_reload_are_one_write(tmp_path):
    """They share an epoch, whatever their number, and each has its own history."""
    running = held(state=RolloutState.running, step=1)
    events = [RolloutEvent(5.0, "start", running)]
    moves = [(RouteRecord("support", "1.0.0", "1.1.0", running), events), (RouteRecord("sales", "2.0.0", "2.0.0"), [])]
    async with opened(tmp_path / "a.db") as store:
        assert 1 == await store.record_routes(moves)
        recorded = await store.recorded()
        assert (1, {record.route: record for record, _ in moves}) == (recorded.epoch, recorded.routes)
        assert [events, []] == [list(await store.history(route, 10)) for route in ("support", "sales")]
        assert 2 == await store.record_routes([])


async def test_the_routes_of_a_reload_are_written_all_or_none(tmp_path):
    """One that the database refuses takes the others with it, and the epoch stays."""
    good = RouteRecord("support", "1.0.0", "1.1.0", held())
    bad = RouteRecord("sales", "1.0.0", "1.1.0", held(id="r2", route="sales", evidence={"cannot": object()}))
    async with opened(tmp_path / "a.db") as store:
        with pytest.raises(StoreFault, match="cannot be read or written"):
            await store.record_routes([(good, []), (bad, [])])
        recorded = await store.recorded()
        assert (0, {}) == (recorded.epoch, recorded.routes)
        assert 1 == await store.record_routes([(good, [])])


async def test_an_arm_is_out_for_good(tmp_path):
    """The first record of an arm stays, whatever comes later."""
    arm = ArmOut("support", "length", "1.1.0", "breaker", 4.0, {"failed": 3})
    async with opened(tmp_path / "a.db") as store:
        assert 1 == await store.record_arm_out(arm)
        assert 2 == await store.record_arm_out(replace(arm, reason="again", at=5.0))
        assert (arm,) == (await store.recorded()).arms_out


async def test_a_version_that_has_served_keeps_its_digest(tmp_path):
    """A version is known by kind, name and version; its first digest stands."""
    known = ServedVersion("model", "gpt-4o", "2024-08-06", "d1")
    other = ServedVersion("prompt", "gpt-4o", "2024-08-06", "d2")
    async with opened(tmp_path / "a.db") as store:
        assert 1 == await store.record_served([known])
        assert 2 == await store.record_served([replace(known, digest="d9"), other])
        assert 3 == await store.record_served([])
        assert (known, other) == (await store.recorded()).served


async def test_a_write_that_fails_leaves_nothing(tmp_path):
    """Half a write is none: neither the rollout nor the epoch remain."""
    good = held()
    bad = held(id="r2", evidence={"cannot": object()})
    events = [RolloutEvent(1.0, "start", good), RolloutEvent(1.0, "start", bad)]
    async with opened(tmp_path / "a.db") as store:
        with pytest.raises(StoreFault, match="cannot be read or written"):
            await store.record_route(RouteRecord("support", "1.0.0", "1.1.0", good), events)
        recorded = await store.recorded()
        assert (0, {}) == (recorded.epoch, recorded.routes)
        assert () == await store.history("support", 10)


async def test_a_row_that_pinion_did_not_write_is_a_fault(tmp_path):
    """A hand-edited row is reported, and nothing is guessed from it."""
    path = tmp_path / "a.db"
    async with opened(path) as store:
        await store.record_route(RouteRecord("support", "1.0.0", "1.1.0", held()), [])
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE rollouts SET state = 'dreaming'")
        with pytest.raises(StoreFault, match="'dreaming' is not a valid RolloutState"):
            await store.recorded()


async def test_concurrent_writes_each_have_an_epoch(tmp_path):
    """Writes at the same time are one after the other, and none is lost."""
    async with opened(tmp_path / "a.db") as store:
        writes = [store.record_route(RouteRecord(f"route-{n}", "1", "1"), []) for n in range(20)]
        assert list(range(1, 21)) == sorted(await asyncio.gather(*writes))
        assert 20 == len((await store.recorded()).routes)


async def test_a_locked_file_is_a_fault_and_does_not_hold_the_loop(tmp_path):
    """While another program has the file, writes fail in the end and the loop goes on; afterwards they succeed."""
    path = tmp_path / "a.db"
    async with opened(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            write = asyncio.create_task(store.record_served([]))
            turns = 0
            while not write.done():
                turns += 1
                await asyncio.sleep(0.01)
            with pytest.raises(StoreFault, match="database is locked"):
                await write
            assert turns > 1
            connection.execute("ROLLBACK")
        assert 1 == await store.record_served([])


async def test_a_closed_store_is_a_fault_and_its_file_is_free(tmp_path):
    """After closing, twice if need be, no thread is left, calls fail, and the file can be opened anew."""
    store = await SqlStore.open(f"sqlite:///{tmp_path}/a.db")
    await store.close()
    await store.close()
    with pytest.raises(StoreFault, match="is closed"):
        await store.recorded()
    async with opened(tmp_path / "a.db") as again:
        assert 0 == (await again.recorded()).epoch


async def test_a_store_that_cannot_be_opened_leaves_no_thread(tmp_path):
    """The fault of opening comes through, and the thread that tried ends."""
    with pytest.raises(SetupFault, match="No such file or directory"):
        await SqlStore.open(f"sqlite:///{tmp_path}/nowhere/a.db")
    for thread in threading.enumerate():
        if thread.name.startswith("pinion-store"):
            thread.join(30)
            assert not thread.is_alive()


async def state_of(path):
    """What a store holds, and each route's history."""
    async with opened(path) as store:
        recorded = await store.recorded()
        return recorded, {name: await store.history(name, 2) for name in recorded.routes}


def test_a_killed_gateway_has_lost_nothing_that_was_acknowledged(tmp_path):
    """After SIGKILL at any moment, migrating included, the store opens with every acknowledged write, whole."""
    chance = random.Random(7)
    path = tmp_path / "a.db"
    acknowledged = 0
    for life in range(5):
        command = [sys.executable, str(WRITER), f"sqlite:///{path}", f"life{life}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as writer:
            assert b"opening\n" == writer.stdout.readline()
            if life > 0:  # the first is killed while it makes the tables
                for _ in range(chance.randrange(1, 30)):
                    acknowledged = int(writer.stdout.readline())
            time.sleep(chance.random() * 0.02)  # the moment is the point, nothing is waited for
            writer.kill()
            for line in writer.stdout:
                acknowledged = int(line)
        recorded, histories = asyncio.run(state_of(path))
        assert acknowledged <= recorded.epoch <= acknowledged + 1
        assert recorded.epoch == len(recorded.routes)
        for name, record in recorded.routes.items():
            assert [record.rollout] == [event.rollout for event in histories[name]]
        acknowledged = recorded.epoch
    assert acknowledged > 4
