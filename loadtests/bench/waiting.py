"""Streams that wait for their next event, thousands at once: what each weighs."""

import asyncio
import contextlib
import resource
import time
from typing import cast

import uvloop

from loadtests.bench.lab import Lab
from loadtests.bench.questions import question
from loadtests.bench.rounds import Sample, Series, interleaved
from loadtests.bench.scenarios import FAST
from loadtests.bench.setups import Address, Subject
from loadtests.bench.upstreams import event_upstream

STREAMS = 5000

PAUSE_SECONDS = 300
"""How long the upstream waits after the first event: longer than any round lasts."""

OPENING_SECONDS = 60
"""How long all streams together may take to begin."""

AT_ONCE = 100
"""How many streams are being opened at a time, so that no listener's queue overflows."""

SETTLE_SECONDS = 1

SPARE_FILES = 500


class Waiting(asyncio.Protocol):
    """One stream: asks, and says once that its first event is here or that it has ended."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look for the first event."""
        if b"data: {" in data and not self.begun.done():
            self.begun.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Say that it ended before it began."""
        self._transport = None
        if not self.begun.done():
            self.begun.set_result(False)

    def is_open(self) -> bool:
        """Say whether it waits still."""
        return self._transport is not None

    def close(self) -> None:
        """Give it up."""
        if self._transport:
            self._transport.abort()


def waiting(lab: Lab) -> dict[str, Series]:
    """Weigh 5,000 waiting streams in each of the fast systems, started anew each time."""
    names = lab.names(FAST)
    series: dict[str, list[Sample]] = {name: [] for name in names}
    for number, name in interleaved(lab.rounds, names):
        room = lab.room("waiting")
        with (
            event_upstream(room / "upstream", pause=PAUSE_SECONDS) as upstream,
            lab.subjects(room, upstream, [name], streams=True) as subjects,
        ):
            for subject in subjects:
                sample = uvloop.run(weigh(subject, streams_within_limits()))
                series[name].append(sample)
                told = f"{sample['kb_per_stream']:.1f} KB a stream, {sample['errors']:.0f} errors"
                lab.progress.say(f"waiting, round {number + 1}: {name} {told}", steps=1)
    return {"waiting": series}


def streams_within_limits() -> int:
    """Give how many streams the limit of open files allows: a system under test needs two for each."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(STREAMS, (limit - SPARE_FILES) // 2))


async def weigh(subject: Subject, streams: int) -> dict[str, float]:
    """Open the streams, wait until all have begun, and read the system's memory before and then."""
    assert subject.process is not None  # noqa: S101 - only systems with a process are weighed
    before = subject.process.usage().resident_kb
    began = time.monotonic()
    opened: list[Waiting] = []
    errors = 0
    try:
        async with asyncio.timeout(OPENING_SECONDS):
            for first in range(0, streams, AT_ONCE):
                numbers = range(first, min(first + AT_ONCE, streams))
                batch = await asyncio.gather(*(_open(subject.address, number) for number in numbers))
                opened += batch
                await asyncio.gather(*(one.begun for one in batch))
    except (TimeoutError, OSError):
        errors += streams - len(opened)
    seconds = time.monotonic() - began
    await asyncio.sleep(SETTLE_SECONDS)
    after = subject.process.usage().resident_kb
    errors += sum(not one.begun.done() or not one.begun.result() or not one.is_open() for one in opened)
    for one in opened:
        one.close()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0.1)
    return {
        "streams_open": len(opened),
        "kb_per_stream": (after - before) / streams,
        "memory_mb": after / 1024,
        "opening_seconds": seconds,
        "errors": errors,
    }


async def _open(address: Address, number: int) -> Waiting:
    request = question(number, address, 1024, stream=True)
    _, made = await asyncio.get_running_loop().create_connection(lambda: Waiting(request), "127.0.0.1", address.port)
    return made
