"""What serves now, told for people and programs."""

import json

import pytest

from gateway.control.served_models import ServedModels
from gateway.control.status import describe_reload, describe_rollout, status
from gateway.core.errors import Problem
from tests.control.approval_world import excepted, subject_of
from tests.control.serving_world import ADA, Copy, Store, files, rolling, route, serving

pytestmark = pytest.mark.anyio

ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 25}}}'
MIRROR = 'shadow: {release: "1.2.0", percent: 10}'


def told(process):
    """The status, through JSON and back."""
    served = ServedModels(process.meters, process.journal, process.rollouts.trip)
    described = status(process.live, process.serving.last_reload, process.breakers, served, 1.0)
    return json.loads(json.dumps(described))


async def test_a_steady_route_is_told_with_its_releases():
    """Each with its weight, its breaker, what it was seen to serve, and why it is out, if it is."""
    async with serving(files(route(more='fallback: ["1.1.0"]\nowner: support-team'))) as process:
        found = told(process)

        assert (1, False, True, "accepted") == (
            found["epoch"],
            found["dev"],
            found["open"],
            found["reload"]["result"],
        )
        desk = found["routes"][0]
        assert ("desk", "openai", "support-team", "1.0.0", None, None, None, ["1.1.0"]) == tuple(
            desk[name]
            for name in ("route", "dialect", "owner", "stable", "rollout", "experiment", "shadow", "fallback")
        )
        stable = desk["releases"][0]
        assert ("1.0.0", "sim", 1_000_000, None, None) == tuple(
            stable[name] for name in ("release", "provider", "weight_ppm", "out", "prompt")
        )
        assert ({"state": "closed"}, 0) == (stable["breaker"], stable["served"]["mismatches"])


async def test_a_rollback_is_told_with_its_evidence():
    """Who, why, on what evidence, and that the release is out."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        process.trip()
        desk = told(process)["routes"][0]

        assert ("rolled_back", "gateway", {"rule": "consecutive", "failed": 3}, 0, 1, 2) == tuple(
            desk["rollout"][name] for name in ("state", "actor", "evidence", "weight_ppm", "step", "steps")
        )
        assert "rolled back: consecutive: failed 3" == desk["releases"][1]["out"]


async def test_a_held_rollout_has_no_step_yet():
    """Steps count from one, once the first was entered."""
    held = files(route(serve="1.1.0", more='rollout: {from: "1.0.0", steps: [{percent: 5}]}'))
    async with serving(held) as process:
        rollout = process.live.record_of("desk").rollout

        assert (None, "held", "1.0.0", "1.1.0", ["not_started"], 0, 0) == tuple(
            describe_rollout(rollout)[name]
            for name in ("step", "state", "from", "candidate", "holds", "weight_ppm", "shadow_ppm")
        )


async def test_a_shadow_step_is_told_with_its_share():
    """The candidate answers nobody, and is out of everything else."""
    shadowing = "{strategy: blue_green, steps: [{shadow: 10, hold: 1m}, {percent: 100}]}"
    async with serving(files(route())) as process:
        await process.serving.reload(rolling(plan=shadowing))
        desk = told(process)["routes"][0]

        assert ("shadow", 1, 0, 100_000, "blue_green", None) == tuple(
            desk["rollout"][name] for name in ("state", "step", "weight_ppm", "shadow_ppm", "strategy", "plan")
        )
        assert {"release": "1.1.0", "ppm": 100_000} == desk["shadow"]
        assert "its step is at weight 0" == desk["releases"][1]["out"]


async def test_a_hold_is_told_with_its_reasons():
    """As codes, and as the sentence that is the reason of the latest move; times are those of the wall."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        started = process.clock.wall()
        process.clock.now += 60
        await process.rollouts.hold(process.live.record_of("desk").rollout, ("no_data", "stale"), "nothing came")
        rollout = told(process)["routes"][0]["rollout"]

        assert ("held", ["no_data", "stale"], "nothing came", "gateway", 50_000) == tuple(
            rollout[name] for name in ("state", "holds", "reason", "actor", "weight_ppm")
        )
        assert (started, started, started + 60) == tuple(
            rollout[name] for name in ("started_at", "entered_at", "updated_at")
        )


async def test_the_releases_that_an_undo_may_go_back_to_are_told():
    """The latest first, with the time until which each was stable."""
    async with serving(files(route())) as process:
        assert [] == told(process)["routes"][0]["former"]
        for version in ("1.1.0", "1.2.0"):
            await process.serving.reload(rolling(version))
            await process.rollouts.promote("desk", ADA, full=True)
            process.clock.now += 60
        at = process.clock.wall()

        assert [{"release": "1.1.0", "until": at - 60}, {"release": "1.0.0", "until": at - 120}] == told(process)[
            "routes"
        ][0]["former"]


async def test_what_this_process_cannot_serve_is_left_out():
    """A route of which nothing is recorded, when the store is away at the start."""
    store, copy = Store(), Copy()
    async with serving(files(route()), store, copy=copy) as process:
        assert await process.recording.settled(60)
        await process.serving.follow()
    store.away = True
    async with serving(files(route(), route("other")), store, copy=copy) as process:
        assert ["desk"] == [one["route"] for one in told(process)["routes"]]


async def test_an_experiment_and_a_mirror_are_told():
    """Arms with the range that they own, and the mirror's share."""
    async with serving(files(route(more=f"{ARMS}\n{MIRROR}"))) as process:
        desk = told(process)["routes"][0]

        assert {
            "name": "length",
            "arms": [
                {"arm": "a", "release": "1.0.0", "range": [0, 500_000]},
                {"arm": "b", "release": "1.1.0", "range": [750_000, 1_000_000]},
            ],
        } == desk["experiment"]
        assert {"release": "1.2.0", "ppm": 100_000} == desk["shadow"]


async def test_a_rejected_reload_is_told_with_its_reasons():
    """File, line, problem and remedy of each."""
    async with serving(files(route())) as process:
        reload = process.serving.rejected([Problem("a.yaml", 3, "this is wrong", "correct it")])

        assert {
            "result": "rejected",
            "at": process.clock.wall(),
            "problems": [{"file": "a.yaml", "line": 3, "problem": "this is wrong", "remedy": "correct it"}],
            "warnings": [],
        } == describe_reload(reload)


async def test_what_serves_without_an_approval_is_told_with_its_release():
    """On whose word, until when, and whether its review is overdue; nothing once it has ended."""
    async with serving(files(route())) as process:
        now = process.clock.wall()
        subject = subject_of(process, "1.1.0")
        await excepted(process, subject, now + 60.0, is_emergency=True, review_by=now + 10.0)
        for seconds, kinds in ((0.0, ["emergency"]), (10.0, ["overdue"]), (50.0, [])):
            process.clock.now += seconds
            releases = {each["release"]: each["exceptions"] for each in told(process)["routes"][0]["releases"]}
            assert kinds == [each["kind"] for each in releases["1.1.0"]]
            assert [] == releases["1.0.0"]
