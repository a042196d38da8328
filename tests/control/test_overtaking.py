"""Two who act on one rollout at once: by compare-and-set one of them wins, and what takes out always does."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.control.heard_acts import HeardActs
from gateway.control.rollouts import Word
from gateway.core.errors import Overtaken, StoreFault, VerbRefused
from gateway.core.fleet_message import RolloutOut
from tests.control.serving_world import ADA, HELD, PLAN, Disk, Store, files, nothing, once, rolling, route, serving

pytestmark = pytest.mark.anyio

VERBS = ["start", "promote", "pause", "resume", "rollback", "retry", "undo"]


SEEN = {
    "another rollout": ({"rollout": "rollout-0"}, "rollout "),
    "another state": ({"state": "paused"}, "state running"),
    "another step": ({"state": "running", "step": 2}, "step 1"),
    "what it never says": ({"weight": 5}, "weight None"),
}


@asynccontextmanager
async def two_in_a_step():
    """Two processes on one disk that serve the first step of a rollout."""
    disk = Disk()
    async with serving(HELD, Store(disk)) as one, serving(HELD, Store(disk)) as other:
        await one.rollouts.start("desk", ADA)
        assert await one.recording.settled(60)
        await other.live.look_again()
        yield disk, one, other


@pytest.mark.parametrize("case", SEEN)
@pytest.mark.parametrize("verb", VERBS)
async def test_whoever_has_seen_something_else_is_overtaken(verb, case):
    """The message names what has moved; nothing changes, not even for a rollback."""
    seen, said = SEEN[case]
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        before = process.live.current
        with pytest.raises(Overtaken, match=f"has moved: it has {said}.* now; look again before you act") as raised:
            await getattr(process.rollouts, verb)("desk", Word("ada", "because", seen))
        assert (409, before) == (raised.value.status, process.live.current)


async def test_whoever_has_seen_what_is_there_acts():
    """The rollout, its state and its step, counted from one; none before the first."""
    async with serving(HELD) as process:
        rollout = process.live.record_of("desk").rollout.id
        for verb, state, step in (("start", "held", None), ("pause", "running", 1), ("rollback", "paused", 1)):
            seen = {"rollout": rollout, "state": state, "step": step}
            await getattr(process.rollouts, verb)("desk", Word("ada", "because", seen))
        assert "rolled_back" == process.state


async def test_of_two_processes_that_promote_at_once_one_wins():
    """The other is overtaken, and once it has looked both serve the same step."""
    async with two_in_a_step() as (disk, one, other):
        one.store.let_first(other.rollouts.promote("desk", ADA))
        with pytest.raises(Overtaken):
            await one.rollouts.promote("desk", ADA)

        assert [50_000, 500_000] == [one.weight, other.weight]
        assert await one.live.look_again()
        assert (500_000, one.live.record_of("desk")) == (one.weight, other.live.record_of("desk"))
        assert ["hold", "start", "promote"] == [event.verb for event in disk.events]


async def test_a_rollback_by_another_process_wins_over_a_promotion_here():
    """What rests on an older record is not written."""
    async with two_in_a_step() as (_, one, other):
        other.trip()
        assert await other.recording.settled(60)
        with pytest.raises(Overtaken):
            await one.rollouts.promote("desk", ADA, full=True)
        await one.live.look_again()
        assert [(0, "rolled_back")] * 2 == [(process.weight, process.state) for process in (one, other)]


async def test_two_processes_that_trip_at_once_record_one_rollback():
    """Both have stopped at once; the one that comes second finds it told, and knows the route as the store does."""
    async with two_in_a_step() as (disk, one, other):
        for process in (one, other):
            process.clock.now += 1.0
            process.trip()
            other.clock.now += 0.5
        assert await one.recording.settled(60)
        assert await other.recording.settled(60)
        await one.live.look_again()
        assert ["hold", "start", "rollback"] == [event.verb for event in disk.events]
        assert [(0, one.kept)] * 2 == [(process.weight, process.live.record_of("desk")) for process in (one, other)]


async def test_a_persons_rollback_of_what_a_gateway_took_out_meanwhile_is_recorded_too():
    """It is their word, whoever came first."""
    async with two_in_a_step() as (disk, one, other):
        one.trip()
        assert await one.recording.settled(60)
        await other.rollouts.rollback("desk", ADA)
        assert await other.recording.settled(60)
        assert ["gateway", "ada"] == [event.rollout.actor for event in disk.events if event.verb == "rollback"]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_after_a_lost_promotion_the_next_verb_is_taken(moment):
    """What is known here is what the store holds, whichever of the two was written first."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        setattr(process.store, moment, once(process.trip))
        with pytest.raises(VerbRefused):
            await process.rollouts.promote("desk", ADA)
        assert await process.recording.settled(60)
        assert process.kept == process.live.record_of("desk")
        assert "running" == (await process.rollouts.retry("desk", ADA)).state.value


