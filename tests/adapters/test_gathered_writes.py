"""Writes sent together at the end of the event loop's turn."""

import asyncio

import pytest

from gateway.adapters.gathered_writes import MOST_BYTES, GatheredWrites

pytestmark = pytest.mark.anyio


class Transport:
    """A transport that keeps what was written, and when it is closed takes nothing."""

    def __init__(self, log):
        self.log = log
        self.closed = False

    def is_closing(self):
        return self.closed

    def write(self, data):
        self.log.append(data)


async def test_writes_go_out_at_the_end_of_the_turn_in_order():
    """Nothing before, everything then, across transports in the order of writing."""
    log = []
    writes = GatheredWrites(asyncio.get_running_loop())
    one, two = Transport(log), Transport(log)
    for transport, data in ((one, b"1"), (two, b"2"), (one, b"3")):
        writes.write(transport, data)
    assert ([], "<GatheredWrites 3 waiting>") == (log, repr(writes))
    await asyncio.sleep(0)
    assert [b"1", b"2", b"3"] == log
    writes.write(two, b"4")
    await asyncio.sleep(0)
    assert [b"1", b"2", b"3", b"4"] == log


async def test_a_flush_sends_at_once():
    """As before a close; the end of the turn then has nothing to send."""
    log = []
    writes = GatheredWrites(asyncio.get_running_loop())
    writes.write(Transport(log), b"1")
    writes.flush()
    assert [b"1"] == log
    await asyncio.sleep(0)
    assert [b"1"] == log


async def test_a_transport_that_closed_takes_nothing_more():
    """The others do not suffer from it."""
    log = []
    writes = GatheredWrites(asyncio.get_running_loop())
    gone = Transport(log)
    writes.write(gone, b"1")
    writes.write(Transport(log), b"2")
    gone.closed = True
    await asyncio.sleep(0)
    assert [b"2"] == log


async def test_many_bytes_go_out_at_once():
    """A transport that is full must be able to say so before more is written."""
    log = []
    writes = GatheredWrites(asyncio.get_running_loop())
    one = Transport(log)
    writes.write(one, bytes(MOST_BYTES))
    assert [] == log
    writes.write(one, b"!")
    assert [bytes(MOST_BYTES), b"!"] == log
    await asyncio.sleep(0)
    assert 2 == len(log)
