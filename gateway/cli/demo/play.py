"""The demo from its first process to its last figure: three acts on one run of traffic."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.cli.demo.callers import Callers
from gateway.cli.demo.desk import Desk
from gateway.cli.demo.figures import Figures, Moments, measure, release_rows
from gateway.cli.demo.picture import FAILING, MIRRORED, STICKY, Act, explained, opening, scene
from gateway.cli.demo.processes import Cast, DemoFailure, running
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.tally import Copy, Tally

ACT_SHARES = {STICKY: 0.4, MIRRORED: 0.3, FAILING: 0.3}
"""How an act's time is part of the whole."""

FRAME_SECONDS = 0.2
SCRAPE_SECONDS = 0.6

ROLLBACK_SECONDS = 15.0
"""How long a failing canary may stay before the demo gives up; a rollback takes it about one."""

AFTERMATH_SECONDS = 2.0
"""How long the traffic goes on after the rollback at least, to see that nothing comes to the canary any more."""

LAST_WORDS_SECONDS = 5.0


async def play(seconds: float, folder: Path, screen: Screen) -> Figures:
    """Play the demo with about so many seconds of traffic; `folder` takes its files.

    Raises:
        DemoFailure: a process does not start or answer, or the failing canary is not rolled back.
    """
    async with AsyncExitStack() as stack:
        cast = await stack.enter_async_context(running(folder))
        desk = stack.enter_context(Desk(cast))
        await desk.set_paces()
        cast.log.new()  # what the gateway said while it started is no part of the play
        await desk.start_rollout()
        return await Play(cast, desk, screen).played(seconds)


class Play:
    """One run on a cast that is ready and whose rollout has started."""

    def __init__(self, cast: Cast, desk: Desk, screen: Screen) -> None:
        self._cast = cast
        self._desk = desk
        self._screen = screen
        self._tally = Tally()
        self._events: list[dict[str, Any]] = []
        self._rollback: dict[str, Any] | None = None
        self._explained: dict[str, Any] | None = None
        self._scraped_at = 0.0

    async def played(self, seconds: float) -> Figures:
        """Play the three acts and measure."""
        began = time.time()
        async with self._traffic():
            await self._act(STICKY, seconds)
            await self._desk.add_shadow()
            await self._act(MIRRORED, seconds)
            broken = await self._desk.break_canary()
            rollback = await self._failing_act(seconds)
        ended = time.time()
        await self._last_words()
        self._screen.closes(opening(FAILING), self._body(FAILING))
        attempts = await self._desk.canary_attempts(broken)
        moments = Moments(began, broken, _at(rollback), ended)
        return measure(self._tally, attempts, rollback["evidence"]["failed"], moments)

    @asynccontextmanager
    async def _traffic(self) -> AsyncIterator[None]:
        """Have the callers ask for the length of a `with` block, and wait for their last answers."""
        stop = asyncio.Event()
        async with Callers(self._cast.url, self._cast.keys, self._tally.answers.append) as callers:
            asking = asyncio.create_task(callers.ask_until(stop))
            try:
                yield
                stop.set()
                await asking
            finally:
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking

    async def _act(self, act: Act, seconds: float) -> None:
        self._begin(act)
        until = time.monotonic() + seconds * ACT_SHARES[act]
        await self._watch(act, lambda: time.monotonic() >= until)
        self._screen.closes(opening(act), self._body(act))

    async def _failing_act(self, seconds: float) -> dict[str, Any]:
        """Wait for the rollback, then for the rest of the act, and give the line of the log that tells it.

        Raises:
            DemoFailure: it does not come.
        """
        self._begin(FAILING)
        began = time.monotonic()
        await self._watch(FAILING, lambda: self._rollback is not None or time.monotonic() >= began + ROLLBACK_SECONDS)
        if self._rollback is None:
            raise DemoFailure(f"the failing canary was not rolled back within {ROLLBACK_SECONDS:.0f} s, and it must be")
        self._explained = await self._desk.explained_rollout()
        until = max(began + seconds * ACT_SHARES[FAILING], time.monotonic() + AFTERMATH_SECONDS)
        await self._watch(FAILING, lambda: time.monotonic() >= until)
        return self._rollback

    def _begin(self, act: Act) -> None:
        self._screen.opens(opening(act))
        self._events.clear()

    async def _watch(self, act: Act, over: Callable[[], bool]) -> None:
        """Observe and draw until it is over."""
        while not over():
            await self._observe()
            self._screen.frame(opening(act), self._body(act))
            await asyncio.sleep(FRAME_SECONDS)

    async def _observe(self) -> None:
        """Read the gateway's log, and now and then its metrics."""
        for event in self._cast.log.new():
            match event:
                case {"event": "shadow", "outcome": outcome, "seconds": seconds}:
                    self._tally.copies.append(Copy(outcome, seconds))
                    continue
                case {"event": "reload_accepted"}:
                    self._tally.shadowed_at = _at(event)
                case {"event": "rollback"}:
                    self._rollback = event
            self._events.append(event)
        if time.monotonic() >= self._scraped_at + SCRAPE_SECONDS:
            self._tally.readings = await self._desk.readings()
            self._scraped_at = time.monotonic()

    async def _last_words(self) -> None:
        """Wait for the copies that are still under way, and read everything once more."""
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            while await self._desk.open_requests():  # noqa: ASYNC110 - what is waited for is another process
                await asyncio.sleep(FRAME_SECONDS)
        self._scraped_at = 0.0
        await self._observe()

    def _body(self, act: Act) -> list[Any]:
        rows = release_rows(self._tally, self._tally.readings.weights_ppm, time.time())
        shown = [*scene(act, self._tally, rows, self._events)]
        if self._explained is not None:
            shown += explained(self._explained)
        return shown


def _at(event: dict[str, Any]) -> float:
    """Give the time of a log line in wall seconds."""
    return datetime.fromisoformat(event["timestamp"]).timestamp()
