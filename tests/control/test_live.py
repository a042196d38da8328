"""What serves, over whatever happens to it: other processes, crashes, and a store that comes and goes."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import StoreFault, VerbRefused
from tests.control.serving_world import (
    ADA,
    HELD,
    TESTED,
    Disk,
    Store,
    files,
    living,
    once,
    rolling,
    route,
    serving,
)

pytestmark = pytest.mark.anyio


async def test_a_trip_that_was_never_recorded_is_lost_with_the_process():
    """The store still says running; the release trips anew."""
    store = Store()
    async with serving(files(route()), store) as process:
        await process.serving.reload(rolling())
        assert await process.recording.settled(60)
        store.away = True
        process.trip()
        assert 0 == process.weight

    store.away = False
    async with serving(rolling(), store) as process:
        assert 50_000 == process.weight
        process.trip()
        assert 0 == process.weight


# What others have recorded


class Counting(Store):
    """Port `Store` that counts how often it is read."""

    reads = 0

    async def recorded(self):
        self.reads += 1
        return await super().recorded()


async def test_what_another_process_records_moves_here():
    """A promotion, a rollback and the next attempt there serve here as soon as this process looks."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one, serving(files(route()), Store(disk)) as other:
        for process in (one, other):
            await process.serving.reload(rolling())
        for act in (other.rollouts.promote, other.rollouts.rollback, other.rollouts.retry):
            await act("desk", ADA)
            assert await other.recording.settled(60)
            told = []
            one.live.tell(told.append)
            assert await one.live.look_again()
            assert (other.weight, other.desk.out, other.state) == (one.weight, one.desk.out, one.state)
            assert [one.live.current] == told
        assert [] == one.events("rollback")


async def test_an_arm_that_another_process_took_out_is_out_here():
    """Though no route's record has moved."""
    disk = Disk()
    async with serving(TESTED, Store(disk)) as one, serving(TESTED, Store(disk)) as other:
        other.trip()
        assert await other.recording.settled(60)
        assert await one.live.look_again()
        assert ["1.1.0"] == list(one.desk.out)


async def test_a_new_attempt_elsewhere_starts_with_a_fresh_breaker_here():
    """It owes nothing to what was held against an earlier one."""
    disk = Disk()
    async with serving(files(route()), Store(disk)) as one, serving(files(route()), Store(disk)) as other:
        for process in (one, other):
            await process.serving.reload(rolling())
        forgotten = []
        one.live.on_fresh_attempt(lambda *names: forgotten.append(names))
        await other.rollouts.promote("desk", ADA)
        await one.live.look_again()
        assert [] == forgotten
        await other.rollouts.rollback("desk", ADA)
        await other.rollouts.retry("desk", ADA)
        await one.live.look_again()
        assert [("desk", "1.1.0")] == forgotten


async def test_own_writes_are_not_read_again():
    """Not those of a person's verb, nor those that follow an act; an empty look changes nothing."""
    async with serving(HELD, Counting()) as process:
        await process.rollouts.start("desk", ADA)
        process.trip()
        assert await process.recording.settled(60)
        before, reads = process.live.current, process.store.reads
        assert not await process.live.look_again()
        assert (reads, before) == (process.store.reads, process.live.current)


async def test_what_was_read_and_says_what_was_known_changes_nothing():
    """The epoch grows by what has no part in a route's record, too; what was judged is still the same rollout."""
    disk = Disk()
    async with serving(HELD, Store(disk)) as one, serving(HELD, Store(disk)) as other:
        await one.rollouts.start("desk", ADA)
        assert await one.recording.settled(60)
        rollout, before = one.live.record_of("desk").rollout, one.live.current.routes
        await other.store.record_served([])
        assert await one.live.look_again()
        assert rollout is one.live.record_of("desk").rollout
        assert before is one.live.current.routes


