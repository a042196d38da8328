"""How far targets of notifications have come, on both engines."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.adapters.sql_store import SqlStore
from gateway.core.delivery import Cursor
from tests.adapters.audit_trails import act

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(place):
    """A store at a place, closed at the end."""
    store = await SqlStore.open(place.url)
    try:
        yield store
    finally:
        await store.close()


async def test_a_new_target_begins_at_the_present_end(place):
    """It stays there, whatever is written afterwards, and through a restart."""
    async with opened(place) as store:
        assert Cursor("early", 0) == await store.cursors.cursor("early")
        await store.audit([act(1), act(2)])
        assert Cursor("late", 2) == await store.cursors.cursor("late")
        await store.audit([act(3)])
    async with opened(place) as store:
        assert [0, 2] == [(await store.cursors.cursor(name)).seq for name in ("early", "late")]


async def test_a_cursor_moves_from_where_it_is_alone(place):
    """Of two who move it at once one does; what fails is kept with it."""
    async with opened(place) as store:
        begun = await store.cursors.cursor("t")
        failing, done = Cursor("t", 0, 7.5), Cursor("t", 3)
        assert await store.cursors.move(begun, failing)
        assert failing == await store.cursors.cursor("t")
        moved = await asyncio.gather(*(store.cursors.move(failing, each) for each in (done, Cursor("t", 5))))
        assert [True, False] == moved
        assert done == await store.cursors.cursor("t")
        assert not await store.cursors.move(Cursor("unknown", 0), Cursor("unknown", 1))
