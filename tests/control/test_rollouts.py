"""Acts on rollouts: a person's verbs, trips, and what the judging finds; who wins, and what is recorded of it."""

import pytest

from gateway.control.rollouts import Word
from gateway.core.errors import Overtaken, StoreFault, UnknownSubject, VerbRefused
from tests.control.serving_world import (
    ADA,
    ARMS,
    HELD,
    TESTED,
    Store,
    files,
    rolling,
    route,
    serving,
)

pytestmark = pytest.mark.anyio

VERBS = ["start", "promote", "pause", "resume", "rollback", "retry", "undo"]
MONTH = 30 * 86_400.0


async def test_a_held_rollout_is_started_promoted_and_completed():
    """Each verb gives the next weight; from the last step the candidate becomes stable."""
    async with serving(HELD) as process:
        weights = [(await process.rollouts.start("desk", ADA)).weight_ppm, process.weight]
        weights += [(await process.rollouts.promote("desk", ADA)).weight_ppm, process.weight]
        done = await process.rollouts.promote("desk", ADA)

        assert [50_000, 50_000, 500_000, 500_000] == weights
        assert "<Rollouts 0 open>" == repr(process.rollouts)
        assert ("completed", "1.1.0", None) == (done.state.value, process.desk.stable.version, process.desk.canary)
        assert ["hold", "start", "promote", "promote"] == [event.verb for event in process.store.disk.events]
        assert ["ada"] == [event["actor"] for event in process.events("rollout_start")]


async def test_promoting_in_full_skips_the_steps():
    """`full` completes at once."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        await process.rollouts.promote("desk", ADA, full=True)

        assert "1.1.0" == process.desk.stable.version


async def test_a_rollback_takes_the_candidate_out_for_good_and_a_retry_has_other_units():
    """Rolled back, it gets no request at all; tried anew, its split has another salt and its breaker starts afresh."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        salt = process.desk.canary.salt.text
        rollout = await process.rollouts.rollback("desk", ADA)

        assert ("rolled_back", 0, {"1.1.0": "rolled back: because"}) == (
            rollout.state.value,
            process.weight,
            process.desk.out,
        )
        assert ("rolled_back", "rolled_back") == (process.state, process.kept.rollout.state.value)
        assert [("desk", "manual")] == process.meters.rollbacks

        again = await process.rollouts.retry("desk", ADA)
        assert (2, 50_000, {}) == (again.attempt, process.weight, process.desk.out)
        assert salt != process.desk.canary.salt.text


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_on_what_is_not_there_is_refused(verb):
    """An unknown route is an unknown subject, and the message names those that exist; no rollout is a refusal."""
    async with serving(files(route())) as process:
        act = getattr(process.rollouts, verb)
        with pytest.raises(UnknownSubject, match="no route 'nowhere'; there is desk"):
            await act("nowhere", ADA)
        with pytest.raises(VerbRefused, match="route desk has no rollout to"):
            await act("desk", ADA)


async def test_a_retry_is_refused_once_the_line_asks_for_another():
    """Trying anew means what the file asks for now."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.serving.reload(files(route()))

        with pytest.raises(VerbRefused, match=r"asks for 1\.0\.0 now, not 1\.1\.0"):
            await process.rollouts.retry("desk", ADA)


async def test_a_retry_is_refused_beside_an_experiment():
    """A route has a rollout or an experiment, never both."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.rollouts.rollback("desk", ADA)
        reload = await process.serving.reload(files(route(serve="1.1.0", more=ARMS)))

        assert reload.accepted
        with pytest.raises(VerbRefused, match="has an experiment"):
            await process.rollouts.retry("desk", ADA)


