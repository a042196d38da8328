"""Judging: rollouts that go on, hold, and are taken back by themselves, with evidence and time played by hand."""

import asyncio
import json

import pytest

from gateway.core.outcome import Outcome
from tests.control.judged_world import GUARDED, Traffic, judging, plan, rollout, verbs
from tests.control.serving_world import ADA, Disk, Store, files, rolling, route, serving
from tests.control.test_judge_lease import LeaselessStore

pytestmark = pytest.mark.anyio

HALF = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m")
"""A plan whose first step ends after a minute."""

GONE = ("rolled_back", 0)


# A rollout that nothing speaks against


async def test_a_plan_goes_on_by_itself_to_its_end():
    """Shadow, 5, 50 and 100 percent, then completed: each step once its time is over and its evidence is good."""
    whole = plan(
        "shadow: 10, hold: 10s",
        "percent: 5, hold: 10s, min_requests: 20, min_units: 20",
        "percent: 50, hold: 10s",
        "percent: 100, bake: 20s",
    )
    async with judging(whole) as (process, traffic):
        assert ("shadow", 0, 100_000) == (process.state, process.weight, process.desk.shadow.ppm)
        traffic.come(160, "shadow")
        traffic.come(160, "stable")
        passed = []
        for percent, seconds in ((5, 10), (50, 10), (100, 10), (None, 20)):
            await traffic.seconds(seconds - 1)
            before = process.state, process.weight
            await traffic.seconds(1)
            passed.append((before, (process.state, process.weight)))
            if percent is not None and percent < 100:
                traffic.sides(percent)
            else:
                traffic.come(20)

        assert [
            (("shadow", 0), ("running", 50_000)),
            (("running", 50_000), ("running", 500_000)),
            (("running", 500_000), ("baking", 1_000_000)),
            (("baking", 1_000_000), ("completed", 1_000_000)),
        ] == passed
        assert ["start", *["advance"] * 4] == verbs(process)
        assert ("1.1.0", "gateway") == (process.desk.stable.version, rollout(process).actor)
        third = process.store.disk.events[3].rollout
        assert "every gate passed: lasted 10s, 160 requests of 160 units, 1 of 1 guardrails kept" == third.reason
        assert ("within", 160) == (third.evidence["findings"][0]["verdict"], third.evidence["candidate"]["judged"])
        json.dumps([event.rollout.evidence for event in process.store.disk.events])


async def test_what_others_have_recorded_is_judged_from_its_beginning():
    """A step that another process has entered begins here with it; only one of the two enters the next."""
    disk = Disk()
    async with judging(HALF, Store(disk)) as (one, here):
        same = files(route(serve="1.1.0", more=f"rollout: {HALF}"))
        async with serving(same, Store(disk)) as other:
            there = Traffic(other)
            here.sides(50)
            there.sides(50)
            await asyncio.gather(here.seconds(1, by=60), there.seconds(1, by=60))
            assert ["start", "advance"] == verbs(one)
            for process in (one, other):
                await process.live.look_again()
                assert 0.0 == process.judging.describe("desk")["elapsed_seconds"]
            assert [1_000_000] * 2 == [one.weight, other.weight]


async def test_a_person_is_asked_last():
    """With every other gate passed, the approval alone is waited for, and held for once."""
    async with judging(plan("percent: 50, hold: 10s, approval: true", "percent: 100")) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(15)
        assert ("held", ("approval",)) == (process.state, rollout(process).holds)
        assert ["start", "hold"] == verbs(process)
        await process.rollouts.promote("desk", ADA)
        assert 1_000_000 == process.weight


# What speaks against a candidate


