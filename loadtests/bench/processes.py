"""Processes of the benchmark: started pinned to a core, their output in a file, and ended by their own handle alone."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench.accounting import Usage, usage

SUBJECT_CORE = 0
"""The core of the system under test, which nothing else of the benchmark uses."""

LOAD_CORE = 1
"""The core of upstreams, load generators and the benchmark itself."""

PATIENCE_SECONDS = 10
"""How long a process may take to end before it is killed."""


class StartFault(Exception):
    """A process that did not come up, with what it said last."""


@dataclass(slots=True)
class Process:
    """A process that runs, in a session of its own so that its children end with it."""

    name: str
    handle: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its number."""
        return self.handle.pid

    def usage(self) -> Usage:
        """Give what it and its children have used."""
        return usage(self.pid)

    def ended(self) -> bool:
        """Say whether it is over."""
        return self.handle.poll() is not None

    def last_words(self) -> str:
        """Give the end of its output, for a message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " / ".join(lines[-4:])[-600:]

    def stop(self) -> None:
        """Ask it to end, insist after a while; harmless when it has."""
        self._signal(signal.SIGTERM)
        try:
            self.handle.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.handle.wait()

    def _signal(self, number: int) -> None:
        if not self.ended():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)


def start(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    core: int = SUBJECT_CORE,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start a command in a folder, pinned to one core; its output goes to `log` there, its standard output to `out`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as errors, (folder / "out").open("wb") as output:
        handle = subprocess.Popen(  # noqa: S603 - commands of our own
            ["taskset", "-c", str(core), *command],  # noqa: S607 - wherever the system has it
            cwd=folder,
            env={**_inherited(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
    return Process(name, handle, log)


@contextlib.contextmanager
def running(process: Process) -> Iterator[Process]:
    """Stop a process when the block ends, however it ends."""
    try:
        yield process
    finally:
        process.stop()


def wait_for_port(process: Process, port: int, seconds: float = 60) -> None:
    """Return once a process listens on a loopback port.

    Raises:
        StartFault: It ended, or did not listen in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and not process.ended():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise StartFault(f"{process.name} does not listen: {process.last_words()}")


def free_port() -> int:
    """Give a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _inherited() -> dict[str, str]:
    """This process's environment, less what would have Python programs compiled anew at every start."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
