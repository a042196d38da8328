"""Evidence from one life to the next: written down every few seconds, gone on with by a process that starts."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.control.judging import KEEP_SECONDS
from tests.control.judged_world import Traffic, judging, plan, rollout
from tests.control.serving_world import ADA, Store, files, living, route, serving

pytestmark = pytest.mark.anyio

HALF = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m")


@asynccontextmanager
async def next_life(store: Store, written: str = HALF):
    """A life that begins as a gateway's does."""
    async with living(store) as process:
        await process.judging.restore()
        await process.serving.open(files(route(serve="1.1.0", more=f"rollout: {written}")))
        yield process, Traffic(process)


async def test_a_kill_loses_a_few_seconds_of_evidence():
    """It is written down every few seconds; elapsed time, counts and tests go on in the next life."""
    store = Store()
    async with judging(HALF, store) as (process, traffic):
        await traffic.seconds(41, lambda: traffic.sides(50, canary=4))
        kept = store.disk.evidence[rollout(process).id]
        assert (41.0, 0, process.clock.wall()) == (kept.elapsed, kept.step, kept.at)
        await traffic.seconds(int(KEEP_SECONDS) - 1, lambda: traffic.sides(50, canary=4))
        assert kept is store.disk.evidence[rollout(process).id]

    async with next_life(store) as (process, traffic):
        told = process.judging.describe("desk")
        assert (41.0, 164, 164) == (told["elapsed_seconds"], told["candidate"]["judged"], told["stable"]["judged"])
        assert (164, 164) == (told["candidate"]["units"], told["findings"][0]["candidate_n"])
        traffic.sides(50, canary=1)
        await traffic.seconds(18)
        assert 500_000 == process.weight
        await traffic.seconds(1)
        assert 1_000_000 == process.weight


async def test_tests_go_on_from_one_life_to_the_next():
    """A candidate that fails a little in each life is rolled back by all of it together."""
    store, lives = Store(), 0
    async with judging(plan("percent: 50, hold: 1h", "percent: 100"), store) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
    while True:
        lives += 1
        async with next_life(store, plan("percent: 50, hold: 1h", "percent: 100")) as (process, traffic):
            traffic.come(3, "canary", "failed")
            traffic.come(3, "stable")
            await traffic.seconds(1)
            if "rolled_back" == process.state:
                break
    assert 2 < lives < 10


async def test_what_was_kept_of_an_earlier_step_is_only_a_baseline():
    """Nobody may enter a step with another one's evidence; where stable has no requests, it is the measure."""
    for last, is_baseline in (("percent: 100", True), ("percent: 80", False)):
        written, store = plan("percent: 50, hold: 1m", last), Store()
        async with judging(written, store) as (process, traffic):
            traffic.sides(50)
            await traffic.seconds(1)
            assert 0 == store.disk.evidence[rollout(process).id].step
            await process.rollouts.promote("desk", ADA)

        async with next_life(store, written) as (process, _):
            told = process.judging.describe("desk")
            assert (0.0, 0, is_baseline) == (
                told["elapsed_seconds"],
                told["candidate"]["judged"],
                told["is_baseline"],
            )


async def test_evidence_that_cannot_be_read_is_gathered_anew():
    """That is told, and no reason not to start."""
    store = Store()
    async with judging(HALF, store) as (_, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
    async with living(store) as process:
        store.away = True
        await process.judging.restore()
        store.away = False
        await process.serving.open(files(route(serve="1.1.0", more=f"rollout: {HALF}")))
        assert [("warning", "the disk is away")] == [tuple(each.values()) for each in process.events("evidence_lost")]
        assert 0 == process.judging.describe("desk")["candidate"]["judged"]


async def test_evidence_that_could_not_be_written_is_written_later():
    """The store is away for a while; nothing of it is lost."""
    async with judging(plan("percent: 50, hold: 1h", "percent: 100")) as (process, traffic):
        process.store.away = True
        traffic.sides(50)
        await traffic.seconds(1)
        assert {} == process.store.disk.evidence
        process.store.away = False
        await traffic.seconds(int(KEEP_SECONDS))
        assert 160 == process.store.disk.evidence[rollout(process).id].evidence["candidate"]["errors"][1]


async def test_many_rollouts_are_judged_in_turn():
    """Each of them at every look, with a breath for the requests in between; evidence is kept some at a time."""
    names = [f"route-{n}" for n in range(60)]
    async with serving(files(*map(route, names))) as process:
        more = "rollout: {steps: [{percent: 50, hold: 1h}, {percent: 100}]}"
        assert (await process.serving.reload(files(*(route(name, "1.1.0", more=more) for name in names)))).accepted
        assert await process.recording.settled(60)
        traffic = Traffic(process)
        for name in names:
            traffic.come(1, route=name)
        await traffic.seconds(1)
        assert {1} == {process.judging.describe(name)["candidate"]["judged"] for name in names}
        assert 50 == len(process.store.disk.evidence)
        await traffic.seconds(int(KEEP_SECONDS))
        assert 60 == len(process.store.disk.evidence)


async def test_what_cannot_be_read_is_begun_anew():
    """A checkpoint of another version, or a damaged one, keeps nobody from serving."""
    written, store = plan("percent: 50, hold: 1h", "percent: 100"), Store()
    async with judging(written, store) as (process, traffic):
        traffic.sides(50)
        await traffic.seconds(1)
    (name,) = store.disk.evidence
    store.disk.evidence[name] = replace(store.disk.evidence[name], evidence={"of": "another version"})
    async with next_life(store, written) as (process, _):
        assert {"warning"} == {event["level"] for event in process.events("evidence_lost")}
        assert 0 == process.judging.describe("desk")["candidate"]["judged"]
