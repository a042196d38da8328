"""An answer's way to its client: at its pace, and with what the behaviour does to its bytes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from gateway.simulator.behaviour import Behaviour
from gateway.simulator.connection import Reply
from gateway.simulator.encoding import ENCODERS
from gateway.simulator.events import Event, rendered, unterminated

Header = tuple[str, str]
Hold = Callable[[str], Awaitable[None]]


class Cut(Exception):
    """The connection must be closed here, without a proper end."""


class Pace:
    """When each token is due: the first after `first_token`, the others at `rate` a second."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock() + behaviour.first_token
        self._step = 1 / behaviour.rate if behaviour.rate else 0.0

    async def token(self) -> None:
        """Wait until the next token is due."""
        await self._until(self._due)
        self._due += self._step

    async def tokens(self, count: int) -> None:
        """Wait until `count` tokens are made."""
        await self._until(self._due + max(0, count - 1) * self._step)

    async def _until(self, due: float) -> None:
        delay = due - self._clock()
        if delay > 0:
            await asyncio.sleep(delay)


class Outlet:
    """The body of a reply, byte by byte: cuts it and splits it as the behaviour says."""

    def __init__(self, reply: Reply, behaviour: Behaviour) -> None:
        self._reply = reply
        self._split = behaviour.split
        self._left = behaviour.cut_at

    async def write(self, data: bytes) -> None:
        """Send a piece of the body.

        Raises:
            Cut: the body has come to the byte where it is cut.
        """
        if self._left is not None and self._left <= len(data):
            await self._pass(data[: self._left])
            raise Cut
        if self._left is not None:
            self._left -= len(data)
        await self._pass(data)

    async def _pass(self, data: bytes) -> None:
        if not self._split:
            if data:
                await self._reply.write(data)
            return
        for place in range(0, len(data), self._split):
            await asyncio.sleep(0)
            await self._reply.write(data[place : place + self._split])


async def deliver_stream(
    reply: Reply, headers: Sequence[Header], events: Iterable[Event], behaviour: Behaviour, hold: Hold
) -> None:
    """Send events as they come due, then end the body.

    `hold` waits, in the places `first` and `middle`, as long as the behaviour hangs there.

    Raises:
        Cut: the behaviour cuts the body.
    """
    told = list(events) if behaviour.hang == "middle" or behaviour.no_blank_end else events
    total = len(told) if isinstance(told, list) else None
    outlet, pace = Outlet(reply, behaviour), Pace(behaviour)
    encoder = ENCODERS[behaviour.encoding]() if behaviour.encoding else None
    coding = [("content-encoding", behaviour.encoding)] if behaviour.encoding else []
    reply.start(200, [("content-type", "text/event-stream; charset=utf-8"), *headers, *coding])
    await hold("first")
    for number, event in enumerate(told):
        if number == behaviour.cut_event:
            raise Cut
        if total is not None and number == total // 2:
            await hold("middle")
        if event.token:
            await pace.token()
        data = rendered(event, behaviour, number)
        if behaviour.no_blank_end and number + 1 == total:
            data = unterminated(data, behaviour)
        await outlet.write(encoder.feed(data) if encoder else data)
    if encoder:
        await outlet.write(encoder.finish())
    reply.finish()


async def deliver_whole(
    reply: Reply, status: int, headers: Sequence[Header], body: bytes, behaviour: Behaviour, hold: Hold
) -> None:
    """Send a body of known length.

    Raises:
        Cut: the behaviour cuts the body.
    """
    coding: list[Header] = []
    if behaviour.encoding:
        encoder = ENCODERS[behaviour.encoding]()
        body = encoder.feed(body) + encoder.finish()
        coding = [("content-encoding", behaviour.encoding)]
    outlet = Outlet(reply, behaviour)
    reply.start(status, [*headers, *coding], len(body))
    await hold("first")
    middle = len(body) // 2
    if behaviour.hang == "middle":
        await outlet.write(body[:middle])
        await hold("middle")
        body = body[middle:]
    await outlet.write(body)
    reply.finish()