async def test_a_trip_acts_at_once_and_tells_its_evidence():
    """No wait: the snapshot has changed when the trip returns. A second trip of the same release changes nothing."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        told = []
        process.live.tell(told.append)
        process.trip()
        process.trip()

        assert (0, "rolled_back", 1) == (process.weight, process.state, len(told))
        assert process.desk.is_out(process.desk.releases["1.1.0"])
        event = process.events("rollback")[0]
        assert ("desk", "1.1.0", {"rule": "consecutive", "failed": 3}, "warning", "gateway") == tuple(
            event[name] for name in ("route", "release", "evidence", "level", "actor")
        )
        assert [("desk", "consecutive")] == process.meters.rollbacks
        assert await process.recording.settled(60)
        assert "consecutive: failed 3" == process.kept.rollout.reason


@pytest.mark.parametrize(("name", "version"), [("nowhere", "1.1.0"), ("desk", "1.0.0"), ("desk", "9.9.9")])
async def test_a_trip_of_what_cannot_be_rolled_back_changes_nothing(name, version):
    """Stable stays, and so does what is not there."""
    async with serving(HELD) as process:
        before = process.live.current
        process.rollouts.trip(name, version, "consecutive", {})

        assert before is process.live.current


async def test_a_tripped_arm_is_out_and_stays_out():
    """An arm's trip takes its share back to stable, in this life and in the next."""
    store = Store()
    async with serving(TESTED, store) as process:
        process.trip()
        assert ([1_000_000, 0], ["1.1.0"]) == (
            [process.desk.weight_ppm(v) for v in ("1.0.0", "1.1.0")],
            list(process.desk.out),
        )
        assert "out of experiment length: consecutive: failed 3" == process.desk.out["1.1.0"]
        assert [("desk", "consecutive")] == process.meters.rollbacks
        assert "error" == process.events("arm_out")[0]["level"]
        assert await process.recording.settled(60)

    async with serving(TESTED, store) as process:
        assert ["1.1.0"] == list(process.desk.out)


async def test_what_takes_out_needs_no_store():
    """Trips and rollbacks act at once, and are recorded once the store is back, before anything later."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        process.store.away = True
        process.trip()

        assert (0, "running", 1) == (process.weight, process.kept.rollout.state.value, len(process.recording))
        process.store.away = False
        assert await process.recording.settled(60)
        assert "rolled_back" == process.kept.rollout.state.value


async def test_what_gives_traffic_needs_the_store():
    """Nothing is served that is not recorded: the verb fails and changes nothing."""
    async with serving(HELD) as process:
        assert await process.recording.settled(60)
        process.store.away = True
        with pytest.raises(StoreFault, match="the disk is away"):
            await process.rollouts.start("desk", ADA)
        assert (0, "held") == (process.weight, process.state)


async def test_nothing_overtakes_an_act_that_is_not_recorded_yet(monkeypatch):
    """While a rollback waits for the store, verbs and reloads are refused, and say so."""
    monkeypatch.setattr("gateway.control.live.RECORD_SECONDS", 0.01)
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        assert await process.recording.settled(60)
        process.store.away = True
        await process.rollouts.rollback("desk", ADA)

        with pytest.raises(StoreFault, match="earlier acts are not recorded yet"):
            await process.rollouts.retry("desk", ADA)
        reload = await process.serving.reload(files(route()))
        assert (False, "store", "rolled_back") == (reload.accepted, reload.problems[0].file, process.state)


# Pause, resume and undo


async def completed(process, *versions: str) -> None:
    """Roll out each of these versions to its end."""
    for version in versions:
        assert (await process.serving.reload(rolling(version))).accepted
        await process.rollouts.promote("desk", ADA, full=True)
    assert await process.recording.settled(60)


async def test_a_paused_rollout_keeps_its_weight_until_a_person_resumes_it():
    """In its step, whichever that is, and nothing else is taken meanwhile but a rollback."""
    async with serving(HELD) as process:
        await process.rollouts.start("desk", ADA)
        paused = await process.rollouts.pause("desk", ADA)
        assert ("paused", 50_000, "ada") == (paused.state.value, process.weight, paused.actor)
        for verb in ("pause", "promote", "start"):
            with pytest.raises(VerbRefused, match="resume it or roll it back"):
                await getattr(process.rollouts, verb)("desk", ADA)
        assert ("running", 50_000) == ((await process.rollouts.resume("desk", ADA)).state.value, process.weight)
        assert ["hold", "start", "pause", "resume"] == [event.verb for event in process.store.disk.events]


@pytest.mark.parametrize("verb", ["pause", "hold"])
async def test_a_rollback_needs_no_step_to_go_on(verb):
    """Paused or held, the candidate is out at once."""
    async with serving(HELD) as process:
        rollout = await process.rollouts.start("desk", ADA)
        if verb == "pause":
            await process.rollouts.pause("desk", ADA)
        else:
            await process.rollouts.hold(rollout, ("no_data",), "nothing came")
        await process.rollouts.rollback("desk", ADA)
        assert (0, "rolled_back", "rolled_back") == (process.weight, process.state, process.kept.rollout.state.value)


async def test_an_undo_brings_the_release_before_back():
    """The candidate gets no request any more, and the record says who and why."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0")
        undone = await process.rollouts.undo("desk", Word("ada", "it rambles"))
        assert ("rolled_back", "1.0.0", 1_000_000) == (
            undone.state.value,
            process.desk.stable.version,
            process.desk.weight_ppm("1.0.0"),
        )
        assert ({"1.1.0": "rolled back: it rambles"}, "1.0.0") == (process.desk.out, process.kept.stable)
        assert [("desk", "undo")] == process.meters.rollbacks
        assert ["warning"] == [event["level"] for event in process.events("rollout_undo")]


