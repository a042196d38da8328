"""Acts that change nothing: written soon, never too many, and kept for a while where the store is away."""

import pytest

from gateway.control.audit_notes import MOST_A_MINUTE, MOST_WAITING, AuditNotes
from gateway.core.audit import AuditAct, Target
from tests.control.serving_world import Clock, Store
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio

DENIAL = AuditAct(1.0, "unknown", "access.denied", Target("operation", "GET /x"), outcome="denied")


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
    desk.notes.note(DENIAL)
    assert "<AuditNotes 1 waiting, 0 suppressed>" == repr(desk.notes)
    assert ["access.denied"] == await desk.written()
    assert ["access.denied"] == await desk.written()


async def test_a_flood_is_counted():
    """So many a minute are entries; the next minute begins with how many were not."""
    desk = Desk()
    for _ in range(MOST_A_MINUTE + 7):
        desk.notes.note(DENIAL)
    assert MOST_A_MINUTE * ["access.denied"] == await desk.written()
    desk.clock.now += 61.0
    assert "audit.suppressed" == (await desk.written())[-1]
    assert {"acts": "7"} == desk.store.disk.acts[-1].details
    desk.notes.note(DENIAL)
    assert "access.denied" == (await desk.written())[-1]
    desk.clock.now += 61.0
    assert "access.denied" == (await desk.written())[-1]


async def test_while_the_store_is_away_they_wait():
    """As many as there is room for; it is said once, and all are written in order when it is back."""
    desk = Desk()
    desk.store.away = True
    for _ in range(MOST_WAITING // MOST_A_MINUTE + 3):
        for _ in range(MOST_A_MINUTE + 1):
            desk.notes.note(DENIAL)
        assert [] == await desk.written()
        desk.clock.now += 61.0
    assert [MOST_A_MINUTE] == [fields["waiting"] for name, fields in desk.journal.events if name == "audit_delayed"]
    desk.store.away = False
    assert MOST_WAITING == len(await desk.written())
    desk.clock.now += 61.0
    assert "audit.suppressed" == (await desk.written())[-1]
    counted = sum(int(act.details["acts"]) for act in desk.store.disk.acts if act.action == "audit.suppressed")
    denied = sum(act.action == "access.denied" for act in desk.store.disk.acts)
    assert (MOST_WAITING // MOST_A_MINUTE + 3) * (MOST_A_MINUTE + 1) == counted + denied
