"""The connections of one way: who gets which, who waits for how long, and what becomes of those that nobody uses."""

import asyncio
import errno
import ssl
from collections.abc import Callable

import pytest

from gateway.adapters.upstream_line import Line
from gateway.adapters.upstream_pool import KEEP_ALIVE, POOL_WAIT, SWEEP, Pool
from gateway.adapters.upstream_way import Way
from gateway.core.errors import UpstreamFault
from gateway.core.provider import Provider, Timeouts
from tests.adapters.fake_wire import Wire

pytestmark = pytest.mark.anyio


class Attempt:
    """One try to open a connection, which the test lets succeed or fail."""

    def __init__(self, address: tuple[str, int], tls: ssl.SSLContext | None, name: str | None) -> None:
        self.address = address
        self.tls = tls
        self.name = name
        self.wire = Wire()
        self.before_it_goes_on: Callable[[Line], None] = lambda _: None
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self, before_it_goes_on: Callable[[Line], None] = lambda _: None) -> None:
        """Let the connection stand; what happens on it before the one who opened it goes on may be given."""
        self.before_it_goes_on = before_it_goes_on
        self.outcome.set_result(None)


class Loop(asyncio.SelectorEventLoop):
    """asyncio's event loop with connections to nobody, and a clock that stands until a test puts it ahead."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__()
        self.attempts: list[Attempt] = []

    def time(self) -> float:
        return self.now

    async def create_connection(self, protocol_factory, host, port, *, ssl, server_hostname):
        attempt = Attempt((host, port), ssl, server_hostname)
        self.attempts.append(attempt)
        await attempt.outcome
        line = protocol_factory()
        line.connection_made(attempt.wire)
        attempt.before_it_goes_on(line)
        return attempt.wire, line


class Caller:
    """Port `Caller`: keeps the connection or the fault that it gets."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.is_over = False
        self.line: Line | None = None
        self.fault: UpstreamFault | None = None

    def begin(self, line: Line) -> None:
        assert self.line is None
        assert not self.is_over
        self.line = line

    def fail(self, fault: UpstreamFault) -> None:
        assert self.fault is None
        assert not self.is_over
        self.fault = fault


class Scene:
    """A pool of at most two connections, and those who ask it."""

    def __init__(self, loop: Loop, *, is_retired: bool = False, **provider) -> None:
        fields = {"max_connections": 2, "timeouts": Timeouts(connect=5.0), **provider}
        self.loop = loop
        self.provider = Provider("acme", "openai", fields.pop("base_url", "http://acme.test/v1"), **fields)
        self.emptied: list[Pool] = []
        self.spared = asyncio.Event()
        self.pool = Pool(Way.to(self.provider), self.emptied.append, self.spared.set, is_retired=is_retired)

    def ask(self) -> Caller:
        """Ask for a connection."""
        caller = Caller(self.provider)
        self.pool.place(caller)
        return caller

    async def served(self) -> Caller:
        """Ask for a connection, and have it opened if there is none idle."""
        caller = self.ask()
        if caller.line is None:
            await until(lambda: any(not attempt.outcome.done() for attempt in self.loop.attempts))
            self.loop.attempts[-1].succeed()
            await until(lambda: caller.line is not None)
        return caller

    @property
    def state(self) -> tuple[int, int]:
        """How many connections there are, and how many are idle."""
        return self.pool.size, self.pool.idle


@pytest.fixture
def anyio_backend():
    """The tests run on a loop of their own."""
    return "asyncio", {"loop_factory": Loop}


@pytest.fixture
async def scene():
    """A pool of at most two connections, closed after the test."""
    made = Scene(asyncio.get_running_loop())
    yield made
    await made.pool.aclose()


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds; what happens here takes it a few turns."""
    for _ in range(20):
        if reached():
            return
        await asyncio.sleep(0)
    assert reached()


async def settled() -> None:
    """Let everything happen that can happen now."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("base_url", "address", "name"),
    [
        ("http://acme.test/v1", ("acme.test", 80), None),
        ("http://acme.test:8080", ("acme.test", 8080), None),
        ("http://[::1]:81/v1", ("::1", 81), None),
        ("https://acme.test/v1", ("acme.test", 443), "acme.test"),
        ("HTTPS://user:pass@Acme.Test:8443", ("acme.test", 8443), "acme.test"),
    ],
)
async def test_where_connections_go(base_url, address, name):
    """To the host and port of the base URL; with TLS for https, which checks that the host has that name."""
    scene = Scene(asyncio.get_running_loop(), base_url=base_url)
    scene.ask()
    await until(lambda: scene.loop.attempts)
    (attempt,) = scene.loop.attempts
    assert (address, name) == (attempt.address, attempt.name)
    assert (name is None) == (attempt.tls is None)
    assert name is None or attempt.tls.check_hostname
    await scene.pool.aclose()


