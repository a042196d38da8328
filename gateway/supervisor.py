"""Several gateway processes on one machine behind one port: started, kept, told to drain, replaced."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.adapters.json_journal import JsonJournal
from gateway.adapters.listener import bind
from gateway.adapters.process_signals import heeded
from gateway.adapters.sql_engine import scheme_of
from gateway.adapters.worker_place import WorkerPlace
from gateway.adapters.worker_processes import Word, WorkerProcess
from gateway.core import worker as rule
from gateway.core.errors import SetupFault
from gateway.core.worker import Worker
from gateway.settings import Settings, check_settings

HURRIED_SECONDS = 30.0
"""How long a worker that was told to hurry may take, with its last records; then it is killed."""

LAST_PORT = 65_535


def check_workers(settings: Settings, count: int) -> None:
    """Refuse settings that several workers cannot share.

    Raises:
        SetupFault: it says which setting, and what to do.
    """
    check_settings(settings)
    if scheme_of(settings.store) == "sqlite":
        raise SetupFault(
            f"--workers {count}: a SQLite file has one gateway; give the workers a database with"
            " --store postgresql://USER:PASSWORD@HOST/NAME, or leave --workers at 1"
        )
    if settings.dev:
        raise SetupFault("--dev lets versions change, which workers do one after another; leave --workers at 1")
    if settings.admin_port + count - 1 > LAST_PORT:
        raise SetupFault(f"--admin-port {settings.admin_port} leaves no ports for {count} workers; choose a lower one")


@dataclass(slots=True)
class _Post:
    """What stays while a worker's processes come and go: its address, and since when it is lost (`lost_at`).

    `said` is its ready line; `settled` is set once it has been ready, or is over.
    """

    index: int
    operations: socket.socket
    url: str
    worker: Worker = field(default_factory=Worker)
    process: WorkerProcess | None = None
    said: str = ""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    lost_at: float | None = None


class Supervisor:
    """The workers of one machine. `run` keeps them until `stop` is called, and until they have ended."""

    def __init__(
        self, settings: Settings, count: int, program: Sequence[str], patience: float = HURRIED_SECONDS
    ) -> None:
        """Check the settings; nothing is opened yet. `program` is the command line that starts this very program.

        A worker that was told to hurry is killed `patience` seconds later.

        Raises:
            SetupFault: workers cannot share them.
        """
        check_workers(settings, count)
        self._settings = settings
        self._count = count
        self._program = program
        self._patience = patience
        self._posts: list[_Post] = []
        self._processes: set[WorkerProcess] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._rolling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._is_hurrying = False
        self._fault: SetupFault | None = None

    async def run(self, announce: Callable[[str], None]) -> None:
        """Keep the workers until told to stop; `announce` gets one line when all are ready.

        Raises:
            SetupFault: an address is taken, or a worker does not start at all.
        """
        self._journal = JsonJournal()
        acts = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGHUP: self.reload,
            signal.SIGUSR2: self.roll,
        }
        with contextlib.closing(self._journal), contextlib.ExitStack() as listening:
            self._listen(listening)
            self._release = listening.close
            with heeded(acts):
                await self._serve(announce)
        if self._fault is not None:
            raise self._fault

    # What it can be told

    def stop(self) -> None:
        """Have all workers drain, and end with them; called again, have them hurry."""
        if self._stopping.is_set():
            self._hurry()
            return
        self._stopping.set()
        self._release()  # a listener is open for as long as anybody has it
        for post in self._posts:
            post.worker = rule.stopped(post.worker)
        self._tell("drain")

    def reload(self) -> None:
        """Have all workers read the policy files again."""
        self._tell("reload")

    def roll(self) -> None:
        """Replace the workers one after another, each once a new process is ready; while that goes on, nothing more."""
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.ensure_future(self._roll())

    def _hurry(self) -> None:
        if not self._is_hurrying:
            self._is_hurrying = True
            asyncio.get_running_loop().call_later(self._patience, self._kill)
        self._tell("hurry")

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _tell(self, word: Word) -> None:
        for process in self._processes:
            process.say(word)

    # Life

    def _listen(self, listening: contextlib.ExitStack) -> None:
        settings = self._settings
        self._applications = listening.enter_context(bind(settings.host, settings.port))
        for index in range(self._count):
            port = settings.admin_port and settings.admin_port + index
            operations = listening.enter_context(bind(settings.admin_host, port))
            self._posts.append(_Post(index, operations, _url(operations)))

    async def _serve(self, announce: Callable[[str], None]) -> None:
        """Start the first worker alone, so that what keeps all of them from starting is said once; then the others."""
        lives = []
        for posts in (self._posts[:1], self._posts[1:]):
            if not self._stopping.is_set():
                lives += [asyncio.ensure_future(self._keep(post)) for post in posts]
                await asyncio.gather(*(post.settled.wait() for post in posts))
        if not self._stopping.is_set():
            announce(f"{self._posts[0].said}, {self._count} workers")
        await asyncio.gather(*lives)
        if self._rolling is not None:
            await self._rolling
        await asyncio.gather(*self._watching)

    async def _keep(self, post: _Post) -> None:
        """One worker's life: its processes, one after another, until it is over."""
        while not self._stopping.is_set():
            clean, how = await self._live(post)
            post.worker = rule.ended(post.worker, time.monotonic(), clean=clean)
            if post.worker.state == "given_up":
                self._fault = SetupFault(f"worker {post.index} does not start: {how}")
                self.stop()
            elif post.worker.state == "again":
                post.lost_at = post.lost_at or time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), post.worker.delay)
        post.settled.set()

    async def _live(self, post: _Post) -> tuple[bool, str]:
        """Have a process in a post until it, or the one that has replaced it, ends; say whether it drained, and how."""
        try:
            process = post.process = await self._started(post)
        except SetupFault as fault:
            self._journal.event("worker_not_started", level="error", worker=post.index, message=fault.message)
            return False, fault.message
        if (said := await process.ready()) is not None:
            self._take_ready(post, process, said)
        while True:
            end = await process.ended()
            if post.process is process:
                return end.code == 0, f"it ended with {end}; what it said is above"
            process = post.process

    def _take_ready(self, post: _Post, process: WorkerProcess, said: str) -> None:
        now = time.monotonic()
        post.worker, post.said = rule.ready(post.worker, now), said
        post.settled.set()
        if post.lost_at is not None:
            away = round(now - post.lost_at, 3)
            self._journal.event("worker_restarted", worker=post.index, pid=process.pid, away_seconds=away)
            post.lost_at = None

    async def _started(self, post: _Post) -> WorkerProcess:
        urls = [each.url for each in self._posts]
        place = partial(WorkerPlace, post.index, urls, self._applications, post.operations)
        process = await WorkerProcess.start(self._program, place)
        self._processes.add(process)
        self._journal.event("worker_started", worker=post.index, pid=process.pid, operations=post.url)
        watching = asyncio.ensure_future(self._watch(post, process))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        if self._stopping.is_set():
            process.say("drain")
        return process

    async def _watch(self, post: _Post, process: WorkerProcess) -> None:
        """Tell of a process's end, whether or not it is its worker's."""
        end = await process.ended()
        self._processes.discard(process)
        expected = end.code == 0 or self._stopping.is_set()
        level = "info" if expected else "error"
        self._journal.event("worker_ended", level=level, worker=post.index, pid=process.pid, **end.facts)

    async def _roll(self) -> None:
        for post in self._posts:
            if post.worker.state != "ready":  # it is being started anew anyway
                continue
            if not await self._replace(post):
                if not self._stopping.is_set():
                    self._journal.event("workers_not_replaced", level="error", worker=post.index)
                return
        self._journal.event("workers_replaced")

    async def _replace(self, post: _Post) -> bool:
        """Put a new process, maybe of a newer Pinion, in place of one that then drains; say whether it serves."""
        try:
            process = await self._started(post)
        except SetupFault:
            return False
        if (said := await process.ready()) is None:
            return False
        former = post.process
        if post.worker.state != "ready" or former is None:  # it died meanwhile, and is being started anew
            process.say("drain")
            return False
        post.process = process
        self._take_ready(post, process, said)
        former.say("retire")
        await former.ended()
        return True


def _url(operations: socket.socket) -> str:
    host, port = operations.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
