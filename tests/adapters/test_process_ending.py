"""How a gateway process is told to end."""

import asyncio

import pytest

from gateway.adapters.process_ending import Ending

pytestmark = pytest.mark.anyio

TOLD = {
    "nothing": ([], (False, False, False)),
    "stop": (["stop"], (True, False, False)),
    "stop twice": (["stop", "stop"], (True, True, False)),
    "drain however often": (["drain", "drain"], (True, False, False)),
    "drain, then hurry": (["drain", "hurry"], (True, True, False)),
    "retire": (["retire"], (True, False, True)),
    "hurry alone": (["hurry"], (True, True, False)),
}
"""What is said, and then: whether the end has begun, is hurried, and beside a process that has come instead."""


@pytest.mark.parametrize("case", TOLD)
async def test_what_is_said_counts(case):
    """A second `stop` hurries; of the words that a supervisor says, `hurry` alone."""
    said, expected = TOLD[case]
    ending = Ending()
    for word in said:
        {"stop": ending.stop, **ending.words()}[word]()
    assert expected == (ending.has_begun, ending.is_hurried, ending.is_replaced)


async def test_whoever_waits_for_the_end_hears_of_it():
    """However it begins."""
    ending = Ending()
    waiting = asyncio.ensure_future(ending.begun())
    ending.retire()
    await asyncio.wait_for(waiting, 60)


async def test_what_is_allowed_ends_when_it_is_done_over_or_hurried():
    """Whichever comes first."""
    ending, done = Ending(), []
    await ending.allowed(0.0)
    waiting = asyncio.ensure_future(ending.allowed(3_600, lambda: bool(done)))
    await asyncio.sleep(0)
    done.append(True)
    await asyncio.wait_for(waiting, 60)
    waiting = asyncio.ensure_future(ending.allowed(3_600))
    await asyncio.sleep(0)
    ending.hurry()
    await asyncio.wait_for(waiting, 60)
