"""Acts that change nothing: written soon, never too many, and kept for a while where the store is away."""

from dataclasses import replace

import pytest

from gateway.control.audit_notes import MOST_A_MINUTE, MOST_WAITING, AuditNotes
from gateway.core.audit import AuditAct, Target
from tests.control.serving_world import Clock, Store
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio

DENIAL = AuditAct(1.0, "unknown", "access.denied", Target("operation", "GET /x"), outcome="denied")


def denial(number: int, actor: str = "unknown", action: str = "access.denied") -> AuditAct:
    """A denial of a kind of its own."""
    return replace(DENIAL, actor=actor, action=action, target=Target("operation", f"GET /{number}"))


class Desk:
    """Notes over a store that can be away."""

    def __init__(self) -> None:
        self.store, self.journal, self.clock = Store(), Journal(), Clock()
        self.notes = AuditNotes(self.store, self.journal, self.clock)

    async def written(self):
        """What is in the trail once everything is written."""
        await self.notes.write()
        return [act.action for act in self.store.disk.acts]


async def test_what_is_noted_is_written():
    """With the next write, once."""
    desk = Desk()
    assert [] == await desk.written()
    assert desk.notes.note(DENIAL)
    assert "<AuditNotes 1 waiting, 0 suppressed>" == repr(desk.notes)
    assert ["access.denied"] == await desk.written()
    assert ["access.denied"] == await desk.written()


async def test_the_same_again_is_told_at_the_end_of_the_minute():
    """Once, with how often it came, when it came last; then it begins anew."""
    desk = Desk()
    assert [True, False, False] == [desk.notes.note(replace(DENIAL, at=float(at))) for at in range(3)]
    assert ["access.denied"] == await desk.written()
    assert (0.0, {}) == (desk.store.disk.acts[0].at, desk.store.disk.acts[0].details)
    desk.clock.now += 61.0
    assert 2 * ["access.denied"] == await desk.written()
    assert (2.0, {"times": "2"}) == (desk.store.disk.acts[-1].at, desk.store.disk.acts[-1].details)
    assert desk.notes.note(DENIAL)
    assert 3 * ["access.denied"] == await desk.written()


async def test_nothing_is_lost_at_the_end():
    """What would be told at the minute's end is told when the process ends."""
    desk = Desk()
    for _ in range(3):
        desk.notes.note(DENIAL)
    await desk.notes.finish()
    assert [{}, {"times": "2"}] == [act.details for act in desk.store.disk.acts]


async def test_a_flood_is_counted():
    """So many a minute are entries; the next minute begins with how many were not."""
    desk = Desk()
    for number in range(MOST_A_MINUTE + 7):
        assert (number < MOST_A_MINUTE) == desk.notes.note(denial(number))
    assert MOST_A_MINUTE * ["access.denied"] == await desk.written()
    assert "<AuditNotes 0 waiting, 7 suppressed>" == repr(desk.notes)
    desk.clock.now += 61.0
    assert "audit.suppressed" == (await desk.written())[-1]
    assert {"action": "access.denied", "acts": "7"} == desk.store.disk.acts[-1].details
    assert desk.notes.note(DENIAL)
    assert "access.denied" == (await desk.written())[-1]
    desk.clock.now += 61.0
    assert "access.denied" == (await desk.written())[-1]


@pytest.mark.parametrize(("actor", "action"), [("ada", "access.denied"), ("unknown", "app.denied")])
async def test_one_flood_takes_no_room_of_others(actor, action):
    """Neither another's, nor that of another action."""
    desk = Desk()
    for number in range(MOST_A_MINUTE + 7):
        desk.notes.note(denial(number))
    assert desk.notes.note(denial(0, actor, action))
    await desk.written()
    assert (actor, action) == (desk.store.disk.acts[-1].actor, desk.store.disk.acts[-1].action)


async def test_while_the_store_is_away_they_wait():
    """As many as there is room for; it is said once, and all are written in order when it is back."""
    desk = Desk()
    desk.store.away = True
    minutes = MOST_WAITING // MOST_A_MINUTE + 3
    for _ in range(minutes):
        for number in range(MOST_A_MINUTE + 1):
            desk.notes.note(denial(number))
        desk.notes.note(denial(0))
        assert [] == await desk.written()
        desk.clock.now += 61.0
    assert [MOST_A_MINUTE] == [fields["waiting"] for name, fields in desk.journal.events if name == "audit_delayed"]
    desk.store.away = False
    told = await desk.written()
    assert (MOST_WAITING, "audit.suppressed") == (told.count("access.denied"), told[-1])
    acts = desk.store.disk.acts
    counted = sum(int(act.details["acts"]) for act in acts if act.action == "audit.suppressed")
    denied = sum(int(act.details.get("times", "1")) for act in acts if act.action == "access.denied")
    assert minutes * (MOST_A_MINUTE + 2) == counted + denied
