"""Work that may hang for good."""

import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

import gateway
from gateway.adapters.patient_thread import PatientThread, _carry_out

pytestmark = pytest.mark.anyio

ROOT = Path(gateway.__file__).parent.parent

HANGING = """
import asyncio, os, sys
from gateway.adapters.patient_thread import PatientThread

async def main():
    try:
        await PatientThread("test", 0.05).run(lambda: open(sys.argv[1], "w"))
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


def broken():
    """Fail at once."""
    raise OSError("no disk")


async def test_an_act_is_carried_out_elsewhere():
    """What comes of it is given, be it an error."""
    threads = PatientThread("test", 20)
    assert "<PatientThread test, 20 s>" == repr(threads)
    assert threading.current_thread() is not await threads.run(threading.current_thread)
    with pytest.raises(OSError, match="no disk"):
        await threads.run(broken)


async def test_one_act_after_another_has_its_place():
    """As soon as one is answered the next may begin, though the thread of the first is yet to end."""
    threads = PatientThread("test", 20)
    assert [await threads.run(lambda number=number: number) for number in range(500)] == list(range(500))


async def test_what_is_given_up_before_it_began_never_begins():
    """Its thread finds that nobody waits."""
    asked, answer = [], Future()
    answer.cancel()
    _carry_out(lambda: asked.append("late"), answer)
    assert [] == asked


async def test_an_act_that_hangs_is_given_up_and_keeps_its_place():
    """No second one begins beside it: what hangs is one thread, however long it does."""
    threads, is_over, asked = PatientThread("test", 0.05), threading.Event(), []
    with pytest.raises(TimeoutError):
        await threads.run(is_over.wait)
    with pytest.raises(TimeoutError):
        await threads.run(lambda: asked.append("again"))
    is_over.set()
    threads._last.result(20)
    await PatientThread("test", 20).run(lambda: asked.append("later"))
    assert ["later"] == asked


def test_a_process_ends_though_an_act_hangs(tmp_path):
    """In one of its own, which waits for a reader of a pipe that nobody reads."""
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    command = [sys.executable, "-c", HANGING, str(pipe)]
    said = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True, timeout=60
    )
    assert ("given up\n", "") == (said.stdout, said.stderr)
