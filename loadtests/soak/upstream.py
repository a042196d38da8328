"""The provider of a soak, in a process of its own: streams numbered events as each request orders.

    python -m loadtests.soak.upstream --idle 5

It says its port on standard output. It closes a connection that is idle for so many seconds, as providers do.
"""

import argparse
import asyncio
import json
import socket
import struct
from typing import cast

import httptools
import uvloop

from loadtests.soak.numbered import DONE, Order, completion, event, usage_event

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BACKLOG = 4096


def reset(transport: asyncio.Transport) -> None:
    """Break a connection off, so that the other side learns of it by an error."""
    taken = transport.get_extra_info("socket")
    if taken is not None and not transport.is_closing():
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Provider(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._body = bytearray()
        self._order = Order(0, 0)
        self._model, self._next, self._began, self._tells_usage = b"", 0, 0.0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Read requests; whatever cannot be read ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError):
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Write no more."""
        self._transport = None
        self._stop()

    def on_message_begin(self) -> None:
        """Start a body."""
        self._stop()
        self._body = bytearray()

    def on_body(self, data: bytes) -> None:
        """Keep the body."""
        self._body += data

    def on_message_complete(self) -> None:
        """Answer as it is ordered."""
        asked = json.loads(self._body)
        self._order = Order.read(asked)
        self._model = str(asked["model"]).encode()
        if not asked.get("stream"):
            body = completion(asked["model"], self._order.events)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self._write(head + body)
            self._rest()
            return
        self._tells_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        self._next, self._began = 0, self._loop.time()
        self._tell()

    def _tell(self) -> None:
        """Write the next event, or the end."""
        if self._transport is None:
            return
        order, number = self._order, self._next
        if order.cut == number:
            reset(self._transport)
            return
        told = b"" if number >= order.events else event(self._model, number)
        self._next = number + 1
        if self._next < order.events:
            self._timer = self._loop.call_at(self._began + self._next * order.every, self._tell)
            self._write((HEAD if number == 0 else b"") + _chunk(told))
            return
        if self._tells_usage:
            told += usage_event(self._model, order.events)
        self._write((HEAD if number == 0 else b"") + _chunk(told + DONE) + b"0\r\n\r\n")
        self._rest()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _rest(self) -> None:
        self._stop()
        if self._transport is not None:
            self._timer = self._loop.call_later(self._idle, self._transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(idle: float) -> None:
    """Serve on a free loopback port, which is printed, until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(idle), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=float, default=5.0, help="seconds after which an idle connection is closed")
    uvloop.run(serve(parser.parse_args().idle))


if __name__ == "__main__":
    main()
