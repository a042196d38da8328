"""What a worker has from its supervisor."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.listener import bind
from gateway.adapters.worker_place import VARIABLE, WorkerPlace

pytestmark = pytest.mark.anyio

HANGING = """
import asyncio, os, sys, time
from gateway.adapters.worker_place import WorkerPlace

async def hang():
    place = WorkerPlace.of(os.environ)
    with place.heeding({"hurry": lambda: None}, patience=0.01):
        place.ready("hanging")
        time.sleep(3600)

asyncio.run(hang())
"""
"""A worker whose loop hangs."""


@pytest.fixture
def placed():
    """A place, and the supervisor's end of its line."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        sockets = [stack.enter_context(bind("127.0.0.1", 0)) for _ in range(2)]
        ours.settimeout(60)
        yield WorkerPlace(1, ["http://a", "http://b"], *sockets, theirs), ours


def hanging(place: WorkerPlace) -> subprocess.Popen:
    """A worker in a place, whose loop hangs."""
    command = [sys.executable, "-c", HANGING]
    return subprocess.Popen(command, env=dict(place.handed()), pass_fds=place.descriptors())


async def test_a_process_without_a_supervisor_has_no_place():
    """Its environment says nothing of one."""
    assert None is WorkerPlace.of({"PINION_PORT": "8080"})


async def test_a_place_is_handed_over_by_the_environment(placed):
    """Index, addresses and sockets are the same; the environment no longer tells, so that nothing else takes it."""
    place, _ = placed
    given = json.loads(place.handed()[VARIABLE])
    environment = {VARIABLE: json.dumps({**given, "descriptors": [os.dup(one) for one in given["descriptors"]]})}
    again = WorkerPlace.of(environment)
    with again.applications, again.operations, again.line:
        assert {} == environment
        assert {"index": 1, "operations": ["http://a", "http://b"]} == place.status() == again.status()
        assert place.applications.getsockname() == again.applications.getsockname()
        assert place.operations.getsockname() == again.operations.getsockname()
        assert not again.applications.getblocking()


async def test_what_each_keeps_for_itself_has_a_file_of_its_own(placed):
    """The first worker's is where a gateway alone has it."""
    place, _ = placed
    assert Path("/a/copy.json.1") == place.own(Path("/a/copy.json"))
    assert Path("/a/copy.json") == replace(place, index=0).own(Path("/a/copy.json"))


async def test_it_says_once_that_it_is_ready(placed):
    """A line; to a supervisor that is gone, nothing."""
    place, supervisor = placed
    place.ready("ready: 2 routes")
    assert b"ready: 2 routes\n" == supervisor.recv(100)
    supervisor.close()
    place.ready("ready: 2 routes")


async def test_words_are_heeded_and_silence_is_an_order_to_hurry(placed):
    """In the order in which they were said; the last, once the line is closed."""
    place, supervisor = placed
    heard: asyncio.Queue[str] = asyncio.Queue()
    acts = {word: lambda word=word: heard.put_nowait(word) for word in ("drain", "reload", "hurry")}
    with place.heeding(acts):
        supervisor.sendall(b"reload\ndrain\n")
        assert ["reload", "drain"] == [await asyncio.wait_for(heard.get(), 60) for _ in range(2)]
        supervisor.close()
        assert "hurry" == await asyncio.wait_for(heard.get(), 60)


async def test_a_worker_that_hangs_does_not_outlive_its_supervisor(placed):
    """It cannot hurry, so it is killed."""
    place, supervisor = placed
    worker = hanging(place)
    place.line.close()
    try:
        assert b"hanging\n" == await asyncio.to_thread(supervisor.recv, 100)
        supervisor.close()
        assert -9 == await asyncio.to_thread(worker.wait, 60)
    finally:
        worker.kill()
        worker.wait()
