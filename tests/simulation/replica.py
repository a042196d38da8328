"""One life of a replica: the project's own control, joined as `gateway/wiring.py` joins it, to simulated ports."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from gateway.control.access_uses import AccessUses
from gateway.control.approvals import Approvals
from gateway.control.audit_notes import AuditNotes
from gateway.control.background import every
from gateway.control.breakers import Breakers
from gateway.control.deployments import Deployments
from gateway.control.error_budgets import ErrorBudgets
from gateway.control.fleet_life import LEASE_SECONDS, SHARE_SECONDS, FleetLife
from gateway.control.hand_overs import HandOvers
from gateway.control.judging import Judging
from gateway.control.keys import Keys
from gateway.control.live import Live, World
from gateway.control.recording import Recording
from gateway.control.registries import Registries
from gateway.control.rollouts import Rollouts
from gateway.control.serving import Serving
from gateway.control.terms import Terms
from gateway.core.errors import PolicyFault, StoreFault
from gateway.core.fleet_reading import FleetReading
from tests.control.serving_world import Copy, Meters, PriceBook, Secrets
from tests.simulation.loop import Owner, VirtualLoop

JUDGE_SECONDS = FOLLOW_SECONDS = 1.0
TICK_SECONDS = 0.1
USE_SECONDS = 60.0
"""As in the wiring."""

BASE = 1_700_000_000.0


@dataclass
class Machine:
    """What outlives the lives of one replica: its disk, its clock, its links, the policy files that lie there."""

    name: str
    files: dict[str, str]
    store_link: object
    bus_link: object
    skew: float = 0.0
    copy: Copy = field(default_factory=Copy)
    lives: int = 0


class Clock:
    """Port `Clock`: the loop's time; the wall clock as it is set on the machine."""

    def __init__(self, loop: VirtualLoop, machine: Machine) -> None:
        self._loop, self._machine = loop, machine
        self._start = 1_000.0 * (machine.lives + 1)

    def monotonic(self) -> float:
        return self._start + self._loop.now

    def wall(self) -> float:
        return BASE + self._loop.now + self._machine.skew


class Journal:
    """Port `Journal`: a few words of each event go to the trace."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def event(self, name, /, *, level="info", **fields) -> None:
        shown = ("route", "release", "rollout", "state", "step", "kind", "what", "message", "problems", "reason")
        words = " ".join(f"{key}={str(fields[key])[:120]}" for key in shown if fields.get(key) is not None)
        self._tell(f"{name} {words}" if level == "info" else f"{name} [{level}] {words}")

    def request(self, record, message) -> None: ...


class NoTraffic:
    """The part of the port `Ledger` that the registry asks: nobody has met anything."""

    async def traffic(self, routes, since):
        del routes, since
        return ()


@dataclass(frozen=True)
class Parts:
    """Which classes a replica is made of; a planted bug is a subclass of one."""

    live: type[Live] = Live
    rollouts: type[Rollouts] = Rollouts
    judging: type[Judging] = Judging
    fleet_life: type[FleetLife] = FleetLife
    keys: type[Keys] = Keys
    serving: type[Serving] = Serving


class Replica:
    """One life, from its start to its crash."""

    def __init__(self, machine: Machine, owner: Owner, store, end, tools: "Tools") -> None:
        self.machine, self.owner, self.end = machine, owner, end
        self.name = machine.name
        self.is_serving = False
        loop, random, parts = tools.loop, tools.random, tools.parts
        self.clock, self.journal = Clock(loop, machine), Journal(partial(tools.tell, self.name))
        self.store = store
        self.notes = AuditNotes(store, self.journal, self.clock)
        reading = FleetReading(is_up=True, replicas=tools.replicas, away_since=None)
        self.fleet = parts.fleet_life(end, end, lambda: reading, self.journal)
        world = World(
            store=store,
            copy=machine.copy,
            meters=Meters(),
            journal=self.journal,
            clock=self.clock,
            price_book=PriceBook(),
            secrets=Secrets(),
            new_id=tools.new_id,
            note=self.notes.note,
            say=self.fleet.say,
        )
        self.recording = Recording(self.journal)
        self.live = parts.live(world, self.recording, Terms(anchored=True))
        self.serving = parts.serving(self.live)
        self.approvals = Approvals(self.live, self.serving.considered)
        self.rollouts = parts.rollouts(self.live)
        self.keys = parts.keys(self.live, lambda count: tools.new_id().rjust(count, "0")[-count:])
        self.access_uses = AccessUses(self.live)
        self.breakers = Breakers(lambda: self.live.current, self._tripped, self.journal)
        self.live.on_fresh_attempt(self.breakers.forget)
        budgets = ErrorBudgets(lambda: self.live.current)
        self.judging = parts.judging(self.live, self.rollouts, self.breakers, budgets)
        self.live.tell(self.judging.follow)
        self.deployments = Deployments(self.live)
        self.live.tell(self.deployments.follow)
        self.registries = Registries(self.live, NoTraffic())
        self.hand_overs = HandOvers(end, self.judging, store.fleet_secret, tools.new_id(), self.clock)
        self._look = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._draw = random.random

    def __repr__(self) -> str:
        return f"<Replica {self.name}, life {self.machine.lives}>"

    def _tripped(self, route, version, rule, evidence) -> None:
        self.judging.trip(route, version, rule, evidence)

    async def begin(self) -> bool:
        """Start; say whether it serves. As a process that cannot, it is over then."""
        self._beside(self.recording.run())
        self.fleet.join(self.live, self.breakers, self.hand_overs, self._look.set, self._draw)
        for coroutine in self.fleet.tasks():
            self._beside(coroutine)
        again = partial(every, self.journal)
        self._beside(again(SHARE_SECONDS, self.fleet.share))
        self._beside(again(SHARE_SECONDS, self.fleet.hand_over))
        self._beside(again(LEASE_SECONDS, self.fleet.lease))
        try:
            await self.judging.restore()
            await self.serving.open(self.machine.files)
        except (PolicyFault, StoreFault) as fault:
            self.journal.event("cannot_start", level="error", message=str(fault))
            return False
        self.is_serving = True
        self._beside(again(TICK_SECONDS, self._tick))
        self._beside(again(JUDGE_SECONDS, self.judging.judge))
        self._beside(again(FOLLOW_SECONDS, self._follow, self._look))
        self._beside(self.deployments.run())
        self._beside(again(USE_SECONDS, self.access_uses.keep))
        self._beside(again(FOLLOW_SECONDS, self.notes.write))
        return True

    async def reload(self):
        """Take the files that lie on the machine."""
        async with self._reloading:
            return await self.serving.reload(self.machine.files)

    def _beside(self, coroutine) -> None:
        asyncio.get_running_loop().create_task(coroutine, context=self.owner.context.copy())

    async def _tick(self) -> None:
        self.live.end_keys()
        self.judging.gather()

    async def _follow(self) -> None:
        self.registries.end_due()
        if await self.serving.follow():
            await self.reload()
        await self.approvals.follow()
        await self.fleet.settle(store_is_away=self.serving.store_is_away)


@dataclass
class Tools:
    """What a world lends to its replicas."""

    loop: VirtualLoop
    random: Random
    parts: Parts
    tell: Callable[[str, str], None]
    new_id: Callable[[], str]
    replicas: int
