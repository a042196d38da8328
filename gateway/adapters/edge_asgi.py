"""The exchange behind plain ASGI, for any server that speaks it.

Two coroutines drive one exchange: one hears the client (its body, then its leaving), the other sends what the exchange
has written. What piles up between them tells the exchange to pause.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.core.errors import ClientFault, TooLarge, TooSlow
from gateway.core.head import Head
from gateway.core.ports import Exchange, Exchanges, Headers
from gateway.wire import headers as fields

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
"""Bytes written and not yet sent: over the first the exchange pauses, under the second it resumes."""

BODY_SECONDS = 120.0
BODY_SILENCE_SECONDS = 10.0
"""How long a request's body may take in all, and between two of its pieces."""

UNREAD_SECONDS = 60.0
"""How long a client may leave the end of its answer unread."""


class ClientAborted(Exception):
    """Raised into the server so that it cuts the connection instead of ending the answer properly."""


class Outbox:
    """Port `Downstream`: a queue from the exchange to the coroutine that sends."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self._messages: deque[Message] = deque()
        self._size = 0
        self._paused = False
        self._waiting: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[Any] | None = None
        self._over = False
        self._patience: asyncio.TimerHandle | None = None
        self._cause: BaseException | None = None

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Queue the head of the answer."""
        if length is not None:
            headers = [*headers, (b"content-length", b"%d" % length)]
        self._put({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, data: bytes) -> None:
        """Queue a piece of the body."""
        self._size += len(data)
        self._put({"type": "http.response.body", "body": data, "more_body": True})
        if self._size > HIGH_WATER and not self._paused and self.exchange is not None:
            self._paused = True
            self.exchange.pause()

    def finish(self) -> None:
        """Queue the proper end. A client that then leaves what is written unread for too long is given up."""
        self._over = True
        self._put({"type": "http.response.body", "body": b"", "more_body": False})
        self._patience = asyncio.get_running_loop().call_later(UNREAD_SECONDS, self.abort)

    def abort(self) -> None:
        """Queue the cut; it overtakes what waits for a client that does not read."""
        self._break(ClientAborted())

    def heard(self, hearing: asyncio.Task[None]) -> None:
        """The other coroutine has ended; where it failed, so does the answer."""
        failure = None if hearing.cancelled() else hearing.exception()
        if failure is not None:
            self._break(failure)

    def _break(self, cause: BaseException) -> None:
        """Have `cause` raised into the server."""
        self._over, self._cause = True, cause
        if self._sending is not None:
            self._messages.clear()
            self._sending.cancel()
        self._wake()

    def leave(self) -> None:
        """The client has left: nothing queued matters any more."""
        self._over = True
        self._messages.clear()
        self._wake()

    async def send_all(self, send: Send) -> None:
        """Send what is queued until the answer is over.

        Raises:
            ClientAborted: the exchange cut the answer, or the client does not read it.
        """
        try:
            while self._messages or not self._over:
                if self._messages:
                    message = self._messages.popleft()
                    await self._send(send, message)
                    self._sent(message)
                else:
                    self._waiting = asyncio.get_running_loop().create_future()
                    await self._waiting
        finally:
            if self._patience is not None:
                self._patience.cancel()
        if self._cause is not None:
            raise self._cause

    async def _send(self, send: Send, message: Message) -> None:
        """Send one message; what breaks the answer meanwhile ends the wait for the client."""
        self._sending = asyncio.current_task()
        try:
            await send(message)
        except asyncio.CancelledError:
            if self._cause is None or self._sending is None or self._sending.uncancel():
                raise
        finally:
            self._sending = None

    def _sent(self, message: Message) -> None:
        self._size -= len(message.get("body", b""))
        if self._paused and self._size < LOW_WATER and self.exchange is not None:
            self._paused = False
            self.exchange.resume()

    def _put(self, message: Message) -> None:
        self._messages.append(message)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class AsgiEdge:
    """An ASGI application: governed endpoints go through an exchange, everything else to `others`."""

    def __init__(self, exchanges: Exchanges, others: Application) -> None:
        self._exchanges = exchanges
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] == "http" and self._exchanges.governs(_raw_path(scope)):
            await self._govern(scope, receive, send)
        else:
            await self._others(scope, receive, send)

    async def _govern(self, scope: Scope, receive: Receive, send: Send) -> None:
        outbox = Outbox()
        head = Head(scope["method"], _raw_path(scope), scope["query_string"], list(scope["headers"]))
        exchange = self._exchanges.open(outbox, head)
        outbox.exchange = exchange
        hearing = asyncio.ensure_future(self._hear(exchange, outbox, head, receive))
        hearing.add_done_callback(outbox.heard)
        try:
            await outbox.send_all(send)
        finally:
            hearing.cancel()
            self._exchanges.close(exchange)

    async def _hear(self, exchange: Exchange, outbox: Outbox, head: Head, receive: Receive) -> None:
        """Take the body, then wait for the client to leave."""
        if exchange.wants_body:
            try:
                body = await _whole_body(receive, head, self._exchanges.max_body)
            except ClientFault as fault:
                exchange.refuse(fault)
                body = b""
            if body is None:
                exchange.client_gone()
                outbox.leave()
                return
            exchange.body(body)
        while (await receive())["type"] != "http.disconnect":
            pass
        exchange.client_gone()
        outbox.leave()


def _raw_path(scope: Scope) -> str:
    """The path as it was sent: no decoding may make another endpoint of it."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("ascii", "replace")


async def _whole_body(receive: Receive, head: Head, limit: int) -> bytes | None:
    """Receive a whole body; None when the client left before its end.

    Raises:
        TooLarge: it is over `limit` bytes.
        TooSlow: it did not come in time.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                async with asyncio.timeout(BODY_SILENCE_SECONDS):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise TooLarge.body_over(limit)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError as exc:
        declared = fields.text(head.headers, b"content-length") or "the whole"
        raise TooSlow(f"the body did not arrive in time ({size} of {declared} bytes); send it faster") from exc
