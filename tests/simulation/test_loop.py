"""The loop of made-up time: sleeping costs nothing, and a process stands still or is gone as a whole."""

import asyncio

import pytest

from tests.simulation.loop import Owner, VirtualLoop


@pytest.fixture
def loop():
    """A loop, ended with whatever is left on it."""
    made = VirtualLoop()
    yield made
    made.finish()


def ticking(loop, owner, seen):
    """A process that notes the time every second."""

    async def tick():
        while True:
            await asyncio.sleep(1.0)
            seen.append(loop.now)

    loop.create_task(tick(), context=owner.context.copy())


def test_to_sleep_is_to_move_the_clock(loop):
    """A day passes at once, and no more than a day."""
    loop.run_until_complete(asyncio.sleep(86_400.0))
    assert 86_400.0 == loop.now


def test_a_process_that_stands_still_misses_nothing_and_does_nothing(loop):
    """What came due meanwhile comes when it goes on."""
    owner, seen = Owner("r0"), []
    ticking(loop, owner, seen)
    loop.run_until_complete(asyncio.sleep(2.5))
    owner.is_paused = True
    loop.run_until_complete(asyncio.sleep(10.0))
    loop.resume(owner)
    loop.run_until_complete(asyncio.sleep(1.2))
    assert [1.0, 2.0, 12.5, 13.5] == seen


def test_a_timeout_that_ended_while_its_process_stood_still_cancels_nothing_later(loop):
    """The answer and the timeout came together: the block ends once."""
    owner, done = Owner("r0"), []

    async def wait():
        answer = loop.create_future()
        loop.outside(loop.call_later, 1.0, answer.set_result, None)
        try:
            async with asyncio.timeout(2.0):
                await answer
        except TimeoutError:
            done.append("timeout")
        await asyncio.sleep(5.0)
        done.append("end")

    loop.create_task(wait(), context=owner.context.copy())
    loop.run_until_complete(asyncio.sleep(0.5))
    owner.is_paused = True
    loop.run_until_complete(asyncio.sleep(3.0))
    loop.resume(owner)
    loop.run_until_complete(asyncio.sleep(6.0))
    assert "end" == done[-1]


def test_a_process_that_is_killed_does_nothing_more(loop):
    """None of its ends run, either; others go on."""
    lost, other, seen, theirs = Owner("r0"), Owner("r1"), [], []
    ticking(loop, lost, seen)
    ticking(loop, other, theirs)
    loop.run_until_complete(asyncio.sleep(1.5))
    lost.is_dead = True
    loop.run_until_complete(asyncio.sleep(2.0))
    assert ([1.0], [1.0, 2.0, 3.0]) == (seen, theirs)


def test_where_nothing_is_due_it_says_so(loop):
    """A simulation that waits for what never comes is a mistake of its own."""
    with pytest.raises(RuntimeError, match="standstill"):
        loop.run_until_complete(asyncio.Event().wait())
