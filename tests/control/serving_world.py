"""A world for `Serving`: policy files by a few words, a store that can be away, slow or crash, fakes of the rest."""

import asyncio
import itertools
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.control.breakers import Breakers
from gateway.control.recording import Recording
from gateway.control.serving import Serving, Terms, World
from gateway.core.errors import SetupFault, StoreFault
from gateway.core.ports import Recorded
from tests.proxy import playbook

PLAN = "{steps: [{percent: 5}, {percent: 50}]}"

PROVIDER = """
kind: provider
name: sim
dialect: openai
base_url: http://up.test/v1
"""


def route(name: str = "desk", serve: str = "1.0.0", *, releases: str = "1.0.0 1.1.0 1.2.0", more: str = "") -> str:
    """A route's document; each release pins a model of its own. `more` are further lines of it."""
    declared = ", ".join(f'"{version}": {{model: sim/atlas-{version}-2026-01-01}}' for version in releases.split())
    return f'kind: route\nname: {name}\nreleases: {{{declared}}}\nserve: "{serve}"\n{more}\n'


def rolling(serve: str = "1.1.0", plan: str = PLAN, **named: str) -> dict[str, str]:
    """The files of one route that rolls out in two steps."""
    return files(route(serve=serve, more=f"rollout: {plan}", **named))


def files(*documents: str) -> dict[str, str]:
    """A policy set of these documents beside the provider."""
    return {"all.yaml": "\n---\n".join((PROVIDER, *documents))}


class Disk:
    """What outlives a process: the records of a store."""

    def __init__(self) -> None:
        self.recorded = Recorded()
        self.events = []


class Store:
    """Port `Store`, on a disk. It is away while `away`; `before` and `after` run around each write of a route."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.away = False
        self.before: Callable = nothing
        self.after: Callable = nothing

    async def recorded(self):
        self._reach()
        return self.disk.recorded

    async def record_route(self, record, events):
        return await self.record_routes([(record, events)])

    async def record_routes(self, moves):
        await self.before()
        routes = {record.route: record for record, _ in moves}
        events = [event for _, events in moves for event in events]
        epoch = await self._write(routes={**self.disk.recorded.routes, **routes}, events=events)
        await self.after()
        return epoch

    async def record_arm_out(self, arm):
        return await self._write(arms_out=(*self.disk.recorded.arms_out, arm))

    async def record_served(self, versions):
        return await self._write(served=(*self.disk.recorded.served, *versions))

    async def history(self, route, limit):
        self._reach()
        return [event for event in reversed(self.disk.events) if event.rollout.route == route][:limit]

    async def close(self) -> None: ...

    def _reach(self) -> None:
        if self.away:
            raise StoreFault("the disk is away")

    async def _write(self, events=(), **changes):
        self._reach()
        json.dumps([event.rollout.reason for event in events], ensure_ascii=False).encode()
        self.disk.recorded = replace(self.disk.recorded, epoch=self.disk.recorded.epoch + 1, **changes)
        self.disk.events += events
        return self.disk.recorded.epoch


async def nothing() -> None:
    """Where nobody waits."""


class Meters(playbook.Meters):
    """Keeps rollbacks and reloads, too."""

    def __init__(self) -> None:
        super().__init__()
        self.rollbacks, self.reloads = [], []

    def rollback(self, route, reason) -> None:
        self.rollbacks.append((route, reason))

    def reload(self, result) -> None:
        self.reloads.append(result)


class Secrets:
    """Port `Secrets`: a table that a test may change."""

    def __init__(self) -> None:
        self.known = {}

    def read(self, source):
        if source not in self.known:
            raise SetupFault(f"credential {source}: not here; put it there")
        return self.known[source]


class PriceBook:
    """Port `PriceBook` that knows no price."""

    def pricing(self, dialect, base_url, upstream_model):
        del dialect, base_url, upstream_model


IDS = itertools.count(1)


class Process:
    """One life of a gateway's control over a store."""

    def __init__(self, store, terms: Terms | None = None) -> None:
        self.store = store
        self.meters, self.journal, self.clock, self.secrets = Meters(), playbook.Journal(), playbook.Clock(), Secrets()
        world = World(
            store, self.meters, self.journal, self.clock, PriceBook(), self.secrets, lambda: f"rollout-{next(IDS)}"
        )
        self.recording = Recording(self.journal)
        self.serving = Serving(world, self.recording, terms or Terms())
        self.breakers = Breakers(lambda: self.serving.current, self.serving.trip, self.journal)
        self.serving.on_fresh_attempt(self.breakers.forget)

    @property
    def desk(self):
        """The route as it serves now."""
        return self.serving.current.routes["desk"]

    @property
    def weight(self) -> int:
        """The share of the newer release, in parts per million."""
        return self.desk.weight_ppm("1.1.0")

    @property
    def state(self) -> str:
        """The state of the latest rollout."""
        return self.serving.record_of("desk").rollout.state.value

    @property
    def kept(self):
        """What the disk holds of the route."""
        return self.store.disk.recorded.routes["desk"]

    def events(self, name: str) -> list:
        """The journal's events of one name."""
        return [fields for event, fields in self.journal.events if event == name]

    def trip(self, version: str = "1.1.0") -> None:
        """The breaker of a release trips."""
        self.serving.trip("desk", version, "consecutive", {"failed": 3})


@asynccontextmanager
async def living(store, terms: Terms | None = None):
    """Live for the length of a `with` block; what was not recorded by its end is lost, as in a crash."""
    process = Process(store, terms)
    writing = asyncio.ensure_future(process.recording.run())
    try:
        yield process
    finally:
        writing.cancel()
        await asyncio.wait([writing])


@asynccontextmanager
async def serving(policies: dict[str, str], store=None, terms: Terms | None = None):
    """A life that has opened these files."""
    async with living(store or Store(), terms) as process:
        await process.serving.open(policies)
        yield process
