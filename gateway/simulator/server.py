"""Running the simulated provider: as a process of its own, or in a thread beside the tests that use it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from uvicorn.loops.auto import auto_loop_factory

from gateway.simulator.application import Simulator
from gateway.simulator.behaviour import Faults
from gateway.simulator.connection import Connection
from gateway.simulator.journal import Received

BACKLOG = 4096
START_TIMEOUT = 10.0


async def serve(simulator: Simulator, host: str, port: int, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then close every connection.

    `ready` is told the port, which `port` 0 leaves to the system.

    Raises:
        OSError: the address cannot be used.
    """
    connections: set[Connection] = set()
    numbers = count(1)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(simulator, connections, next(numbers)), host, port, backlog=BACKLOG
    )
    try:
        ready(server.sockets[0].getsockname()[1])
        await stop.wait()
    finally:
        server.close()
        for connection in tuple(connections):
            connection.abort()


def run(host: str, port: int, faults: Faults, seed: int, ready: Callable[[int], None]) -> None:
    """Serve in this thread until SIGTERM or SIGINT.

    Raises:
        OSError: the address cannot be used.
    """

    async def main() -> None:
        stop = asyncio.Event()
        for one in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(one, stop.set)
        await serve(Simulator(faults, seed), host, port, ready, stop)

    _run(main())


class Running:
    """A simulator in a thread of its own; every method may be called from any other thread."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop, host: str, port: int) -> None:
        self._simulator = simulator
        self._loop = loop
        self.port = port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def behave(self, **faults: Any) -> None:
        """Lay these keys over the faults that are set, for the requests that follow; None takes a key away.

        Raises:
            BehaviourError: a key is unknown or its value is not of its kind; nothing changes.
        """
        self._merge(faults)

    def behave_model(self, name: str, **faults: Any) -> None:
        """As `behave`, for the requests that name one upstream model."""
        self._merge({"models": {name: faults}})

    def requests(self) -> list[Received]:
        """The requests received, in order; an answer may still be under way."""
        return self._simulator.journal.requests()

    def settled(self, timeout: float = 5.0) -> list[Received]:
        """The requests received, once every answer is over.

        Raises:
            TimeoutError: an answer is still under way after `timeout` seconds.
        """
        return self.wait(lambda requests: all(one.finished is not None for one in requests), timeout)

    def wait(self, condition: Callable[[Sequence[Received]], bool], timeout: float = 5.0) -> list[Received]:
        """The requests received, once they meet the condition, which is asked again after each change.

        Raises:
            TimeoutError: they do not within `timeout` seconds.
        """
        return self._simulator.journal.wait(condition, timeout)

    def stats(self) -> dict[str, Any]:
        """The counters, as `/_simulator/stats` gives them."""
        return self._simulator.journal.stats()

    def clear(self) -> None:
        """Forget the requests and the counters."""
        self._simulator.journal.clear()

    def _merge(self, faults: Mapping[str, Any]) -> None:
        async def change() -> None:
            self._simulator.behave(self._simulator.faults.merged(faults))

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(START_TIMEOUT)


@contextmanager
def running(
    port: int = 0, behaviour: Mapping[str, Any] | None = None, *, seed: int = 0, host: str = "127.0.0.1"
) -> Iterator[Running]:
    """Run a simulator in a thread for the length of a `with` block; `behaviour` is a faults document.

    Raises:
        BehaviourError: the faults document cannot be used.
        OSError: the address cannot be used.
    """
    faults = Faults.read(dict(behaviour or {}))
    started = threading.Event()
    found: list[Running] = []
    stops: list[Callable[[], object]] = []
    problems: list[OSError] = []

    async def main() -> None:
        loop, stop, simulator = asyncio.get_running_loop(), asyncio.Event(), Simulator(faults, seed)

        def ready(bound: int) -> None:
            found.append(Running(simulator, loop, host, bound))
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            started.set()

        try:
            await serve(simulator, host, port, ready, stop)
        except OSError as error:
            problems.append(error)
            started.set()

    thread = threading.Thread(target=_run, args=(main(),), name="simulator", daemon=True)
    thread.start()
    started.wait(START_TIMEOUT)
    if problems:
        thread.join(START_TIMEOUT)
        raise problems[0]
    try:
        yield found[0]
    finally:
        stops[0]()
        thread.join(START_TIMEOUT)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the fastest event loop that is installed."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(main)
