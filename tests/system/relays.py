"""Two ways to a simulated provider: a TLS listener before it, and an egress proxy."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PATIENCE = 10.0


class Relay(socketserver.ThreadingTCPServer):
    """Takes connections, by TLS where it has a context, and joins each to another address.

    Without a `target` it is an egress proxy: a connection says by CONNECT where to; `asked` keeps those lines.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target: tuple[str, int] | None, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Joined)
        self.target = target
        self.context = context
        self.asked: list[str] = []
        self.port = self.server_address[1]


class Joined(socketserver.BaseRequestHandler):
    """One connection, joined to where it goes."""

    server: Relay

    def handle(self) -> None:
        """Pass bytes both ways until either side ends."""
        near = self.request
        with suppress(OSError):
            if self.server.context is not None:
                near = self.server.context.wrap_socket(near, server_side=True)
            target = self.server.target or self._connected(near)
            with near, socket.create_connection(target, PATIENCE) as far:
                back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
                back.start()
                _pass_on(near, far)
                back.join(PATIENCE)

    def _connected(self, near: socket.socket) -> tuple[str, int]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += near.recv(1)
        line = head.partition(b"\r\n")[0].decode()
        self.server.asked.append(line)
        host, _, port = line.split()[1].rpartition(":")
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return host, int(port)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def relaying(target: tuple[str, int] | None, context: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """A relay for the length of a `with` block."""
    with Relay(target, context) as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join(PATIENCE)
