"""Processes of workers: started with the sockets that they inherit, spoken to over a line, and waited for."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from signal import Signals
from typing import Any, Literal

from gateway.adapters.worker_place import WorkerPlace
from gateway.core.errors import SetupFault

Word = Literal["drain", "retire", "hurry", "reload"]


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended: with an exit `code`, or, where that is negative, by the signal of that number."""

    code: int

    @property
    def facts(self) -> Mapping[str, Any]:
        """The same for the log: `exit_code`, or the name of the `signal`."""
        return {"exit_code": self.code} if self.code >= 0 else {"signal": _signal_name(-self.code)}

    def __str__(self) -> str:
        return f"exit code {self.code}" if self.code >= 0 else _signal_name(-self.code)


class WorkerProcess:
    """One process of a worker. `start` makes it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.pid = process.pid
        self.is_ready = False

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.pid}>"

    @classmethod
    async def start(cls, program: Sequence[str], place: Callable[[socket.socket], WorkerPlace]) -> "WorkerProcess":
        """Start a process of `program` at a place, which is made of its end of the line.

        It inherits the place's sockets, standard output and standard error.

        Raises:
            SetupFault: it cannot be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            taken = place(theirs)
            try:
                process = await asyncio.create_subprocess_exec(
                    *program,
                    env={**os.environ, **taken.handed()},
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=taken.descriptors(),
                )
            except OSError as error:
                ours.close()
                message = f"its process cannot be started: {error.strerror}; see that the machine has room for it"
                raise SetupFault(message) from error
        return cls(process, *await asyncio.open_connection(sock=ours))

    async def ready(self) -> str | None:
        """Wait until it takes requests, and give what it says of itself; None if it ends instead."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            line = b""
        self.is_ready = line != b""
        return line.decode().strip() or None

    async def ended(self) -> ProcessEnd:
        """Wait until it has ended, and say how."""
        code = await self._process.wait()
        self._writer.close()
        return ProcessEnd(code)

    def say(self, word: Word) -> None:
        """Tell it something. Before it is ready it has nothing to drain or to reload: then it just ends, or goes on."""
        if self.is_ready:
            self._writer.write(f"{word}\n".encode("ascii"))
        elif word != "reload":
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def _signal_name(number: int) -> str:
    return Signals(number).name if number in set(Signals) else f"signal {number}"
