"""What every anchor does, whichever it is: asked of each by the tests of its own."""

import pytest

from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault
from tests.adapters.webhook_receiver import SECRET


def checkpoint(size):
    """A checkpoint of so many entries."""
    return Checkpoint("log.test", size, "ab" * 32, f"log.test\n{size}\nAA==\n\n\u2014 log.test AAAAAA==\n")


async def holds(anchor, received, break_off):
    """Each checkpoint arrives as it is, in order and again if need be; what does not arrive is a fault with the name.

    `received` gives the notes that are there, and `break_off` makes the place unreachable.
    """
    await anchor.send(checkpoint(1))
    await anchor.send(checkpoint(2))
    assert [checkpoint(1).note, checkpoint(2).note] == received()
    await anchor.send(checkpoint(2))
    assert checkpoint(2).note == received()[-1]
    break_off()
    with pytest.raises(AnchorFault) as caught:
        await anchor.send(checkpoint(3))
    assert caught.value.message.startswith(f"{anchor.name}: ")
    assert SECRET not in repr(anchor) + caught.value.message + anchor.name
    assert "\n" not in caught.value.message
