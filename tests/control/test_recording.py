"""Writes that follow an act."""

import anyio
import pytest

from gateway.control.recording import Recording
from gateway.core.errors import StoreFault
from tests.proxy import playbook

pytestmark = pytest.mark.anyio


async def test_writes_are_carried_out_in_order():
    """What was queued first is written first, and settled says when all is done."""
    written = []
    recording = Recording(playbook.Journal())

    def write(n):
        async def act():
            written.append(n)
            return n

        return act

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recording.run)
        for n in range(5):
            recording.add(f"write {n}", write(n))
        assert 5 == len(recording)
        assert await recording.settled(5.0)
        tasks.cancel_scope.cancel()

    assert [0, 1, 2, 3, 4] == written
    assert "<Recording 0 to write>" == repr(recording)


async def test_a_write_is_retried_until_the_store_is_back_and_nothing_overtakes_it():
    """A store that is away delays the writes behind it, too, and is logged."""
    written = []
    away = [StoreFault("away"), StoreFault("still away")]
    journal = playbook.Journal()
    recording = Recording(journal)

    async def first():
        if away:
            raise away.pop()
        written.append("first")
        return 1

    async def second():
        written.append("second")
        return 2

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(recording.run)
        recording.add("first", first)
        recording.add("second", second)
        assert await recording.settled(5.0)
        tasks.cancel_scope.cancel()

    assert ["first", "second"] == written
    assert ["record_delayed", "record_delayed"] == [name for name, _ in journal.events]


async def test_settled_gives_up_after_its_time():
    """With nobody writing, waiting ends with no."""
    recording = Recording(playbook.Journal())

    async def never():
        return 1

    recording.add("never", never)

    assert not await recording.settled(0.01)
