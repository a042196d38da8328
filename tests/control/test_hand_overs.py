"""What requests have shown at one gateway, as evidence at all."""

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from gateway.control.hand_overs import MOST_AT_ONCE, MOST_CHARACTERS, MOST_TIMES, SETTLE_SECONDS, HandOvers
from gateway.control.judging import KEEP_SECONDS
from gateway.core import fleet_message
from gateway.core.errors import StoreFault
from tests.control.fleet_bus import Bus
from tests.control.judged_world import Traffic, plan, rollout, verbs
from tests.control.serving_world import Process, Store, files, living, route, serving

pytestmark = pytest.mark.anyio

HALF = plan("percent: 50, hold: 1m", "percent: 100, bake: 5m")
SECRET = b"s" * 32


async def known():
    """The store's secret."""
    return SECRET


class Gateway:
    """One gateway of a fleet: its process, its traffic, its end of the bus and what it hands over."""

    def __init__(self, process: Process, bus: Bus, name: str) -> None:
        self.process, self.traffic, self.end = process, Traffic(process), bus.end()
        self.hand_overs = HandOvers(self.end, process.judging, known, name, process.clock)

    async def hear(self) -> list[bool]:
        """Hear what others have said; give of each whether it counted."""
        counted = []
        while not self.end.coming.empty():
            counted.append(self.hand_overs.hear(fleet_message.read(self.end.coming.get_nowait())))
        return counted

    def shown(self, side: str = "candidate") -> int:
        """How many outcomes it knows of a side."""
        return sum(self.process.judging.describe("desk")[side]["outcomes"].values())


@asynccontextmanager
async def fleet(count: int = 2, written: str = HALF, bus: Bus | None = None, store: Store | None = None):
    """So many gateways on one store, whose route has just begun a rollout. The first has the lease."""
    store, bus = store or Store(), bus or Bus()
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(serving(files(route()), store))
        gateways = [Gateway(process, bus, "one")]
        changed = files(route(serve="1.1.0", more=f"rollout: {written}"))
        assert (await process.serving.reload(changed)).accepted
        assert await process.recording.settled(60)
        for number in range(1, count):
            beside = await stack.enter_async_context(living(Store(store.disk)))
            beside.clock.now = process.clock.now
            gateways.append(Gateway(beside, bus, str(number)))
            await beside.judging.restore()
            await beside.serving.open(changed)
        await seconds(gateways, 1)
        yield gateways


async def seconds(gateways, count: int) -> None:
    """Let seconds pass, in each of which everybody hands over, hears and judges."""
    for _ in range(count):
        for each in gateways:
            each.process.clock.now += 1
            await each.hand_overs.share()
        for each in gateways:
            await each.hear()
            await each.process.judging.judge()


async def test_what_no_gateway_alone_has_seen_enough_of_promotes_by_what_all_have():
    """Half of the requests at each: the step is left, on the strength of both, and everybody shows the same of it."""
    async with fleet() as (one, two):
        for each in (one, two):
            each.traffic.sides(50, canary=40)
        await seconds((one, two), 1)
        assert [(80, 80)] * 2 == [(each.shown(), each.shown("stable")) for each in (one, two)]
        assert {"heard": 2, "missed": 0} == one.process.judging.describe("desk")["hand_overs"]
        await seconds((one, two), 70)
        assert 1_000_000 == one.process.weight
        (event,) = [event for event in one.process.store.disk.events if event.verb == "advance"]
        assert (80, {"heard": 2, "missed": 0}) == (
            event.rollout.evidence["candidate"]["judged"],
            event.rollout.evidence["hand_overs"],
        )


async def test_without_the_others_requests_nobody_promotes():
    """The same requests that are not handed over are not enough."""
    async with fleet() as (one, two):
        one.end.bus.away = True
        for each in (one, two):
            each.traffic.sides(50, canary=40)
        await seconds((one, two), 120)
        assert (500_000, 40) == (one.process.weight, one.shown())


async def test_what_is_bad_at_another_gateway_alone_rolls_back_at_both():
    """By a guardrail on what all requests have shown, at whoever looks first."""
    async with fleet() as (one, two):
        while one.process.weight:
            one.traffic.sides(50, canary=4)
            two.traffic.come(4, "stable")
            two.traffic.come(2)
            two.traffic.come(2, "canary", "failed")
            await two.hand_overs.share()
            assert [True] == await one.hear()
            await one.process.judging.judge()
        assert await one.process.recording.settled(60)
        assert ("rollback", "guardrail") == (verbs(one.process)[-1], one.process.meters.rollbacks[-1][1])


