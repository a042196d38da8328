"""The clients of a soak, in a process of their own, which is told by lines of JSON and tells by such.

    python -m loadtests.soak.generator PORT KEY FILE

Told `{"pace": {...}}` it loads at that pace, `{"pace": null}` it starts nothing more, `{"resets": true}` the provider
is to break streams off, `{"end": true}` it ends. Each half second it tells what is under way and how late it was;
each request that has ended is a line of FILE.
"""

import argparse
import asyncio
import contextlib
import csv
import json
import random
import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from loadtests.soak.asking import LEAVINGS, Asked, Connection, Kind
from loadtests.soak.numbered import Order
from loadtests.soak.plan import RAMP_PER_SECOND, Pace
from loadtests.soak.requests_file import row

TICK = 0.05
TELL = 0.5

KEPT = 16
"""Connections that are kept, at most."""

LONG = Order(1200, 0.5)
"""What is ordered by who will leave."""

FOR_NOW = 1
"""The part of cancels, of 4, that comes right after the request; the others come within two seconds."""


class Generator:
    """Sends at a pace, and notes how each request ended."""

    def __init__(self, port: int, key: str, file: Any) -> None:
        self._port, self._key = port, key
        self._write = csv.writer(file).writerow
        self._file = file
        self._name = secrets.token_hex(4)
        self._random = random.Random(self._name)
        self._numbers = 0
        self._pace: Pace | None = None
        self._resets = False
        self._due: Counter[str] = Counter()
        self._kept: deque[Connection] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams = 0
        self._open = 0
        self._touches = 0
        self._ended: Counter[str] = Counter()
        self._lag = 0.0

    def load(self, pace: Pace | None) -> None:
        """Load at a pace from now on, or start nothing more."""
        self._pace = pace
        self._due.clear()

    def resets(self, *, wanted: bool) -> None:
        """Have the provider break streams off, or not."""
        self._resets = wanted

    async def run(self) -> None:
        """Start what is due, again and again."""
        expected = time.monotonic()
        told = expected
        while True:
            now = time.monotonic()
            self._lag = max(self._lag, now - expected)
            if self._pace is not None:
                self._start_due(self._pace)
            if now - told >= TELL:
                told = now
                self._tell(now)
            expected = time.monotonic() + TICK
            await asyncio.sleep(TICK)

    def _start_due(self, pace: Pace) -> None:
        for _ in range(min(pace.slots - self._streams, int(RAMP_PER_SECOND * TICK))):
            self._streams += 1
            seconds = self._random.uniform(pace.shortest, pace.longest)
            self._begin("stream", Order(max(2, round(seconds / pace.every)), pace.every))
        for kind, rate in self._rates(pace).items():
            self._due[kind] += rate * TICK * self._random.uniform(0.5, 1.5)  # type: ignore[assignment]
            while self._due[kind] >= 1:
                self._due[kind] -= 1
                self._begin_kind(kind)

    def _rates(self, pace: Pace) -> dict[str, float]:
        return {
            "whole": pace.wholes,
            "short": pace.shorts,
            "touch": pace.touches,
            "cancel": pace.cancels,
            "reset": pace.resets if self._resets else 0,
            "refusal": pace.refusals,
        }

    def _begin_kind(self, kind: str) -> None:
        match kind:
            case "touch":
                self._do(self._touch())
            case "whole":
                self._begin("whole", Order(5, 0))
            case "short":
                self._begin("short", Order(5, 0.02))
            case "cancel":
                self._begin("cancel", LONG)
            case "reset":
                self._begin("reset", Order(20, 0.05, self._random.randrange(1, 20)))
            case _:
                self._begin("refusal", Order(1, 0))

    def _begin(self, kind: Kind, order: Order) -> None:
        self._numbers += 1
        route, key = ("flaky" if kind == "reset" else "desk"), self._key
        if kind == "refusal":
            route, key = self._random.choice((("nowhere", key), ("desk", "pin_wrong")))
        asked = Asked(f"{self._name}-{self._numbers}", kind, order, route, key)
        self._open += 1
        self._do(self._ask(asked))

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, asked: Asked) -> None:
        keeps = asked.kind in ("whole", "short") and self._random.random() < 0.5
        connection = self._idle() if keeps else None
        if connection is None:
            try:
                connection = await self._connected()
            except OSError as fault:
                asked.begun = time.monotonic()
                asked.ending, asked.why = "failed", f"not connected: {fault}"
                self._over(None, asked)
                return
        connection.ask(asked, keeps=keeps)
        if asked.kind == "cancel":
            leaving = self._random.choice(LEAVINGS)
            later = 0.0 if self._random.randrange(4) < FOR_NOW else self._random.uniform(0, 2)
            asyncio.get_running_loop().call_later(later, self._leave, connection, asked, leaving)

    def _leave(self, connection: Connection, asked: Asked, leaving: Any) -> None:
        if connection.asked is asked:
            connection.leave(leaving)

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: Connection(self._over), "127.0.0.1", self._port)
        return made

    def _idle(self) -> Connection | None:
        while self._kept:
            connection = self._kept.pop()
            if connection.is_open:
                return connection
        return None

    async def _touch(self) -> None:
        """Connect, say nothing or half a request, and leave."""
        self._touches += 1
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            if self._random.random() < 0.5:
                writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: soak\r\ncontent-le")
                await asyncio.sleep(self._random.uniform(0, 0.1))
            writer.close()

    def _over(self, connection: Connection | None, asked: Asked) -> None:
        self._open -= 1
        if asked.kind == "stream":
            self._streams -= 1
        self._ended[f"{asked.kind} {asked.ending}"] += 1
        self._write(row(asked))
        if connection is not None and connection.is_kept and connection.is_open:
            if self._pace is not None and len(self._kept) < KEPT:
                self._kept.append(connection)
            else:
                connection.drop()

    def rest(self) -> None:
        """Close what is kept, so that nothing is left open once all has ended."""
        while self._kept:
            self._kept.pop().drop()

    def _tell(self, now: float) -> None:
        if self._pace is None:
            self.rest()
        self._file.flush()
        told = {
            "at": now,
            "streams": self._streams,
            "open": self._open,
            "sent": self._numbers,
            "touches": self._touches,
            "ended": dict(self._ended),
            "lag": round(self._lag, 4),
        }
        self._lag = 0.0
        print(json.dumps(told), flush=True)


async def heed(generator: Generator) -> None:
    """Do what is told on standard input, until its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        if "resets" in told:
            generator.resets(wanted=told["resets"])
        elif "pace" in told:
            generator.load(None if told["pace"] is None else Pace(**told["pace"]))
        else:
            return


async def generate(port: int, key: str, file: Any) -> None:
    """Load until told to end."""
    generator = Generator(port, key, file)
    running = asyncio.ensure_future(generator.run())
    heeding = asyncio.ensure_future(heed(generator))
    await asyncio.wait((running, heeding), return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    if not heeding.done():  # the load itself has failed, which is to be seen
        await running


def main() -> None:
    """Load until told to end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("file", type=Path)
    wanted = parser.parse_args()
    with wanted.file.open("w", encoding="utf-8", newline="") as file:
        uvloop.run(generate(wanted.port, wanted.key, file))


if __name__ == "__main__":
    main()