@pytest.mark.parametrize("state", ["running", "paused", "held"])
async def test_a_breach_rolls_back_at_once_whatever_the_state(state):
    """No sample is too small and no step too young; the findings are in the record."""
    async with judging(plan("percent: 50, hold: 1h", "percent: 100")) as (process, traffic):
        if state == "paused":
            await process.rollouts.pause("desk", ADA)
        elif state == "held":
            await process.rollouts.hold(rollout(process), ("no_data",), "nothing came")

        def fail():
            traffic.come(8, "stable")
            traffic.come(4)
            traffic.come(4, "canary", "failed")

        await traffic.seconds(10, fail)
        assert ("rolled_back", 0, {"1.1.0"}) == (process.state, process.weight, set(process.desk.out))
        assert [("desk", "guardrail")] == process.meters.rollbacks
        told = rollout(process)
        assert told.reason.startswith("guardrail: error_rate: worse beyond chance (e-value ")
        assert ("gateway", "guardrail", "breach", "error_rate") == (
            told.actor,
            told.evidence["rule"],
            told.evidence["findings"][0]["verdict"],
            told.evidence["findings"][0]["criterion"]["metric"],
        )
        assert told.evidence["candidate"]["failed"] < 40
        assert await process.recording.settled(60)
        assert process.kept == process.live.record_of("desk")
        assert process.judging.describe("desk") is None


async def test_a_breach_needs_no_store():
    """The candidate is out at once; the record follows."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
        process.store.away = True

        def fail():
            traffic.come(20, "canary", "failed")
            traffic.come(20, "stable")

        await traffic.seconds(5, fail)
        assert (0, "running") == (process.weight, process.kept.rollout.state.value)
        process.store.away = False
        assert await process.recording.settled(60)
        assert "rolled_back" == process.kept.rollout.state.value


async def test_what_stable_answers_for_the_candidate_is_the_candidates_failure():
    """Nobody saw an error, and the rollout is rolled back all the same."""
    async with judging(HALF) as (process, traffic):

        def fail_over():
            traffic.come(8, "stable")
            traffic.failed_over(8)

        await traffic.seconds(5, fail_over)
        assert "rolled_back" == process.state


async def test_a_canary_that_uses_the_error_budget_up_is_stopped():
    """Before any guardrail knows enough."""
    slo = "slo: {success: 0.99, canary_share: 0.2}"
    async with judging(plan("percent: 50, hold: 1h", "percent: 100", more="alpha: 0.001"), more=slo) as (
        process,
        traffic,
    ):
        traffic.come(1000, "stable")
        traffic.come(5, "canary", "failed")
        await traffic.seconds(2)
        assert ("rolled_back", "error_budget") == (process.state, rollout(process).evidence["rule"])
        assert [("desk", "error_budget")] == process.meters.rollbacks


async def test_each_attempt_has_its_own_share_of_the_error_budget():
    """What an earlier canary used up is not held against the next one."""
    async with judging(plan("percent: 50, hold: 1h", "percent: 100", more=""), more="slo: {success: 0.99}") as (
        process,
        traffic,
    ):
        traffic.come(1000, "stable")
        for _ in range(2):
            traffic.come(4, "canary", "failed")
            await traffic.seconds(1)
            assert 4 == process.judging.describe("desk")["error_budget"]["canary_bad"]
            await process.rollouts.rollback("desk", ADA)
            await process.rollouts.retry("desk", ADA)
        assert [("desk", "manual")] * 2 == process.meters.rollbacks


# What holds


async def test_a_hold_is_recorded_once_and_ends_by_itself():
    """Not once a second; the evidence that was missed lets the step be left."""
    async with judging(HALF) as (process, traffic):
        await traffic.seconds(30, by=10)
        assert ("held", ("no_data",), 500_000) == (process.state, rollout(process).holds, process.weight)
        traffic.sides(50, canary=3)
        await traffic.seconds(5)
        assert (("inconclusive",), ["start", "hold", "hold"]) == (rollout(process).holds, verbs(process))
        traffic.sides(50)
        await traffic.seconds(5)
        assert (["start", "hold", "hold", "advance"], 1_000_000) == (verbs(process), process.weight)


async def test_evidence_that_stops_coming_is_stale():
    """A good sample of an hour ago is no reason to expose more people now."""
    async with judging(plan("percent: 50, hold: 10m", "percent: 100")) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(60, by=10)
        assert ("held", ("stale",)) == (process.state, rollout(process).holds)
        traffic.sides(50, canary=1)
        await traffic.seconds(1)
        assert (["start", "hold", "advance"], 1_000_000) == (verbs(process), process.weight)


async def test_evidence_from_before_the_step_says_nothing_of_it():
    """What was admitted under an earlier snapshot may come late; it is not counted, good or bad."""
    async with judging(HALF) as (process, traffic):
        late = process.live.current.epoch - 1
        traffic.come(200, "canary", epoch=late)
        traffic.come(200, "stable", epoch=late)
        await traffic.seconds(1, by=60)
        assert ("held", ("no_data",)) == (process.state, rollout(process).holds)
        traffic.come(200, "canary", "failed", epoch=late)
        await traffic.seconds(5)
        assert ("held", 0) == (process.state, process.judging.describe("desk")["candidate"]["judged"])


async def test_stable_failing_on_the_same_provider_holds_and_blames_nobody():
    """A provider that fails both sides is no reason to roll back; once it is well again the step goes on."""
    async with judging(plan("percent: 50, hold: 1h", "percent: 100")) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
        stable = process.desk.stable
        for _ in range(3):
            permit = process.breakers.permit(process.desk, stable, process.clock.monotonic())
            process.breakers.report(process.desk, stable, permit, Outcome.failed, process.clock.monotonic())

        def fail():
            traffic.come(20, "canary", "failed")
            traffic.come(20, "stable")

        await traffic.seconds(3, fail)
        assert ("held", ("stable_fails",), ["start", "hold"]) == (
            process.state,
            rollout(process).holds,
            verbs(process),
        )
        process.clock.now += 30
        for _ in range(3):
            permit = process.breakers.permit(process.desk, stable, process.clock.monotonic())
            process.breakers.report(process.desk, stable, permit, Outcome.ok, process.clock.monotonic())
        await traffic.seconds(1)
        assert "rolled_back" == process.state


async def test_a_hold_whose_reason_is_gone_is_cleared():
    """Within the step's time nothing but the dangers of the moment hold it."""
    async with judging(plan("percent: 50, hold: 1h", "percent: 100"), more="slo: {success: 0.9}") as (
        process,
        traffic,
    ):
        traffic.come(10, "stable", "failed")
        traffic.come(10)
        await traffic.seconds(3)
        assert ("held", ("error_budget",)) == (process.state, rollout(process).holds)
        traffic.sides(50, canary=220)
        await traffic.seconds(3)
        assert ("running", ["start", "hold", "clear"]) == (process.state, verbs(process))