async def test_an_undo_goes_back_to_the_warm_release_that_is_named():
    """What was stable after it is warm no more."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0", "1.2.0")
        with pytest.raises(
            VerbRefused, match=r"no warm release 9\.9\.9 to go back to; those that are: 1\.1\.0, 1\.0\.0"
        ):
            await process.rollouts.undo("desk", ADA, to="9.9.9")
        await process.rollouts.undo("desk", ADA, to="1.0.0")
        assert ("1.0.0", (), "1.0.0") == (process.desk.stable.version, process.kept.former, process.kept.stable)


async def test_an_undo_passes_over_what_cannot_serve():
    """A former release that is retired, rolled back or declared no more is not gone back to."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0", "1.2.0")
        fewer = rolling("1.2.0", releases="1.0.0 1.2.0")
        assert (await process.serving.reload(fewer)).accepted
        await process.rollouts.undo("desk", ADA)
        assert "1.0.0" == process.desk.stable.version


async def test_an_undo_without_a_warm_release_is_refused():
    """Where none that was stable before is declared; nothing changes."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0")
        assert (await process.serving.reload(rolling("1.1.0", releases="1.1.0 1.2.0"))).accepted
        before = process.live.current
        with pytest.raises(VerbRefused, match="route desk has no warm release to go back to; those that are: none"):
            await process.rollouts.undo("desk", ADA)
        assert (before, "completed") == (process.live.current, process.state)


@pytest.mark.parametrize(("days", "is_warm"), [(29, True), (31, False)])
async def test_a_release_stays_warm_for_a_month(days, is_warm):
    """After that it is too old to go back to."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0")
        process.clock.now += days * 86_400
        if is_warm:
            await process.rollouts.undo("desk", ADA)
        else:
            with pytest.raises(VerbRefused, match="no warm release"):
                await process.rollouts.undo("desk", ADA)
        assert ("1.0.0" if is_warm else "1.1.0") == process.desk.stable.version


