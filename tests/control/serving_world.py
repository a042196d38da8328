"""A world for `Serving`: policy files by a few words, a store that can be away, slow or crash, fakes of the rest."""

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace

from gateway.control.access_uses import AccessUses
from gateway.control.app_limits import AppLimits
from gateway.control.breakers import Breakers
from gateway.control.deployments import Deployments
from gateway.control.error_budgets import ErrorBudgets
from gateway.control.judging import Judging
from gateway.control.keys import Keys
from gateway.control.live import Live, World
from gateway.control.recording import Recording
from gateway.control.rollouts import Rollouts, Word
from gateway.control.serving import Serving
from gateway.control.terms import Terms
from gateway.core.access_use import AccessUse
from gateway.core.audit import BY_POLICY
from gateway.core.audit_acts import (
    act_of_arm_out,
    act_of_entry,
    act_of_experiment,
    act_of_served,
    acts_of_governance,
    acts_of_move,
)
from gateway.core.errors import Overtaken, SetupFault, StoreFault
from gateway.core.recorded import Recorded
from gateway.core.standing import SERVED, review
from tests.docs.told_actions import told_actions
from tests.proxy import playbook

ADA = Word("ada", "because")
"""Whose word most acts are."""

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


HELD = rolling(plan='{from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}')
"""A rollout that a person must start, since the store holds nothing of it."""

ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}'
TESTED = files(route(more=ARMS))


class Disk:
    """What outlives a process: the records of a store."""

    def __init__(self) -> None:
        self.recorded = Recorded()
        self.events = []
        self.acts = []
        self.evidence = {}
        self.entries = {}
        self.deployments = []
        self.requests = []
        self.leases = {}
        self.use = AccessUse()


