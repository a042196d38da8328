"""Outcomes of each gateway in the windows of all."""

from dataclasses import replace

import pytest

from gateway.control.breakers import Breakers
from gateway.control.shared_windows import SharedWindows
from gateway.core.breaker import BreakerPolicy
from gateway.core.outcome import Outcome
from tests.control.fleet_bus import Bus
from tests.control.serving_world import Clock, files, rolling, route, serving
from tests.proxy import playbook

pytestmark = pytest.mark.anyio

POLICY = BreakerPolicy(min_requests=10, failure_rate=0.4, consecutive=100)


class Side:
    """One gateway; `trips` are what its candidate tripped by."""

    def __init__(self, bus, live, clock):
        self.live, self.clock, self.trips, self.journal = live, clock, [], playbook.Journal()
        self.breakers = Breakers(lambda: self.live, lambda *told: self.trips.append(told[:3]), self.journal)
        self.end = bus.end()
        self.windows = SharedWindows(self.end, self.breakers, clock)

    def have(self, failed, ok=0, version="1.0.0"):
        desk, now = self.live.routes["desk"], self.clock.monotonic()
        for outcome in [Outcome.failed] * failed + [Outcome.ok] * ok:
            permit = self.breakers.permit(desk, desk.releases[version], now)
            self.breakers.report(desk, desk.releases[version], permit, outcome, now)

    def counts(self, version="1.0.0"):
        told = self.breakers.describe("desk", version, self.clock.monotonic())
        return told["requests"], told["failed"]


async def sides(policies):
    """Two gateways of one fleet."""
    async with serving(files(route())) as process:
        assert await process.recording.settled(60)
        assert (await process.serving.reload(policies)).accepted
        snapshot = process.live.current
        live = replace(snapshot, routes={"desk": replace(snapshot.routes["desk"], breaker=POLICY)})
        bus, clock = Bus(), Clock()
        return bus, clock, Side(bus, live, clock), Side(bus, live, clock)


async def shared(clock, *each):
    """Let a second pass, and everybody share; twice, so that who came first has what came after."""
    for _ in range(2):
        clock.now += 1
        for side in each:
            await side.windows.share()


async def test_each_sees_what_all_have_seen():
    """Nothing is counted twice, and what a release had before a gateway met it is not taken for new."""
    _, clock, one, two = await sides(files(route()))
    one.have(1, 1), two.have(0, 1)
    await shared(clock, one, two)
    before = one.counts(), two.counts()
    one.have(1, 1), two.have(1, 2)
    await shared(clock, one, two)
    after = one.counts(), two.counts()
    assert [(5, 2)] * 2 == [(a[0] - b[0], a[1] - b[1]) for a, b in zip(after, before, strict=True)]
    await shared(clock, one, two)
    assert after == (one.counts(), two.counts())
    assert "<SharedWindows of 1 releases>" == repr(one.windows)


@pytest.mark.parametrize(
    ("version", "trips", "events"),
    [("1.1.0", [("desk", "1.1.0", "failure_rate")], []), ("1.0.0", [], ["breaker_open"])],
)
async def test_a_rate_that_only_all_together_show_trips_everywhere(version, trips, events):
    """A candidate is rolled back for it, a stable release taken out for its open time; each once."""
    _, clock, one, two = await sides(rolling())
    one.have(1, version=version), two.have(1, version=version)
    await shared(clock, one, two)
    for side in (one, two):
        side.have(0, 3, version=version), side.have(2, version=version)
    assert [] == one.trips == two.trips
    await shared(clock, one, two)
    await shared(clock, one, two)
    for side in (one, two):
        assert (trips, events) == (side.trips, [name for name, _ in side.journal.events])


async def test_an_idle_gateway_asks_only_whether_the_bus_is_there():
    """What nobody has asked for costs nothing."""
    bus, clock, one, two = await sides(files(route()))
    await shared(clock, one, two)
    assert ({}, 0) == (bus.counters, one.end.trips)


async def test_what_was_missed_is_not_taken_for_new():
    """After an absence, an emptied bus, or a gateway that stood still, the next second counts."""
    bus, clock, one, two = await sides(files(route()))
    one.have(0, 1), two.have(0, 1)
    await shared(clock, one, two)
    bus.away = True
    one.have(0, 7)
    await shared(clock, one, two)
    bus.away = False
    before = two.counts()
    await shared(clock, one, two)
    assert before == two.counts()
    bus.counters.clear()
    await shared(clock, one, two)
    assert before == two.counts()
    one.have(0, 2)
    await one.windows.share()
    clock.now += 6
    await two.windows.share()
    assert before == two.counts()
    two.have(0, 1)
    clock.now += 6
    total = sum(bus.counters.values())
    await two.windows.share()
    assert total == sum(bus.counters.values())


async def test_a_breaker_that_was_made_anew_counts_from_nothing():
    """A new attempt owes nothing to the one before, and its outcomes are shared."""
    bus, clock, one, two = await sides(files(route()))
    one.have(0, 5)
    await shared(clock, one, two)
    one.breakers.forget("desk", "1.0.0")
    one.have(0, 2)
    await shared(clock, one, two)
    assert 7 == sum(n for name, n in bus.counters.items() if name.endswith("requests"))
    two.breakers.take("other", "1.0.0", None, 0.0)  # what is not declared here is nobody's
