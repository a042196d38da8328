"""Signals to this process, on its event loop."""

import asyncio
import os
import signal

import pytest

from gateway.adapters.process_signals import heeded

pytestmark = pytest.mark.anyio


async def test_a_signal_is_heeded_within_the_block_alone():
    """Each does what was asked for; afterwards what it did before."""
    before, heard = signal.getsignal(signal.SIGUSR1), asyncio.Event()
    with heeded({signal.SIGUSR1: heard.set}):
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(heard.wait(), 60)
    assert before == signal.getsignal(signal.SIGUSR1)
