"""A server with an edge before a stage, and the clients that speak to it byte by byte."""

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn

from tests.adapters.edge_stage import GOVERNED, Exchange, Stage

PATIENCE = 10.0


async def others(scope: Any, receive: Any, send: Any) -> None:
    """The application for every other path: says which one came."""
    del receive
    body = scope.get("raw_path", b"")
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Connection:
    """A client's connection, on which answers are read one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        """Send pieces, as far as the other side takes them."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.sock.sendall(piece)

    def head(self, method: str = "POST") -> http.client.HTTPResponse:
        """Read the head of the next answer."""
        response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]  # it needs makefile alone
        response.begin()
        return response

    def answer(self, method: str = "POST") -> tuple[int, bytes]:
        """Read the next answer whole."""
        response = self.head(method)
        return response.status, response.read()

    def answers(self) -> list[tuple[int, bytes]]:
        """Read answers until the other side closes."""
        read = []
        with suppress(ConnectionError):
            while True:
                read.append(self.answer())
        return read

    def line(self) -> bytes:
        """Read a line."""
        return self._reader.readline()

    def close(self) -> None:
        """Let go of the socket, which its reader would keep open."""
        self._reader.close()

    def makefile(self, *_: Any) -> Any:
        """What an answer is read from; it stays open for the next."""
        return _Kept(self._reader)


class _Kept:
    """A reader that an answer cannot close."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None: ...


@dataclass
class EdgeServer:
    """uvicorn in a thread, with an edge before a stage."""

    config: Callable[[Any], uvicorn.Config]
    stage: Stage = field(default_factory=Stage)
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    trust: ssl.SSLContext | None = None
    """What its clients trust, where it speaks TLS."""

    def __enter__(self) -> Self:
        self.server = uvicorn.Server(self.config(self.stage))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        wait_for(lambda: self.server.started)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self.loop) as runner:
            self._loop = runner.get_loop()
            runner.run(self.server.serve())

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        for connection in tuple(self.server.server_state.connections):
            self.call(connection.transport.abort)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @contextmanager
    def fresh(self) -> Iterator[Self]:
        """The server with a stage on which nothing has happened, for one test, which must leave no exchange open."""
        self.stage.clear()
        yield self
        wait_for(lambda: len(self.stage.opened) == len(self.stage.closed))

    def call(self, act: Callable[..., Any], *args: Any) -> None:
        """Act on the serving loop."""
        self._loop.call_soon_threadsafe(act, *args)

    def settle(self) -> None:
        """Wait until the serving loop has done what it had to do by now."""
        went_round = threading.Event()
        self.call(self._go_round, 20, went_round)
        assert went_round.wait(PATIENCE)

    def _go_round(self, times: int, went_round: threading.Event) -> None:
        if times:
            self._loop.call_soon(self._go_round, times - 1, went_round)
        else:
            went_round.set()

    @contextmanager
    def connection(self, receive_buffer: int | None = None) -> Any:
        """A connection to it; a small `receive_buffer` is full soon."""
        with ExitStack() as stack:
            sock = stack.enter_context(closing(socket.socket()))
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", self.port))
            if self.trust is not None:
                sock = stack.enter_context(self.trust.wrap_socket(sock, server_hostname="127.0.0.1"))
            client = Connection(sock)
            try:
                yield client
            finally:
                client.close()

    def ask(self, *pieces: bytes) -> tuple[int, bytes]:
        """Send pieces on a new connection and read one answer."""
        with self.connection() as client:
            client.send(*pieces)
            return client.answer()

    @property
    def exchange(self) -> Exchange:
        """The first exchange, once it is there."""
        wait_for(lambda: self.stage.opened)
        return self.stage.opened[0]

    def heard(self, event: str) -> Exchange:
        """The first exchange, once it has heard of an event."""
        wait_for(lambda: event in self.exchange.events)
        return self.exchange


def wait_for(reached: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "the condition was not reached"
        time.sleep(0.005)


def request(
    body: bytes = b"{}", *headers: str, method: str = "POST", path: str = GOVERNED, length: int | None = None
) -> bytes:
    """A whole request, or with another `length` one that is not."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gw.test", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


CHUNKED = f"POST {GOVERNED} HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