# Time


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wall_clock_that_is_set_changes_no_steps_time(hours):
    """Steps last as long as the process has lived in them."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(29)
        process.clock.ahead = hours * 3600.0
        traffic.sides(50)
        await traffic.seconds(30)
        assert (500_000, 59.0) == (process.weight, process.judging.describe("desk")["elapsed_seconds"])
        await traffic.seconds(1)
        assert 1_000_000 == process.weight


async def test_a_pause_does_not_count():
    """The step goes on where it was."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(30)
        await process.rollouts.pause("desk", ADA)
        await traffic.seconds(30, by=60)
        assert ("paused", ["paused"]) == (
            process.state,
            [wait["code"] for wait in process.judging.describe("desk")["waits"]],
        )
        await process.rollouts.resume("desk", ADA)
        traffic.sides(50)
        await traffic.seconds(29)
        assert 500_000 == process.weight
        await traffic.seconds(1)
        assert 1_000_000 == process.weight


# The store is away


async def test_without_the_store_nothing_goes_on_and_that_is_told_once():
    """What was decided is decided anew each second, until it can be recorded."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
        process.store.away = True

        def keep_fresh():
            traffic.sides(50, canary=1)

        await traffic.seconds(40, keep_fresh, by=2)
        assert (500_000, "running") == (process.weight, process.state)
        assert [("warning", "desk", "the disk is away")] == [
            (event["level"], event["route"], event["message"]) for event in process.events("judging_delayed")
        ]
        process.store.away = False
        await traffic.seconds(1, keep_fresh)
        assert (1_000_000, ["start", "advance"]) == (process.weight, verbs(process))
        process.store.away = True
        await traffic.seconds(20, traffic.come)
        assert 2 == len(process.events("judging_delayed"))


async def test_a_route_that_leaves_while_its_move_waits_stops_nobody():
    """The judging goes on with what is left."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        process.clock.now += 60
        waiting = []

        async def judge_meanwhile():
            if not waiting:
                waiting.append(asyncio.ensure_future(process.judging.judge()))
                await asyncio.sleep(0)

        process.store.before = judge_meanwhile
        assert (await process.serving.reload(files(route("other")))).accepted
        await waiting[0]
        assert ["other"] == list(process.live.current.routes)
        await traffic.seconds(1)


