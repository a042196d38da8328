"""A listening socket and the server behind it."""

import asyncio
import socket
import ssl

import pytest

from gateway.adapters.edge_guard import Limits, guarded
from gateway.adapters.listener import Listener, bind
from gateway.core.errors import SetupFault
from tests.adapters.certificates import issue

pytestmark = pytest.mark.anyio

ASK = b"GET / HTTP/1.1\r\nHost: gw.test\r\n\r\n"


class Application:
    """Answers `hello`, or at `held` only once told."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked = asyncio.Event()

    async def __call__(self, scope, _receive, send):
        self.asked.set()
        if scope["path"] == "/held":
            await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def taken():
    """A socket on a free port."""
    with bind("127.0.0.1", 0) as found:
        yield found


async def asked(listener: Listener, tls: ssl.SSLContext | None = None) -> bytes:
    """Ask once and read all that is answered."""
    port = int(listener.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=tls and "localhost")
    writer.write(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def answering(taken):
    """An application, its listener, and a client's two ends of a connection on which an answer is under way."""
    application = Application()
    listener = Listener(application, taken)
    await listener.start()
    reader, writer = await asyncio.open_connection(*taken.getsockname())
    writer.write(ASK.replace(b"/ ", b"/held "))
    await application.asked.wait()
    return application, listener, reader, writer


async def test_it_serves_until_it_is_ended(taken):
    """Once started it answers; ended, it no longer listens."""
    listener = Listener(Application(), taken)
    await listener.start()

    assert (await asked(listener)).endswith(b"hello")
    await listener.end(5)
    with pytest.raises(ConnectionError):
        await asked(listener)


async def test_one_that_never_started_ends_at_once(taken):
    """There is nothing to wait for."""
    await Listener(Application(), taken).end(5)


async def test_a_closed_listener_lets_answers_end(taken):
    """No new connection is taken, and one that is under way gets its whole answer."""
    application, listener, reader, writer = await answering(taken)
    listener.close()
    asyncio.get_running_loop().call_later(0.01, application.go_on.set)
    await listener.end(10)

    assert (await reader.read()).endswith(b"hello")
    writer.close()
    await writer.wait_closed()


async def test_one_that_parts_leaves_new_connections_to_who_has_the_socket_too(taken):
    """Those that it has are served on, and whoever connects now is answered by the other."""
    other = taken.dup()
    application, listener, reader, writer = await answering(taken)
    listener.part()
    later = Listener(Application(), other)
    await later.start()

    assert (await asked(later)).endswith(b"hello")
    application.go_on.set()
    assert b"hello" == (await reader.readuntil(b"hello"))[-5:]
    writer.close()
    await listener.end(10)
    await later.end(10)


async def test_what_is_left_after_the_patience_is_cut(taken):
    """A client that waits or does not read cannot hold the end up."""
    application, listener, reader, writer = await answering(taken)
    await listener.end(0.01)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    application.go_on.set()


async def test_with_a_certificate_it_speaks_tls(taken, tmp_path):
    """And its URL says so."""
    certificate = issue(tmp_path)
    listener = Listener(Application(), taken, cert=certificate.cert, key=certificate.key)
    await listener.start()

    assert listener.url.startswith("https://127.0.0.1:")
    assert (await asked(listener, ssl.create_default_context(cafile=certificate.authority))).endswith(b"hello")
    await listener.end(5)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_certificate_that_cannot_be_read_is_a_fault(taken, tmp_path, content):
    """It is not there, or it is something else."""
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SetupFault, match="the listener's certificate or key cannot be read"):
        Listener(Application(), taken, cert=path, key=path)


async def test_an_address_in_use_is_a_fault(taken):
    """Though nothing is served there yet."""
    port = taken.getsockname()[1]
    with pytest.raises(SetupFault, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another"):
        bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours_is_a_fault(host):
    """Another machine's, or nobody's."""
    with pytest.raises(SetupFault, match=rf"cannot listen on {host}:0: \w+"):
        bind(host, 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
async def test_an_address_of_version_6_stands_in_brackets():
    """In the URL, so that it can be used."""
    try:
        taken = bind("::1", 0)
    except SetupFault:
        pytest.skip("this machine has no IPv6 loopback")
    with taken:
        assert Listener(Application(), taken).url.startswith("http://[::1]:")


async def silent(listener: Listener) -> bytes:
    """Connect, say nothing, and give what is heard until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(listener.url.rpartition(":")[2]))
    try:
        return await reader.read()
    finally:
        writer.close()


async def test_a_handshake_that_does_not_come_ends_like_a_head_that_does_not(taken, tmp_path):
    """Who connects to a listener with a certificate and says nothing is hung up on as soon as everywhere else."""
    certificate = issue(tmp_path)
    protocol = guarded(Limits(head_seconds=0.1))
    listener = Listener(Application(), taken, protocol=protocol, cert=certificate.cert, key=certificate.key)
    await listener.start()
    async with asyncio.timeout(20):
        assert b"" == await silent(listener)
    await listener.end(5)


async def test_no_handshake_begins_on_the_last_descriptors(taken, tmp_path):
    """Before it is over a connection is not counted, so what tells is the number of the next descriptor."""
    certificate = issue(tmp_path)
    protocol = guarded(Limits(head_seconds=60, handshakes=3))
    listener = Listener(Application(), taken, protocol=protocol, cert=certificate.cert, key=certificate.key)
    await listener.start()
    async with asyncio.timeout(20):
        assert b"" == await silent(listener)
    await listener.end(5)
