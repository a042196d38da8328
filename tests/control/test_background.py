"""What runs beside the requests, again and again."""

import asyncio

import pytest

from gateway.control.background import every, told
from tests.adapters.clock_and_journal import Journal

pytestmark = pytest.mark.anyio


async def _until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.001)


async def test_what_one_time_meets_does_not_keep_the_next_from_coming():
    """It is told, and goes on."""
    times, journal = [], Journal()

    async def _act():
        times.append(1)
        raise KeyError("x")

    task = asyncio.ensure_future(every(journal, 0.001, _act))
    await _until(lambda: len(times) > 2)
    task.cancel()
    await asyncio.wait([task])
    assert {"task": "act", "message": "KeyError: 'x'"} == journal.named("task_failed")[0]


async def test_what_was_to_last_and_failed_is_told_by_its_name():
    """It does not end in silence; what is cancelled is not told, nor what ends well."""
    journal = Journal()

    async def lasting(error: Exception | None) -> None:
        if error is not None:
            raise error

    await told(journal, lasting(None))
    with pytest.raises(RuntimeError):
        await told(journal, lasting(RuntimeError("closed")))
    (event,) = journal.named("task_ended")
    assert event["task"].endswith("lasting")
    assert "RuntimeError: closed" == event["message"]


async def test_it_comes_sooner_when_told_and_in_time_when_not():
    """However often it is told meanwhile, once."""
    times, sooner = [], asyncio.Event()

    async def act():
        times.append(1)

    task = asyncio.ensure_future(every(Journal(), 3_600, act, sooner))
    sooner.set()
    await _until(lambda: times)
    assert not sooner.is_set()
    task.cancel()
    await asyncio.wait([task])
    task = asyncio.ensure_future(every(Journal(), 0.11, act, asyncio.Event()))
    await _until(lambda: len(times) > 2)
    task.cancel()
    await asyncio.wait([task])