async def test_at_a_hundred_percent_stables_earlier_evidence_is_the_measure():
    """It gets no requests there, and what it had shown at 50 percent is not forgotten."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1, by=60)
        told = process.judging.describe("desk")
        assert (True, 160, 0) == (told["is_baseline"], told["stable"]["judged"], told["candidate"]["judged"])

        def fail():
            traffic.come(4, "canary", "failed")
            traffic.come(4)

        await traffic.seconds(10, fail)
        assert ("rolled_back", "1.0.0") == (process.state, process.desk.stable.version)
        assert "stable's baseline" in rollout(process).evidence["findings"][0]["rule"]


# What a plan says of evidence that is missing or undecided


@pytest.mark.parametrize(
    ("word", "expected"), [("hold", ("held", 500_000)), ("promote", ("running", 1_000_000)), ("rollback", GONE)]
)
async def test_a_plan_says_what_becomes_of_undecided_evidence(word, expected):
    """It holds, unless the plan would rather go on or give up."""
    more = f"{GUARDED}, on_inconclusive: {word}"
    async with judging(plan("percent: 50, hold: 10s", "percent: 100, hold: 1h", more=more)) as (process, traffic):
        traffic.sides(50, canary=3)
        await traffic.seconds(10)
        assert expected == (process.state, process.weight)
        rules = [("desk", "inconclusive")] if word == "rollback" else []
        assert rules == process.meters.rollbacks


@pytest.mark.parametrize(("word", "expected"), [("hold", ("held", 500_000)), ("rollback", GONE)])
async def test_a_plan_says_what_becomes_of_a_candidate_that_nobody_asks(word, expected):
    """After a while without any answer."""
    more = f"{GUARDED}, on_no_data: {{do: {word}, after: 30m}}"
    async with judging(plan("percent: 50, hold: 10s", "percent: 100", more=more)) as (process, traffic):
        await traffic.seconds(30, by=60)
        assert ("held", 500_000) == (process.state, process.weight)
        await traffic.seconds(1)
        assert expected == (process.state, process.weight)


# What it hears and tells


async def test_feedback_counts_for_the_side_that_answered():
    """Of this step alone; what a retry or a fallback answered is nobody's."""
    more = "signals: [{metric: feedback.rating, max_delta: 0.5}]"
    async with judging(plan("percent: 50, hold: 1h", "percent: 100", more=more)) as (process, traffic):
        split = {"split": process.live.record_of("desk").rollout.id}
        for track, rating, changes in (
            ("stable", 5.0, split),
            ("canary", 2.0, split),
            ("canary", 1.0, {**split, "at": 0.0}),
            ("canary", 1.0, {"split": "of another rollout"}),
            ("stable", 1.0, {**split, "attempts": ()}),
            ("stable", 1.0, {**split, "route": "other"}),
        ):
            process.judging.hear_feedback(traffic.record(track, **changes), "rating", rating)
        told = process.judging.describe("desk")
        assert [{"rating": {"n": 1, "mean": 5.0}}, {"rating": {"n": 1, "mean": 2.0}}] == [
            told[side]["feedback"] for side in ("stable", "candidate")
        ]


