"""A fleet in one thread, one loop and one seed: replicas over a store and a bus, people, traffic, and what fails."""

import asyncio
import hashlib
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gateway.core.assignment import Facts, assign
from gateway.core.audit_check import Check
from gateway.core.outcome import Outcome
from gateway.core.record import Tried
from gateway.core.recorded import Recorded
from gateway.core.unit import Unit
from tests.core.evidence_records import answered
from tests.simulation.database import SimulatedStore, done, holder_of_lease, server
from tests.simulation.failures import Failures
from tests.simulation.invariants import Broken, Invariants, Seen
from tests.simulation.loop import Owner, VirtualLoop
from tests.simulation.network import STORE_PATIENCE, Bus, BusEnd, Ether, Link, StoreLink
from tests.simulation.people import ROUTES, People
from tests.simulation.replica import BASE, Machine, Parts, Replica, Tools

STORM_SECONDS = 18.0
CALM_SECONDS = 15.0
MOST_CALM_SECONDS = 60.0


@dataclass(frozen=True)
class Flaw:
    """A bug that is planted: other classes than the project's own."""

    parts: Parts = field(default_factory=Parts)
    store: type[SimulatedStore] = SimulatedStore


class Simulation:
    """One run of a seed. `run` gives what broke, or None; `trace` tells what happened."""

    def __init__(self, seed: int, flaw: Flaw = Flaw(), storm: float = STORM_SECONDS) -> None:
        self.seed, self._flaw, self._storm = seed, flaw, storm
        self.trace: list[str] = []
        self.broken: str | None = None
        self.started: set[str] = set()
        self.loop = VirtualLoop()
        self._random = Random(seed)
        self.is_fair = True
        self._fair: dict[str, float] = {}
        self._ids, self._laid = itertools.count(1), itertools.count(1)
        self._database = server().database
        self._read_since: dict[str, Any] = {}
        self._observer = SimulatedStore(self._database, self._read_since)
        spend, thread = Random(self._random.random()), self._random.choice((0.0, 0.02, 0.3))
        self.loop.spend = lambda: spend.uniform(0.0, thread)
        self.invariants = Invariants(lambda: self.loop.now, self._read, self._judge, thread)
        ether = Ether(self.loop, Random(self._random.random()), self._committed)
        self.ether, self.bus = ether, Bus(ether)
        self.names = [f"r{n}" for n in range(self._random.choice((3, 3, 4, 4, 5, 6, 8)))]
        governed = self._random.random() < 0.6
        self.people = People(self, Random(self._random.random()), governed=governed)
        files = self.people.first_files(governed=False)
        self.machines = {name: Machine(name, files, Link(), Link()) for name in self.names}
        self.replicas: dict[str, Replica] = {}
        self._owners: dict[str, Owner] = {}
        self._seen: dict[str, Seen] = {}
        self._laid_at: dict[str, int] = {}
        self._holders: dict[str, str] = {}
        self._quality = {(name, version): 0.02 for name in ROUTES for version in ("1.0.0", "1.1.0", "1.2.0")}
        self.loop.after = self._after
        self.tools = Tools(
            self.loop, Random(self._random.random()), flaw.parts, self.tell, self._new_id, len(self.names)
        )
        self.tell("world", f"seed {seed}: {len(self.names)} replicas, {'governed' if governed else 'ungoverned'}")

    def run(self) -> str | None:
        """Run it to its end, or to what breaks first."""
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        server().begin(lambda: BASE + self.loop.now)
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._run())
        except Broken as broken:
            self._break(str(broken))
        finally:
            self.loop.finish()
            asyncio.set_event_loop(None)
        return self.broken

    @property
    def digest(self) -> str:
        """The SHA-256 of the trace."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    # What happens

    async def _run(self) -> None:
        failures = Failures(self, Random(self._random.random()))
        for name in self.names:
            self.start(name)
            await self._sleep(0.2)
        await self._sleep(2.0)
        governed = self.people.first_files(governed=self.people.governed)
        for name in self.names:
            self.lay_files(name, governed, self.next_files())
        await self._sleep(3.0)
        until = self.loop.now + self._storm
        self.is_fair = False
        beside = [
            self.loop.create_task(failures.run(until)),
            self.loop.create_task(self.people.run(until)),
            self.loop.create_task(self._traffic(until + CALM_SECONDS)),
        ]
        await self._sleep(self._storm)
        while not all(task.done() for task in beside[:2]):
            await self._sleep(0.5)
        for name in self.names:
            if name not in self.replicas:
                self.start(name)
        newest = self.people.first_files(governed=self.people.governed)
        for name in self.names:
            self.lay_files(name, newest, self.next_files())
        await self._sleep(CALM_SECONDS)
        latest = self.loop.now + MOST_CALM_SECONDS
        while self.loop.now < latest and self.loop.now - self.invariants.truth.at < self.invariants.soon:
            await self._sleep(0.5)  # the last of what the judge moves is known everywhere, too
        self._end()

    async def _sleep(self, seconds: float) -> None:
        """Wait, with a look at everybody ten times a second."""
        until = self.loop.now + seconds
        while self.loop.now < until:
            await asyncio.sleep(0.1)
            if self.broken is not None:
                raise Broken(self.broken)
            for name, replica in self.replicas.items():
                if replica.is_serving and not replica.owner.is_paused:
                    self.invariants.heard(replica, self._seen[name], self._since(name))
                    self.invariants.current(replica, self._since(name))

    def _since(self, name: str) -> float:
        """Since when a replica has had fair weather; where it has none, from when its calls under way have ended."""
        machine = self.machines[name]
        if machine.store_link != Link():
            self._fair[name] = self.loop.now + STORE_PATIENCE
        return self._fair.get(name, self.loop.now)

    def _end(self) -> None:
        alive = [replica for replica in self.replicas.values() if replica.is_serving]
        if len(alive) < len(self.names):
            raise Broken(f"only {len(alive)} of {len(self.names)} replicas serve at the end")
        self.invariants.ended(alive)
        told = done(self._observer.trail.entries(0, 1_000_000))
        head = done(self._observer.trail.head())
        check = Check([], None, lambda *_: False)
        check.take(told)
        verdict = check.end(head.size, head.root)
        if not verdict.is_whole:
            raise Broken(f"the audit trail does not verify: {verdict.findings[0].message}")
        self.tell("world", f"end at epoch {self.invariants.truth.recorded.epoch}, {len(told)} audit entries")

    async def _traffic(self, until: float) -> None:
        random = Random(self.seed + 1)
        while self.loop.now < until:
            await asyncio.sleep(0.25)
            if random.random() < 0.02:
                place = random.choice(list(self._quality))
                self._quality[place] = random.choice((0.02, 0.3, 0.9))
                self.tell("world", f"{place} fails at {self._quality[place]}")
            for name in self.names:
                replica = self.replicas.get(name)
                if replica is not None and replica.is_serving and not replica.owner.is_paused:
                    replica.owner.context.copy().run(self._ask, replica, random)

    def _ask(self, replica: Replica, random: Random) -> None:
        """Some requests to one replica, as the proxy would carry them out."""
        for _ in range(random.randint(0, 6)):
            route = replica.live.current.routes.get(random.choice(ROUTES))
            if route is None:
                continue
            number = random.randrange(5_000)
            unit = Unit(f"unit-{number}", "header:x-pinion-unit")
            found = assign(route, Facts("helpdesk", unit, 0, lambda _name: None))
            now, release = replica.clock.monotonic(), found.release
            permit = replica.breakers.permit(route, release, now)
            if permit is None:
                continue
            fails = random.random() < self._quality[route.name, release.version]
            outcome = Outcome.failed if fails else Outcome.ok
            attempts = (Tried(release.version, found.track, outcome.value, 503 if fails else 200),)
            given = {"route": route.name, "release": release.version, "attempts": attempts, "split": found.split}
            given |= {"at": replica.clock.wall(), "epoch": replica.live.current.epoch, "bucket": found.bucket}
            replica.judging.hear(answered(found.track, number, outcome.value, **given))
            replica.breakers.report(route, release, permit, outcome, now)

    # What people and failures do to it

    def start(self, name: str) -> None:
        """Start a replica that does not run."""
        if name in self.replicas or self.loop.is_over:
            return
        machine = self.machines[name]
        machine.lives += 1
        self.invariants.causes[name] += 1
        self.invariants.changed.discard(name)
        owner = Owner(f"{name}.{machine.lives}")
        owner.context.run(self._start, machine, owner)

    def _start(self, machine: Machine, owner: Owner) -> None:
        name = machine.name
        store = self._flaw.store(self._database, self._read_since)
        self._holders[name] = store.holder
        seen = self._seen[name] = self.invariants.began(self._seen.get(name))
        end = BusEnd(self.bus, machine.bus_link, lambda message: self._heard(seen, message))
        link = StoreLink(f"{name} {store.holder}", store, machine.store_link, self.ether)
        replica = self.replicas[name] = Replica(machine, owner, link, end, self.tools)
        self._owners[name], self._fair[name] = owner, self.loop.now
        self.tell(name, f"start, life {machine.lives}")
        self.loop.create_task(self._begin(replica), context=owner.context.copy())

    async def _begin(self, replica: Replica) -> None:
        if not await replica.begin():
            self.crash(replica.name)
            self.loop.outside(self.loop.call_later, 1.0, self.start, replica.name)
        else:
            self._fair[replica.name] = self.loop.now

    def crash(self, name: str) -> None:
        """Kill a replica."""
        replica = self.replicas.pop(name, None)
        if replica is not None:
            self.tell(name, "crash")
            replica.owner.is_dead = True
            self.bus.ends.remove(replica.end)

    def pause(self, name: str) -> None:
        """Let a replica stand still."""
        if name in self.replicas:
            self.replicas[name].owner.is_paused = True

    def resume(self, name: str) -> None:
        """Let it go on."""
        replica = self.replicas.get(name)
        if replica is not None and replica.owner.is_paused:
            self.tell(name, "goes on")
            self._fair[name] = self.loop.now
            self.loop.resume(replica.owner)

    def foul(self) -> None:
        """A link is not as it should be: nobody on it is expected to know all."""
        for name in self.names:
            self._since(name)

    def bus_back(self) -> None:
        """The bus can be reached again by some: they are told to look."""
        for end in self.bus.ends:
            if end.link.is_up and not self.bus.is_frozen:
                end.back()

    def mend_all(self) -> None:
        """The storm is over."""
        self.is_fair, self.bus.is_frozen = True, False
        for name, machine in self.machines.items():
            machine.store_link.heal()
            machine.bus_link.heal()
            machine.skew = 0.0
            self.resume(name)
        self.bus_back()
        self.tell("world", "calm")

    def lay_files(self, name: str, files: dict[str, str], number: int) -> None:
        """New files lie on a machine, unless newer ones do; whoever runs there takes them."""
        if self._laid_at.get(name, 0) > number:
            return
        self._laid_at[name] = number
        self.machines[name].files = files
        replica = self.replicas.get(name)
        if replica is not None and replica.is_serving:
            self.invariants.causes[name] += 1
            self.invariants.changed.add(name)
            self.loop.create_task(replica.reload(), context=replica.owner.context.copy())

    def next_files(self) -> int:
        """How new files are, of all that were laid."""
        return next(self._laid)

    # What is looked at

    def tell(self, who: str, what: str) -> None:
        """Put a line to the trace."""
        if self.broken is None:
            self.trace.append(f"{self.loop.now:9.4f} {who:5} {what}")

    def answered(self, what: str, holds: Callable[[Recorded], bool]) -> None:
        """Somebody was told that something is done."""
        self._guard(self.invariants.answered, what, holds)

    def told_in_store(self, route: str) -> set[str]:
        """The rollouts that the store's history of a route tells of."""
        return {event.rollout.id for event in done(self._observer.history(route, 1_000))}

    def _new_id(self) -> str:
        return f"id-{next(self._ids)}"

    def _read(self) -> Recorded:
        return done(self._observer.recorded())

    def _judge(self) -> str | None:
        return holder_of_lease(self._database, "judging")

    def _committed(self, who: str, name: str, epoch: int | None, given: tuple) -> None:
        replica, holder = who.split()
        if epoch is not None:
            self.tell(replica, f"committed {name} as epoch {epoch}")
        self._guard(self.invariants.committed, replica, holder, name, epoch, given)

    def _heard(self, seen: Seen, message: dict[str, Any]) -> None:
        if message.get("kind") == "rollout_out":
            seen.heard.setdefault(message["rollout"], self.loop.now)

    def _after(self, owner: Owner | None) -> None:
        if owner is None or self.broken is not None:
            return
        name = owner.name.partition(".")[0]
        replica = self.replicas.get(name)
        if replica is not None and replica.owner is owner:
            self._guard(self.invariants.looked, replica, self._seen[name])

    def _guard(self, check: Callable[..., None], *given: Any) -> None:
        """Check; what breaks is kept, for it may be in the midst of anything."""
        if self.broken is not None:
            return
        try:
            check(*given)
        except Broken as broken:
            self._break(str(broken))

    def _break(self, what: str) -> None:
        if self.broken is None:
            self.tell("world", f"BROKEN: {what}")
            self.broken = what
