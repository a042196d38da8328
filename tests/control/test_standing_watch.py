"""The watch over a completed rollout: within its window, what would have rolled it back undoes it."""

import pytest

from gateway.core.outcome import Outcome
from tests.control.judged_world import GUARDED, judging, plan, rollout, verbs
from tests.control.serving_world import files, route

pytestmark = pytest.mark.anyio

HALF = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m")


async def completed(process, traffic) -> None:
    """Let a rollout by `HALF` come to its end."""
    traffic.sides(50)
    await traffic.seconds(1, by=60)
    traffic.come(20)
    await traffic.seconds(10, lambda: traffic.come(1), by=30)
    assert "completed" == process.state


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_completed_rollout_is_undone_by_what_would_have_rolled_it_back(is_late):
    """Within its window, against what stable had shown; afterwards the release is on its own."""
    window = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m", more=f"{GUARDED}, rollback_window: 2h")
    async with judging(window) as (process, traffic):
        await completed(process, traffic)
        told = process.judging.describe("desk")
        assert (True, None, []) == (told["is_baseline"], told["step_seconds"], told["waits"])
        process.clock.now += 7201 if is_late else 7000

        def fail():
            traffic.as_stable(4, "failed")
            traffic.as_stable(4)

        await traffic.seconds(10, fail)
        if is_late:
            assert ("completed", "1.1.0", None) == (
                process.state,
                process.desk.stable.version,
                process.judging.describe("desk"),
            )
            return
        assert ("rolled_back", "1.0.0", {"1.1.0"}) == (
            process.state,
            process.desk.stable.version,
            set(process.desk.out),
        )
        assert [("desk", "guardrail")] == process.meters.rollbacks
        assert rollout(process).evidence["findings"][0]["rule"].startswith("worse beyond chance")
        assert await process.recording.settled(60)
        assert ("1.0.0", "undo") == (process.kept.stable, verbs(process)[-1])


async def test_a_completed_rollout_without_a_release_to_go_back_to_stays():
    """Nothing else could serve, so it is watched no more."""
    async with judging(HALF) as (process, traffic):
        await completed(process, traffic)
        alone = files(route(serve="1.1.0", releases="1.1.0 1.2.0", more=f"rollout: {HALF}"))
        assert (await process.serving.reload(alone)).accepted
        await traffic.seconds(10, lambda: traffic.as_stable(8, "failed"))
        assert ("completed", "1.1.0", None, []) == (
            process.state,
            process.desk.stable.version,
            process.judging.describe("desk"),
            process.meters.rollbacks,
        )


async def test_an_outage_of_the_provider_undoes_nothing():
    """With other releases of the provider failing too, what is seen says nothing; afterwards it is watched anew."""
    window = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m", more=f"{GUARDED}, rollback_window: 2h")
    async with judging(window) as (process, traffic):
        await completed(process, traffic)
        before = process.desk.releases["1.0.0"]

        def outage():
            traffic.as_stable(8, "failed")
            for _ in range(3):
                permit = process.breakers.permit(process.desk, before, process.clock.monotonic())
                if permit is not None:
                    process.breakers.report(process.desk, before, permit, Outcome.failed, process.clock.monotonic())

        await traffic.seconds(5, outage)
        assert ("completed", "1.1.0") == (process.state, process.desk.stable.version)
        process.clock.now += 600
        await traffic.seconds(5, lambda: traffic.as_stable(8))
        assert "completed" == process.state


async def test_a_breach_with_nothing_to_go_back_to_is_an_alarm():
    """The release before is no longer declared: somebody must look."""
    window = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m", more=f"{GUARDED}, rollback_window: 2h")
    async with judging(window) as (process, traffic):
        await completed(process, traffic)
        await process.serving.reload(files(route(serve="1.1.0", releases="1.1.0 1.2.0")))
        await traffic.seconds(6, lambda: traffic.as_stable(8, "failed"))
        assert ("completed", ["error"]) == (
            process.state,
            [event["level"] for event in process.events("guardrail_breached")],
        )