async def test_while_the_bus_is_away_what_comes_is_gathered_and_said_once_the_others_may_listen():
    """All of it together, some seconds after the bus is back."""
    async with fleet() as (one, two):
        one.end.bus.away = True
        for _ in range(3):
            one.traffic.come(3)
            await one.hand_overs.share()
        one.end.bus.away = False
        one.process.clock.now += SETTLE_SECONDS - 1
        await one.hand_overs.share()
        assert [] == await two.hear()
        one.process.clock.now += 1
        await one.hand_overs.share()
        assert ([True], 9, 1) == (await two.hear(), two.shown(), one.hand_overs.counts["said"])
        trips = one.end.trips
        await one.hand_overs.share()
        assert trips == one.end.trips  # for nothing nobody is asked


async def test_what_was_not_taken_is_said_again_as_it_was():
    """With the same number, since somebody may have heard it; what comes meanwhile is of the next."""
    async with fleet() as (one, two):
        one.traffic.come(3)
        one.end.breaks = True
        await one.hand_overs.share()
        one.traffic.come(4)
        assert "<HandOvers of one, 1 to say>" == repr(one.hand_overs)
        one.end.breaks = False
        await one.hand_overs.share()
        assert ([True, False], 3) == (await two.hear(), two.shown())
        await one.hand_overs.share()
        assert ([True], 7) == (await two.hear(), two.shown())


async def test_what_not_all_listen_to_is_said_again_for_a_while():
    """Whoever heard it counts it once. One who has gone is not waited for, nor is its step said before others."""
    async with fleet(3) as (one, two, three):
        three.end.deaf = True
        one.traffic.come(1)
        await one.hand_overs.share()
        assert ([True], []) == (await two.hear(), await three.hear())
        three.end.deaf = False
        await one.hand_overs.share()
        assert ([False], [True]) == (await two.hear(), await three.hear())
        three.end.deaf = True
        one.traffic.come(1)
        for _ in range(MOST_TIMES + 3):
            await one.hand_overs.share()
        assert [True] + [False] * (MOST_TIMES - 1) == await two.hear()
        assert (2, 2, 1) == (one.hand_overs.counts["said"], two.shown(), three.shown())


async def test_a_message_that_comes_again_or_out_of_order_counts_once():
    """Whoever repeats it; what was lost is told as missed until it comes."""
    async with fleet() as (one, two):
        for _ in range(3):
            one.traffic.come(1)
            await one.hand_overs.share()
        first, second, third = (two.end.coming.get_nowait() for _ in range(3))
        for message, total, missed in ((third, 1, 2), (first, 2, 1), (third, 2, 1), (second, 3, 0), (first, 3, 0)):
            two.hand_overs.hear(fleet_message.read(message))
            told = two.process.judging.describe("desk")["hand_overs"]
            assert (total, missed) == (two.shown(), told["missed"])
        assert {"counted": 3, "repeated": 2} == {k: n for k, n in two.hand_overs.counts.items() if n}


async def test_one_of_another_step_or_of_other_releases_does_not_count():
    """Nor one of a route that has no rollout."""
    async with fleet() as (one, two):
        one.traffic.come(1)
        await one.hand_overs.share()
        told = fleet_message.read(two.end.coming.get_nowait())
        others = ({"step": 1}, {"rollout": "another"}, {"stable": "0.9.0"}, {"route": "unknown"})
        for changes in others:
            changed = replace(told, **changes)
            assert not two.hand_overs.hear(replace(changed, seal=changed.sealed_with(SECRET)))
        assert (len(others), 0) == (two.hand_overs.counts["elsewhere"], two.shown())


async def test_one_without_the_stores_seal_is_refused():
    """Whoever can write to the bus, and cannot read the store, promotes nothing. So is what no gateway packs."""
    async with fleet() as (one, two):
        one.traffic.come(1)
        await one.hand_overs.share()
        told = fleet_message.read(two.end.coming.get_nowait())
        odd = replace(told, requests="AAAA")
        for bad in (replace(told, seal=""), replace(told, number=2), replace(odd, seal=odd.sealed_with(SECRET))):
            assert not two.hand_overs.hear(bad)
        assert (3, 0) == (two.hand_overs.counts["refused"], two.shown())
        assert two.hand_overs.hear(told)  # what was refused has not taken its number