async def test_only_what_is_watched_is_kept_in_mind():
    """A route without a rollout or an experiment leaves nothing behind."""
    async with serving(files(route())) as process:
        traffic = Traffic(process)
        traffic.come(10, "stable")
        assert (None, {}, "<Judging 0 rollouts>") == (
            process.judging.describe("desk"),
            process.judging._heard,
            repr(process.judging),
        )


async def test_what_is_watched_is_told_with_what_it_waits_for():
    """As JSON: both sides, each finding, the step's gates, and the reasons why it is not left."""
    slo = "slo: {success: 0.99}"
    async with judging(plan("percent: 50, hold: 1m, min_requests: 10", "percent: 100"), more=slo) as (
        process,
        traffic,
    ):
        traffic.come(4)
        traffic.come(2, "stable", "failed")
        told = json.loads(json.dumps(process.judging.describe("desk")))
        assert (60.0, 10, None) == tuple(told[name] for name in ("step_seconds", "min_requests", "min_units"))
        assert (4, 2) == (told["candidate"]["judged"], told["stable"]["failed"])
        await traffic.seconds(1)
        told = process.judging.describe("desk")
        assert ["time", "min_requests"] == [wait["code"] for wait in told["waits"]]
        assert ["error_rate"] == [found["criterion"]["metric"] for found in told["findings"]]
        assert (6, 2) == (told["error_budget"]["requests"], told["error_budget"]["bad"])
        assert process.judging.describe("nowhere") is None


async def test_a_breakers_trip_tells_what_the_step_had_shown():
    """Both sides and every finding, beside the rule's own counts; of another release it tells nothing more."""
    async with judging(HALF) as (process, traffic):
        traffic.sides(50, canary=20)
        process.judging.trip("desk", "1.1.0", "consecutive", {"failures_in_a_row": 3, "limit": 3})
        told = rollout(process).evidence
        assert ("consecutive", 20, 3) == (told["rule"], told["candidate"]["judged"], told["limit"])
        process.judging.trip("nowhere", "1.1.0", "consecutive", {})


async def test_one_rollouts_accident_is_not_every_rollouts():
    """What its evidence raises is told, and the others are judged."""
    async with judging(HALF) as (process, _):
        process.judging._steps["desk"].evidence = None
        await process.judging.judge()
        assert ["desk"] == [event["route"] for event in process.events("judging_failed")]


async def test_a_retired_candidate_is_rolled_back():
    """Its rollout says why, instead of waiting for answers that cannot come."""
    async with judging(HALF) as (process, _):
        text = rolling(plan=HALF)["all.yaml"]
        retired = text.replace("atlas-1.1.0-2026-01-01}", "atlas-1.1.0-2026-01-01, retired: it lies}")
        assert (await process.serving.reload({"all.yaml": retired})).accepted
        await process.judging.judge()
        assert ("rolled_back", "retired: it lies") == (process.state, rollout(process).reason)


@pytest.mark.parametrize(("late", "moved"), [(9, ["start", "advance"]), (11, ["start"])])
async def test_a_lease_that_cannot_be_asked_for_is_over_after_its_time(late, moved):
    """Another may have it by then: whoever has had it moves nothing more, though what it writes would be recorded."""
    store = LeaselessStore()
    async with judging(HALF, store) as (process, traffic):
        await traffic.seconds(1, by=60 - late)
        store.silent = True
        traffic.sides(50)
        await traffic.seconds(1, by=late)
        assert moved == verbs(process)