class Store:
    """Port `Store`, on a disk. It is away while `away`.

    `before` and `after` run around each write of a route, `reading` between what was read and who reads it.
    """

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.away = False
        self.before: Callable = nothing
        self.after: Callable = nothing
        self.reading: Callable = nothing

    def let_first(self, act: Coroutine) -> None:
        """Have an act of somebody else come before the next write."""
        waiting = [act]

        async def come_first():
            if waiting:
                await waiting.pop()

        self.before = come_first

    async def epoch(self):
        self._reach()
        return self.disk.recorded.epoch

    async def recorded(self):
        self._reach()
        found = deepcopy(self.disk.recorded)  # as one that was read: equal to what is known, and never the same
        await self.reading()
        return found

    async def record_routes(self, moves, entries=(), acts=(), origin=BY_POLICY, governed=None):
        await self.before()
        for _, standing in entries:
            self._expect(standing)
        known, routes = self.disk.recorded.routes, {}
        for move in moves:
            name = move.record.route
            at = known[name].revision if name in known else 0
            if move.after != at:
                raise Overtaken(f"route {name} has moved")
            routes[name] = move.record
        events = [event for move in moves for event in move.events]
        standings = self._with(standing for _, standing in entries)
        governance, more = self.disk.recorded.governance, ()
        if governed:
            if governed.policies is not None and governed.after != {each.digest for each in governance.policies}:
                raise Overtaken("the approval policies have changed")
            digests = {each.name: each.digest for each in governance.policies}
            free = {each.place for each in governance.admissions if each.ungoverned}
            more = acts_of_governance(governed, digests, free, 0.0, origin)
            governance = governance.moved(governed)
        told = [*acts, *more, *(act_of_entry(entry, standing, origin) for entry, standing in entries)]
        told += (act for move in moves for act in acts_of_move(move, 0.0))
        changed = {**self.disk.recorded.routes, **routes}
        fields = {"routes": changed, "events": events, "standings": standings, "governance": governance}
        epoch = await self._write(acts=told, **fields)
        self.disk.entries |= {entry.key: entry for entry, _ in entries}
        await self.after()
        return epoch

    async def record_request(self, move, acts):
        await self.before()
        governance = self.disk.recorded.governance
        known = next((each for each in self.disk.requests if each.id == move.request.id), None)
        if move.request.revision != 1 + (0 if known is None else known.revision):
            raise Overtaken(f"the {move.request}, has moved")
        if known is None and governance.open_request(move.request.place) is not None:
            raise Overtaken("a request is open for the same")
        standings = self.disk.recorded.standings
        if move.standing is not None:
            self._expect(move.standing)
            standings = self._with([move.standing])
            if move.standing.review.value == "rejected":
                governance = governance.without_admissions(move.standing.name, move.standing.version)
        epoch = await self._write(standings=standings, governance=governance.with_request(move), acts=acts)
        self.disk.requests = [each for each in self.disk.requests if each is not known] + [move.request]
        await self.after()
        return epoch

    async def record_exceptions(self, changed, acts):
        return await self._write(governance=self.disk.recorded.governance.with_exceptions(changed), acts=acts)

    async def requests(self, environment, name, limit):
        self._reach()
        found = [each for each in self.disk.requests if each.environment == environment and name in (None, each.name)]
        return sorted(found, key=lambda each: each.requested_at, reverse=True)[:limit]

    async def record_experiment(self, start):
        return await self._write(experiments=(*self.disk.recorded.experiments, start), acts=[act_of_experiment(start)])

    async def take_lease(self, name, seconds):
        del seconds
        self._reach()
        return self.disk.leases.setdefault(name, self) is self

    async def keep_evidence(self, kept):
        self._reach()
        written = [replace(each, evidence=json.loads(json.dumps(each.evidence))) for each in kept]
        self.disk.evidence |= {each.rollout: each for each in written}

    async def kept_evidence(self):
        self._reach()
        return list(self.disk.evidence.values())

    async def record_arm_out(self, arm):
        return await self._write(arms_out=(*self.disk.recorded.arms_out, arm), acts=[act_of_arm_out(arm)])

    async def record_served(self, versions):
        keys, standings = {version.key for version in versions}, self.disk.recorded.standings
        frozen = [
            review(each, "freeze", SERVED, each.changed_at) if each.key in keys and not each.is_frozen else each
            for each in standings
        ]
        served, acts = (*self.disk.recorded.served, *versions), [act_of_served(version, 0.0) for version in versions]
        return await self._write(served=served, standings=tuple(frozen), acts=acts)

    async def record_standing(self, standing, act):
        await self.before()
        self._expect(standing)
        governance = self.disk.recorded.governance
        if standing.kind == "release" and standing.review.value == "revoked":
            governance = governance.without_admissions(standing.name, standing.version)
        epoch = await self._write(standings=self._with([standing]), governance=governance, acts=[act])
        await self.after()
        return epoch

    async def entry(self, key):
        self._reach()
        found = next((each for each in self.disk.recorded.standings if each.key == key), None)
        return None if found is None else (self.disk.entries[key], found)

    async def entries(self, kind):
        self._reach()
        return [(self.disk.entries[each.key], each) for each in self.disk.recorded.standings if each.kind == kind]

    async def record_deployments(self, change):
        ended = [each for each in self.disk.deployments if each.until is None and each.place in change.ended]
        kept = [replace(each, until=change.at) if each in ended else each for each in self.disk.deployments]
        self.disk.deployments = [*kept, *change.begun]
        return await self._write()

    async def lasting_deployments(self, environment):
        self._reach()
        return [each for each in self.disk.deployments if each.until is None and each.environment == environment]

    async def deployments(self, route, limit):
        self._reach()
        return [each for each in reversed(self.disk.deployments) if route in (None, each.route)][:limit]

    def _expect(self, standing):
        known = next((each for each in self.disk.recorded.standings if each.key == standing.key), None)
        if standing.revision != 1 + (0 if known is None else known.revision):
            raise Overtaken(f"{standing} has moved")

    def _with(self, standings):
        known = {each.key: each for each in self.disk.recorded.standings}
        return tuple((known | {each.key: each for each in standings}).values())

    async def record_keys(self, keys, act):
        known = {key.id: key for key in self.disk.recorded.keys}
        joined = {key.id: known[key.id].merged(key) if key.id in known else key for key in keys}
        epoch = await self._write(keys=tuple({**known, **joined}.values()), acts=[act])
        await self.after()
        return epoch

    async def record_replicas(self, replicas):
        self._reach()
        if replicas == self.disk.recorded.replicas:
            return self.disk.recorded.epoch
        return await self._write(replicas=replicas)

    async def keep_use(self, use):
        self._reach()
        self.disk.use = self.disk.use.joined(use)

    async def access_use(self):
        self._reach()
        return self.disk.use

    async def audit(self, acts):
        self._reach()
        self._keep(acts)

    async def history(self, route, limit):
        self._reach()
        return [event for event in reversed(self.disk.events) if event.rollout.route == route][:limit]

    async def close(self) -> None: ...

    def _reach(self) -> None:
        if self.away:
            raise StoreFault("the disk is away")

    def _keep(self, acts) -> None:
        assert {act.action for act in acts} <= told_actions(), "name the action in the table of docs/audit.md"
        self.disk.acts += acts

    async def _write(self, events=(), acts=(), **changes):
        self._reach()
        json.dumps([event.rollout.reason for event in events], ensure_ascii=False).encode()
        self.disk.recorded = replace(self.disk.recorded, epoch=self.disk.recorded.epoch + 1, **changes)
        self.disk.events += events
        self._keep(acts)
        return self.disk.recorded.epoch


