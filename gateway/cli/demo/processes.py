"""The processes of the demo: two simulated providers and a gateway, and what the gateway logs."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.app import new_key
from gateway.cli.demo.policies import Wire, policy_files
from gateway.cli.gateway_client import CommandFault

START_SECONDS = 20.0
STOP_SECONDS = 8.0

SIMULATOR_READY = re.compile(r"simulator ready on (http://\S+)")
GATEWAY_READY = re.compile(r"pinion .* on (http://\S+), operations on (http://\S+)")


class DemoFailure(CommandFault):
    """The demo cannot be played, or what it shows does not happen."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Cast:
    """What runs: the URLs of all, the applications' keys, and the gateway's log."""

    url: str
    admin_url: str
    simulators: Mapping[Wire, str]
    keys: Mapping[Wire, str]
    policies: Path
    log: "GatewayLog"


class GatewayLog:
    """The structured log of the gateway, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        """Give the events that were logged since the last call, but for those of requests, which are many."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole + end)
        lines = (line for line in whole.splitlines() if line.startswith(b"{"))
        return [event for event in map(json.loads, lines) if event["event"] != "request"]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cast]:
    """Run the processes for the length of a `with` block; policies, databases and the log go into `folder`.

    Raises:
        DemoFailure: one of them does not start.
    """
    policies = folder / "policies"
    policies.mkdir(parents=True)
    keys: Mapping[Wire, str] = {"openai": new_key(), "anthropic": new_key()}
    async with AsyncExitStack() as stack:
        simulating = {
            wire: await stack.enter_async_context(_process(["simulator", "--port", "0"], folder / f"{wire}.log"))
            for wire in keys
        }
        simulators = {wire: (await process.ready(SIMULATOR_READY))[0] for wire, process in simulating.items()}
        digests: Mapping[Wire, str] = {wire: hashlib.sha256(key.encode()).hexdigest() for wire, key in keys.items()}
        write(policies, policy_files(simulators, digests))
        command = ["serve", "--policies", str(policies), "--store", f"sqlite:///{folder / 'pinion.db'}"]
        command += ["--port", "0", "--admin-port", "0", "--drain-delay", "0s", "--drain-grace", "2s"]
        log = folder / "gateway.log"
        process = await stack.enter_async_context(_process(command, log))
        url, admin_url = await process.ready(GATEWAY_READY)
        yield Cast(url, admin_url, simulators, keys, policies, GatewayLog(log))


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write policy files, each in one move, as editors do."""
    for name, text in files.items():
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)


class Process:
    """A process that tells by its first line where it is."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    async def ready(self, line: re.Pattern[str]) -> Sequence[str]:
        """Wait for the first line and give the groups of `line` in it.

        Raises:
            DemoFailure: it ends, says something else, or says nothing in time.
        """
        if self._process.stdout is None:
            raise AssertionError("the process was started with a pipe")
        said = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                said = await self._process.stdout.readline()
                if not said:
                    # It has ended, or is about to. Only who waits for it learns how: a signal sent now would hide that.
                    await self._process.wait()
        found = line.match(said.decode())
        if found is None:
            last = self._log.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["nothing"]
            raise DemoFailure(f"`pinion {self._name}` did not start; it said: {last[0]}")
        return found.groups()

    async def stop(self, patience: float = STOP_SECONDS) -> None:
        """Ask it to end, and insist once it has taken `patience` seconds."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def _process(command: Sequence[str], log: Path) -> AsyncIterator[Process]:
    """Run one `pinion` command; in a session of its own, since a Ctrl-C is ours to pass on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PINION_")}
    with log.open("wb") as stderr:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *command),
            env=inherited,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    process = Process(command[0], child, log)
    try:
        yield process
    finally:
        await process.stop()
