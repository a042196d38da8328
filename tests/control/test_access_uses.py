"""The use of access: noted as it happens, kept now and then."""

import pytest

from gateway.core.access_use import AccessUse, day_of
from gateway.core.api_key import digest_of
from gateway.core.errors import StoreFault
from gateway.core.operator import LOCAL, Operator
from tests.control.serving_world import serving
from tests.control.test_keys import WHO

pytestmark = pytest.mark.anyio

ADA = Operator("ada", frozenset({"operator"}))


async def test_what_is_used_is_kept_and_not_before():
    """Operators' grants by the day, their tokens and applications' keys by the time of the keeping."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "helpdesk", "ada", None)
        process.live.current.app_of(text.encode())
        process.access_uses.note(ADA, "rollout.act", "pio_token")
        assert "<AccessUses 1 grants and 1 keys to keep>" == repr(process.access_uses)
        assert AccessUse() == process.store.disk.use
        await process.access_uses.keep()

        now = process.clock.wall()
        assert {("ada", "rollout.act"): day_of(now)} == process.store.disk.use.grants
        assert {digest_of(text): now, digest_of("pio_token"): now} == process.store.disk.use.keys


async def test_nothing_new_is_not_written():
    """The store is left alone."""
    async with serving(WHO) as process:
        process.store.away = True
        await process.access_uses.keep()


async def test_use_before_a_swap_counts():
    """A key was used by the snapshot before, and is looked up anew in the next one."""
    async with serving(WHO) as process:
        _, text = await process.keys.issue("app", "helpdesk", "ada", None)
        process.live.current.app_of(text.encode())
        process.live.swap_all()
        assert {digest_of(text)} == process.live.taken_use()
        assert frozenset() == process.live.taken_use()


async def test_what_cannot_be_kept_waits():
    """It is written with what comes later."""
    async with serving(WHO) as process:
        process.access_uses.note(ADA, "rollout.act", None)
        process.store.away = True
        with pytest.raises(StoreFault):
            await process.access_uses.keep()
        with pytest.raises(StoreFault):
            await process.access_uses.latest()
        process.store.away = False
        process.access_uses.note(LOCAL, "status.read", "whatever it sends")
        latest = await process.access_uses.latest()
        await process.access_uses.keep()
        assert latest == process.store.disk.use
        assert ({("ada", "rollout.act"), ("local", "status.read")}, {}) == (set(latest.grants), latest.keys)
