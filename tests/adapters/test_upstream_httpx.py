"""The transport over httpx2: the contract of every transport, and what is its own."""

import asyncio
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import pytest

from gateway.adapters.upstream_httpx import HttpxUpstream
from gateway.core.provider import ClientCertificate
from tests.adapters.certificates import issue
from tests.adapters.upstream_contract import UpstreamContract
from tests.adapters.upstream_peer import Line, Seen, answers, call, connections, peer_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream():
    """A transport without connections, closed after the test."""
    transport = HttpxUpstream()
    yield transport
    await transport.aclose()


class TestContract(UpstreamContract):
    """Everything that a transport must do."""


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


@pytest.mark.parametrize(
    "address",
    [
        "socks5://localhost:1",
        "ftp://localhost",
        "http://[",
        "localhost:8080",
        "http://localhost:port",
        "http://me:hu/sh@a",
    ],
)
async def test_an_unusable_proxy_is_a_connect_fault(upstream, address):
    """An address that is no HTTP proxy is told when it is met, and not quoted: it may hold a password."""
    listener = await call(upstream, "http://acme.test/v1", proxy=address)
    assert [("failed", "connect")] == listener.heard
    assert "hu" not in listener.fault.message


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


class Http2:
    """The provider's side of one HTTP/2 connection; `answer` is called with each stream whose request is whole."""

    def __init__(self, line: Line, answer) -> None:
        self.line = line
        self.answer = answer
        self.talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=False))
        self.requests: dict[int, Seen] = {}

    async def run(self) -> None:
        """Serve until the other side closes."""
        self.talk.initiate_connection()
        await self.line.say(self.talk.data_to_send())
        with suppress(ConnectionError):
            while data := await self.line.reader.read(65536):
                for event in self.talk.receive_data(data):
                    self.hear(event)
                await self.line.say(self.talk.data_to_send())

    def hear(self, event: h2.events.Event) -> None:
        """Keep what belongs to a request, answer when it is whole."""
        match event:
            case h2.events.RequestReceived():
                self.requests[event.stream_id] = Seen(b"HTTP/2", event.headers, b"")
            case h2.events.DataReceived():
                self.requests[event.stream_id].body += event.data
                self.talk.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.line.peer.requests.append(self.requests[event.stream_id])
                self.answer(self.talk, event.stream_id)

    @staticmethod
    def head(talk: h2.connection.H2Connection, stream: int) -> None:
        """Send the head of an answer."""
        talk.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])

    @staticmethod
    def whole(talk: h2.connection.H2Connection, stream: int) -> None:
        """Send an answer."""
        Http2.head(talk, stream)
        talk.send_data(stream, b"{}", end_stream=True)


@pytest.fixture
def secure(certificate):
    """What a provider needs to be reached by HTTP/2, and the TLS context of one that speaks it."""
    context = certificate.server_context()
    context.set_alpn_protocols(["h2"])
    return {"http2": True, "ca_file": str(certificate.authority)}, context


async def test_http_2(upstream, secure):
    """A provider that speaks it gets the same request, and its answer is heard in the same way."""
    arguments, context = secure
    body = bytes(range(256)) * 1000
    async with peer_of(lambda line: Http2(line, Http2.whole).run(), ssl=context) as peer:
        listener = await call(upstream, peer.url, body=body, **arguments)
        assert [("head", 200), ("data", b"{}"), ("end", None)] == listener.heard
        assert [(b"content-type", b"application/json")] == listener.headers
        (seen,) = peer.requests
        assert body == seen.body
        assert {
            b":method": b"POST",
            b":scheme": b"https",
            b":path": b"/v1/chat?x=1",
            b":authority": f"localhost:{peer.port}".encode(),
            b"content-type": b"application/json",
            b"authorization": b"Bearer sk-secret",
            b"content-length": b"%d" % len(body),
        } == dict(seen.headers)


async def test_http_2_carries_many_calls_on_one_connection(upstream, secure):
    """Calls at the same time and one after another share it; it is idle after them."""
    arguments, context = secure
    async with peer_of(lambda line: Http2(line, Http2.whole).run(), ssl=context) as peer:
        await asyncio.gather(*(call(upstream, peer.url, **arguments) for _ in range(20)))
        assert "end" == (await call(upstream, peer.url, **arguments)).kinds[-1]
        assert (1, 21) == (len(peer.lines), len(peer.requests))
        assert (1, 1) == connections(upstream)


async def test_a_stream_of_http_2_may_break_alone(upstream, secure):
    """A reset of one stream is told as `protocol` before its head and `cut` after it; other calls go on."""
    arguments, context = secure

    def answer(talk: h2.connection.H2Connection, stream: int) -> None:
        if stream == 3:
            Http2.head(talk, stream)
            talk.send_data(stream, b"half")
        if stream in {1, 3}:
            talk.reset_stream(stream)
        else:
            Http2.whole(talk, stream)

    async with peer_of(lambda line: Http2(line, answer).run(), ssl=context) as peer:
        before = await call(upstream, peer.url, **arguments)
        after = await call(upstream, peer.url, **arguments)
        other = await call(upstream, peer.url, **arguments)
        assert 1 == len(peer.lines)
    assert [("failed", "protocol")] == before.heard
    assert ("failed", "cut") == after.heard[-1]
    assert "end" == other.kinds[-1]


@pytest.mark.parametrize("offered", [["http/1.1"], None])
async def test_a_provider_without_http_2_is_spoken_to_as_ever(upstream, certificate, offered):
    """HTTP/2 is offered and never insisted on; without TLS it is not even offered."""
    context = certificate.server_context()
    if offered is not None:
        context.set_alpn_protocols(offered)
    async with peer_of(answers, ssl=context) as peer, peer_of(answers) as plain:
        assert b"{}" == (await call(upstream, peer.url, http2=True, ca_file=str(certificate.authority))).body
        assert b"{}" == (await call(upstream, plain.url, http2=True)).body
        assert b"POST /v1/chat?x=1 HTTP/1.1" == peer.requests[0].line == plain.requests[0].line


async def test_a_provider_may_ask_who_connects(upstream, certificate, tmp_path):
    """Pinion shows the certificate that the policy names; without one the provider refuses, and that is a fault."""
    own = issue(tmp_path)
    shown = ClientCertificate(str(own.cert), str(own.key))
    trusting = {"ca_file": str(certificate.authority)}
    async with peer_of(answers, ssl=certificate.server_context(asks_for=own.authority)) as peer:
        assert b"{}" == (await call(upstream, peer.url, client_certificate=shown, **trusting)).body
        assert ["failed"] == (await call(upstream, peer.url, **trusting)).kinds
        assert 1 == len(peer.requests)


async def test_a_client_certificate_that_cannot_be_read_is_a_connect_fault(upstream, tmp_path):
    """The message names the file."""
    missing = str(tmp_path / "missing.pem")
    listener = await call(upstream, "https://localhost:1", client_certificate=ClientCertificate(missing, missing))
    assert [("failed", "connect")] == listener.heard
    assert missing in listener.fault.message