@pytest.mark.parametrize(
    "base_url", ["ftp://acme.test", "acme.test/v1", "http://", "http:///v1", "", "http://acme.test:port", "http://[x"]
)
async def test_a_base_url_that_http_cannot_reach(base_url):
    """It is refused when the pool is made."""
    with pytest.raises(ValueError):  # noqa: PT011  the words are in part Python's own
        Scene(asyncio.get_running_loop(), base_url=base_url)


async def test_the_connection_used_last_is_used_next(scene):
    """So those that are not needed grow old and go."""
    first, second = await scene.served(), await scene.served()
    scene.pool.freed(first.line)
    scene.pool.freed(second.line)
    assert (2, 2) == scene.state
    assert second.line is scene.ask().line
    assert first.line is scene.ask().line
    assert (2, 0) == scene.state
    assert 2 == len(scene.loop.attempts)


async def test_an_idle_connection_that_ended_is_passed_over(scene):
    """The event loop may know of an end before it has told of it."""
    first, second = await scene.served(), await scene.served()
    scene.pool.freed(first.line)
    scene.pool.freed(second.line)
    scene.loop.attempts[1].wire.is_ending = True
    assert first.line is scene.ask().line
    assert (1, 0) == scene.state


async def test_an_old_connection_is_not_used(scene):
    """After its time a provider's load balancer may have forgotten it."""
    first = await scene.served()
    scene.pool.freed(first.line)
    scene.loop.now += KEEP_ALIVE - 1
    assert first.line is scene.ask().line
    scene.pool.freed(first.line)
    first.line.idle_since -= KEEP_ALIVE
    later = await scene.served()
    assert first.line is not later.line
    assert not first.line.is_open
    assert (1, 0) == scene.state


async def test_who_finds_none_free_waits_in_order(scene):
    """First come, first served; who has given up loses its place to the next."""
    first, second = await scene.served(), await scene.served()
    third, given_up, fourth = scene.ask(), scene.ask(), scene.ask()
    given_up.is_over = True
    scene.pool.freed(second.line)
    assert second.line is third.line
    scene.pool.freed(first.line)
    assert first.line is fourth.line
    assert (2, 0) == scene.state
    assert 2 == len(scene.loop.attempts)


async def test_who_waits_takes_the_room_of_a_connection_that_is_gone(scene):
    """It opens its own, while there are fewer than the limit."""
    first, _ = await scene.served(), await scene.served()
    third, fourth = scene.ask(), scene.ask()
    first.line.drop()
    await until(lambda: len(scene.loop.attempts) == 3)
    assert (2, 0) == scene.state
    scene.loop.attempts[2].succeed()
    await until(lambda: third.line is not None)
    assert fourth.line is None


async def test_nobody_waits_for_longer_than_the_limit(scene):
    """A call that found no connection in time hears which limit to raise; those behind it wait their own time."""
    await scene.served(), await scene.served()
    early, given_up = scene.ask(), scene.ask()
    given_up.is_over = True
    scene.loop.now += POOL_WAIT / 2
    late = scene.ask()
    scene.loop.now += POOL_WAIT / 2
    await until(lambda: early.fault is not None)
    assert "pool" == early.fault.kind
    assert "all 2 connections to provider acme" in early.fault.message
    assert "max_connections" in early.fault.message
    await settled()
    assert late.fault is None
    scene.loop.now += POOL_WAIT / 2
    await until(lambda: late.fault is not None)