async def test_nothing_is_read_over_acts_that_are_not_recorded_yet():
    """The store does not know of them, so what it says would take them back."""
    disk = Disk()
    async with serving(HELD, Store(disk)) as one, living(Store(disk)) as other:
        await one.rollouts.start("desk", ADA)
        assert await one.recording.settled(60)
        await other.serving.open(HELD)
        await other.rollouts.promote("desk", ADA)

        async def fail():
            raise StoreFault("the disk is full")

        one.store.before = fail
        one.trip()
        with pytest.raises(StoreFault, match="earlier acts are not recorded yet"):
            await one.live.look_again()
        assert (0, "rolled_back") == (one.weight, one.state)
        await one.live.keep_copy()
        assert one.copy.kept is None

        one.store.before = Store().before
        assert await one.recording.settled(60)
        await one.live.look_again()
        await other.live.look_again()
        assert [(0, "rolled_back")] * 2 == [(process.weight, process.state) for process in (one, other)]


async def test_a_trip_while_the_store_is_read_wins():
    """Also one whose record is written before the reader has what it read."""
    disk = Disk()
    async with serving(HELD, Store(disk)) as one, serving(HELD, Store(disk)) as other:
        await one.rollouts.start("desk", ADA)
        assert await one.recording.settled(60)
        await other.store.record_served([])

        async def trip_and_record():
            one.store.reading = Store().before
            one.trip()
            assert await one.recording.settled(60)

        one.store.reading = trip_and_record
        assert not await one.live.look_again()
        assert (0, "rolled_back") == (one.weight, one.state)
        await one.live.look_again()
        assert (0, "rolled_back", one.kept) == (one.weight, one.state, one.live.record_of("desk"))


async def test_records_that_these_files_do_not_declare_leave_the_old_route_serving():
    """Another process has newer files: here nothing of it is served, judged or lost until they come."""
    disk = Disk()
    newer = rolling("1.3.0", releases="1.0.0 1.1.0 1.2.0 1.3.0")
    async with serving(files(route()), Store(disk)) as one, serving(files(route()), Store(disk)) as other:
        assert (await other.serving.reload(newer)).accepted
        before = one.desk
        assert await one.live.look_again()
        assert (before, "1.3.0") == (one.desk, one.live.record_of("desk").rollout.candidate)
        assert one.judging.describe("desk") is None
        await one.judging.judge()

        await one.rollouts.pause("desk", ADA)
        assert (before, "paused") == (one.desk, one.kept.rollout.state.value)
        await one.rollouts.rollback("desk", ADA)
        assert (before, "rolled_back") == (one.desk, one.kept.rollout.state.value)
        await other.live.look_again()
        assert (0, "rolled_back") == (other.desk.weight_ppm("1.3.0"), other.state)


async def test_the_copy_is_kept_when_the_store_has_moved():
    """All that is known, at the epoch that it is of."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        await process.live.keep_copy()
        first = process.copy.kept
        assert process.store.disk.recorded == first
        await process.live.keep_copy()
        assert first == process.copy.kept
        await process.rollouts.pause("desk", ADA)
        await process.live.keep_copy()
        assert ("paused", first.epoch + 1) == (
            process.copy.kept.routes["desk"].rollout.state.value,
            process.copy.kept.epoch,
        )


async def test_a_route_whose_stable_release_is_out_is_an_alarm():
    """Each time that it comes to be so; nothing else can serve there."""
    retired = route(releases="").replace("{}", '{"1.0.0": {model: sim/atlas-1.0.0-2026-01-01, retired: "it lies"}}')
    async with serving(files(route(releases="1.0.0"))) as process:
        assert (await process.serving.reload(files(retired))).accepted
        assert [("desk", "1.0.0", "error")] == [
            (event["route"], event["release"], event["level"]) for event in process.events("no_servable_release")
        ]


# Whatever happens, in whatever order

VERBS = ["start", "promote", "full", "pause", "resume", "retry", "rollback", "undo", "trip", "crash", "away", "back"]
JUDGED = ["advance", "hold", "clear", "out"]
ELSEWHERE = ["other promote", "other pause", "other rollback", "other undo", "other retry"]
STEPS = st.tuples(
    st.sampled_from([*VERBS, *JUDGED, *ELSEWHERE, "reload"]),
    st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]),
    st.sampled_from(["", "before", "after"]),
)
"""A verb of a person, of the judging or of another process, the line of a reload, and whether the candidate trips
meanwhile: before or after the verb's own write."""

