"""A TCP proxy that does to a connection what networks do: late, slow, in pieces, one way, cut, or not at all.

`Proxies` runs any number of them on one loop in a thread of its own; every method may be called from any other thread.
What is set acts on open connections as well as on new ones, from the next piece on.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

Way = Literal["there", "back"]
"""To the server, and from it."""

PIECE = 65_536
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What becomes of the bytes of one direction. Times in seconds, sizes in bytes; nothing is touched by default.

    `jitter` is added to or taken from `latency`, evenly; `rate` is a bandwidth; `slices` cuts pieces up, each sent by
    itself. `hole` swallows everything. `limit` lets so many bytes of a connection through and resets it. `fatal` resets
    the next connection on which these bytes come, right after they were passed on and before any reply; with `after`
    only one on which those have come before, since the trouble was laid; with `holds` they are not passed on, and the
    connection says nothing more.
    """

    latency: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0
    slices: int = 0
    hole: bool = False
    limit: int | None = None
    fatal: bytes = b""
    after: bytes = b""
    holds: bool = False


@dataclass(eq=False)
class Joined:
    """One connection: the client's end and the server's, and how many bytes went each way."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    passed: dict[Way, int] = field(default_factory=lambda: {"there": 0, "back": 0})
    is_held: bool = False
    since: bytes = b""
    """What was sent from the bytes of `after` on."""

    def reset(self) -> None:
        """End both sides at once, with an RST, as a machine does that has lost its memory."""
        for end in (self.near, self.far):
            if end is None:
                continue
            with suppress(OSError):
                raw = end.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class FaultProxy:
    """One port before one server.

    `target` may be changed for the connections to come, or be left to `choose`, which gives a port for each; `struck`
    counts what `fatal` met, `cut` is what the last connection of those had sent from `after` on, and `seen` counts what
    `watched` met.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int, seed: int) -> None:
        self.target = target
        self.choose: Callable[[], int] = lambda: self.target
        self.port = 0
        self.struck = 0
        self.cut: bytes = b""
        self.watched: bytes = b""
        self.seen = 0
        self._troubles: dict[Way, Trouble] = {"there": Trouble(), "back": Trouble()}
        self._loop = loop
        self._random = random.Random(seed)
        self._joined: set[Joined] = set()
        self._server: asyncio.Server | None = None

    def trouble(self, way: Way | None = None, **what: Any) -> None:
        """Lay trouble over one direction, or both; what is not named is as it was."""
        for each in ("there", "back") if way is None else (way,):
            self._troubles[each] = replace(self._troubles[each], **what)

    def heal(self) -> None:
        """Do nothing to anybody any more, and take connections. What was swallowed stays so: those are reset."""
        stained = any(each.hole for each in self._troubles.values())
        self._troubles = {"there": Trouble(), "back": Trouble()}
        self.watched = b""
        self._do(self._listen())
        for each in tuple(self._joined):
            each.since = b""
        if stained or any(each.is_held for each in self._joined):
            self.reset()

    def refuse(self) -> None:
        """Take no connection any more, and end those there are, as a server does that has gone."""
        self._do(self._close())
        self.reset()

    def reset(self) -> None:
        """Reset every open connection; new ones are as welcome as before."""
        self._do(self._reset())

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._joined)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(PATIENCE)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _reset(self) -> None:
        for each in tuple(self._joined):
            each.reset()

    async def _join(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        joined = Joined(near)
        self._joined.add(joined)
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.choose())
            joined.far = far
            await asyncio.gather(
                self._pass(joined, "there", near_reader, far), self._pass(joined, "back", far_reader, near)
            )
        except OSError:
            joined.reset()
        finally:
            self._joined.discard(joined)
            for end in (joined.near, joined.far):
                if end is not None:
                    end.close()

    async def _pass(self, joined: Joined, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(PIECE):
                if self.watched and self.watched in data:
                    self.seen += 1
                if not await self._send(joined, way, data, sink):
                    joined.reset()
                    return
        except OSError:
            joined.reset()
        with suppress(OSError):
            sink.write_eof()

    async def _send(self, joined: Joined, way: Way, data: bytes, sink: asyncio.StreamWriter) -> bool:
        """Pass on one piece, with its trouble; say whether the connection lives."""
        trouble = self._troubles[way]
        counted = data
        if trouble.after and not joined.since:
            counted = b"".join(data.partition(trouble.after)[1:])
        joined.since += counted if trouble.after else b""
        is_fatal = bool(trouble.fatal) and trouble.fatal in counted
        if trouble.hole or joined.is_held:
            return True
        if is_fatal:
            self.cut = joined.since
            self.struck += 1
            self._troubles[way] = replace(trouble, fatal=b"", after=b"", holds=False)
            joined.is_held = True  # what the server answers meanwhile reaches nobody
            if trouble.holds:
                return True
        if trouble.latency or trouble.jitter:
            await asyncio.sleep(max(0.0, trouble.latency + trouble.jitter * self._random.uniform(-1, 1)))
        if trouble.limit is not None:
            data = data[: max(0, trouble.limit - joined.passed[way])]
        for piece in _pieces(data, trouble.slices):
            sink.write(piece)
            await sink.drain()
            joined.passed[way] += len(piece)
            if trouble.slices or trouble.rate:
                await asyncio.sleep(len(piece) / trouble.rate if trouble.rate else 0)
        is_over = trouble.limit is not None and joined.passed[way] >= trouble.limit
        if is_fatal:
            await asyncio.sleep(0.05)  # the kernel may still hold what was written, and an RST would throw it away
        return not is_fatal and not is_over


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)] if size else [data]


class Proxies:
    """Makes proxies, for the length of a `with` block. `seed` draws their jitter."""

    def __init__(self, seed: int = 0) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._seed = seed
        self._made: list[FaultProxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._made:
            each.refuse()
        asyncio.run_coroutine_threadsafe(_ended(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def before(self, target: int) -> FaultProxy:
        """Put a proxy before a port of this machine; its own port is free until then."""
        made = FaultProxy(self._loop, target, self._seed + len(self._made))
        made.heal()
        self._made.append(made)
        return made


async def _ended() -> None:
    """Let every connection's tasks end."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
