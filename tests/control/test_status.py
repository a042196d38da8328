"""What serves now, told for people and programs."""

import json

import pytest

from gateway.control.served_models import ServedModels
from gateway.control.status import describe_reload, describe_rollout, status
from gateway.core.errors import Problem
from tests.control.serving_world import files, rolling, route, serving

pytestmark = pytest.mark.anyio

ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 25}}}'
MIRROR = 'shadow: {release: "1.2.0", percent: 10}'


def told(process):
    """The status, through JSON and back."""
    served = ServedModels(process.meters, process.journal, process.serving.trip)
    return json.loads(json.dumps(status(process.serving, process.breakers, served, 1.0)))


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
        rollout = process.serving.record_of("desk").rollout

        assert (None, "held", "1.0.0", "1.1.0") == tuple(
            describe_rollout(rollout)[name] for name in ("step", "state", "from", "candidate")
        )


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
