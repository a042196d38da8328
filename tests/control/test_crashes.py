"""A process that dies, or whose store fails, at each point of an act: what the next life finds and does."""

import asyncio
from dataclasses import dataclass

import pytest

from gateway.core.errors import StoreFault
from tests.control.serving_world import ADA, Store, files, living, rolling, route, serving

pytestmark = pytest.mark.anyio

PLAN = '{from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}'
OUT = ["trip", "rollback", "judged out", "undo", "judged undo"]


async def advance(process) -> None:
    """What the judging does with a step that has passed its gates."""
    await process.rollouts.advance(process.live.record_of("desk").rollout, "every gate passed", {})


async def hold(process) -> None:
    """What the judging does with a step that nothing came in."""
    await process.rollouts.hold(process.live.record_of("desk").rollout, ("no_data",), "nothing came")


async def clear(process) -> None:
    """What the judging does with a held step that passes again."""
    await process.rollouts.clear(process.live.record_of("desk").rollout, "something came")


async def trip(process) -> None:
    """What the breaker does."""
    process.trip()
    await process.recording.settled(60)


async def judge_out(process) -> None:
    """What the judging does with a breach, in a step or after."""
    rollout = process.live.record_of("desk").rollout
    if rollout.is_open:
        process.rollouts.roll_back(rollout, "worse", {}, "guardrail")
    else:
        process.rollouts.take_back(rollout, "worse", {})
    await process.recording.settled(60)


def by_person(verb: str):
    """A person's verb."""

    async def act(process) -> None:
        await getattr(process.rollouts, verb)("desk", ADA)

    return act


@dataclass(frozen=True)
class Case:
    """An act with what comes before it, and the weight and state before and after it."""

    act: object
    first: tuple
    before: tuple[int, str]
    after: tuple[int, str]


START, PROMOTE = by_person("start"), by_person("promote")
RUNNING, HALF = (50_000, "running"), (500_000, "running")
GONE, DONE = (0, "rolled_back"), (1_000_000, "completed")
CASES = {
    "start": Case(START, (), (0, "held"), RUNNING),
    "promote": Case(PROMOTE, (START,), RUNNING, HALF),
    "complete": Case(PROMOTE, (START, PROMOTE), HALF, DONE),
    "pause": Case(by_person("pause"), (START,), RUNNING, (50_000, "paused")),
    "resume": Case(by_person("resume"), (START, by_person("pause")), (50_000, "paused"), RUNNING),
    "retry": Case(by_person("retry"), (START, by_person("rollback")), GONE, RUNNING),
    "advance": Case(advance, (START,), RUNNING, HALF),
    "hold": Case(hold, (START,), RUNNING, (50_000, "held")),
    "clear": Case(clear, (START, hold), (50_000, "held"), RUNNING),
    "trip": Case(trip, (START,), RUNNING, GONE),
    "rollback": Case(by_person("rollback"), (START,), RUNNING, GONE),
    "judged out": Case(judge_out, (START,), RUNNING, GONE),
    "undo": Case(by_person("undo"), (START, PROMOTE, PROMOTE), DONE, GONE),
    "judged undo": Case(judge_out, (START, PROMOTE, PROMOTE), DONE, GONE),
}


def shown(process) -> tuple[int, str]:
    """What serves of the candidate, and what is known of its rollout."""
    return process.weight, process.state


async def come_to(process, case: Case) -> None:
    """Do what comes before the act, and have it recorded."""
    for act in case.first:
        await act(process)
    assert await process.recording.settled(60)
    assert case.before == shown(process)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", CASES)
async def test_a_process_that_dies_amid_an_act(name, moment):
    """The next life goes on where the records are: no more weight than they say, and the act is done once at most.

    What takes out serves before it is recorded; what gives, after. Whatever was not recorded happens anew from the
    same evidence, and what was stays.
    """
    case, store = CASES[name], Store()
    async with serving(rolling(plan=PLAN), store) as process:
        await come_to(process, case)
        reached = asyncio.Event()

        async def die():
            reached.set()
            await asyncio.Event().wait()

        setattr(store, moment, die)
        acting = asyncio.ensure_future(case.act(process))
        await reached.wait()
        assert (case.after if name in OUT else case.before)[0] == process.weight
        acting.cancel()
        await asyncio.wait([acting])

    store.before = store.after = Store().before
    events = len(store.disk.events)
    async with serving(rolling(plan=PLAN), store) as process:
        assert (case.after if moment == "after" else case.before) == shown(process)
        if moment == "before":
            await case.act(process)
            assert await process.recording.settled(60)
            assert (case.after, events + 1) == (shown(process), len(store.disk.events))
        assert process.kept == process.live.record_of("desk")

    async with serving(rolling(plan=PLAN), store) as process:
        assert case.after == shown(process)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", [name for name in CASES if name not in OUT])
async def test_a_store_that_fails_amid_an_act_that_gives_traffic(name, moment):
    """Nothing changes until it is known what was written; then that serves, though the act was refused."""
    case, store = CASES[name], Store()
    async with serving(rolling(plan=PLAN), store) as process:
        await come_to(process, case)

        async def fail():
            raise StoreFault("the disk is away")

        setattr(store, moment, fail)
        with pytest.raises(StoreFault):
            await case.act(process)
        assert case.before == shown(process)
        store.before = store.after = Store().before
        assert await process.live.look_again()
        assert (case.after if moment == "after" else case.before) == shown(process)
        assert process.kept == process.live.record_of("desk")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", OUT)
async def test_a_store_that_fails_amid_an_act_that_takes_out(name, moment):
    """It stands all the while, and is in the records in the end, however often it had to be written."""
    case, store = CASES[name], Store()
    async with serving(rolling(plan=PLAN), store) as process:
        await come_to(process, case)
        left = [1, 1]

        async def fail_twice():
            if left:
                left.pop()
                raise StoreFault("the disk is away")

        setattr(store, moment, fail_twice)
        await case.act(process)
        assert case.after == shown(process)
        assert await process.recording.settled(60)
        assert case.after == shown(process)
        await process.live.look_again()
        assert (case.after, process.kept) == (shown(process), process.live.record_of("desk"))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_dies_at_its_first_deployment(moment):
    """The next one finds it recorded, or records it; either way once."""
    store = Store()
    async with living(store) as process:
        reached = asyncio.Event()

        async def die():
            reached.set()
            await asyncio.Event().wait()

        setattr(store, moment, die)
        opening = asyncio.ensure_future(process.serving.open(files(route())))
        await reached.wait()
        assert {} == process.live.current.routes
        opening.cancel()
        await asyncio.wait([opening])

    store.before = store.after = Store().before
    async with serving(files(route()), store) as process:
        assert ("1.0.0", 1) == (process.desk.stable.version, process.kept.revision)
