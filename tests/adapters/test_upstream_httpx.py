"""The transport over httpx2: the contract of every transport, and what is its own."""

import asyncio
import random
from contextlib import suppress

import pytest

from gateway.adapters.upstream_httpx import HttpxUpstream
from gateway.core.provider import Provider, Timeouts
from tests.adapters.certificates import issue
from tests.adapters.upstream_contract import (
    CHUNKED,
    PATIENCE,
    SHORT,
    Line,
    Listener,
    UpstreamContract,
    answers,
    is_silent,
    peer_of,
    request_to,
    wait_for,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream():
    """A transport without connections, closed after the test."""
    transport = HttpxUpstream()
    yield transport
    await transport.aclose()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that no system trusts."""
    return issue(tmp_path_factory.mktemp("tls"))


async def call(upstream, url: str, **arguments) -> Listener:
    """Make a call and wait until it is over."""
    listener = Listener()
    upstream.send(request_to(url, **arguments), listener)
    return await listener.over()


class TestContract(UpstreamContract):
    """Everything that a transport must do."""


async def test_ten_thousand_cancelled_calls_leave_the_pool_whole(upstream):
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
        await wait_for(lambda: " 0 calls" in repr(upstream))
        peer.script = answers
        for _ in range(20):
            assert "end" == (await call(upstream, peer.url, max_connections=10)).kinds[-1]


async def test_a_listener_that_raises_does_not_keep_the_connection(upstream):
    """A fault in the listener is reported by the loop, and its call's place is free again."""

    class Broken(Listener):
        def upstream_end(self) -> None:
            raise LookupError("a fault of the listener")

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    async with peer_of(answers) as peer:
        upstream.send(request_to(peer.url, max_connections=1), Broken())
        await wait_for(lambda: reported)
        assert b"{}" == (await call(upstream, peer.url, max_connections=1)).body
    assert ["a fault of the listener"] == [str(error) for error in reported]


async def test_certificates_come_from_the_ca_file(upstream, certificate):
    """With the authority that signed it a provider is trusted; with the system's alone it is not."""
    async with peer_of(answers, ssl=certificate.server_context()) as peer:
        distrusted = await call(upstream, peer.url)
        trusted = await call(upstream, peer.url, ca_file=str(certificate.authority))
    assert [("failed", "connect")] == distrusted.heard
    assert "certificate" in distrusted.fault.message
    assert b"{}" == trusted.body


async def test_a_ca_file_that_cannot_be_read_is_a_connect_fault(upstream, tmp_path):
    """A missing file and one without certificates are told as faults, again at every call."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for ca_file in (str(tmp_path / "missing.pem"), str(empty), str(empty)):
        listener = await call(upstream, "https://localhost:1/v1", ca_file=ca_file)
        assert [("failed", "connect")] == listener.heard
        assert ca_file in listener.fault.message


async def test_the_provider_may_hang_up_during_the_handshake(upstream, certificate):
    """A connection that ends before TLS stands is a connect fault."""

    async def script(line: Line) -> None:
        await line.reader.read(1)

    async with peer_of(script) as peer:
        url = peer.url.replace("http:", "https:")
        listener = await call(upstream, url, ca_file=str(certificate.authority))
    assert [("failed", "connect")] == listener.heard


async def test_plain_requests_go_through_a_proxy(upstream):
    """The proxy gets the absolute target, its own credentials from its address, and the request as given."""
    async with peer_of(answers) as proxy:
        address = f"http://someone:pass%20word@localhost:{proxy.port}"
        listener = await call(upstream, "http://acme.test/v1", proxy=address)
    assert b"{}" == listener.body
    (seen,) = proxy.requests
    assert b"POST http://acme.test/v1/chat?x=1 HTTP/1.1" == seen.line
    assert b"acme.test" == seen.header(b"host")
    assert b"Basic c29tZW9uZTpwYXNzIHdvcmQ=" == seen.header(b"proxy-authorization")
    assert b"Bearer sk-secret" == seen.header(b"authorization")


async def test_tls_goes_through_a_tunnel(upstream, certificate):
    """The proxy is asked for a tunnel and sees nothing of the request within."""

    async def tunnel(line: Line) -> None:
        target = (await line.request()).line.split()[1].decode()
        host, _, port = target.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await line.say(b"HTTP/1.1 200 Connected\r\n\r\n")
        await asyncio.gather(copy(line.reader, writer), copy(reader, line.writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async with peer_of(answers, ssl=certificate.server_context()) as peer, peer_of(tunnel) as proxy:
        through = {"proxy": f"http://localhost:{proxy.port}", "ca_file": str(certificate.authority)}
        for _ in range(2):
            assert b"{}" == (await call(upstream, peer.url, **through)).body
        assert 1 == len(proxy.lines)
        assert f"CONNECT localhost:{peer.port} HTTP/1.1".encode() == proxy.requests[0].line
        assert proxy.requests[0].header(b"authorization") is None
        assert 2 == len(peer.requests)


async def test_a_proxy_that_refuses_is_a_connect_fault(upstream):
    """Its answer is in the message; the password in its address is not."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    async with peer_of(script) as proxy:
        address = f"http://someone:hush@localhost:{proxy.port}"
        listener = await call(upstream, "https://acme.test/v1", proxy=address)
    assert [("failed", "connect")] == listener.heard
    assert "407" in listener.fault.message
    assert "hush" not in listener.fault.message


@pytest.mark.parametrize("address", ["socks5://localhost:1", "ftp://localhost", "http://[", "localhost:8080"])
async def test_an_unusable_proxy_is_a_connect_fault(upstream, address):
    """An address that is no HTTP proxy is told when it is met."""
    assert [("failed", "connect")] == (await call(upstream, "http://acme.test/v1", proxy=address)).heard


async def test_a_target_that_is_no_url_is_a_connect_fault(upstream):
    """Schemes that are not HTTP's cannot be called."""
    for url in ("gopher://localhost", "localhost/v1", "http://localhost:port"):
        assert [("failed", "connect")] == (await call(upstream, url)).heard


async def test_a_request_that_is_not_taken_is_given_up():
    """A provider that stops reading the request is told apart from one that is slow to answer."""
    upstream = HttpxUpstream(write_wait=0.1)
    over = asyncio.Event()

    async def script(line: Line) -> None:
        line.writer.transport.pause_reading()
        await over.wait()

    async with peer_of(script) as peer:
        listener = await call(upstream, peer.url, body=b"x" * 20_000_000)
        over.set()
    await upstream.aclose()
    assert [("failed", "first_byte")] == listener.heard


async def test_an_early_answer_to_a_long_request_is_heard(upstream):
    """A provider may refuse before it has read everything; its answer is passed on."""

    async def script(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await line.gone()

    async with peer_of(script) as peer:
        listener = await call(upstream, peer.url, body=b"x" * 20_000_000)
    assert [("head", 413), ("data", b"{}"), ("end", None)] == listener.heard


async def test_calls_share_connections_only_when_they_reach_the_provider_in_the_same_way(upstream):
    """Another name, limit or authority has connections of its own; another timeout has not."""
    async with peer_of(answers) as peer:
        await call(upstream, peer.url)
        await call(upstream, peer.url, timeouts=Timeouts(connect=1.0, idle=1.0))
        assert 1 == len(peer.lines)
        await call(upstream, peer.url, max_connections=7)
        assert 2 == len(peer.lines)
        expected = "<HttpxUpstream 2 transports, 0 calls, 2 connections, 2 of them idle>"
        await wait_for(lambda: expected == repr(upstream))


async def test_retired_connections_close(upstream):
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
        expected = "<HttpxUpstream 2 transports, 1 calls, 2 connections, 1 of them idle>"
        await wait_for(lambda: expected == repr(upstream))
        answer_now.set()
        await slow.over()
        await wait_for(lambda: gone == [2])
        await wait_for(lambda: "<HttpxUpstream 1 transports, 0 calls, 1 connections" in repr(upstream))
        assert b"{}" == slow.body
        assert b"{}" == (await call(upstream, peer.url)).body
        assert 3 == len(peer.lines)


async def test_a_retired_provider_may_still_be_called(upstream):
    """A request under an old snapshot may come late: it is served, and nothing stays open after it."""
    async with peer_of(answers) as peer:
        upstream.retire([Provider("another", "openai", "http://localhost:1/v1")])
        assert b"{}" == (await call(upstream, peer.url)).body
        await wait_for(lambda: "<HttpxUpstream 0 transports, 0 calls, 0 connections" in repr(upstream))


async def test_aclose_gives_up_every_call(certificate):
    """Closing cancels what is under way, and waits until every connection is closed."""
    upstream = HttpxUpstream()
    closed = asyncio.Event()

    async def script(line: Line) -> None:
        await is_silent(line)
        closed.set()

    async with peer_of(script) as peer, peer_of(answers, ssl=certificate.server_context()) as other:
        listener = Listener()
        upstream.send(request_to(peer.url), listener)
        await call(upstream, other.url, ca_file=str(certificate.authority))
        await wait_for(lambda: len(peer.requests) == 1)
        await upstream.aclose()
        assert "<HttpxUpstream 0 transports, 0 calls, 0 connections, 0 of them idle>" == repr(upstream)
        async with asyncio.timeout(PATIENCE):
            await closed.wait()
    assert [] == listener.heard


async def test_the_environment_is_not_read(upstream, monkeypatch, certificate):
    """Proxies and certificates named in environment variables change nothing."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    async with peer_of(answers) as plain, peer_of(answers, ssl=certificate.server_context()) as secure:
        assert b"{}" == (await call(upstream, plain.url)).body
        assert [("failed", "connect")] == (await call(upstream, secure.url)).heard
