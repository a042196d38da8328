"""What a worker has from its supervisor: two listening sockets, and a line to it that closes when it ends.

The supervisor says words, lines: `drain`, `retire`, `hurry`, `reload`. The worker says one line, once it is ready.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "PINION_WORKER"
"""The environment variable by which a process learns that it is a worker, and which descriptors are its own."""

LAST_SECONDS = 30.0
"""How long a worker may take to end once it has nobody to look after it."""

Acts = Mapping[str, Callable[[], None]]
"""What each word of the supervisor has the worker do."""


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """One worker's place: its `index` from 0, and the URLs of all workers' operations APIs in their order.

    The sockets listen already: `applications` is the one that all workers share, `operations` this worker's own.
    """

    index: int
    all_operations: Sequence[str]
    applications: socket.socket
    operations: socket.socket
    line: socket.socket

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "WorkerPlace | None":
        """The place that an environment tells of, which is then taken out of it; None where there is none."""
        told = environment.pop(VARIABLE, None)
        if told is None:
            return None
        given = json.loads(told)
        applications, operations, line = (socket.socket(fileno=number) for number in given["descriptors"])
        for listening in (applications, operations):
            listening.setblocking(False)  # noqa: FBT003 - the socket's own signature
        return cls(given["index"], given["operations"], applications, operations, line)

    def handed(self) -> Mapping[str, str]:
        """The environment that hands this place to a process which inherits its descriptors."""
        given = {"index": self.index, "operations": list(self.all_operations), "descriptors": self.descriptors()}
        return {VARIABLE: json.dumps(given)}

    def descriptors(self) -> list[int]:
        """The descriptors of the sockets and of the line, which a process with this place inherits."""
        return [each.fileno() for each in (self.applications, self.operations, self.line)]

    def status(self) -> Mapping[str, Any]:
        """What a worker tells of its place: its `index`, and where the `operations` APIs of all workers are."""
        return {"index": self.index, "operations": list(self.all_operations)}

    def own(self, path: Path) -> Path:
        """Where this worker keeps what each keeps for itself: worker 0 at `path`, others beside it by their index."""
        return path.with_name(f"{path.name}.{self.index}") if self.index else path

    def ready(self, line: str) -> None:
        """Tell the supervisor that requests are taken."""
        with contextlib.suppress(OSError):  # the supervisor is gone, which the other direction tells
            self.line.sendall(f"{line}\n".encode())

    @contextlib.contextmanager
    def heeding(self, acts: Acts, patience: float = LAST_SECONDS) -> Iterator[None]:
        """Act on the supervisor's words for the length of a `with` block, on the loop that runs.

        Once the supervisor is gone the worker hurries, and is killed if it is still there `patience` seconds later: a
        thread waits for that, so that no loop which hangs keeps a worker alive without a supervisor.
        """
        over = threading.Event()
        arguments = (self.line, acts, asyncio.get_running_loop(), over, patience)
        threading.Thread(target=_heed, args=arguments, name="pinion-supervisor", daemon=True).start()
        try:
            yield
        finally:
            over.set()


def _heed(
    line: socket.socket, acts: Acts, loop: asyncio.AbstractEventLoop, over: threading.Event, patience: float
) -> None:
    with contextlib.suppress(OSError), line.makefile("r", encoding="ascii") as words:
        for word in words:
            _act(loop, acts[word.strip()])
    _act(loop, acts["hurry"])
    if not over.wait(patience):
        os.kill(os.getpid(), signal.SIGKILL)


def _act(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: the worker has ended
        loop.call_soon_threadsafe(act)