OUT = ("rollback", "undo")
GIVING = ("start", "promote", "retry", "advance")


class Observed:
    """What a person who only reads the store and the snapshots would hold Pinion to."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def check(self, process) -> None:
        """Weight rests on a record, and what the store says was rolled back has none."""
        desk = process.desk
        if desk.canary is not None:
            assert desk.canary.weight_ppm in {
                event.rollout.weight_ppm
                for event in self.disk.events
                if event.rollout.id == desk.canary.rollout and event.verb in GIVING
            }
        for event in self.disk.events:
            if event.verb in OUT:
                rollout = process.live.record_of("desk").rollout
                assert rollout.id != event.rollout.id or rollout.state.value == "rolled_back"
                assert desk.canary is None or desk.canary.rollout != event.rollout.id
        latest = {event.rollout.candidate: event for event in self.disk.events}
        for version, event in latest.items():
            if event.verb in OUT:
                assert 0 == desk.weight_ppm(version)
                assert version in desk.out


async def act(process, verb: str, line: str, meanwhile: str) -> None:
    """Carry out one step; what is refused, or cannot be recorded, is no concern here."""
    store, rollouts = process.store, process.rollouts
    rollout = process.live.record_of("desk").rollout
    store.before = store.after = Store().before
    if meanwhile and rollout is not None:
        setattr(store, meanwhile, once(lambda: process.trip(rollout.candidate)))
    try:
        match verb:
            case "reload":
                await process.serving.reload(rolling(serve=line))
            case "full":
                await rollouts.promote("desk", ADA, full=True)
            case "trip":
                process.trip(line)
            case "away" | "back":
                store.away = verb == "away"
            case "advance" | "hold" | "clear" | "out":
                await act_by_judging(rollouts, rollout, verb)
            case _:
                await getattr(rollouts, verb)("desk", ADA)
    except (VerbRefused, StoreFault):
        pass
    await process.recording.settled(0.005)


async def act_by_judging(rollouts, rollout, verb: str) -> None:
    """Carry out what the judging may find of a rollout."""
    match verb:
        case "advance":
            await rollouts.advance(rollout, "every gate passed", {})
        case "hold":
            await rollouts.hold(rollout, ("no_data",), "nothing came")
        case "clear":
            await rollouts.clear(rollout, "something came")
        case "out":
            if rollout.is_open:
                rollouts.roll_back(rollout, "worse", {}, "guardrail")
            else:
                rollouts.take_back(rollout, "worse", {})


async def act_elsewhere(process, verb: str, line: str) -> None:
    """Carry out a verb in another process, which has the same files, while this one can hear of it."""
    if not process.store.away:
        async with serving(rolling(serve=line), Store(process.store.disk)) as other:
            await act(other, verb.removeprefix("other "), line, "")
        await process.live.look_again()


@pytest.mark.untraced
@settings(max_examples=100)
@given(steps=st.lists(STEPS, min_size=2, max_size=10))
def test_a_recorded_rollback_never_revives_and_weight_rests_on_records(steps):
    """Over any run of reloads, verbs, trips, other processes, crashes and a store that comes and goes."""

    async def live() -> None:
        disk, line = Disk(), "1.0.0"
        observed, waiting = Observed(disk), [("reload", "1.1.0", ""), *steps]
        while True:
            async with serving(rolling(serve=line), Store(disk)) as process:
                while waiting:
                    verb, asked, meanwhile = waiting.pop(0)
                    if verb == "crash":
                        break
                    if verb in ELSEWHERE:
                        await act_elsewhere(process, verb, line)
                    else:
                        await act(process, verb, asked, meanwhile)
                    line = process.live.record_of("desk").serve_line
                    observed.check(process)
                    if not (process.store.away or len(process.recording)):
                        assert process.kept == process.live.record_of("desk")
                else:
                    return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.control.live.RECORD_SECONDS", 0.005)
        patch.setattr("gateway.control.recording.FIRST_PAUSE_SECONDS", 0.001)
        patch.setattr("gateway.control.recording.LONGEST_PAUSE_SECONDS", 0.001)
        asyncio.run(live())
