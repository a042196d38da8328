"""The upstream transport of the hot path: HTTP/1.1 by callbacks, straight on the event loop's transports.

No task, future or timer belongs to a call, but while a connection is opened for it. The deadlines of an answer are its
listener's, whose one coarse tick looks after all of them.
"""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.adapters.upstream_faults import broken_off, no_answer, unreachable, unsendable
from gateway.adapters.upstream_line import Line
from gateway.adapters.upstream_pool import Pool
from gateway.adapters.upstream_way import Way
from gateway.core.errors import UpstreamFault
from gateway.core.ports import Headers, UpstreamListener, UpstreamRequest
from gateway.core.provider import Provider
from gateway.wire.http_writer import Unsendable, request_head


class NativeCall:
    """One call under way: an `UpstreamCall`."""

    __slots__ = ("_head", "_is_paused", "_line", "_listener", "_pool", "_request", "data_came", "is_over")

    def __init__(self, request: UpstreamRequest, listener: UpstreamListener) -> None:
        self._request = request
        self._listener = listener
        self.data_came = listener.upstream_data
        self.is_over = self._is_paused = False
        self._head = b""
        self._line: Line | None = None
        self._pool: Pool | None = None

    @property
    def provider(self) -> Provider:
        """Whom the call goes to."""
        return self._request.provider

    def pause(self) -> None:
        """Stop reading from the provider, whose sending then stalls; the head of an answer is still read."""
        self._is_paused = True
        if self._line is not None and self._line.has_head:
            self._line.pause()

    def resume(self) -> None:
        """Read on."""
        self._is_paused = False
        if self._line is not None:
            self._line.resume()

    def cancel(self) -> None:
        """Give the call up: the listener hears nothing more, the connection closes at once."""
        line = self._leave()
        if line is not None:
            line.drop()

    # What its pool and its connection say

    def place(self, pool: Pool, head: bytes) -> None:
        """Ask a pool for a connection to send on."""
        self._pool, self._head = pool, head
        pool.place(self)

    def begin(self, line: Line) -> None:
        """There is a connection: send the request."""
        self._line = line
        line.carry(self, self._head, self._request.body)

    def fail(self, fault: UpstreamFault) -> None:
        """The call has failed."""
        if not self.is_over:
            self._leave()
            self._listener.upstream_failed(fault)

    def head_came(self, status: int, headers: Headers) -> None:
        """The status and headers have come."""
        self._listener.upstream_head(status, headers)
        if self._is_paused:
            self.pause()

    def end_came(self) -> None:
        """The answer is whole."""
        self._leave()
        self._listener.upstream_end()

    def broke(self, line: Line) -> None:
        """The connection has failed: a kept one that was silent is replaced, once."""
        self._line = None
        if line.is_kept and not line.has_heard and self._pool is not None:
            self._pool.open_for(self)
        else:
            self.fail(broken_off(self.provider) if line.has_head else no_answer(self.provider))

    def _leave(self) -> Line | None:
        line, self._line = self._line, None
        self.is_over = True
        return line


class NativeUpstream:
    """The port `Upstream` on asyncio and httptools. It belongs to the event loop that calls `send`.

    Calls that reach a provider in the same way share its connections: a reload that changes its address, certificates
    or limit starts new ones, and `retire` closes the old.
    """

    def __init__(self) -> None:
        self._pools: dict[Way, Pool] = {}
        self._known: dict[int, tuple[Provider, Pool]] = {}
        self._in_use: frozenset[Way] | None = None

    @property
    def connections(self) -> tuple[int, int]:
        """How many there are, those that are being opened included, and how many of them carry nothing."""
        return sum(pool.size for pool in self._pools.values()), sum(pool.idle for pool in self._pools.values())

    def __repr__(self) -> str:
        connections, idle = self.connections
        return f"<NativeUpstream {len(self._pools)} pools, {connections} connections, {idle} of them idle>"

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> NativeCall:
        """Begin a call; a connection that is idle carries it at once."""
        call = NativeCall(request, listener)
        try:
            pool = self._pool(request.provider)
            head = request_head(_request_line(request.target), request.headers, len(request.body))
        except Unsendable:
            asyncio.get_running_loop().call_soon(call.fail, unsendable(request.provider))
        except (OSError, ValueError) as error:
            asyncio.get_running_loop().call_soon(call.fail, unreachable(request.provider, error))
        else:
            call.place(pool, head)
        return call

    def retire(self, providers_in_use: Iterable[Provider]) -> None:
        """Close the connections to all other providers: now, or when the last call on them ends."""
        self._in_use = frozenset(Way.to(provider) for provider in providers_in_use)
        self._known.clear()
        for way, pool in tuple(self._pools.items()):
            if way in self._in_use:
                pool.keep()
            else:
                pool.retire()

    async def aclose(self) -> None:
        """Cancel every call, close every connection."""
        pools, self._pools = self._pools, {}
        self._known.clear()
        for pool in pools.values():
            await pool.aclose()

    def _pool(self, provider: Provider) -> Pool:
        """Find the pool for a provider, or make it. Snapshots share providers, so the very object is mostly known."""
        known = self._known.get(id(provider))
        if known is not None and known[0] is provider:
            return known[1]
        way = Way.to(provider)
        pool = self._pools.get(way)
        if pool is None:
            is_retired = self._in_use is not None and way not in self._in_use
            pool = self._pools[way] = Pool(way, self._forget, self._spare, is_retired=is_retired)
        self._known[id(provider)] = provider, pool
        return pool

    def _spare(self) -> None:
        """Let the idle connections to all providers make way for those that are wanted."""
        for pool in tuple(self._pools.values()):
            pool.spare()

    def _forget(self, pool: Pool) -> None:
        """A retired pool is empty."""
        if self._pools.get(pool.way) is pool:
            del self._pools[pool.way]
            self._known.clear()


@lru_cache(maxsize=1024)
def _request_line(target: str) -> bytes:
    """The line that asks for a target, and its Host.

    Raises:
        ValueError: the target is no URL, or has signs that a request line cannot hold.
    """
    parts = urlsplit(target)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    host = parts.netloc.rpartition("@")[2]
    return f"POST {path} HTTP/1.1\r\nhost: {host}\r\n".encode("ascii")
