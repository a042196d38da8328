"""The lab of one run: what was found, where files go, and the systems that are up, all stopped when it ends."""

import contextlib
import http.client
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.bench.answers import is_whole, is_whole_stream
from loadtests.bench.installs import Found
from loadtests.bench.peers import PEERS
from loadtests.bench.processes import StartFault
from loadtests.bench.progress import Progress
from loadtests.bench.questions import body_of
from loadtests.bench.setups import Address, Setup, Subject, route_name
from loadtests.bench.upstreams import Upstream

ASK_SECONDS = 30
"""How long one answer may take while nothing is timed."""


@dataclass(slots=True)
class Lab:
    """What the scenarios share: programs of systems by name, those of upstream and load, sizes of rounds.

    `faults` gathers what went wrong, by scenario and system.
    """

    folder: Path
    found: Mapping[str, Found]
    nginx: Found
    wrk: Found
    seconds: float
    rounds: int
    progress: Progress
    faults: dict[str, str] = field(default_factory=dict)

    def names(self, wanted: Sequence[str]) -> list[str]:
        """Keep those of the wanted systems that are installed."""
        return [name for name in wanted if name in self.found]

    def room(self, name: str) -> Path:
        """Make an empty folder for one scenario's files."""
        room = self.folder / "run" / name
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
        return room

    def clear(self) -> None:
        """Remove what scenarios have written: logs grow by a line a request."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)

    @contextlib.contextmanager
    def subjects(
        self, room: Path, upstream: Upstream, names: Sequence[str], **options: bool | int
    ) -> Iterator[list[Subject]]:
        """Start the named systems in front of an upstream; one that does not start or answer well is a fault."""
        with contextlib.ExitStack() as stack:
            up = []
            for name in self.names(names):
                setup = Setup(room / name, upstream.url, upstream.trusted, **options)  # type: ignore[arg-type]
                self.progress.say(f"starting {name}")
                try:
                    up.append(self.started(stack, name, setup))
                except StartFault as fault:
                    self.faults[str((room / name).relative_to(self.folder / "run"))] = str(fault)
                    self.progress.say(f"{name} is left out of {room.name}: {fault}")
            yield up

    def started(self, stack: contextlib.ExitStack, name: str, setup: Setup) -> Subject:
        """Start one system, to be stopped with the stack, and have it answer once.

        Raises:
            StartFault: It did not start, or its answer is not the upstream's.
        """
        subject = PEERS[name].start(self.found[name], setup)
        if subject.process:
            stack.callback(subject.process.stop)
        check(subject.name, subject.address, stream=setup.streams)
        return subject


def check(name: str, address: Address, *, stream: bool) -> None:
    """Ask a system once, through its last route.

    Raises:
        StartFault: What it answers is not the upstream's answer with status 200.
    """
    route = address.routes - 1
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=ASK_SECONDS)
    try:
        body = body_of(route_name(route), "check", 1024, stream=stream)
        headers = {"Content-Type": "application/json", **address.headers}
        connection.request("POST", address.path(route), body, headers)
        answer = connection.getresponse()
        told = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        raise StartFault(f"{name} does not answer: {exc!r}") from exc
    finally:
        connection.close()
    whole = is_whole_stream(told) if stream else is_whole(told)
    if answer.status != 200 or not whole:
        said = " ".join(told[:300].decode(errors="replace").split())
        raise StartFault(f"{name} answers {answer.status}, not as the upstream does: {said}")
