"""Processes of workers, by small programs in their place."""

import sys
from functools import partial

import pytest

from gateway.adapters.listener import bind
from gateway.adapters.worker_place import WorkerPlace
from gateway.adapters.worker_processes import ProcessEnd, WorkerProcess
from gateway.core.errors import SetupFault

pytestmark = pytest.mark.anyio

ECHOING = """
import os, sys
from gateway.adapters.worker_place import WorkerPlace
place = WorkerPlace.of(os.environ)
place.ready(f"{place.index} {place.applications.getsockname()[1]} {place.operations.getsockname()[1]}")
for word in place.line.makefile():
    if word == "drain\\n":
        sys.exit(3)
"""
SLEEPING = "import time; time.sleep(3600)"


@pytest.fixture
def place():
    """Makes places on two listening sockets, which it has as `sockets`."""
    with bind("127.0.0.1", 0) as applications, bind("127.0.0.1", 0) as operations:
        yield partial(WorkerPlace, 4, ["http://a"], applications, operations)


async def started(program: str, place) -> WorkerProcess:
    """A process of a Python program."""
    return await WorkerProcess.start([sys.executable, "-c", program], place)


async def test_a_process_has_its_place_says_that_it_is_ready_and_hears_words(place):
    """Its sockets are the ones that listen here; how it ended is its exit code."""
    process = await started(ECHOING, place)
    ports = [taken.getsockname()[1] for taken in place.args[2:]]
    assert f"4 {ports[0]} {ports[1]}" == await process.ready()
    process.say("reload")
    process.say("drain")
    assert ProcessEnd(3) == await process.ended()
    assert str(process.pid) in repr(process)
    process.kill()
    process.say("hurry")


async def test_a_process_that_is_not_ready_just_ends(place):
    """It has nothing to drain and nothing to reload; who waits for it hears that it will not be ready."""
    process = await started(SLEEPING, place)
    process.say("reload")
    process.say("drain")
    assert None is await process.ready()
    assert "SIGTERM" == str(await process.ended())
    process.say("drain")


async def test_a_process_can_be_killed(place):
    """Whatever it does."""
    process = await started(SLEEPING, place)
    process.kill()
    assert {"signal": "SIGKILL"} == (await process.ended()).facts


async def test_a_program_that_is_not_there_is_a_fault(place):
    """It says so, and what to look at."""
    with pytest.raises(SetupFault, match="its process cannot be started: No such file or directory; see that the"):
        await WorkerProcess.start(["/no/such/program"], place)


@pytest.mark.parametrize(
    ("code", "said", "facts"),
    [
        (0, "exit code 0", {"exit_code": 0}),
        (2, "exit code 2", {"exit_code": 2}),
        (-9, "SIGKILL", {"signal": "SIGKILL"}),
        (-1000, "signal 1000", {"signal": "signal 1000"}),
    ],
)
def test_an_end_is_told_in_words(code, said, facts):
    """An exit code, or a signal by its name where it has one."""
    assert (said, facts) == (str(ProcessEnd(code)), ProcessEnd(code).facts)
