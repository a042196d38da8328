"""The native transport: the contract of every transport, on both event loops, and what is its own."""

import asyncio
import re
import socket
import threading
from contextlib import suppress

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.upstream_native import NativeUpstream
from tests.adapters.exhaustion import no_descriptors
from tests.adapters.upstream_contract import UpstreamContract
from tests.adapters.upstream_peer import (
    PATIENCE,
    SHORT,
    Line,
    Listener,
    answers,
    call,
    connections,
    is_silent,
    peer_of,
    request_to,
    says,
    wait_for,
)
from tests.wire.answers import answers as valid
from tests.wire.answers import cuts, mutated, pieces_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    """Each test runs on both loops: their transports differ in what they bear."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def upstream():
    """A transport without connections, closed after the test."""
    transport = NativeUpstream()
    yield transport
    await transport.aclose()


class TestContract(UpstreamContract):
    """Everything that a transport must do."""


async def test_what_comes_at_once_is_told_at_once(upstream):
    """The chunks of one reading are one piece of data: a client sees no difference, and the relay is asked once."""
    chunks = b"".join(b"3\r\n%03d\r\n" % n for n in range(100)) + b"0\r\n\r\n"
    async with peer_of(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)) as peer:
        listener = await call(upstream, peer.url)
    assert ["head", "data", "end"] == listener.kinds
    assert b"".join(b"%03d" % n for n in range(100)) == listener.body


@pytest.mark.parametrize("surplus", [b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"surplus"])
async def test_bytes_after_an_answer_are_nobodys(upstream, surplus):
    """What follows an answer was not asked for: the next call does not take it for its own, on a new connection."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(SHORT + surplus)
        await line.gone()

    async with peer_of(script) as peer:
        assert ["head", "data", "end"] == (await call(upstream, peer.url)).kinds
        peer.script = answers
        assert ["head", "data", "end"] == (await call(upstream, peer.url)).kinds
    assert [b"{}"] * 2 == [seen.body for seen in peer.requests]
    assert 2 == len(peer.lines)


async def test_bytes_on_an_idle_connection_close_it(upstream):
    """A provider that speaks without being asked is not trusted with the next call."""
    spoken = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.say(SHORT)
        await spoken.wait()
        await line.say(SHORT)
        await line.gone()

    async with peer_of(script) as peer:
        await call(upstream, peer.url)
        spoken.set()
        await wait_for(lambda: connections(upstream) == (0, 0))


async def test_who_waited_longest_is_served_first(upstream):
    """With every connection taken calls wait in order; one that is given up loses its place to the next."""
    free = asyncio.Event()
    order = []

    async def script(line: Line) -> None:
        await free.wait()
        while True:
            order.append((await line.request()).body)
            await line.say(SHORT)

    async with peer_of(script) as peer:
        listeners = [Listener() for _ in range(4)]
        calls = [
            upstream.send(request_to(peer.url, b"%d" % n, max_connections=1), listener)
            for n, listener in enumerate(listeners)
        ]
        calls[1].cancel()
        free.set()
        for n in (0, 2, 3):
            await listeners[n].over()
    assert [b"0", b"2", b"3"] == order
    assert [] == listeners[1].heard


async def test_room_left_by_a_failed_connection_goes_to_who_waits(upstream):
    """When the only connection breaks, the call that waits for it opens its own."""
    async with peer_of(says(b"")) as peer:
        first, second = Listener(), Listener()
        upstream.send(request_to(peer.url, max_connections=1), first)
        upstream.send(request_to(peer.url, max_connections=1), second)
        peer.script = says(b"")
        await first.over()
        await second.over()
    assert [("failed", "protocol")] == first.heard == second.heard
    assert 2 == len(peer.lines)


async def test_a_connection_that_was_opened_in_vain_is_kept(upstream):
    """A call given up while its connection was opened leaves it to the next."""
    async with peer_of(answers) as peer:
        upstream.send(request_to(peer.url), Listener()).cancel()
        await wait_for(lambda: connections(upstream) == (1, 1))
        assert b"{}" == (await call(upstream, peer.url)).body
        assert 1 == len(peer.lines)


async def test_closing_ends_the_wait_for_a_connection(upstream):
    """Calls that wait, or whose connection is being opened, hear nothing more."""
    async with peer_of(is_silent) as peer:
        listeners = [Listener() for _ in range(3)]
        for listener in listeners:
            upstream.send(request_to(peer.url, max_connections=1), listener)
        await upstream.aclose()
        assert [[], [], []] == [listener.heard for listener in listeners]
        assert (0, 0) == connections(upstream)


