"""What every implementation of the port `Upstream` must do: the tests, run once for each, and the provider they need.

A test module makes a class of `UpstreamContract` and gives it two fixtures: `upstream` with the transport under test,
and `certificate`, for localhost and trusted by no system.
"""

import asyncio
import gzip
import random
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from gateway.core.errors import UpstreamFault
from gateway.core.ports import Headers, UpstreamRequest
from gateway.core.provider import Provider, Timeouts

PATIENCE = 10.0
"""Seconds after which a condition that a test waits for is taken to fail."""

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"
)
HEAD_LENGTH = CHUNKED.index(b"\r\n\r\n") + 4
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Seen:
    """A request as the provider got it: its first line, its headers in order with names as sent, its body."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Line:
    """One connection at the provider. `number` counts connections from 0."""

    def __init__(self, peer: "Peer", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.peer = peer
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> Seen:
        """Read one request whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *rest = head[:-4].split(b"\r\n")
        seen = Seen(line, [(name, value.strip()) for name, _, value in (row.partition(b":") for row in rest)], b"")
        seen.body = await self.reader.readexactly(int(seen.header(b"content-length") or 0))
        self.peer.requests.append(seen)
        return seen

    async def say(self, data: bytes) -> None:
        """Send bytes, and wait until the connection takes more."""
        if self.writer.transport.is_closing():  # where asyncio passes it over, uvloop raises another error
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        plain: socket.socket = self.writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Line], Awaitable[None]]


@dataclass
class Peer:
    """A provider that follows a script on each connection."""

    script: Script
    scheme: str = "http"
    port: int = 0
    lines: list[Line] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://localhost:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script on a new connection, then close it."""
        line = Line(self, len(self.lines), reader, writer)
        self.lines.append(line)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.script(line)
        finally:
            writer.close()


@asynccontextmanager
async def peer_of(script: Script, **arguments) -> AsyncIterator[Peer]:
    """Run a provider on loopback; `arguments` (a TLS context, say) go to its listener."""
    peer = Peer(script, scheme="https" if "ssl" in arguments else "http")
    server = await asyncio.start_server(peer.serve, "localhost", 0, family=socket.AF_INET, **arguments)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for line in peer.lines:
            line.writer.transport.abort()


class Listener:
    """Keeps what it hears, as (`head`, status), (`data`, bytes), (`end`, None) and (`failed`, kind)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.headers: Headers = []
        self.fault: UpstreamFault | None = None
        self._news = asyncio.Event()

    def upstream_head(self, status: int, headers: Headers) -> None:
        self.headers = headers
        self._note("head", status)

    def upstream_data(self, data: bytes) -> None:
        self._note("data", data)

    def upstream_end(self) -> None:
        self._note("end", None)

    def upstream_failed(self, fault: UpstreamFault) -> None:
        self.fault = fault
        self._note("failed", fault.kind)

    def _note(self, what: str, value: object) -> None:
        self.heard.append((what, value))
        self._news.set()

    @property
    def kinds(self) -> list[str]:
        """What was heard, without the values."""
        return [what for what, _ in self.heard]

    @property
    def body(self) -> bytes:
        """The body so far."""
        return b"".join(value for what, value in self.heard if what == "data" and isinstance(value, bytes))

    @property
    def is_over(self) -> bool:
        """Whether an end or a failure was heard."""
        return self.kinds[-1:] in (["end"], ["failed"])

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until a condition holds that only news can change."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def over(self) -> "Listener":
        """Wait for the end or the failure."""
        await self.until(lambda: self.is_over)
        return self


def request_to(url: str, body: bytes = b"{}", **provider) -> UpstreamRequest:
    """A request to the provider at `url`; `provider` overrides fields of the provider."""
    fields = {"timeouts": Timeouts(connect=5.0), **provider}
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer sk-secret")]
    return UpstreamRequest(Provider("acme", "openai", url, **fields), f"{url}/chat?x=1", headers, body)


async def call(upstream, url: str, **arguments) -> Listener:
    """Make a call and wait until it is over."""
    listener = Listener()
    upstream.send(request_to(url, **arguments), listener)
    return await listener.over()


async def wait_for(reached: Callable[[], bool]) -> None:
    """Wait until a condition holds that no event announces."""
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.005)


def connections(upstream) -> tuple[int, int]:
    """How many connections a transport says it has, and how many of them are idle."""
    found = re.search(r"(\d+) connections, (\d+) of them idle", repr(upstream))
    assert found
    return int(found[1]), int(found[2])


async def answers(line: Line) -> None:
    """A script: answer every request shortly."""
    while True:
        await line.request()
        await line.say(SHORT)


async def is_silent(line: Line) -> None:
    """A script: take a request, answer nothing, wait for the other side to close."""
    await line.request()
    await line.gone()


def says(data: bytes) -> Script:
    """A script: answer one request with these bytes, then close."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(data)

    return script


