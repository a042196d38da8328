"""An upstream transport over httpx2: one task a call, no redirects, no cookies, no environment.

It is for what the native transport does not do: a proxy, HTTP/2, a certificate of Pinion's own.

It uses httpcore2, the connection pool under httpx2, without the client on top: redirects, cookies and
decompression are what a proxy must not have. A call runs in a cancel scope of anyio, the cancellation that
the pool's own shields respect; a task cancelled natively while it gives its connection back can lose a slot.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVarTuple
from urllib.parse import urlsplit

import anyio
import httpcore2
import httpx2

from gateway.adapters.upstream_faults import (
    broken_off,
    no_answer,
    no_free_connection,
    not_taken,
    unreachable,
    unsendable,
)
from gateway.adapters.upstream_way import Way
from gateway.core.errors import UpstreamFault
from gateway.core.ports import UpstreamListener, UpstreamRequest
from gateway.core.provider import Provider

News = TypeVarTuple("News")

POOL_WAIT = 1.0
"""Seconds that a call waits for a connection when all are taken; the answer to overload is a fast one."""

KEEP_ALIVE = 55.0
"""Seconds that an idle connection is kept: less than the minute after which load balancers often drop one."""

MAX_IDLE = 100
"""Idle connections kept for a provider. The pool polls each for every request, so each one costs."""

_CLIENT_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    OSError,
    ValueError,
)
"""What the client raises: its own errors, those of sockets and certificates, and addresses it cannot read."""


@dataclass(slots=True)
class _Attempt:
    """What one try of a request met: whether it opened a connection, and whether a byte of an answer came."""

    connected: bool = False
    heard: bool = False

    @property
    def met_a_stale_connection(self) -> bool:
        """Whether it failed only because a kept connection was gone: then it cannot have been answered."""
        return not self.connected and not self.heard


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _Line(httpcore2.AsyncNetworkStream):
    """A connection that tells the attempt which reads from it that the provider has spoken."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._poll = select.poll()
        self._poll.register(stream.get_extra_info("socket").fileno(), select.POLLIN)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  as the base has it
        data = await self._stream.read(max_bytes, timeout)
        if data:
            _attempt.get().heard = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  as the base has it
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  as the base has it
    ) -> httpcore2.AsyncNetworkStream:
        return _Line(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return bool(self._poll.poll(0))
        return self._stream.get_extra_info(info)


class _Network(httpcore2.AnyIOBackend):
    """Opens connections, and tells the attempt which asks for one."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  as the base has it
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        _attempt.get().connected = True
        return _Line(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Transport:
    """The connections of one way: a pool, and beside it one that keeps none, where each is fresh."""

    def __init__(self, way: Way, tls: ssl.SSLContext, write_wait: float) -> None:
        self._write_wait = write_wait
        kept = min(MAX_IDLE, way.max_connections)
        self.pooled, self.fresh = (
            httpcore2.AsyncConnectionPool(
                ssl_context=tls,
                http2=way.http2,
                proxy=None if way.proxy is None else _proxy(way.proxy),
                max_connections=way.max_connections,
                max_keepalive_connections=idle,
                keepalive_expiry=KEEP_ALIVE,
                network_backend=_Network(),
            )
            for idle in (kept, 0)
        )
        self.calls = 0

    @property
    def connections(self) -> list[httpcore2.AsyncConnectionInterface]:
        """Every connection, idle or not."""
        return self.pooled.connections + self.fresh.connections

    async def open(self, request: UpstreamRequest) -> httpcore2.Response:
        """Send a request and wait for the head of its answer.

        A kept connection may have been closed by the provider at the moment of its use. When no byte of an
        answer came, the request is sent once more, on a connection made for it (RFC 9112, section 9.3.1).
        """
        outgoing = _outgoing(request, self._write_wait)
        attempt = _Attempt()
        _attempt.set(attempt)
        try:
            return await self.pooled.handle_async_request(outgoing)
        except (httpcore2.NetworkError, httpcore2.RemoteProtocolError):
            if not attempt.met_a_stale_connection:
                raise
        _attempt.set(_Attempt())
        return await self.fresh.handle_async_request(outgoing)

    async def aclose(self) -> None:
        """Close every connection."""
        await self.pooled.aclose()
        await self.fresh.aclose()


class HttpxCall:
    """One call under way: an `UpstreamCall`."""

    __slots__ = ("_flowing", "_is_cancelled", "_listener", "_request", "_scope")

    def __init__(self, request: UpstreamRequest, listener: UpstreamListener) -> None:
        self._request = request
        self._listener = listener
        self._scope: anyio.CancelScope | None = None
        self._is_cancelled = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def provider(self) -> Provider:
        """Whom the call goes to."""
        return self._request.provider

    def pause(self) -> None:
        """Stop reading from the provider, whose sending then stalls."""
        self._flowing.clear()

    def resume(self) -> None:
        """Read on."""
        self._flowing.set()

    def cancel(self) -> None:
        """Give the call up: the listener hears nothing more, the connection closes at once."""
        self._is_cancelled = True
        if self._scope is not None:
            self._scope.cancel()

    def fail(self, fault: UpstreamFault) -> None:
        """Tell the listener that the call failed."""
        self._tell(self._listener.upstream_failed, fault)

    async def run(self, transport: _Transport) -> None:
        """Carry the call out and tell the listener how it goes, until it ends, fails or is cancelled."""
        with anyio.CancelScope() as self._scope:  # made here, since `send` may be called outside of any task
            if self._is_cancelled:
                return
            try:
                response = await transport.open(self._request)
            except _CLIENT_ERRORS as error:
                self.fail(_fault_before_head(self.provider, error))
                return
            body = response.aiter_stream()
            try:
                whole = await self._relay(response, body)
            finally:
                with anyio.CancelScope(shield=True):
                    await body.aclose()
                    await response.aclose()
            if whole:
                self._tell(self._listener.upstream_end)

    async def _relay(self, response: httpcore2.Response, body: AsyncIterator[bytes]) -> bool:
        """Pass the answer on; say whether it came to its proper end."""
        headers = [(name.lower(), value) for name, value in response.headers]
        self._tell(self._listener.upstream_head, response.status, headers)
        while True:
            while not self._flowing.is_set():
                await self._flowing.wait()
            try:
                data = await anext(body)
            except StopAsyncIteration:
                return True
            except _CLIENT_ERRORS:
                self.fail(broken_off(self.provider))
                return False
            self._tell(self._listener.upstream_data, data)

    def _tell(self, hear: Callable[[*News], None], *news: *News) -> None:
        """Let the listener hear something, unless the call was cancelled."""
        if not self._is_cancelled:
            hear(*news)


class HttpxUpstream:
    """The port `Upstream` over httpx2. It belongs to the event loop that calls `send`.

    Calls that reach a provider in the same way share its connections: a reload that changes its address,
    certificates, proxy or limit starts new ones, and `retire` closes the old. `write_wait` is how many seconds a
    provider may take to accept a request.
    """

    def __init__(self, write_wait: float = 30.0) -> None:
        self._write_wait = write_wait
        self._transports: dict[Way, _Transport] = {}
        self._calls: dict[asyncio.Task[None], HttpxCall] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._in_use: frozenset[Way] | None = None

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, and how many of them carry nothing."""
        found = [each for transport in self._transports.values() for each in transport.connections]
        return len(found), sum(each.is_idle() for each in found)

    def __repr__(self) -> str:
        connections, idle = self.connections
        return (
            f"<HttpxUpstream {len(self._transports)} transports, {len(self._calls)} calls, "
            f"{connections} connections, {idle} of them idle>"
        )

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> HttpxCall:
        """Begin a call, which runs in a task of its own from the next turn of the loop on."""
        call = HttpxCall(request, listener)
        task = asyncio.get_running_loop().create_task(self._carry_out(call))
        self._calls[task] = call
        task.add_done_callback(self._calls.pop)
        return call

    def retire(self, providers_in_use: Iterable[Provider]) -> None:
        """Close the connections to all other providers: now, or when the last call on them ends."""
        self._in_use = frozenset(Way.to(provider) for provider in providers_in_use)
        for way, transport in list(self._transports.items()):
            self._close_if_done_with(way, transport)

    async def aclose(self) -> None:
        """Cancel every call, close every connection."""
        for call in self._calls.values():
            call.cancel()
        await asyncio.gather(*self._calls, *self._closing, return_exceptions=True)
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    async def _carry_out(self, call: HttpxCall) -> None:
        way = Way.to(call.provider)
        try:
            transport = self._transport(way)
        except (OSError, ValueError) as error:
            call.fail(unreachable(call.provider, error))
            return
        transport.calls += 1
        try:
            await call.run(transport)
        finally:
            transport.calls -= 1
            self._close_if_done_with(way, transport)

    def _transport(self, way: Way) -> _Transport:
        """Find the transport for a way, or make it.

        Raises:
            OSError: its certificates cannot be read.
            ValueError: its proxy is not an address.
        """
        transport = self._transports.get(way)
        if transport is None:
            transport = self._transports[way] = _Transport(way, way.tls(), self._write_wait)
        return transport

    def _close_if_done_with(self, way: Way, transport: _Transport) -> None:
        if transport.calls or self._in_use is None or way in self._in_use:
            return
        del self._transports[way]
        task = asyncio.get_running_loop().create_task(transport.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _outgoing(request: UpstreamRequest, write_wait: float) -> httpcore2.Request:
    """Write a request for the pool, with the two headers that belong to the transport."""
    host = urlsplit(request.target).netloc.rpartition("@")[2].encode()
    connect = request.provider.timeouts.connect
    return httpcore2.Request(
        "POST",
        request.target,
        headers=[(b"host", host), *request.headers, (b"content-length", b"%d" % len(request.body))],
        content=request.body,
        extensions={"timeout": {"connect": connect, "pool": POOL_WAIT, "read": None, "write": write_wait}},
    )


def _proxy(address: str) -> httpcore2.Proxy:
    """Read a proxy from its URL; user and password in it become its own authorization."""
    try:
        proxy = httpx2.Proxy(address)
    except httpx2.InvalidURL:  # a plain Exception, which quotes what it takes for a port: maybe half a password
        raise ValueError("the proxy's address is not a valid URL") from None
    if proxy.url.scheme not in {"http", "https"}:
        raise ValueError("the proxy's address must begin with http:// or https://")
    return httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth, headers=proxy.headers.raw)


def _fault_before_head(provider: Provider, error: Exception) -> UpstreamFault:
    """Say what a failure before the head of an answer was."""
    match error:
        case httpcore2.PoolTimeout():
            return no_free_connection(provider)
        case httpcore2.WriteTimeout():
            return not_taken(provider)
        case httpcore2.LocalProtocolError():
            return unsendable(provider)
        case httpcore2.RemoteProtocolError() | httpcore2.ReadError():
            return no_answer(provider)
        case _:
            return unreachable(provider, error)