async def test_a_provider_that_hangs_up_at_once(upstream):
    """An end that comes before the call was sent is a failure, and takes no connection's place with it."""
    times = 100

    def hang_up() -> None:
        with suppress(TimeoutError):
            for _ in range(times):
                listening.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        thread = threading.Thread(target=hang_up)
        thread.start()
        for _ in range(times):
            listener = await call(upstream, f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
            assert [("failed", "protocol")] == listener.heard
        thread.join()
    await wait_for(lambda: connections(upstream) == (0, 0))


async def test_a_provider_that_comes_back_keeps_its_connections(upstream):
    """A reload takes it away and the next one brings it back, while a call is under way: its connections are kept."""
    answer_now = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await answer_now.wait()
        await line.say(SHORT)
        await answers(line)

    async with peer_of(script) as peer:
        request, listener = request_to(peer.url), Listener()
        upstream.send(request, listener)
        await wait_for(lambda: len(peer.requests) == 1)
        upstream.retire([])
        upstream.retire([request.provider])
        answer_now.set()
        await listener.over()
        assert b"{}" == (await call(upstream, peer.url)).body
        assert 1 == len(peer.lines)
        assert (1, 1) == connections(upstream)


async def test_idle_connections_make_way_where_descriptors_are_lacking(upstream):
    """Those to other providers, too: what is kept for later would keep others from being asked now."""
    async with peer_of(answers) as one, peer_of(answers) as other:
        await call(upstream, one.url)
        assert (1, 1) == upstream.connections
        with no_descriptors():
            assert [("failed", "local")] == (await call(upstream, other.url)).heard
        assert (0, 0) == upstream.connections
        for peer in (one, other):
            assert b"{}" == (await call(upstream, peer.url)).body


async def test_one_provider_object_is_known_again(upstream):
    """Snapshots share their providers, so most calls find their pool without comparing; an equal one finds it too."""
    async with peer_of(answers) as peer:
        request = request_to(peer.url)
        for each in (request, request, request_to(peer.url)):
            listener = Listener()
            upstream.send(each, listener)
            assert b"{}" == (await listener.over()).body
        assert 1 == len(peer.lines)


async def test_a_fault_that_is_known_at_once_is_not_told_to_who_has_left(upstream):
    """A call that cannot be sent, or goes nowhere, and is given up in the same turn hears nothing."""
    unsendable, nowhere = request_to("http://localhost:1/v1"), request_to("gopher://localhost")
    unsendable.headers.append((b"x", b"a\nb"))
    listener = Listener()
    for request in (unsendable, nowhere):
        upstream.send(request, listener).cancel()
    sent = Listener()
    upstream.send(unsendable, sent)
    await sent.over()
    assert [] == listener.heard


async def hears(pieces: list[bytes], *, kept: bool, ending: str) -> None:
    """Say these pieces to a call, on a kept connection or a new one, then end it: all that is heard is in order."""
    upstream = NativeUpstream()

    async def script(line: Line) -> None:
        if line.number:
            await answers(line)
        if kept:
            await line.request()
            await line.say(SHORT)
        await line.request()
        for piece in pieces:
            await line.say(piece)
            await asyncio.sleep(0)
        if ending == "reset":
            line.reset()

    async with peer_of(script) as peer:
        if kept:
            assert ["head", "data", "end"] == (await call(upstream, peer.url)).kinds
        listener = await call(upstream, peer.url)
        assert re.fullmatch("failed |head (data )*(end|failed) ", "".join(f"{kind} " for kind in listener.kinds))
        assert b"" not in [value for what, value in listener.heard if what == "data"]
        await wait_for(lambda: connections(upstream) == (len(peer.lines) - 1,) * 2)
        heard = list(listener.heard)
        for _ in range(2):
            assert ["head", "data", "end"] == (await call(upstream, peer.url)).kinds
        assert (1, 1) == connections(upstream)
        assert heard == listener.heard
        await upstream.aclose()


said = st.one_of(valid().map(lambda each: each.raw), mutated())


@pytest.mark.untraced
def test_whatever_a_provider_says(anyio_backend):
    """Damaged and cut answers over a real connection: one end for each call, and the pool is whole after it."""
    loop = uvloop.new_event_loop if anyio_backend[1]["use_uvloop"] else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop) as runner:

        @given(said, cuts, st.booleans(), st.sampled_from(["close", "reset"]))
        @settings(max_examples=100)
        def is_heard_in_order(raw, cuts, kept, ending):
            runner.run(hears(pieces_of(raw, cuts), kept=kept, ending=ending))

        is_heard_in_order()