async def test_the_wait_begins_when_the_call_was_made(scene):
    """Who asks after the queue was empty once waits its own time too."""
    first, _ = await scene.served(), await scene.served()
    early = scene.ask()
    scene.pool.freed(first.line)
    assert first.line is early.line
    scene.loop.now += POOL_WAIT / 2
    late = scene.ask()
    scene.loop.now += POOL_WAIT * 0.75
    await settled()
    assert late.fault is None
    scene.loop.now += POOL_WAIT * 0.25
    await until(lambda: late.fault is not None)


async def test_only_those_who_gave_up_wait(scene):
    """Nobody is told anything."""
    await scene.served(), await scene.served()
    scene.ask().is_over = True
    scene.loop.now += POOL_WAIT
    await settled()
    assert (2, 0) == scene.state


async def test_a_connection_that_cannot_be_opened(scene):
    """The call hears why, and who waits for its room gets it."""
    first, _, third = scene.ask(), scene.ask(), scene.ask()
    await until(lambda: len(scene.loop.attempts) == 2)
    scene.loop.attempts[0].outcome.set_exception(ConnectionRefusedError(111, "to ('10.0.0.7', 80)"))
    await until(lambda: first.fault is not None)
    assert "connect" == first.fault.kind
    assert "provider acme cannot be reached: Connection refused" == first.fault.message
    await until(lambda: len(scene.loop.attempts) == 3)
    assert (2, 0) == scene.state
    scene.loop.attempts[2].succeed()
    await until(lambda: third.line is not None)


async def test_what_the_machine_lacks_is_told(scene):
    """So that idle connections elsewhere can make way; the call hears that it is no fault of the provider."""
    caller = scene.ask()
    await until(lambda: scene.loop.attempts)
    assert not scene.spared.is_set()
    scene.loop.attempts[0].outcome.set_exception(OSError(errno.EMFILE, "Too many open files"))
    await until(lambda: caller.fault is not None)
    assert ("local", True) == (caller.fault.kind, scene.spared.is_set())


async def test_a_connection_that_takes_too_long(scene):
    """The provider's own limit holds."""
    caller = scene.ask()
    await until(lambda: scene.loop.attempts)
    scene.loop.now += 4.9
    await settled()
    assert caller.fault is None
    scene.loop.now += 0.2
    await until(lambda: caller.fault is not None)
    assert "provider acme cannot be reached: the connection attempt timed out" == caller.fault.message
    assert (0, 0) == scene.state


@pytest.mark.parametrize(
    "ends",
    [
        lambda line: line.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
        lambda line: line.eof_received(),
        lambda line: line.connection_lost(None),
        lambda line: line.connection_lost(ConnectionResetError()),
    ],
    ids=["data", "eof", "lost", "reset"],
)
async def test_a_connection_that_ends_before_its_call_begins(scene, ends):
    """TLS and uvloop may tell of bytes and ends before the one who opened it goes on: its place is free again."""
    callers = [scene.ask() for _ in range(3)]
    await until(lambda: len(scene.loop.attempts) == 2)
    for attempt in scene.loop.attempts:
        attempt.succeed(ends)
    await until(lambda: callers[0].fault is not None and callers[1].fault is not None)
    assert ["protocol"] * 2 == [caller.fault.kind for caller in callers[:2]]
    await until(lambda: len(scene.loop.attempts) == 3)
    scene.loop.attempts[2].succeed()
    await until(lambda: callers[2].line is not None)
    assert (1, 0) == scene.state


async def test_a_connection_that_is_ending_before_its_call_begins(scene):
    """The transport knows of the end and has not told of it: the connection is dropped, whatever it says later."""
    caller, lines = scene.ask(), []

    def ends(line: Line) -> None:
        lines.append(line)
        scene.loop.attempts[0].wire.is_ending = True

    await until(lambda: scene.loop.attempts)
    scene.loop.attempts[0].succeed(ends)
    await until(lambda: caller.fault is not None)
    lines[0].connection_lost(None)
    assert (0, 0) == scene.state


async def test_a_connection_opened_in_vain_goes_to_who_waits(scene):
    """A call given up while its connection was opened leaves it to the next, or to the pool."""
    callers = [scene.ask() for _ in range(3)]
    callers[0].is_over = callers[1].is_over = True
    await until(lambda: len(scene.loop.attempts) == 2)
    for attempt in scene.loop.attempts:
        attempt.succeed()
    await until(lambda: scene.pool.idle == 1)
    assert callers[2].line is not None
    assert (2, 1) == scene.state


