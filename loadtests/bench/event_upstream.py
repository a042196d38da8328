"""An upstream that streams prepared server-sent events, one every 5 ms a stream, and counts what it writes.

    python -m loadtests.bench.event_upstream --port 9000 [--pause 60] [--cert FILE]

With `--pause` a stream waits that many seconds after its first event, unless its user is `check`. A GET answers
`{"events": N}`.
"""

import argparse
import asyncio
import gc
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import httptools
import uvloop

from loadtests.bench.answers import EVENT_SECONDS, completion, events

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
BACKLOG = 8192

CHECK = b'"check"'
"""Marks a request that checks a system before it is timed: its user."""


class Script:
    """The chunks of a stream, when they are due, and how many were written to anyone."""

    def __init__(self, pause: float) -> None:
        told = events()
        self.chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in told]
        self.chunks[0] = HEAD + self.chunks[0]
        self.chunks[-1] += END
        self.pause = pause
        self.written = 0

    def __repr__(self) -> str:
        return f"<Script {len(self.chunks)} events, {self.written} written>"


class Upstream(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next, self._began, self._body = 0, 0.0, bytearray()
        self._pause = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class

    def data_received(self, data: bytes) -> None:
        """Read requests; whatever cannot be read ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own signature
        """Write no more."""
        self._transport = None
        if self._timer:
            self._timer.cancel()

    def on_message_begin(self) -> None:
        """Start a body."""
        self._body = bytearray()

    def on_body(self, data: bytes) -> None:
        """Keep what says whether a stream is wanted."""
        self._body += data

    def on_message_complete(self) -> None:
        """Answer: a count, a completion, or a stream from now on."""
        if self._parser.get_method() != b"POST":
            self._write_json(json.dumps({"events": self._script.written, "status": "ok"}))
        elif not _wants_stream(self._body):
            self._write_json(completion())
        else:
            self._next, self._began = 0, self._loop.time()
            self._pause = 0.0 if CHECK in self._body else self._script.pause
            self._tell()

    def _tell(self) -> None:
        if self._transport is None:
            return
        script = self._script
        self._transport.write(script.chunks[self._next])
        script.written += 1
        self._next += 1
        if self._next < len(script.chunks):
            due = self._began + self._pause + self._next * EVENT_SECONDS
            self._timer = self._loop.call_at(due, self._tell)

    def _write_json(self, text: str) -> None:
        body = text.encode()
        if self._transport:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)

    def _close(self) -> None:
        if self._transport:
            self._transport.close()


def _wants_stream(body: bytearray) -> bool:
    return b'"stream":true' in body or b'"stream": true' in body


async def serve(port: int, script: Script, certificate: Path | None) -> None:
    """Serve on loopback until cancelled."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(script), "127.0.0.1", port, ssl=context, backlog=BACKLOG)
    gc.freeze()
    async with server:
        await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0, help="seconds between a stream's first event and the others")
    parser.add_argument("--cert", type=Path, help="serve TLS with this key and certificate chain, as PEM")
    wanted = parser.parse_args(arguments)
    uvloop.run(serve(wanted.port, Script(wanted.pause), wanted.cert))


if __name__ == "__main__":
    main()
