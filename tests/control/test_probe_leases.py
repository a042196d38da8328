"""Two gateways' breakers of one release, of which one probes at a time."""

from dataclasses import replace

import pytest

from gateway.control.breakers import Breakers
from gateway.control.probe_leases import ProbeLeases
from gateway.core.breaker import BreakerPolicy
from gateway.core.fleet_message import Closed
from gateway.core.outcome import Outcome
from tests.control.fleet_bus import Bus
from tests.control.serving_world import Clock, files, route, serving
from tests.proxy import playbook

pytestmark = pytest.mark.anyio

POLICY = BreakerPolicy(consecutive=3, open=10.0, probes=2)


class Side:
    """One gateway: its breakers, its leases, and what it told."""

    def __init__(self, bus, live, clock):
        self.live, self.clock, self.told = live, clock, []
        self.breakers = Breakers(lambda: live, lambda *_: None, playbook.Journal())
        self.end = bus.end()
        self.leases = ProbeLeases(self.end, self.breakers, clock, self.told.append)

    @property
    def desk(self):
        return self.live.routes["desk"]

    def permit(self):
        return self.breakers.permit(self.desk, self.desk.stable, self.clock.monotonic())

    def report(self, outcome, permit=None):
        permit = permit or self.permit()
        self.breakers.report(self.desk, self.desk.stable, permit, outcome, self.clock.monotonic())

    def state(self):
        return self.breakers.describe("desk", "1.0.0", self.clock.monotonic())["state"]


@pytest.fixture
async def sides():
    """Two gateways whose breakers of the stable release are open, and whose open time is over."""
    async with serving(files(route())) as process:
        snapshot = process.live.current
        desk = replace(snapshot.routes["desk"], breaker=POLICY)
        live = replace(snapshot, routes={"desk": desk})
        bus, clock = Bus(), Clock()
        one, two = Side(bus, live, clock), Side(bus, live, clock)
        for side in (one, two):
            for _ in range(3):
                side.report(Outcome.failed)
        clock.now += 10
        yield bus, clock, one, two


async def test_only_who_has_the_lease_probes_and_its_success_closes_the_others(sides):
    """It is asked for beside the requests, once one was refused for want of it; then it is given back."""
    bus, clock, one, two = sides
    await one.leases.keep()
    assert 0 == one.end.trips  # nobody has asked
    assert (None, None) == (one.permit(), two.permit())
    await one.leases.keep()
    await two.leases.keep()
    assert two.permit() is None
    assert "<ProbeLeases 1 held>" == repr(one.leases)
    for _ in range(2):
        one.report(Outcome.ok)
    clock.now += 1
    assert ("closed", "open", [Closed("desk", "1.0.0", 0.0)]) == (one.state(), two.state(), one.told)
    assert two.breakers.close("desk", "1.0.0", clock.monotonic(), one.told[0].probed)
    assert not two.breakers.close("desk", "1.0.0", clock.monotonic(), one.told[0].probed)
    await one.leases.keep()
    assert ({}, "closed") == (bus.leases, two.state())


async def test_a_bad_probe_keeps_the_lease_through_the_open_time(sides):
    """Nobody else probes sooner; a closing of before the breaker opened does not close it."""
    bus, clock, one, two = sides
    assert one.permit() is None
    await one.leases.keep()
    one.report(Outcome.failed)
    assert "open" == one.state()
    for _ in range(3):
        clock.now += 4
        await one.leases.keep()
        assert two.permit() is None
        await two.leases.keep()
    assert two.permit() is None
    assert one.end is bus.leases["4:desk/1.0.0"]
    assert not one.breakers.close("desk", "1.0.0", clock.monotonic(), 1_000.0)
    assert not one.breakers.close("desk", "6.6.6", clock.monotonic(), 0.0)


async def test_without_the_bus_each_probes_by_itself(sides):
    """And in turn again once it is back."""
    bus, _clock, one, two = sides
    bus.away = True
    assert (None, None) == (one.permit(), two.permit())
    await one.leases.keep()
    await two.leases.keep()
    assert None not in (one.permit(), two.permit())
    await one.leases.keep()
    assert one.permit() is not None  # as long as the bus is away, whether or not anybody asks meanwhile
    bus.away = False
    await one.leases.keep()
    await two.leases.keep()
    assert (None, None) == (one.permit(), two.permit())


async def test_a_holder_that_gets_no_requests_lets_the_lease_go(sides):
    """One that nobody sends any would never find out: it does not ask again, and holds it no longer than it may."""
    _bus, clock, one, _two = sides
    assert one.permit() is None
    await one.leases.keep()
    assert one.permit() is not None
    one.breakers.probes.take_asked()
    clock.now += 5.1
    trips = one.end.trips
    await one.leases.keep()
    assert (trips, None) == (one.end.trips, one.permit())


async def test_after_a_bad_probe_another_one_probes_first(sides):
    """A gateway whose own way to the provider is broken does not keep the release from the others."""
    _bus, clock, one, two = sides
    assert one.permit() is None
    await one.leases.keep()
    one.report(Outcome.failed)
    await one.leases.keep()
    clock.now += 20
    assert (None, None) == (one.permit(), two.permit())
    await one.leases.keep()
    await two.leases.keep()
    assert one.permit() is None
    for _ in range(2):
        two.report(Outcome.ok)
    assert ("open", "closed", 1) == (one.state(), two.state(), len(two.told))


async def test_after_a_bad_probe_it_probes_again_when_no_other_wants_to(sides):
    """A second later."""
    _bus, clock, one, _two = sides
    assert one.permit() is None
    await one.leases.keep()
    one.report(Outcome.failed)
    await one.leases.keep()
    clock.now += 20
    for seconds, may in ((0.0, False), (0.5, False), (0.6, True)):
        clock.now += seconds
        assert one.permit() is None
        await one.leases.keep()
        assert may == (one.permit() is not None)