async def test_old_connections_are_swept(scene):
    """Those that were idle for their time close within a sweep of it, and the younger ones later."""
    first, second = await scene.served(), await scene.served()
    scene.pool.freed(first.line)
    scene.loop.now += SWEEP
    await settled()
    scene.pool.freed(second.line)
    assert (2, 2) == scene.state
    scene.loop.now += KEEP_ALIVE - SWEEP
    await until(lambda: scene.state == (1, 1))
    assert not first.line.is_open
    assert second.line.is_open
    scene.loop.now += SWEEP
    await until(lambda: scene.state == (0, 0))
    assert [True, True] == [attempt.wire.is_aborted for attempt in scene.loop.attempts]


async def test_sweeps_begin_again(scene):
    """A pool that was swept empty sweeps again once there is something idle."""
    for _ in range(2):
        caller = await scene.served()
        scene.pool.freed(caller.line)
        scene.loop.now += KEEP_ALIVE
        await until(lambda: scene.state == (0, 0))


async def test_a_sweep_leaves_connections_in_use(scene):
    """Only idle ones grow old."""
    caller = await scene.served()
    scene.pool.freed(caller.line)
    assert caller.line is scene.ask().line
    scene.loop.now += KEEP_ALIVE * 2
    await settled()
    assert (1, 0) == scene.state
    assert caller.line.is_open


async def test_a_retired_pool_keeps_nothing(scene):
    """Idle connections close at once, those in use when they are free; then it is done."""
    idle, used = await scene.served(), await scene.served()
    scene.pool.freed(idle.line)
    scene.pool.retire()
    assert (1, 0) == scene.state
    assert [] == scene.emptied
    scene.pool.freed(used.line)
    assert (0, 0) == scene.state
    assert {scene.pool} == set(scene.emptied)


async def test_a_retired_pool_serves_who_waits(scene):
    """A call that waited when the pool was retired gets its connection; only then is the pool done."""
    first, second = await scene.served(), await scene.served()
    third, fourth = scene.ask(), scene.ask()
    scene.pool.retire()
    scene.pool.freed(first.line)
    assert first.line is third.line
    second.line.drop()
    await until(lambda: len(scene.loop.attempts) == 3)
    first.line.drop()
    assert [] == scene.emptied
    scene.loop.attempts[2].outcome.set_exception(OSError("no"))
    await until(lambda: fourth.fault is not None)
    await until(lambda: scene.emptied == [scene.pool])


async def test_a_retired_pool_may_be_asked():
    """It serves a call that comes late, and is done again after it."""
    scene = Scene(asyncio.get_running_loop(), is_retired=True)
    caller = await scene.served()
    assert [] == scene.emptied
    scene.pool.freed(caller.line)
    assert [scene.pool] == scene.emptied


async def test_a_pool_that_was_retired_may_be_kept_again(scene):
    """A reload may bring back what an earlier one took away, while calls are under way."""
    caller = await scene.served()
    scene.pool.retire()
    scene.pool.keep()
    scene.pool.freed(caller.line)
    assert (1, 1) == scene.state
    assert caller.line is scene.ask().line
    assert [] == scene.emptied


async def test_closing(scene):
    """Connections close, those that are being opened are given up, who waits hears nothing, no timer is left."""
    used = await scene.served()
    opening, waiting = scene.ask(), scene.ask()
    await until(lambda: len(scene.loop.attempts) == 2)
    scene.pool.freed(used.line)
    assert used.line is waiting.line
    waiting_still = scene.ask()
    await scene.pool.aclose()
    assert (0, 0) == scene.state
    assert scene.loop.attempts[0].wire.is_aborted
    assert scene.loop.attempts[1].outcome.cancelled()
    scene.loop.now += KEEP_ALIVE
    await settled()
    assert [None, None] == [opening.fault, waiting_still.fault]


async def test_closing_with_idle_connections(scene):
    """They close, and their sweep with them."""
    used = await scene.served()
    scene.pool.freed(used.line)
    await scene.pool.aclose()
    assert (0, 0) == scene.state
    scene.loop.now += KEEP_ALIVE
    await settled()
    assert (0, 0) == scene.state