async def nothing() -> None:
    """Where nobody waits."""


def once(act: Callable[[], object]) -> Callable:
    """A hook that acts at its first call alone."""
    waiting = [act]

    async def hook() -> None:
        if waiting:
            waiting.pop()()

    return hook


class Copy:
    """Port `RecordedCopy`: what was kept last."""

    def __init__(self) -> None:
        self.kept = None

    def keep(self, recorded) -> None:
        self.kept = recorded

    def read(self):
        return self.kept


class Clock(playbook.Clock):
    """Port `Clock`, moved by hand. Somebody may set the wall clock: it is `ahead` of the truth by seconds."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead


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


class TokenVerifier:
    """Port `TokenVerifier`: a table of tokens that a test may change."""

    def __init__(self) -> None:
        self.known = {}

    async def subject(self, token, providers):
        found = self.known.get(token)
        return found if found and found[0] in {provider.issuer for provider in providers} else None


class PriceBook:
    """Port `PriceBook` that knows no price."""

    def pricing(self, dialect, base_url, upstream_model):
        del dialect, base_url, upstream_model


IDS = itertools.count(1)


def drawn(count: int) -> str:
    """So many characters that are not random, and different each time."""
    return str(next(IDS)).rjust(count, "0")


class Process:
    """One life of a gateway's control over a store."""

    def __init__(self, store, terms: Terms | None = None, copy: Copy | None = None, fleet=None, workers=1) -> None:
        self.store, self.copy = store, copy or Copy()
        self.meters, self.journal, self.clock, self.secrets = Meters(), playbook.Journal(), Clock(), Secrets()
        world = World(
            store,
            self.copy,
            self.meters,
            self.journal,
            self.clock,
            PriceBook(),
            self.secrets,
            lambda: f"rollout-{next(IDS)}",
        )
        self.recording = Recording(self.journal)
        self.live = Live(world, self.recording, terms or Terms())
        self.serving, self.rollouts = Serving(self.live), Rollouts(self.live)
        self.keys, self.access_uses = Keys(self.live, drawn), AccessUses(self.live)
        self.breakers = Breakers(lambda: self.live.current, self.rollouts.trip, self.journal)
        self.live.on_fresh_attempt(self.breakers.forget)
        self.budgets = ErrorBudgets(lambda: self.live.current)
        self.judging = Judging(self.live, self.rollouts, self.breakers, self.budgets)
        self.live.tell(self.judging.follow)
        self.deployments = Deployments(self.live)
        self.live.tell(self.deployments.follow)
        self.app_limits = AppLimits(self.live, fleet, workers)
        self.live.tell(self.app_limits.follow)

    @property
    def desk(self):
        """The route as it serves now."""
        return self.live.current.routes["desk"]

    @property
    def weight(self) -> int:
        """The share of the newer release, in parts per million."""
        return self.desk.weight_ppm("1.1.0")

    @property
    def state(self) -> str:
        """The state of the latest rollout."""
        return self.live.record_of("desk").rollout.state.value

    @property
    def kept(self):
        """What the disk holds of the route."""
        return self.store.disk.recorded.routes["desk"]

    def events(self, name: str) -> list:
        """The journal's events of one name."""
        return [fields for event, fields in self.journal.events if event == name]

    def trip(self, version: str = "1.1.0") -> None:
        """The breaker of a release trips."""
        self.rollouts.trip("desk", version, "consecutive", {"failed": 3})


@asynccontextmanager
async def living(store, terms: Terms | None = None, copy: Copy | None = None, fleet=None, workers=1):
    """Live for the length of a `with` block; what was not recorded by its end is lost, as in a crash."""
    process = Process(store, terms, copy, fleet, workers)
    writing = asyncio.ensure_future(process.recording.run())
    try:
        yield process
    finally:
        writing.cancel()
        await asyncio.wait([writing])


@asynccontextmanager
async def serving(
    policies: dict[str, str],
    store=None,
    terms: Terms | None = None,
    copy: Copy | None = None,
    fleet=None,
    workers=1,
):
    """A life that has opened these files."""
    async with living(store or Store(), terms, copy, fleet, workers) as process:
        await process.serving.open(policies)
        yield process
