"""What a gateway tells the others, and hears of them."""

import pytest

from gateway.control.fleet_talk import MOST_WAITING, FleetTalk
from gateway.core.fleet_message import LOOK, Closed, KeyOut, Look, Opened
from tests.adapters.clock_and_journal import Journal
from tests.control.fleet_bus import Bus, going, until

pytestmark = pytest.mark.anyio


async def test_what_is_said_is_told_in_order_and_hints_as_one():
    """However many hints there are, one says as much."""
    end = Bus().end()
    talk = FleetTalk(end, Journal())
    for said in (Look(), KeyOut("a", "ada", 1.0), Look(), KeyOut("b", "ada", 1.0), Look()):
        talk.say(said)
    assert "<FleetTalk 2 to say>" == repr(talk)
    async with going(talk.run()):
        await until(lambda: LOOK in end.said)
        assert ["a", "b", None] == [message.get("key") for message in end.said]
        talk.say(Look())
        await until(lambda: end.said.count(LOOK) == 2)


async def test_what_takes_something_out_waits_for_the_bus():
    """A bounded number of it, the latest; a hint is of no use later, and neither is what holds at a moment."""
    bus = Bus()
    end = bus.end()
    bus.away = True
    talk = FleetTalk(end, Journal())
    for number in range(MOST_WAITING + 5):
        talk.say(KeyOut(str(number), "ada", 1.0))
    talk.say(Opened("desk", "1.0.0", "consecutive"))
    async with going(talk.run()):
        await until(lambda: end.trips)
        bus.away = False
        await until(lambda: len(end.said) == MOST_WAITING - 1)
        assert ("6", {"key_out"}) == (end.said[0]["key"], {message["kind"] for message in end.said})


async def test_what_cannot_be_read_or_acted_on_is_counted_and_the_rest_heard():
    """Unknown kinds and malformed messages are told once, an act that fails each time."""
    bus, journal = Bus(), Journal()
    talk, other = FleetTalk(bus.end(), journal), bus.end()
    acted = []

    def act(said):
        if said == KeyOut("bad", "ada", 1.0):
            raise OverflowError("too many")
        acted.append(said)
        return said == Closed("desk", "1.0.0", 1.0)

    async with going(talk.listen(act)):
        for message in ({}, {"kind": "promote"}, {"kind": "key_out", "key": "bad", "actor": "ada", "at": 1.0}):
            await other.say(message)
        await other.say({"kind": "closed", "route": "desk", "release": "1.0.0", "probed": 1})
        await other.say(LOOK)
        await until(lambda: len(acted) == 2)
    assert {"acted": 1, "known": 1, "dropped": 3} == talk.heard
    assert ["fleet_message_dropped", "fleet_message_failed"] == [name for name, _, _ in journal.events]
