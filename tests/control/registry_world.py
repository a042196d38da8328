"""A world for the registries: a life of `serving_world` with a route, models, a prompt and a dataset, and a ledger."""

from contextlib import asynccontextmanager

from gateway.control.registries import Registries
from gateway.core.errors import StoreFault
from tests.control.serving_world import PROVIDER, Store, serving

SHA = "0" * 64
CATALOGUE = f"""
kind: dataset
name: mails
versions: {{"1": {{sha256: "{SHA}", rows: 3, origin: our own desk}}}}
---
kind: model
name: atlas
provider: sim
versions:
  "1": {{upstream_model: atlas-2026-01-01, data: {{training: [mails@1]}}, use_cases: [Customer support]}}
  "2": {{upstream_model: atlas-2026-02-01}}
  "3": {{upstream_model: atlas-2026-03-01}}
---
kind: app
name: web
keys: [{{sha256: "{SHA}"}}]
routes: [desk]
"""
PROMPT = "---\nkind: prompt\nname: greeting\nversion: 1.0.0\n---\nBe kind.\n"

ONE, TWO, THREE = (("model", "atlas", version) for version in "123")
GREETING = ("prompt", "greeting", "1.0.0")
MAILS = ("dataset", "mails", "1")
FIRST, SECOND, THIRD = (("release", "desk", version) for version in ("1.0.0", "1.1.0", "1.2.0"))


def registry(serve="1.0.0", more="", catalogue=CATALOGUE):
    """A policy set whose route `desk` has a release of each model version; the first has a prompt."""
    route = (
        'kind: route\nname: desk\nreleases:\n  "1.0.0": {model: atlas@1, prompt: greeting@1.0.0}\n'
        f'  "1.1.0": {{model: atlas@2}}\n  "1.2.0": {{model: atlas@3}}\nserve: "{serve}"\n{more}\n'
    )
    return {"all.yaml": "\n---\n".join((PROVIDER, catalogue, route)), "greeting.prompt": PROMPT}


class Ledger:
    """Port `Ledger`: what was seen of routes, or a fault."""

    def __init__(self) -> None:
        self.seen = []
        self.asked = []
        self.away = False

    async def traffic(self, routes, since):
        if self.away:
            raise StoreFault("the ledger is away")
        self.asked.append((list(routes), since))
        return [each for each in self.seen if each.route in routes and each.last_at >= since]


class Desk:
    """The registries of one life, with its ledger."""

    def __init__(self, process) -> None:
        self.process = process
        self.ledger = Ledger()
        self.registries = Registries(process.live, self.ledger)

    def standing(self, key):
        """Where a version stands, as this life knows it."""
        return self.process.live.state.standings[key]

    def kept(self, key):
        """Where a version stands, as the disk holds it."""
        return next(each for each in self.process.store.disk.recorded.standings if each.key == key)

    @property
    def stable(self) -> str:
        """The version that serves as stable now."""
        return self.process.desk.stable.version

    async def settled(self) -> None:
        """Everything that was done is recorded."""
        assert await self.process.recording.settled(60)


@asynccontextmanager
async def registries(policies=None, store=None, **named):
    """A life with a registry."""
    async with serving(registry() if policies is None else policies, store or Store(), **named) as process:
        assert await process.recording.settled(60)
        yield Desk(process)
