"""Between replicas, store and bus: links that lose, delay, double and reorder, and stop and come back."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gateway.core.errors import FleetFault, PinionError, StoreFault
from gateway.core.fleet_message import LATE, LOOK
from tests.simulation.database import SimulatedStore, done
from tests.simulation.loop import VirtualLoop

STORE_PATIENCE = 3.0
BUS_PATIENCE = 0.1
"""After how long a client gives up, as those of PostgreSQL and Redis do."""

WRITES = frozenset(
    (
        "record_routes",
        "record_request",
        "record_exceptions",
        "record_experiment",
        "record_arm_out",
        "record_served",
        "record_standing",
        "record_deployments",
        "record_keys",
    )
)
"""What raises the epoch."""


@dataclass
class Link:
    """One replica's way to the store, or to the bus. Chances are of each call or message."""

    is_up: bool = True
    fails_before: float = 0.0
    loses_reply: float = 0.0
    slow: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0

    def heal(self) -> None:
        """Be as in fair weather."""
        self.is_up, self.fails_before, self.loses_reply = True, 0.0, 0.0
        self.slow, self.lost, self.doubled = 0.0, 0.0, 0.0


@dataclass
class Ether:
    """What every link shares: the loop's time, chance, and what is done after each commit."""

    loop: VirtualLoop
    random: Random
    committed: Callable[[str, str, int | None, tuple], None] = lambda _who, _name, _epoch, _given: None

    def latency(self, slow: float = 0.0) -> float:
        """Seconds that something takes on its way: a millisecond or so, and now and then far longer."""
        if slow and self.random.random() < slow:
            return self.random.uniform(0.05, 2.5)
        return self.random.uniform(0.0005, 0.02)


class StoreLink:
    """Port `Store`, of one replica: each call crosses a link, and is carried out by the real store, one by one."""

    def __init__(self, who: str, store: SimulatedStore, link: Link, ether: Ether) -> None:
        self._who, self._store, self._link, self._ether = who, store, link, ether
        self._turn = asyncio.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def call(*given: Any, **named: Any) -> Any:
            try:
                async with asyncio.timeout(STORE_PATIENCE), self._turn:
                    return await self._cross(name, given, named)
            except TimeoutError as error:
                raise StoreFault("the simulated store has not answered in time") from error

        return call

    async def _cross(self, name: str, given: tuple, named: dict) -> Any:
        link, ether = self._link, self._ether
        answer = ether.loop.create_future()
        chance = ether.random.random()
        way = ether.latency(link.slow)
        ether.loop.outside(ether.loop.call_later, way, self._arrive, name, given, named, answer, chance)
        return await answer

    def _arrive(self, name: str, given: tuple, named: dict, answer: asyncio.Future, chance: float) -> None:
        link, ether = self._link, self._ether
        if not link.is_up:
            if ether.random.random() < 0.5:
                _end(answer, StoreFault("the simulated store cannot be reached"))
            return
        if chance < link.fails_before:
            _end(answer, StoreFault("the simulated store has failed"))
            return
        found = self._carry_out(name, given, named)
        if chance < link.fails_before + link.loses_reply and not isinstance(found, PinionError):
            found = StoreFault("the simulated store's answer was lost")
        ether.loop.call_later(ether.latency(link.slow), _end, answer, found)

    def _carry_out(self, name: str, given: tuple, named: dict) -> Any:
        try:
            found = done(getattr(self._store, name)(*given, **named))
        except PinionError as fault:
            return fault
        self._ether.committed(self._who, name, found if name in WRITES else None, given)
        return found


def _end(answer: asyncio.Future, found: Any) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


@dataclass
class Bus:
    """What all replicas share of the fleet's bus. It holds no only copy: it may forget all of it."""

    ether: Ether
    is_frozen: bool = False
    counters: dict[str, int] = field(default_factory=dict)
    leases: dict[str, tuple["BusEnd", float]] = field(default_factory=dict)
    ends: list["BusEnd"] = field(default_factory=list)

    def flush(self) -> None:
        """Forget everything, as a restart does."""
        self.counters.clear()
        self.leases.clear()

    def carry(self, sender: "BusEnd", text: str) -> None:
        """Bring a message to all others that can be reached: late, twice, or not at all."""
        for end in list(self.ends):
            if end is sender:
                continue
            link = end.link
            if not link.is_up or self.is_frozen:
                end.has_missed = True
                continue
            for _ in range(1 + (self.ether.random.random() < link.doubled)):
                if self.ether.random.random() >= link.lost:
                    self.ether.loop.call_later(self.ether.latency(link.slow), end.deliver, text)


class BusEnd:
    """The ports `Fleet` and `FleetLeases`, of one replica."""

    def __init__(self, bus: Bus, link: Link, heard: Callable[[dict], None]) -> None:
        self._bus, self.link, self._heard = bus, link, heard
        self._coming: asyncio.Queue = asyncio.Queue()
        self.has_missed = False
        bus.ends.append(self)

    async def _reach(self) -> None:
        ether = self._bus.ether
        if not self.link.is_up or self._bus.is_frozen:
            await asyncio.sleep(ether.random.choice((0.001, BUS_PATIENCE)))
            raise FleetFault("the simulated bus is away")
        await asyncio.sleep(ether.latency())

    async def add(self, amounts, keep):
        del keep
        await self._reach()
        counters = self._bus.counters
        for name, amount in amounts.items():
            counters[name] = counters.get(name, 0) + amount
        return {name: counters[name] for name in amounts}

    async def replicas(self):
        await self._reach()
        return len(self._bus.ends)

    async def say(self, message):
        await self._reach()
        text = json.dumps(message)
        self._bus.ether.loop.outside(self._bus.carry, self, text)

    async def pass_on(self, messages):
        await self._reach()
        for message in messages:
            self._bus.ether.loop.outside(self._bus.carry, self, json.dumps(message))
        return sum(end.link.is_up for end in self._bus.ends if end is not self)

    async def heard(self):
        while True:
            yield await self._coming.get()

    def deliver(self, text: str) -> None:
        """A message arrives, if the link is there by now."""
        if not self.link.is_up or self._bus.is_frozen:
            self.has_missed = True
            return
        message = json.loads(text)
        self._heard(message)
        self._coming.put_nowait(message)

    def back(self) -> None:
        """The bus is there again: whoever may have missed something is told to look at the store."""
        if self.has_missed:
            self.has_missed = False
            self._coming.put_nowait({**LOOK, LATE: True})

    async def take(self, names, seconds):
        await self._reach()
        now, leases = self._bus.ether.loop.now, self._bus.leases
        taken = set()
        for name in names:
            holder, until = leases.get(name, (self, 0.0))
            if holder is self or until < now:
                leases[name] = self, now + seconds
                taken.add(name)
        return frozenset(taken)

    async def give_back(self, names):
        await self._reach()
        for name in names:
            if self._bus.leases.get(name, (None, 0.0))[0] is self:
                del self._bus.leases[name]

    async def close(self): ...