async def test_before_the_store_has_told_the_secret_nothing_is_said_or_heard():
    """What comes meanwhile is handed over once it has."""
    async with fleet() as (one, two):
        answers = [StoreFault("away"), SECRET]

        async def asked():
            found = answers.pop(0)
            if isinstance(found, StoreFault):
                raise found
            return found

        late = HandOvers(one.end, one.process.judging, asked, "late", one.process.clock)
        two.traffic.come(1)
        await two.hand_overs.share()
        assert not late.hear(fleet_message.read(one.end.coming.get_nowait()))
        trips = one.end.trips
        await late.share()
        assert (trips, [SECRET]) == (one.end.trips, answers)
        one.traffic.come(2)
        await late.share()
        assert ([True], 3) == (await two.hear(), two.shown())


async def test_feedback_counts_for_the_judge_wherever_it_was_given():
    """Once, with the side and the unit it is of."""
    written = plan("percent: 50, hold: 1m", more="guardrails: [{metric: feedback.resolved, max_delta: 0.1}]")
    async with fleet(written=written) as (one, two):
        record = two.traffic.record("canary", split=rollout(two.process).id)
        two.process.judging.hear_feedback(record, "resolved", 0.25)
        await seconds((one, two), 3)
        for each in (one, two):
            told = each.process.judging.describe("desk")["candidate"]
            assert {"resolved": {"n": 1, "mean": 0.25}} == told["feedback"]


async def test_a_gateway_that_goes_on_from_what_was_kept_counts_nothing_again():
    """Not what others have handed over, and not what the one before it handed over late of its own requests."""
    store, bus = Store(), Bus()
    async with fleet(3, store=store, bus=bus) as (one, two, three):
        one.traffic.come(3)
        two.traffic.come(4)
        await seconds((one, two, three), int(KEEP_SECONDS) + 1)
        one.traffic.come(5)
        one.process.judging.gather()
        one.process.clock.now += KEEP_SECONDS
        await one.process.judging.judge()  # it writes down what it has, and has not handed all of it over
        one.traffic.come(1)
        await one.hand_overs.share()
        said = json.loads(json.dumps([*one.end.said, *two.end.said]))
        await three.hear()
        assert 13 == three.shown()

        async with living(Store(store.disk)) as process:
            after = Gateway(process, bus, "after")
            await process.judging.restore()
            await process.serving.open(files(route(serve="1.1.0", more=f"rollout: {HALF}")))
            await after.hand_overs.share()
            assert 12 == after.shown()
            counted = [after.hand_overs.hear(fleet_message.read(message)) for message in said]
            assert {False} == set(counted)
            assert 12 == after.shown()
            three.traffic.come(1)
            await three.hand_overs.share()
            assert ([True], 13) == (await after.hear(), after.shown())


async def test_a_watch_that_begins_anew_is_another_source():
    """So its numbers are new to the others; what the one before did not get said is lost with what it showed."""
    async with fleet() as (one, two):
        two.end.deaf = True
        one.traffic.come(1)
        await one.hand_overs.share()
        process = one.process
        (source,) = process.judging.sources()
        process.judging._steps.clear()
        process.live.swap_all()
        two.end.deaf = False
        one.traffic.come(2)
        await one.hand_overs.share()
        assert ("one.1", {"one.2"}) == (source, process.judging.sources())
        assert ([True], 2) == (await two.hear(), two.shown())


async def test_steps_take_turns_where_there_is_too_much_to_say_at_once():
    """The one that has waited longest comes first, and none is kept from it by its own length."""
    names = [f"route-{number}" for number in range(MOST_AT_ONCE + 10)]
    bus = Bus()
    async with serving(files(*(route(name=name) for name in names))) as process:
        one, two = Gateway(process, bus, "one"), bus.end()
        changed = files(*(route(name=name, serve="1.1.0", more=f"rollout: {HALF}") for name in names))
        assert (await process.serving.reload(changed)).accepted
        for name in names:
            one.traffic.come(1, route=name)
        await one.hand_overs.share()
        assert MOST_AT_ONCE == two.coming.qsize()
        for name in names:
            one.traffic.come(1, route=name)
        await one.hand_overs.share()
        said = [two.coming.get_nowait()["route"] for _ in range(two.coming.qsize())]
        assert names == said[: MOST_AT_ONCE + 10]
        for name in names[:10]:
            one.traffic.come(1_000, route=name)
        await one.hand_overs.share()
        for _ in range(10):
            told = [two.coming.get_nowait() for _ in range(two.coming.qsize())]
            assert sum(len(str(each)) for each in told) < MOST_CHARACTERS + 40_000
            await one.hand_overs.share()
        assert "<HandOvers of one, 0 to say>" == repr(one.hand_overs)
