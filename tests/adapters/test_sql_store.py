"""The truth, in SQL."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.sql_store import SqlStore
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.recorded import (
    ArmOut,
    ExperimentStart,
    KeptEvidence,
    Recorded,
    RolloutEvent,
    RouteMove,
    ServedVersion,
)
from gateway.core.rollout import NOT_STARTED, Rollout, RolloutState, rollback, start
from gateway.core.route_record import Former, RouteRecord
from tests.adapters.databases import PostgresPlace, opened

pytestmark = pytest.mark.anyio

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

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
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
    entered_at=NUMBERS,
    holds=st.lists(NAMES, max_size=3).map(tuple),
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
        entered_at=1.0,
        holds=(NOT_STARTED,),
    )
    return replace(rollout, **changes)


async def test_a_new_store_records_nothing(place):
    """The first epoch is 0, and nothing is known."""
    async with opened(place) as store:
        assert Recorded() == replace(await store.recorded(), routes={})
        assert () == await store.history("support", 10)
        assert f"SqlStore('{place.name}')" == repr(store)


async def test_a_rollback_survives_a_restart(place):
    """What was acknowledged is there when the store is opened again: state, step, plan, evidence and history."""
    running = start(held(), "local", "begin", 2.0)
    out = rollback(running, "breaker", "consecutive failures", 3.0, evidence={"failed": 3, "of": [3, 0.5]})
    attempts = {("1.0.0", "1.1.0"): 1}
    record = RouteRecord("support", "1.0.0", "1.1.0", running, attempts)
    async with opened(place) as store:
        assert 1 == await store.record_routes([RouteMove(record, (RolloutEvent(2.0, "start", running),))])
        after = replace(record, rollout=out, revision=2)
        assert 2 == await store.record_routes([RouteMove(after, (RolloutEvent(3.5, "rollback", out),), after=1)])
    async with opened(place) as store:
        recorded = await store.recorded()
        assert 2 == recorded.epoch
        assert {"support": after} == recorded.routes
        expected = (RolloutEvent(3.5, "rollback", out), RolloutEvent(2.0, "start", running))
        assert expected == await store.history("support", 10)
        assert expected[:1] == await store.history("support", 1)
        assert () == await store.history("other", 10)


@pytest.mark.untraced
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    record=st.builds(
        RouteRecord,
        route=st.just("support"),
        stable=NAMES,
        serve_line=NAMES,
        rollout=st.none() | ROLLOUTS,
        attempts=st.dictionaries(st.tuples(NAMES, NAMES), st.integers(1, 1000), max_size=3),
        out=st.dictionaries(NAMES, st.text(max_size=20), max_size=3),
        former=st.lists(st.builds(Former, NAMES, NUMBERS), max_size=3).map(tuple),
        revision=st.integers(1, 2**31 - 1),
    ),
    acts=st.lists(st.tuples(NUMBERS, NAMES, ROLLOUTS), max_size=3, unique_by=lambda act: act[2].id),
)
def test_whatever_is_recorded_is_read_back(place, record, acts):
    """Routes, rollouts, plans, evidence and events come back equal, whatever text and numbers they hold."""
    events = [RolloutEvent(*act) for act in acts if record.rollout is None or act[2].id != record.rollout.id]

    async def there_and_back():
        async with opened(place) as store:
            for statement in ("DELETE FROM rollout_events", "DELETE FROM routes", "DELETE FROM rollouts"):
                place.execute(statement)
            await store.record_routes([RouteMove(record, tuple(events))])
            return await store.recorded(), await store.history("support", 10)

    recorded, history = asyncio.run(there_and_back())
    assert record == recorded.routes["support"]
    assert events[::-1] == list(history)


async def test_a_route_without_a_rollout_is_recorded(place):
    """The first deployment of a route has no rollout; a later record replaces it."""
    later = RouteRecord("support", "1.0.0", "1.1.0", revision=2)
    async with opened(place) as store:
        await store.record_routes([RouteMove(RouteRecord("support", "1.0.0", "1.0.0"), after=0)])
        await store.record_routes([RouteMove(later, after=1)])
        assert {"support": later} == (await store.recorded()).routes


async def test_several_acts_are_one_write(place):
    """A rollout that ends and the one that follows it share an epoch, and both are in the history."""
    ended = held(state=RolloutState.superseded)
    following = held(id="r2", candidate="1.2.0", state=RolloutState.running, step=1)
    record = RouteRecord("support", "1.0.0", "1.2.0", following)
    events = (RolloutEvent(5.0, "supersede", ended), RolloutEvent(5.0, "start", following))
    async with opened(place) as store:
        assert 1 == await store.record_routes([RouteMove(record, events)])
        assert 1 == await store.epoch()
        assert events[::-1] == await store.history("support", 10)


async def test_the_routes_of_a_reload_are_one_write(place):
    """They share an epoch, whatever their number, and each has its own history."""
    running = held(state=RolloutState.running, step=1)
    events = (RolloutEvent(5.0, "start", running),)
    moves = [
        RouteMove(RouteRecord("support", "1.0.0", "1.1.0", running), events),
        RouteMove(RouteRecord("sales", "2.0.0", "2.0.0")),
    ]
    async with opened(place) as store:
        assert 1 == await store.record_routes(moves)
        recorded = await store.recorded()
        assert (1, {move.record.route: move.record for move in moves}) == (recorded.epoch, recorded.routes)
        assert [events, ()] == [await store.history(route, 10) for route in ("support", "sales")]
        assert 2 == await store.record_routes([])


@pytest.mark.untraced
async def test_many_routes_are_a_matter_of_a_moment(place):
    """A first start with a thousand routes is one write, with each table written at once."""
    rollouts = [held(id=f"r{n}", route=f"route-{n}") for n in range(1_000)]
    moves = [
        RouteMove(RouteRecord(rollout.route, "1.0.0", "1.1.0", rollout), (RolloutEvent(1.0, "hold", rollout),), after=0)
        for rollout in rollouts
    ]
    async with opened(place) as store:
        assert 1 == await store.record_routes(moves)
        assert 1_000 == len((await store.recorded()).routes)


async def test_the_routes_of_a_reload_are_written_all_or_none(place):
    """One that the database refuses takes the others with it, and the epoch stays."""
    good = RouteMove(RouteRecord("support", "1.0.0", "1.1.0", held()))
    unwritable = held(id="r2", route="sales", evidence={"cannot": object()})
    async with opened(place) as store:
        with pytest.raises(StoreFault, match="cannot be read or written"):
            await store.record_routes([good, RouteMove(RouteRecord("sales", "1.0.0", "1.1.0", unwritable))])
        recorded = await store.recorded()
        assert (0, {}) == (recorded.epoch, recorded.routes)
        assert 1 == await store.record_routes([good])


@pytest.mark.untraced
@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_move_that_rests_on_another_revision_is_overtaken(place, after):
    """Of two who read the same record, the second writes nothing, and neither do the moves beside it."""
    stored = RouteRecord("support", "1.0.0", "1.1.0", revision=2)
    async with opened(place) as store:
        await store.record_routes([RouteMove(stored)])
        late = RouteMove(replace(stored, stable="1.1.0", revision=after + 1), after=after)
        with pytest.raises(Overtaken, match="somebody else's act on support was recorded first"):
            await store.record_routes([RouteMove(RouteRecord("sales", "1.0.0", "1.0.0"), after=0), late])
        recorded = await store.recorded()
        assert (1, {"support": stored}) == (recorded.epoch, recorded.routes)
        assert 2 == await store.record_routes([replace(late, after=2)])


async def test_a_move_on_a_route_that_is_not_recorded_is_overtaken(place):
    """A route that is not there is at revision 0, which only its first record rests on."""
    first = RouteMove(RouteRecord("support", "1.0.0", "1.0.0"), after=1)
    async with opened(place) as store:
        with pytest.raises(Overtaken):
            await store.record_routes([first])
        assert 1 == await store.record_routes([replace(first, after=0)])


async def test_an_experiment_has_begun_once(place):
    """Its first record stands, whatever comes later; experiments are read by their age."""
    second = ExperimentStart("support", "length", 4.0, (("short", "1.0.0", 500_000), ("long", "1.1.0", 500_000)))
    first = ExperimentStart("sales", "length", 3.0, (("a", "1.0.0", 1_000_000),))
    async with opened(place) as store:
        assert 1 == await store.record_experiment(second)
        assert 2 == await store.record_experiment(replace(second, at=5.0, arms=()))
        assert 3 == await store.record_experiment(first)
        assert (first, second) == (await store.recorded()).experiments


async def test_evidence_is_kept_of_the_latest_rollouts(place):
    """The latest that was kept of each counts, no epoch is raised, and rollouts of the past are not asked about."""
    latest = RouteMove(RouteRecord("support", "1.0.0", "1.1.0", held(id="r2")), (RolloutEvent(1.0, "hold", held()),))
    kept = KeptEvidence("r2", 1, 60.0, 100.0, {"error_rate": [1, 20]})
    async with opened(place) as store:
        await store.record_routes([latest])
        await store.keep_evidence([kept, replace(kept, rollout="r1"), replace(kept, rollout="r9")])
        await store.keep_evidence([])
        assert (kept,) == await store.kept_evidence()
        again = replace(kept, step=2, elapsed=0.5, at=160.0, evidence={})
        await store.keep_evidence([replace(kept, step=0), again])
        assert (again,) == await store.kept_evidence()
        assert 1 == await store.epoch()


async def test_what_no_database_takes_as_text_is_kept_as_far_as_it_goes(place):
    """In words of people, a NUL and half a character become question marks; numbers without a JSON form become null."""
    said = "because\0 of \ud800 \u2713"
    rollout = held(reason=said, actor=said, evidence={"ratio": float("inf"), "of": [float("nan"), 1.5, "x"]})
    async with opened(place) as store:
        await store.record_routes([RouteMove(RouteRecord("support", "1.0.0", "1.1.0", rollout))])
        await store.record_arm_out(ArmOut("support", "length", "1.1.0", said, 4.0))
        recorded = await store.recorded()
    found = recorded.routes["support"].rollout
    assert 3 * ("because? of ? \u2713",) == (found.reason, found.actor, recorded.arms_out[0].reason)
    assert {"ratio": None, "of": [None, 1.5, "x"]} == found.evidence


async def test_an_arm_is_out_for_good(place):
    """The first record of an arm stays, whatever comes later."""
    arm = ArmOut("support", "length", "1.1.0", "breaker", 4.0, {"failed": 3})
    async with opened(place) as store:
        assert 1 == await store.record_arm_out(arm)
        assert 2 == await store.record_arm_out(replace(arm, reason="again", at=5.0))
        assert (arm,) == (await store.recorded()).arms_out


async def test_a_version_that_has_served_keeps_its_digest(place):
    """A version is known by kind, name and version; its first digest stands."""
    known = ServedVersion("model", "gpt-4o", "2024-08-06", "d1")
    other = ServedVersion("prompt", "gpt-4o", "2024-08-06", "d2")
    async with opened(place) as store:
        assert 1 == await store.record_served([known])
        assert 2 == await store.record_served([replace(known, digest="d9"), other])
        assert 3 == await store.record_served([])
        assert (known, other) == (await store.recorded()).served


async def test_a_write_that_fails_leaves_nothing(place):
    """Half a write is none: neither the rollout nor the epoch remain."""
    good = held()
    bad = held(id="r2", evidence={"cannot": object()})
    events = (RolloutEvent(1.0, "start", good), RolloutEvent(1.0, "start", bad))
    async with opened(place) as store:
        with pytest.raises(StoreFault, match="cannot be read or written"):
            await store.record_routes([RouteMove(RouteRecord("support", "1.0.0", "1.1.0", good), events)])
        recorded = await store.recorded()
        assert (0, {}) == (recorded.epoch, recorded.routes)
        assert () == await store.history("support", 10)


async def test_a_row_that_pinion_did_not_write_is_a_fault(place):
    """A hand-edited row is reported, and nothing is guessed from it."""
    async with opened(place) as store:
        await store.record_routes([RouteMove(RouteRecord("support", "1.0.0", "1.1.0", held()))])
        place.execute("UPDATE rollouts SET state = 'dreaming'")
        with pytest.raises(StoreFault, match="'dreaming' is not a valid RolloutState"):
            await store.recorded()


async def test_concurrent_writes_each_have_an_epoch(place):
    """Writes at the same time are one after the other, and none is lost."""
    async with opened(place) as store:
        writes = [store.record_routes([RouteMove(RouteRecord(f"route-{n}", "1", "1"))]) for n in range(20)]
        assert list(range(1, 21)) == sorted(await asyncio.gather(*writes))
        assert 20 == len((await store.recorded()).routes)


async def test_of_two_gateways_on_one_store_one_wins(postgres):
    """Both rest on the same revision; one is recorded, the other overtaken, and both see the one that was."""
    place = PostgresPlace(postgres)
    first = RouteRecord("support", "1.0.0", "1.1.0")
    async with opened(place) as one, opened(place) as other:
        await one.record_routes([RouteMove(first, after=0)])
        for revision in range(1, 11):
            moves = {
                store: RouteMove(replace(first, stable=name, revision=revision + 1), after=revision)
                for store, name in ((one, "one"), (other, "other"))
            }
            acts = [store.record_routes([move]) for store, move in moves.items()]
            epoch, overtaken = sorted(
                await asyncio.gather(*acts, return_exceptions=True), key=lambda became: isinstance(became, Overtaken)
            )
            assert revision + 1 == epoch
            assert isinstance(overtaken, Overtaken)
            seen = [await store.recorded() for store in moves]
            assert seen[0] == seen[1]
            assert revision + 1 == seen[0].routes["support"].revision


async def test_two_gateways_may_open_an_empty_database_at_once(postgres):
    """Whoever is second waits for the first to make the tables, and finds them."""
    place = PostgresPlace(postgres)
    stores = await asyncio.gather(*(SqlStore.open(place.url) for _ in range(4)))
    assert [0, 0, 0, 0] == [await store.epoch() for store in stores]
    for store in stores:
        await store.close()


async def test_a_record_is_read_as_it_was_at_one_epoch(postgres):
    """While another gateway writes, the routes that are read are those of the epoch that is read."""
    place = PostgresPlace(postgres)
    async with opened(place) as writer, opened(place) as reader:
        done = asyncio.Event()

        async def write():
            for number in range(50):
                await writer.record_routes([RouteMove(RouteRecord(f"route-{number}", "1", "1"))])
            done.set()

        writing = asyncio.create_task(write())
        while not done.is_set():
            recorded = await reader.recorded()
            assert recorded.epoch == len(recorded.routes)
        await writing
