"""A fleet's bus in memory: the ports `Fleet` and `FleetLeases`, which may be away."""

import asyncio
import contextlib
import json

from gateway.core.errors import FleetFault


class Bus:
    """What all gateways share."""

    def __init__(self):
        self.counters, self.leases, self.ends = {}, {}, []
        self.away = False

    def end(self):
        """One more gateway's end of it."""
        self.ends.append(End(self))
        return self.ends[-1]


class End:
    """One gateway's end. `said` is what it has told, `trips` how often it was asked something; it may be `deaf`, or
    have what it passes on taken and not answered, where it `breaks`.
    """

    def __init__(self, bus):
        self.deaf = self.breaks = False
        self.bus, self.said, self.trips = bus, [], 0
        self.coming = asyncio.Queue()

    def _reach(self):
        self.trips += 1
        if self.bus.away:
            raise FleetFault("the bus is away")

    async def add(self, amounts, keep):
        del keep
        self._reach()
        for name, amount in amounts.items():
            self.bus.counters[name] = self.bus.counters.get(name, 0) + amount
        return {name: self.bus.counters[name] for name in amounts}

    async def replicas(self):
        if self.bus.away:
            raise FleetFault("the bus is away")
        return len(self.bus.ends)

    async def say(self, message):
        self._reach()
        self.said.append(message)
        for end in self.bus.ends:
            if end is not self:
                end.coming.put_nowait(json.loads(json.dumps(message)))

    async def pass_on(self, messages):
        self._reach()
        self.said += messages
        listening = [end for end in self.bus.ends if end is not self and not end.deaf]
        for end in listening:
            for message in messages:
                end.coming.put_nowait(json.loads(json.dumps(message)))
        if self.breaks:
            raise FleetFault("the answer was lost")
        return len(listening)

    async def heard(self):
        while True:
            yield await self.coming.get()

    async def take(self, names, seconds):
        del seconds
        self._reach()
        return frozenset(name for name in names if self.bus.leases.setdefault(name, self) is self)

    async def give_back(self, names):
        self._reach()
        for name in names:
            if self.bus.leases.get(name) is self:
                del self.bus.leases[name]

    async def close(self): ...


async def until(condition):
    """Wait until a condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def going(*coroutines):
    """Have coroutines run for the length of a `with` block."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