async def test_an_abort_during_a_promotion_in_full_wins():
    """A person's rollback too, whoever began first."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        aborting = []
        process.store.before = once(
            lambda: aborting.append(asyncio.ensure_future(process.rollouts.rollback("desk", ADA)))
        )

        async def let_it_act():
            await asyncio.sleep(0)

        process.store.after = let_it_act
        with pytest.raises(VerbRefused, match="rolled back meanwhile"):
            await process.rollouts.promote("desk", ADA, full=True)
        await aborting[0]
        assert ("1.0.0", 0, "rolled_back") == (process.desk.stable.version, process.weight, process.state)
        assert process.kept == process.live.record_of("desk")


async def test_what_is_done_is_recorded_in_the_order_in_which_it_was_done():
    """Acts that wait for the store come before whatever is done once it is back."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        process.store.away = True
        process.trip()
        process.store.away = False
        await process.rollouts.retry("desk", ADA)
        await process.rollouts.pause("desk", ADA)
        process.trip()
        assert await process.recording.settled(60)
        verbs = ["hold", "start", "rollback", "retry", "pause", "rollback"]
        assert verbs == [event.verb for event in process.store.disk.events]
        assert verbs[::-1] == [event.verb for event in await process.store.history("desk", 10)]
        assert 2 == process.kept.rollout.attempt


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("full", [False, True])
async def test_a_trip_during_a_promotion_wins(moment, full):
    """The promotion is refused, the candidate is out, and so the store says in the end, and in the next life."""
    store = Store()
    async with serving(HELD, store) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        setattr(store, moment, once(process.trip))
        with pytest.raises(VerbRefused, match="route desk was rolled back meanwhile; nothing was changed"):
            await process.rollouts.promote("desk", ADA, full=full)

        assert (0, "1.0.0") == (process.weight, process.desk.stable.version)
        assert await process.recording.settled(60)

    async with serving(HELD, store) as process:
        assert ("rolled_back", "1.0.0") == (process.state, process.desk.stable.version)


async def test_two_promotions_at_once_are_two_steps():
    """Verbs follow one another; none is lost."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        done = await asyncio.gather(*(process.rollouts.promote("desk", ADA) for _ in range(2)))

        assert ["running", "completed"] == [rollout.state.value for rollout in done]


async def test_a_late_trip_revives_no_rollback_that_was_recorded_meanwhile():
    """A gateway that was cut off takes its candidate out of what others recorded since, and overwrites none of it."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as there, serving(files(route()), Store(disk)) as here:
        await there.serving.reload(rolling("1.1.0"))
        await here.serving.reload(rolling("1.1.0"))
        here.store.away = True
        await there.serving.reload(rolling("1.2.0"))
        there.trip("1.2.0")
        here.trip("1.1.0")
        here.store.away = False
        await there.recording.settled(60)
        await here.recording.settled(60)

        for process in (there, here):
            await process.live.look_again()
            assert {"1.1.0", "1.2.0"} == set(process.desk.out)
            assert ("1.2.0", "rolled_back") == (process.live.record_of("desk").serve_line, process.state)
        assert (await there.serving.reload(rolling("1.2.0"))).accepted
        assert 0 == there.desk.weight_ppm("1.2.0")


async def test_a_late_trip_undoes_what_others_have_completed():
    """The candidate failed here before it was promoted in full there: it does not stay stable."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as there, serving(files(route()), Store(disk)) as here:
        await there.serving.reload(rolling("1.1.0"))
        await here.serving.reload(rolling("1.1.0"))
        here.store.away = True
        await there.rollouts.promote("desk", ADA, full=True)
        here.trip("1.1.0")
        here.store.away = False
        await here.recording.settled(60)

        for process in (there, here):
            await process.live.look_again()
            assert ("1.0.0", "rolled_back", 0) == (process.desk.stable.version, process.state, process.weight)


async def test_a_rollback_during_a_lost_promotion_overwrites_nothing_that_others_recorded_instead():
    """The promotion never came to the store, and somebody else's move has the revision that it would have had."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as there, serving(files(route()), Store(disk)) as here:
        await there.serving.reload(rolling("1.1.0"))
        await here.serving.reload(rolling("1.1.0"))
        await there.recording.settled(60)

        async def be_lost():
            here.store.before = nothing
            here.rollouts.trip("desk", "1.1.0", "consecutive", {"failed": 3})
            await there.rollouts.promote("desk", ADA)
            raise StoreFault("the connection is gone")

        here.store.before = be_lost
        with pytest.raises(StoreFault):
            await here.rollouts.promote("desk", ADA)
        assert await here.recording.settled(60)

        assert ("rolled_back", 1) == (here.kept.rollout.state.value, here.kept.rollout.step)
        assert ["start", "promote", "rollback"] == [event.verb for event in disk.events]
        await there.live.look_again()
        assert [0, 0] == [here.weight, there.weight]


async def test_a_rollback_whose_answer_was_lost_is_recorded_once():
    """The store has it; that nobody was told so is no reason to tell of it twice."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)

        async def be_lost():
            process.store.after = nothing
            raise StoreFault("the connection is gone")

        process.store.after = be_lost
        process.trip()
        assert await process.recording.settled(60)
        assert ["hold", "start", "rollback"] == [event.verb for event in process.store.disk.events]
        assert process.kept == process.live.record_of("desk")


async def test_a_rollback_heard_of_while_files_are_taken_stays():
    """The write of another route's move is under way when it comes: what was decided before does not serve again."""
    disk = Disk()
    two = route("chat", "1.1.0", more=f"rollout: {PLAN}")
    async with serving(files(route(), route("chat")), Store(disk)) as process:
        await process.serving.reload(files(route(), two))
        assert await process.recording.settled(60)
        rollout = process.live.record_of("chat").rollout
        acts = HeardActs(process.live, process.breakers, lambda: None, patience=5.0)

        async def hear():
            process.store.before = nothing
            said = RolloutOut("chat", rollout.id, "rollback", "1.0.0", "ada", "because", process.clock.wall())
            assert acts.hear(said)

        process.store.before = hear
        assert (await process.serving.reload(files(route(serve="1.1.0", more=f"rollout: {PLAN}"), two))).accepted
        assert 0 == process.live.current.routes["chat"].weight_ppm("1.1.0")
        assert "rolled_back" == process.live.record_of("chat").rollout.state.value