async def test_an_undo_needs_no_store():
    """The candidate is out and its former stable back at once; the record follows."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0")
        process.store.away = True
        await process.rollouts.undo("desk", ADA)
        assert ("1.0.0", 0, "1.1.0") == (process.desk.stable.version, process.weight, process.kept.stable)
        process.store.away = False
        assert await process.recording.settled(60)
        assert ("1.0.0", "rolled_back") == (process.kept.stable, process.kept.rollout.state.value)


async def test_a_retry_of_what_was_completed_is_refused():
    """There is nothing to try anew; after an undo there is."""
    async with serving(files(route())) as process:
        await completed(process, "1.1.0")
        with pytest.raises(VerbRefused, match="is completed and does not take retry; undo it"):
            await process.rollouts.retry("desk", ADA)
        await process.rollouts.undo("desk", ADA)
        assert (2, 50_000) == ((await process.rollouts.retry("desk", ADA)).attempt, process.weight)


# What the judging finds


async def test_what_was_judged_is_acted_on_only_while_it_still_is_so():
    """A rollout that has moved since is left alone."""
    async with serving(HELD) as process:
        judged = await process.rollouts.start("desk", ADA)
        await process.rollouts.promote("desk", ADA)
        process.rollouts.roll_back(judged, "worse", {}, "guardrail")
        assert not process.rollouts.take_back(judged, "worse", {})
        for act in (
            process.rollouts.advance(judged, "every gate passed", {}),
            process.rollouts.hold(judged, ("no_data",), "nothing came"),
            process.rollouts.clear(judged, "something came"),
        ):
            with pytest.raises(Overtaken, match="has moved since it was judged"):
                await act
        assert (500_000, "running") == (process.weight, process.state)


async def test_what_the_judging_does_is_recorded_as_the_gateways():
    """With its reason, its evidence and, where it holds, with what for."""
    async with serving(HELD) as process:
        rollout = await process.rollouts.start("desk", ADA)
        await process.rollouts.hold(rollout, ("no_data",), "nothing came")
        held = process.live.record_of("desk").rollout
        assert ("held", ("no_data",), 50_000) == (held.state.value, held.holds, process.weight)
        await process.rollouts.clear(held, "something came")
        await process.rollouts.advance(process.live.record_of("desk").rollout, "every gate passed", {"n": 7})
        advanced = process.live.record_of("desk").rollout
        assert (500_000, "gateway", "every gate passed", {"n": 7}) == (
            process.weight,
            advanced.actor,
            advanced.reason,
            advanced.evidence,
        )
        process.rollouts.roll_back(advanced, "error_rate: worse", {"n": 9}, "guardrail")
        last = process.live.record_of("desk").rollout
        assert ("gateway", "guardrail: error_rate: worse", {"rule": "guardrail", "n": 9}) == (
            last.actor,
            last.reason,
            last.evidence,
        )
        assert ["start", "hold", "clear", "advance"] == [event.verb for event in process.store.disk.events[1:]]


async def test_an_arm_with_the_stable_release_is_never_taken_out():
    """Nothing would serve without it."""
    async with serving(TESTED) as process:
        before = process.live.current
        process.trip("1.0.0")
        assert before is process.live.current


async def test_a_rollout_is_watched_in_its_steps_and_for_a_while_after():
    """Not before the first, nor once it is over, nor where no guardrail would say anything."""
    plan = "{rollback_window: 1h, steps: [{percent: 5}], guardrails: [{metric: error_rate, max: 0.1}]}"
    async with serving(files(route())) as process:
        await process.serving.reload(rolling(plan=plan))
        rollout = process.live.record_of("desk").rollout
        done = await process.rollouts.promote("desk", ADA)
        now = process.clock.wall()
        undone = await process.rollouts.undo("desk", ADA)
        assert [True, True, False, False] == [
            rollout.is_watched(now + MONTH),
            done.is_watched(now + 3599),
            done.is_watched(now + 3600),
            undone.is_watched(now),
        ]
    async with serving(HELD) as process:
        assert not process.live.record_of("desk").rollout.is_watched(0.0)
        await process.rollouts.start("desk", ADA)
        full = await process.rollouts.promote("desk", ADA, full=True)
        assert not full.is_watched(process.clock.wall())
