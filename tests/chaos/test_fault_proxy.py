"""The proxy of faults: what it does to the bytes of a connection, before an echo."""

import socket
import socketserver
import threading
import time

import pytest

from tests.chaos.fault_proxy import Proxies
from tests.gateway_process import wait_until


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes, and keeps it."""

    def handle(self):
        """Until the other side ends."""
        try:
            while data := self.request.recv(65_536):
                self.server.heard += data
                self.request.sendall(data)
        except OSError:
            pass


@pytest.fixture
def echo():
    """A server that echoes."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.heard = b""
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo):
    """A proxy before it."""
    with Proxies(seed=1) as proxies:
        yield proxies.before(echo.server_address[1])


def connected(proxy) -> socket.socket:
    """A connection through it."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=60)


def said(client: socket.socket, count: int) -> bytes:
    """So many bytes, or those before the end."""
    heard = b""
    while len(heard) < count and (piece := client.recv(65_536)):
        heard += piece
    return heard


def test_without_trouble_bytes_pass(proxy):
    """Both ways, and the end too."""
    with connected(proxy) as client:
        client.sendall(b"x" * 200_000)
        client.shutdown(socket.SHUT_WR)
        assert b"x" * 200_000 == said(client, 300_000)
    wait_until(lambda: proxy.connections == 0)


def test_latency_is_of_one_direction(proxy):
    """And of a piece, give or take the jitter."""
    proxy.trouble("back", latency=0.3, jitter=0.05)
    with connected(proxy) as client:
        began = time.monotonic()
        client.sendall(b"hello")
        assert b"hello" == said(client, 5)
        assert time.monotonic() - began > 0.24


@pytest.mark.parametrize("trouble", [{"slices": 3}, {"rate": 100_000.0}, {"slices": 7, "rate": 50_000.0}])
def test_slow_and_sliced_bytes_are_the_same_bytes(proxy, trouble):
    """In order, however they come."""
    proxy.trouble(**trouble)
    text = bytes(range(256)) * 8
    with connected(proxy) as client:
        client.sendall(text)
        assert text == said(client, len(text))


def test_a_hole_swallows_and_a_healed_proxy_is_a_new_connection(proxy, echo):
    """Nothing comes, nothing ends, until it is healed, which resets what had lost bytes."""
    proxy.trouble("there", hole=True)
    with connected(proxy) as client:
        client.sendall(b"lost")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.heal()
        client.settimeout(60)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert b"" == echo.heard
    with connected(proxy) as client:
        client.sendall(b"found")
        assert b"found" == said(client, 5)


def test_a_refusing_proxy_lets_nobody_in_until_it_is_healed(proxy):
    """At the same port again."""
    with connected(proxy) as client:
        client.sendall(b"hello")
        assert b"hello" == said(client, 5)
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    with connected(proxy) as client:
        client.sendall(b"again")
        assert b"again" == said(client, 5)


def test_a_limit_resets_after_so_many_bytes(proxy):
    """Of that direction; what was before the limit has come."""
    proxy.trouble("back", limit=4)
    with connected(proxy) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            said(client, 5)


def test_what_is_fatal_reaches_the_server_and_no_reply_comes(proxy, echo):
    """As when a connection breaks right after COMMIT was sent."""
    proxy.trouble("there", fatal=b"COMMIT")
    with connected(proxy) as client:
        client.sendall(b"BEGIN;")
        assert b"BEGIN;" == said(client, 6)
        client.sendall(b"COMMIT;")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    wait_until(lambda: echo.heard == b"BEGIN;COMMIT;")
    assert 1 == proxy.struck


def test_what_is_fatal_after_something_is_so_on_that_connection_alone(proxy):
    """As when a connection breaks at the COMMIT of one act and of no other; what was sent for it is known."""
    proxy.trouble("there", fatal=b"COMMIT", after=b"INSERT")
    with connected(proxy) as other, connected(proxy) as client:
        client.sendall(b"COMMIT;INSERT a;")
        assert b"COMMIT;INSERT a;" == said(client, 16)
        other.sendall(b"COMMIT;")
        assert b"COMMIT;" == said(other, 7)
        client.sendall(b"COMMIT;")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        other.sendall(b"COMMIT;")
        assert b"COMMIT;" == said(other, 7)
    assert (1, b"INSERT a;COMMIT;") == (proxy.struck, proxy.cut)


def test_what_is_held_reaches_nobody(proxy, echo):
    """And its connection says nothing more; others go on."""
    proxy.trouble("there", fatal=b"COMMIT", holds=True)
    with connected(proxy) as held:
        held.sendall(b"COMMIT;")
        wait_until(lambda: proxy.struck)
        held.sendall(b"more")
        with connected(proxy) as other:
            other.sendall(b"hello")
            assert b"hello" == said(other, 5)
    assert b"hello" == echo.heard


def test_what_is_watched_is_counted(proxy):
    """Whoever says it."""
    proxy.watched = b"holder-1"
    with connected(proxy) as client:
        client.sendall(b"I am holder-1")
        said(client, 13)
    assert proxy.seen >= 1
