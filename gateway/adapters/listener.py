"""A listening socket and the server behind it: uvicorn, less its signals and with an end that is bounded."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import uvicorn

from gateway.adapters.edge_guard import EdgeGuard, Limits, guarded
from gateway.core.errors import SetupFault

BACKLOG = 4096

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time of the usual load balancers, so that the gateway is never the one to hang up on them."""

POLL_SECONDS = 0.01


def bind(host: str, port: int) -> socket.socket:
    """Take an address and listen on it; port 0 takes a free one. Who connects early waits.

    Raises:
        SetupFault: it is in use, or not this machine's.
    """
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(BACKLOG)
    except OSError as exc:
        taken.close()
        raise SetupFault(f"cannot listen on {host}:{port}: {exc.strerror}; choose another address or port") from exc
    taken.setblocking(False)  # noqa: FBT003 - the socket's own signature
    return taken


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals to the gateway, which has two of them.

    A TLS handshake may take it no longer than `handshake_seconds`, where the event loop would give it a minute.
    """

    def __init__(self, config: uvicorn.Config, handshake_seconds: float) -> None:
        super().__init__(config)
        self._handshake_seconds = handshake_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        config = self.config
        made: Callable[..., asyncio.Protocol] = config.http_protocol_class
        connection = partial(made, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        self.servers = [
            await asyncio.get_running_loop().create_server(
                connection,
                sock=each,
                ssl=config.ssl,
                ssl_handshake_timeout=None if config.ssl is None else self._handshake_seconds,
                backlog=config.backlog,
            )
            for each in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Handshake(ssl.SSLObject):
    """A TLS connection that is not begun once few descriptors are left.

    It comes to its protocol, which counts it, only when its handshake is over. Until then all that tells how many there
    are is the number of the next descriptor, as the system gives the lowest that is free.
    """

    most: ClassVar[int]

    def do_handshake(self) -> None:
        """Begin the handshake, or go on with it; an error closes the connection.

        Raises:
            SSLError: it has failed, or there is no room for it.
        """
        lowest = os.dup(0)
        os.close(lowest)
        if lowest >= self.most:
            raise ssl.SSLError(errno.EMFILE, os.strerror(errno.EMFILE))
        super().do_handshake()


def _bounded(most: int, _config: uvicorn.Config, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Make a server's usual TLS settings, by which no handshake goes on at a descriptor of number `most` or beyond."""
    made = usual()
    made.sslobject_class = type("_Bounded", (_Handshake,), {"most": most})
    return made


class Listener:
    """Serves an ASGI application on a socket from `bind`, by TLS where it has a certificate."""

    def __init__(
        self,
        application: Any,
        taken: socket.socket,
        *,
        protocol: type[EdgeGuard] | None = None,
        cert: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """`protocol` is the class of its connections, plain HTTP for the application if left out.

        `cert` and `key` are PEM files, both or none.

        Raises:
            SetupFault: they cannot be read, or do not belong together.
        """
        self._socket = taken
        host, port = taken.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if cert is None else 'https'}://{shown}:{port}"
        self._protocol = protocol or guarded(Limits())
        limits = self._protocol.limits
        self._server = _Server(_config(application, self._protocol, cert, key), limits.head_seconds)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections; returns once that is so."""
        self._task = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has a flag and no event
            await asyncio.sleep(POLL_SECONDS)

    def take_leave(self) -> None:
        """Close each connection with an answer that says so, as it asks: no client sends to one that just closed."""
        self._protocol.is_parting = True

    def part(self) -> None:
        """Leave new connections to another process that has the socket, and take leave of those that are here."""
        self.take_leave()
        for server in self._server.servers:
            server.close()

    def close(self) -> None:
        """Accept no more connections, and hang up on each as soon as its answer is over. Returns at once."""
        self._server.should_exit = True

    async def end(self, within: float) -> None:
        """Close, and wait for the connections to end; what is left after `within` seconds is cut."""
        self.close()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=within)
        self._server.force_exit = True
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()
        await self._task


def _config(application: Any, protocol: type[EdgeGuard], cert: Path | None, key: Path | None) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=cert,
        ssl_keyfile=key,
        ssl_context_factory=None if cert is None else partial(_bounded, protocol.limits.handshakes),
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as exc:
        raise SetupFault(f"the listener's certificate or key cannot be read: {exc}") from exc
    return config
