"""The demo from its first process to its last figure: three rollouts on one run of traffic."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from gateway.cli.demo.acts import Act
from gateway.cli.demo.callers import Callers
from gateway.cli.demo.course import Course, hear
from gateway.cli.demo.desk import Desk
from gateway.cli.demo.figures import Figures, Trouble, measure
from gateway.cli.demo.picture import befallen, entered, explained, opening, scene
from gateway.cli.demo.processes import Cast, DemoFailure, running
from gateway.cli.demo.screen import Screen
from gateway.cli.demo.tally import Copy, Tally

FRAME_SECONDS = 0.2
SCRAPE_SECONDS = 1.0

MOST_SECONDS = 90.0
"""How long one rollout may take before the demo gives up; on two free cores the longest takes about twenty."""

AFTERMATH_SECONDS = 2.5
"""How long the traffic goes on after a rollback, to see that nothing comes to the release any more."""

LAST_WORDS_SECONDS = 5.0


async def play(acts: Sequence[Act], folder: Path, screen: Screen) -> Figures:
    """Play these acts; `folder` takes the files.

    Raises:
        DemoFailure: a process does not start or answer, or a rollout does not end.
    """
    async with AsyncExitStack() as stack:
        cast = await stack.enter_async_context(running(folder))
        desk = stack.enter_context(Desk(cast))
        await desk.set_paces()
        cast.log.new()  # what the gateway said while it started is no part of the play
        return await Play(cast, desk, screen).played(acts)


class Play:
    """One run on a cast that is ready."""

    def __init__(self, cast: Cast, desk: Desk, screen: Screen) -> None:
        self._cast = cast
        self._desk = desk
        self._screen = screen
        self._tally = Tally()
        self._troubles: dict[str, Trouble] = {}
        self._explained: dict[str, Any] | None = None
        self._scraped_at = 0.0

    async def played(self, acts: Sequence[Act]) -> Figures:
        """Play the acts and measure."""
        began = time.time()
        async with self._traffic():
            for act in acts:
                await self._play(act)
        ended = time.time()
        await self._last_words()
        for act in acts:
            trouble = self._troubles.get(act.release.version)
            if trouble is not None:
                attempts = await self._desk.attempts(act.release, trouble.at)
                self._troubles[act.release.version] = replace(trouble, attempts=attempts)
        plans = {act.release.version: act.plan for act in acts}
        return measure(self._tally, plans, self._troubles, began, ended)

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

    async def _play(self, act: Act) -> None:
        """Ask for a release, have befall it what must, and wait for the end of its rollout.

        Raises:
            DemoFailure: the end does not come.
        """
        self._screen.opens(opening(act))
        self._explained = None
        await self._desk.serve(act.release, act.plan)
        if act.trouble:
            await self._watch(act, lambda course: course is not None and bool(course.entries[-1].percent))
            until = time.monotonic() + act.good_seconds
            await self._watch(act, lambda _: time.monotonic() >= until)
            await self._befall(act)
        await self._watch(act, lambda course: course is not None and course.end is not None)
        if act.trouble:
            self._explained = await self._desk.explained_rollout()
            until = time.monotonic() + AFTERMATH_SECONDS
            await self._watch(act, lambda _: time.monotonic() >= until)
        self._screen.closes(lambda: self._body(act))

    async def _befall(self, act: Act) -> None:
        """Have its release behave otherwise, unless its rollout is over already."""
        course = self._tally.course_of(act.release.version)
        if course is not None and course.end is None:
            at = await self._desk.trouble(act.release, act.trouble)
            self._troubles[act.release.version] = Trouble(at)
            self._screen.tells(befallen(act, course, at))

    async def _watch(self, act: Act, enough: Callable[[Course | None], bool]) -> None:
        """Observe and draw until it is enough, or the rollout is over.

        Raises:
            DemoFailure: it takes too long.
        """
        give_up = time.monotonic() + MOST_SECONDS
        course = None
        while not enough(course):
            await self._observe(act)
            course = self._tally.course_of(act.release.version)
            self._screen.frame(lambda: self._body(act))
            if time.monotonic() >= give_up:
                waits = "its beginning" if course is None else course.waits or "its time"
                raise DemoFailure(f"{act.release} waits for {waits} after {MOST_SECONDS:.0f} s, and must not")
            await asyncio.sleep(FRAME_SECONDS)

    async def _observe(self, act: Act | None = None) -> None:
        """Read the gateway's log, and now and then its metrics."""
        for event in self._cast.log.new():
            if event["event"] == "shadow":
                self._tally.copies.append(Copy(event["release"], event["outcome"], event["seconds"]))
                continue
            entry = hear(self._tally.courses, event)
            if entry is not None and act is not None:
                self._screen.tells(entered(act, self._tally.courses[-1], entry))
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

    def _body(self, act: Act) -> list[RenderableType]:
        course = self._tally.course_of(act.release.version)
        shown = [*scene(self._tally, course, time.time())]
        if self._explained is not None:
            shown += explained(self._explained)
        return shown