class UpstreamContract:
    """The tests. The fixture `upstream` is a transport without connections, closed after the test."""

    async def call(self, upstream, url: str, **arguments) -> Listener:
        """Make a call and wait until it is over."""
        listener = Listener()
        upstream.send(request_to(url, **arguments), listener)
        return await listener.over()

    async def test_head_then_data_then_end(self, upstream):
        """The head comes once and first with lower-case names, the body in order, the end last."""
        async with peer_of(says(CHUNKED)) as peer:
            listener = await self.call(upstream, peer.url)
        assert ("head", 200) == listener.heard[0]
        assert ("end", None) == listener.heard[-1]
        assert {"data"} == set(listener.kinds[1:-1])
        assert b"onethree" == listener.body
        assert (b"content-type", b"text/event-stream") in listener.headers

    async def test_the_request_arrives_as_given(self, upstream):
        """POST with the target's path and query, the given headers, host, content-length and the body unchanged."""
        body = bytes(range(256)) * 500
        async with peer_of(answers) as peer:
            await self.call(upstream, peer.url, body=body)
        (seen,) = peer.requests
        assert b"POST /v1/chat?x=1 HTTP/1.1" == seen.line
        assert body == seen.body
        assert f"localhost:{peer.port}".encode() == seen.header(b"host")
        assert b"Bearer sk-secret" == seen.header(b"authorization")
        names = [b"authorization", b"content-length", b"content-type", b"host"]
        assert names == sorted(name.lower() for name, _ in seen.headers)

    async def test_nothing_is_heard_before_send_returns(self, upstream):
        """Also a failure that is known at once is told later."""
        listener = Listener()
        upstream.send(request_to("http://localhost:1/v1"), listener)
        assert [] == listener.heard
        await listener.over()

    async def test_a_call_may_begin_in_a_callback(self, upstream):
        """The exchange is driven by callbacks, where no task is running."""
        listener = Listener()
        async with peer_of(answers) as peer:
            asyncio.get_running_loop().call_soon(upstream.send, request_to(peer.url), listener)
            await listener.over()
        assert b"{}" == listener.body

    async def test_an_empty_body_has_a_head_and_an_end(self, upstream):
        """An answer without a body has no data at all."""
        async with peer_of(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as peer:
            listener = await self.call(upstream, peer.url)
        assert [("head", 204), ("end", None)] == listener.heard

    async def test_connections_are_kept(self, upstream):
        """Calls one after another use one connection."""
        async with peer_of(answers) as peer:
            for _ in range(5):
                assert b"{}" == (await self.call(upstream, peer.url)).body
        assert 1 == len(peer.lines)
        assert 5 == len(peer.requests)

    async def test_connection_close_is_heeded(self, upstream):
        """A connection that the provider says it closes is not used again."""
        data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
        async with peer_of(says(data)) as peer:
            for _ in range(3):
                assert ["head", "data", "end"] == (await self.call(upstream, peer.url)).kinds
        assert 3 == len(peer.lines)

    async def test_a_body_may_end_with_the_connection(self, upstream):
        """Without a length or chunks, the close is the proper end."""
        async with peer_of(says(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as peer:
            listener = await self.call(upstream, peer.url)
        assert b"all of it" == listener.body
        assert "end" == listener.kinds[-1]

    async def test_informational_heads_are_passed_over(self, upstream):
        """100 and 103 are not the answer."""
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        async with peer_of(says(early + CHUNKED)) as peer:
            listener = await self.call(upstream, peer.url)
        assert ("head", 200) == listener.heard[0]
        assert b"onethree" == listener.body

    async def test_redirects_are_answers(self, upstream):
        """A redirect is passed on, never followed."""
        data = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        async with peer_of(says(data)) as peer:
            listener = await self.call(upstream, peer.url)
        assert [("head", 307), ("end", None)] == listener.heard
        assert 1 == len(peer.requests)

    async def test_cookies_are_not_kept(self, upstream):
        """What one answer sets is not sent with the next request."""

        async def script(line: Line) -> None:
            while True:
                await line.request()
                await line.say(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

        async with peer_of(script) as peer:
            await self.call(upstream, peer.url)
            await self.call(upstream, peer.url)
        assert [None, None] == [seen.header(b"cookie") for seen in peer.requests]

    async def test_compressed_bodies_stay_compressed(self, upstream):
        """The bytes are those of the wire."""
        packed = gzip.compress(b"hello")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        async with peer_of(says(head + packed)) as peer:
            assert packed == (await self.call(upstream, peer.url)).body

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_every_cut_of_a_chunked_answer_is_told(self, upstream, ending):
        """Cut after any byte: one failure comes last, `protocol` before the head is whole and `cut` after it."""

        async def script(line: Line) -> None:
            length = int((await line.request()).body)
            await line.say(CHUNKED[:length])
            if ending == "reset":
                line.reset()

        async with peer_of(script) as peer:
            for length in range(len(CHUNKED)):
                listener = await self.call(upstream, peer.url, body=b"%d" % length)
                assert "end" not in listener.kinds
                assert 1 == listener.kinds.count("failed")
                if length < HEAD_LENGTH:
                    assert [("failed", "protocol")] == listener.heard
                elif ending == "close":
                    assert ("head", 200) == listener.heard[0]
                    assert ("failed", "cut") == listener.heard[-1]
                assert b"onethree".startswith(listener.body)
        assert len(CHUNKED) == len(peer.requests)

    async def test_a_body_shorter_than_its_length_is_cut(self, upstream):
        """An answer that ends before its Content-Length has failed."""
        async with peer_of(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as peer:
            listener = await self.call(upstream, peer.url)
        assert b"half" == listener.body
        assert ("failed", "cut") == listener.heard[-1]

    @pytest.mark.parametrize(
        "data",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"HTTP/1.1 two hundred\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"\x16\x03\x01\x00\x02\x02\x46\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000,
        ],
    )
    async def test_what_is_not_http_is_a_protocol_fault(self, upstream, data):
        """Other protocols, broken heads and endless ones are told from an answer."""
        async with peer_of(says(data)) as peer:
            assert [("failed", "protocol")] == (await self.call(upstream, peer.url)).heard

    async def test_broken_chunks_are_a_cut(self, upstream):
        """A chunk without a readable length ends the answer."""
        async with peer_of(says(CHUNKED[:HEAD_LENGTH] + b"nonsense\r\n")) as peer:
            assert [("head", 200), ("failed", "cut")] == (await self.call(upstream, peer.url)).heard

    async def test_refused(self, upstream):
        """A port where nobody listens is a connect fault that names the provider and not the credential."""
        with socket.socket() as unused:
            unused.bind(("localhost", 0))
            listener = await self.call(upstream, f"http://localhost:{unused.getsockname()[1]}/v1")
        assert [("failed", "connect")] == listener.heard
        assert "acme" in listener.fault.message
        assert "secret" not in listener.fault.message

    async def test_a_black_hole_is_given_up(self, upstream):
        """A host that answers no connection attempt is a connect fault after the provider's connect timeout."""
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
            listener = await self.call(upstream, url, timeouts=Timeouts(connect=0.2))
        assert [("failed", "connect")] == listener.heard

    async def test_an_unknown_name_is_a_connect_fault(self, upstream):
        """A host name that does not resolve, or is none, cannot be reached."""
        for host in ("nowhere.invalid", "a..b", "x" * 70 + ".invalid"):
            assert [("failed", "connect")] == (await self.call(upstream, f"http://{host}/v1")).heard

    async def test_an_unsendable_header_is_told_without_its_value(self, upstream):
        """A header with a line break is refused before anything is sent, and its value is in no message."""
        async with peer_of(answers) as peer:
            request = request_to(peer.url)
            request.headers.append((b"x-api-key", b"sk-secret\r\nx: y"))
            listener = Listener()
            upstream.send(request, listener)
            await listener.over()
            assert [("failed", "protocol")] == listener.heard
            assert "secret" not in listener.fault.message
            assert b"{}" == (await self.call(upstream, peer.url)).body
        assert 1 == len(peer.requests)

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_a_stale_connection_is_replaced_once(self, upstream, ending):
        """A kept connection that dies without a byte of an answer: the request is sent again on a fresh one."""

        async def script(line: Line) -> None:
            await line.request()
            if line.number != 1:
                await line.say(SHORT)
                await line.request()
            if ending == "reset":
                line.reset()

        async def good_later(line: Line) -> None:
            await (answers(line) if line.number else script(line))

        async with peer_of(good_later) as peer:
            assert b"{}" == (await self.call(upstream, peer.url)).body
            assert b"{}" == (await self.call(upstream, peer.url, body=b"again")).body
            assert [b"{}", b"again", b"again"] == [seen.body for seen in peer.requests]
        async with peer_of(script) as peer:
            assert b"{}" == (await self.call(upstream, peer.url)).body
            assert [("failed", "protocol")] == (await self.call(upstream, peer.url, body=b"again")).heard
            assert [b"{}", b"again", b"again"] == [seen.body for seen in peer.requests]

    async def test_a_kept_connection_that_began_to_answer_is_not_retried(self, upstream):
        """One byte of an answer is enough: the provider has worked, so a second sending could charge twice."""

        async def script(line: Line) -> None:
            await line.request()
            await line.say(SHORT)
            await line.request()
            await line.say(b"H")

        async with peer_of(script) as peer:
            await self.call(upstream, peer.url)
            assert [("failed", "protocol")] == (await self.call(upstream, peer.url)).heard
        assert 2 == len(peer.requests)

    async def test_a_fresh_connection_is_not_retried(self, upstream):
        """A provider that hangs up on a new connection has refused the request."""
        async with peer_of(says(b"")) as peer:
            assert [("failed", "protocol")] == (await self.call(upstream, peer.url)).heard
        assert 1 == len(peer.requests)

    async def test_a_kept_connection_that_was_closed_while_idle_is_not_used(self, upstream):
        """The provider closed in between: the next call connects anew and nothing is sent twice."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(SHORT)
            line.writer.close()
            await line.writer.wait_closed()
            closed.set()

        async with peer_of(script) as peer:
            await self.call(upstream, peer.url)
            await closed.wait()
            assert b"{}" == (await self.call(upstream, peer.url)).body
        assert 2 == len(peer.requests)

    async def test_no_free_connection_is_a_pool_fault(self, upstream):
        """With every connection taken the call fails soon, and works again once one is free."""
        async with peer_of(is_silent) as peer:
            waiting = Listener()
            holder = upstream.send(request_to(peer.url, max_connections=1), waiting)
            await wait_for(lambda: len(peer.requests) == 1)
            listener = await self.call(upstream, peer.url, max_connections=1)
            assert [("failed", "pool")] == listener.heard
            assert "acme" in listener.fault.message
            holder.cancel()
            peer.script = answers
            assert b"{}" == (await self.call(upstream, peer.url, max_connections=1)).body
        assert [] == waiting.heard

    async def test_a_paused_call_stalls_the_provider(self, upstream):
        """While paused nothing is read, so the provider's sending blocks; after resume all of it arrives."""
        total, sent = 64, 0
        piece = b"x" * 262_144

        async def script(line: Line) -> None:
            nonlocal sent
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (total * len(piece)))
            for sent in range(1, total + 1):  # noqa: B007  the test reads how far it came
                await line.say(piece)

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            call.pause()
            await listener.until(lambda: "head" in listener.kinds)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < total
            heard = len(listener.heard)
            assert heard <= 2
            call.resume()
            call.pause()
            call.resume()
            await listener.over()
        assert total * len(piece) == len(listener.body)
        assert "end" == listener.kinds[-1]

    async def test_cancel_before_the_head_closes_the_connection(self, upstream):
        """A call given up while the provider thinks: its connection closes, the listener hears nothing."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await is_silent(line)
            closed.set()

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            await wait_for(lambda: len(peer.requests) == 1)
            call.cancel()
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert [] == listener.heard

    @pytest.mark.parametrize("paused", [False, True])
    async def test_cancel_within_the_body_closes_the_connection(self, upstream, paused):
        """A call given up in mid-stream, paused or not: its connection closes, the listener hears nothing more."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED[: HEAD_LENGTH + 8])
            await line.gone()
            closed.set()

        async with peer_of(script) as peer:
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            await listener.until(lambda: b"one" == listener.body)
            if paused:
                call.pause()
            call.cancel()
            call.cancel()
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert ["head", "data"] == listener.kinds

    @pytest.mark.parametrize("moment", ["head", "data"])
    async def test_cancel_from_within_the_listener(self, upstream, moment):
        """A listener may give the call up while it hears of it; that is the last it hears."""

        class GivesUp(Listener):
            def _note(self, what: str, value: object) -> None:
                super()._note(what, value)
                if what == moment:
                    call.cancel()

        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED[:-5])
            await line.gone()
            closed.set()

        async with peer_of(script) as peer:
            listener = GivesUp()
            call = upstream.send(request_to(peer.url), listener)
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert moment == listener.kinds[-1]

    async def test_cancel_at_once_and_after_the_end(self, upstream):
        """A call may be given up before it ran, and giving up one that is over changes nothing."""
        async with peer_of(answers) as peer:
            unheard = Listener()
            upstream.send(request_to(peer.url), unheard).cancel()
            listener = Listener()
            call = upstream.send(request_to(peer.url), listener)
            await listener.over()
            call.cancel()
            call.pause()
            call.resume()
            assert b"{}" == (await self.call(upstream, peer.url)).body
        assert [] == unheard.heard
        assert ["head", "data", "end"] == listener.kinds

    async def test_ten_thousand_cancelled_calls_leave_the_pool_whole(self, upstream):
        """Calls given up at random moments, far more at a time than connections: none takes its place with it."""
        chance = random.Random(7)

        async def script(line: Line) -> None:
            while True:
                await line.request()
                await asyncio.sleep(chance.random() * 0.003)
                await line.say(CHUNKED[:-5])
                await asyncio.sleep(chance.random() * 0.003)
                await line.say(CHUNKED[-5:])

        async def give_up(url: str) -> None:
            listener = Listener()
            under_way = upstream.send(request_to(url, max_connections=10), listener)
            await asyncio.sleep(chance.random() * 0.02)
            under_way.cancel()

        async with peer_of(script) as peer:
            for _ in range(100):
                await asyncio.gather(*(give_up(peer.url) for _ in range(100)))
            await wait_for(lambda: len(set(connections(upstream))) == 1)
            peer.script = answers
            for _ in range(20):
                assert "end" == (await self.call(upstream, peer.url, max_connections=10)).kinds[-1]

    async def test_a_listener_that_raises_does_not_keep_the_connection(self, upstream):
        """A fault in the listener is reported by the loop, and its call's place is free again."""

        class Broken(Listener):
            def upstream_end(self) -> None:
                raise LookupError("a fault of the listener")

        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with peer_of(answers) as peer:
            upstream.send(request_to(peer.url, max_connections=1), Broken())
            await wait_for(lambda: reported)
            assert b"{}" == (await self.call(upstream, peer.url, max_connections=1)).body
        assert ["a fault of the listener"] == [str(error) for error in reported]

    async def test_certificates_come_from_the_ca_file(self, upstream, certificate):
        """With the authority that signed it a provider is trusted; with the system's alone it is not."""
        async with peer_of(answers, ssl=certificate.server_context()) as peer:
            distrusted = await self.call(upstream, peer.url)
            trusted = await self.call(upstream, peer.url, ca_file=str(certificate.authority))
        assert [("failed", "connect")] == distrusted.heard
        assert "certificate" in distrusted.fault.message
        assert b"{}" == trusted.body

    async def test_a_ca_file_that_cannot_be_read_is_a_connect_fault(self, upstream, tmp_path):
        """A missing file and one without certificates are told as faults, again at every call."""
        empty = tmp_path / "empty.pem"
        empty.write_text("nothing")
        for ca_file in (str(tmp_path / "missing.pem"), str(empty), str(empty)):
            listener = await self.call(upstream, "https://localhost:1/v1", ca_file=ca_file)
            assert [("failed", "connect")] == listener.heard
            assert ca_file in listener.fault.message

    async def test_the_provider_may_hang_up_during_the_handshake(self, upstream, certificate):
        """A connection that ends before TLS stands is a connect fault."""

        async def script(line: Line) -> None:
            await line.reader.read(1)

        async with peer_of(script) as peer:
            url = peer.url.replace("http:", "https:")
            listener = await self.call(upstream, url, ca_file=str(certificate.authority))
        assert [("failed", "connect")] == listener.heard

    async def test_a_target_that_is_no_url_is_a_connect_fault(self, upstream):
        """Schemes that are not HTTP's cannot be called."""
        for url in ("gopher://localhost", "localhost/v1", "http://localhost:port"):
            assert [("failed", "connect")] == (await self.call(upstream, url)).heard

    async def test_an_early_answer_to_a_long_request_is_heard(self, upstream):
        """A provider may refuse before it has read everything; its answer is passed on."""

        async def script(line: Line) -> None:
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}")
            await line.gone()

        async with peer_of(script) as peer:
            listener = await self.call(upstream, peer.url, body=b"x" * 20_000_000)
        assert [("head", 413), ("data", b"{}"), ("end", None)] == listener.heard

    async def test_calls_share_connections_only_when_they_reach_the_provider_in_the_same_way(self, upstream):
        """Another name, limit or authority has connections of its own; another timeout has not."""
        async with peer_of(answers) as peer:
            await self.call(upstream, peer.url)
            await self.call(upstream, peer.url, timeouts=Timeouts(connect=1.0, idle=1.0))
            assert 1 == len(peer.lines)
            await self.call(upstream, peer.url, max_connections=7)
            assert 2 == len(peer.lines)
            await wait_for(lambda: connections(upstream) == (2, 2))

    async def test_retired_connections_close(self, upstream):
        """What is no longer in use closes at once when idle, and when its last call ends otherwise."""
        gone = []
        answer_now = asyncio.Event()

        async def script(line: Line) -> None:
            while (await line.request()).body != b"slow":
                await line.say(SHORT)
            await answer_now.wait()
            await line.say(SHORT)
            await line.gone()
            gone.append(line.number)

        async with peer_of(script) as peer:
            kept, old = request_to(peer.url), request_to(peer.url, body=b"slow", max_connections=5)
            idle = request_to(peer.url, max_connections=6)
            for request in (kept, idle):
                listener = Listener()
                upstream.send(request, listener)
                await listener.over()
            slow = Listener()
            upstream.send(old, slow)
            await wait_for(lambda: len(peer.requests) == 3)
            upstream.retire([kept.provider])
            await wait_for(lambda: connections(upstream) == (2, 1))
            answer_now.set()
            await slow.over()
            await wait_for(lambda: gone == [2])
            await wait_for(lambda: connections(upstream) == (1, 1))
            assert b"{}" == slow.body
            assert b"{}" == (await self.call(upstream, peer.url)).body
            assert 3 == len(peer.lines)

    async def test_a_retired_provider_may_still_be_called(self, upstream):
        """A request under an old snapshot may come late: it is served, and nothing stays open after it."""
        async with peer_of(answers) as peer:
            upstream.retire([Provider("another", "openai", "http://localhost:1/v1")])
            assert b"{}" == (await self.call(upstream, peer.url)).body
            await wait_for(lambda: connections(upstream) == (0, 0))

    async def test_aclose_gives_up_every_call(self, upstream, certificate):
        """Closing cancels what is under way, and waits until every connection is closed."""
        closed = asyncio.Event()

        async def script(line: Line) -> None:
            await is_silent(line)
            closed.set()

        async with peer_of(script) as peer, peer_of(answers, ssl=certificate.server_context()) as other:
            listener = Listener()
            upstream.send(request_to(peer.url), listener)
            await self.call(upstream, other.url, ca_file=str(certificate.authority))
            await wait_for(lambda: len(peer.requests) == 1)
            await upstream.aclose()
            assert (0, 0) == connections(upstream)
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        assert [] == listener.heard

    async def test_the_environment_is_not_read(self, upstream, monkeypatch, certificate):
        """Proxies and certificates named in environment variables change nothing."""
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://localhost:1")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
        async with peer_of(answers) as plain, peer_of(answers, ssl=certificate.server_context()) as secure:
            assert b"{}" == (await self.call(upstream, plain.url)).body
            assert [("failed", "connect")] == (await self.call(upstream, secure.url)).heard
