"""Checkpoints: signed when it is time, and sent to anchors that may be away."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from gateway.adapters import ed25519_keys
from gateway.control.checkpoints import EVERY_SECONDS, MOST_WAITING, Checkpoints, Signer
from gateway.core.audit import AuditAct, Target
from gateway.core.checkpoint import is_signed_by
from gateway.core.errors import AnchorFault
from tests.control.audit_world import Trail
from tests.control.serving_world import Clock, Store
from tests.proxy.playbook import Journal

pytestmark = pytest.mark.anyio

KEY = ed25519_keys.new_key("log.test")
OTHER = ed25519_keys.new_key("other.test")


class Anchor:
    """Port `Anchor`: keeps what it gets, and is away for a while."""

    name = "fake:anchor"

    def __init__(self) -> None:
        self.got = []
        self.tries = 0
        self.away = 0

    async def send(self, checkpoint):
        self.tries += 1
        if self.away:
            self.away -= 1
            raise AnchorFault("fake:anchor: away")
        self.got.append(checkpoint.size)


class Desk:
    """Checkpoints of a trail, with one anchor."""

    def __init__(self, store=None, trail=None, key=KEY, every=4) -> None:
        self.store = store or Store()
        self.trail = trail or Trail(self.store)
        self.clock, self.journal, self.anchor = Clock(), Journal(), Anchor()
        signer = Signer(key.verifier, partial(ed25519_keys.sign, key))
        self.checkpoints = Checkpoints(self.trail, signer, [self.anchor], self.journal, self.clock, every=every)
        (self.anchoring,) = self.checkpoints.anchors

    def write(self, count):
        """Write entries."""
        self.store.disk.acts += [AuditAct(1.0, "ada", "a.b", Target("route", "r"))] * count

    async def kept(self):
        """The sizes of the checkpoints after a look."""
        await self.checkpoints.keep()
        return [one.size for one in self.trail.kept]

    @asynccontextmanager
    async def sending(self):
        """While the anchor's task runs."""
        task = asyncio.create_task(self.anchoring.run())
        yield
        task.cancel()
        await asyncio.wait([task])


async def test_it_is_signed_after_so_many_entries():
    """Not before, and by the key."""
    desk = Desk()
    assert [] == await desk.kept()
    desk.write(3)
    assert [] == await desk.kept()
    desk.write(1)
    assert [4] == await desk.kept()
    assert [4] == await desk.kept()
    desk.write(9)
    assert [4, 13] == await desk.kept()
    assert is_signed_by(desk.trail.kept[0].note, KEY.verifier, ed25519_keys.verify)
    assert "<Checkpoints by log.test, 1 anchors>" == repr(desk.checkpoints)


async def test_something_new_is_signed_within_a_minute():
    """Counted from when it was first seen; without anything new nothing is."""
    desk = Desk()
    desk.write(1)
    for passed, expected in ((0, []), (EVERY_SECONDS - 1, []), (1, [1]), (EVERY_SECONDS * 9, [1])):
        desk.clock.now += passed
        assert expected == await desk.kept()
    desk.write(1)
    assert [1] == await desk.kept()
    desk.clock.now += EVERY_SECONDS
    assert [1, 2] == await desk.kept()


async def test_anchors_get_each_checkpoint_once():
    """In order; what another gateway signed at the same size is that one's to send."""
    desk = Desk()
    async with desk.sending():
        for _ in range(3):
            desk.write(4)
            await desk.kept()
        assert await desk.anchoring.settled(5)
        assert [4, 8, 12] == desk.anchor.got
        twin = Desk(desk.store, desk.trail)
        desk.write(4)
        head = await desk.trail.head()

        async def before():
            return head

        twin.trail.head = before
        await desk.checkpoints.keep()
        await twin.checkpoints.keep()
        assert await desk.anchoring.settled(5)
        assert 16 == desk.anchor.got[-1]
        assert "<Anchoring fake:anchor, 1 waiting>" == repr(twin.anchoring)  # the latest of before, on its first look


async def test_a_start_sends_the_latest_again():
    """An earlier process may not have come to it; one of another key is not ours to send."""
    desk = Desk()
    desk.write(4)
    await desk.kept()
    for key, expected in ((KEY, "1 waiting"), (OTHER, "0 waiting")):
        again = Desk(desk.store, desk.trail, key)
        await again.kept()
        assert expected in repr(again.anchoring)
        assert expected == f"{len(again.anchoring)} waiting"


async def test_an_anchor_that_is_away_is_tried_again():
    """It is said, and nothing else waits for it."""
    desk = Desk()
    desk.anchor.away = 1
    async with desk.sending():
        desk.write(4)
        assert [4] == await desk.kept()
        assert await desk.anchoring.settled(10)
    assert ([4], 2) == (desk.anchor.got, desk.anchor.tries)
    (failed,) = [fields for name, fields in desk.journal.events if name == "anchor_failed"]
    assert ("fake:anchor", 4, "fake:anchor: away") == (failed["anchor"], failed["size"], failed["message"])


async def test_too_many_make_way_for_newer_ones():
    """Each later one stands for the earlier, too; one that makes way while it is sent is not sent again."""
    desk = Desk(every=1)
    for _ in range(MOST_WAITING + 5):
        desk.write(1)
        await desk.checkpoints.keep()
    assert f"<Anchoring fake:anchor, {MOST_WAITING} waiting>" == repr(desk.anchoring)
    first = desk.trail.kept[0]
    desk.anchoring._sent(first)
    async with desk.sending():
        assert await desk.anchoring.settled(5)
    assert list(range(6, MOST_WAITING + 6)) == desk.anchor.got


async def test_the_end_signs_what_is_new():
    """And waits a moment for it to arrive, no longer."""
    desk = Desk()
    desk.write(1)
    async with desk.sending():
        await desk.checkpoints.finish()
    assert [1] == desk.anchor.got
    desk.write(1)
    assert not await desk.anchoring.settled(0) or [1] == desk.anchor.got
    desk.anchoring.add(desk.trail.kept[0])
    assert not await desk.anchoring.settled(0.01)


async def test_while_the_store_is_away_nothing_is_signed():
    """And nothing breaks."""
    desk = Desk()
    desk.write(4)
    desk.store.away = True
    assert [] == await desk.kept()
    await desk.checkpoints.finish()
    desk.store.away = False
    assert [4] == await desk.kept()
