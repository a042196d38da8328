"""The registry under whatever is done to it, in whatever order, with kills in between."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.control.standings import keys_of
from gateway.core.deployment import tracks_of
from gateway.core.errors import PinionError
from tests.control.registry_world import FIRST, GREETING, ONE, SECOND, THIRD, THREE, TWO, Desk, registry
from tests.control.serving_world import ADA, Store, living

KEYS = st.sampled_from([ONE, TWO, THREE, GREETING, FIRST, SECOND, THIRD])
VERSIONS = st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])
ROLLING = "rollout: {steps: [{percent: 5}, {percent: 50}]}"


def policies(serve, upstream="atlas-2026-03-01"):
    """A set that asks for a version; the third model stands for an upstream model that may be another."""
    files = registry(serve, ROLLING)
    return {**files, "all.yaml": files["all.yaml"].replace("atlas-2026-03-01", upstream)}


class Registry(RuleBasedStateMachine):
    """One store, and one life of a gateway after another."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = Store()
        self.files = policies("1.0.0")
        self.frozen = {}
        self.out = set()
        self.run(self.begin())

    def run(self, act):
        """Carry something out, and have it recorded; a refusal is an answer."""

        async def done():
            with suppress(PinionError):
                await act
            assert await self.desk.process.recording.settled(60)

        self.runner.run(done())

    async def begin(self):
        """Begin a life."""
        self.life = AsyncExitStack()
        self.desk = Desk(await self.life.enter_async_context(living(self.store)))
        await self.desk.process.serving.open(self.files)

    def teardown(self) -> None:
        """End the last one."""
        self.runner.run(self.life.aclose())
        self.runner.close()

    @rule(key=KEYS)
    def revoke(self, key):
        self.run(self.desk.registries.revoke(key, "it leaks"))
        self.out.add(key)

    @rule(key=KEYS)
    def retire(self, key):
        self.run(self.desk.registries.retire(key, "old"))

    @rule(key=KEYS, after=st.none() | st.integers(1, 5_000), successor=st.none() | st.sampled_from(["1", "2", "1.1.0"]))
    def deprecate(self, key, after, successor):
        at = None if after is None else self.desk.process.clock.wall() + after
        self.run(self.desk.registries.deprecate(key, "a better one", retire_at=at, successor=successor))

    @rule(seconds=st.integers(-3_600, 3_600))
    def time_passes(self, seconds):
        self.desk.process.clock.ahead += seconds
        self.desk.registries.end_due()
        self.run(self.desk.process.judging.judge())

    @rule(serve=VERSIONS, upstream=st.sampled_from(["atlas-2026-03-01", "atlas-2026-04-01"]))
    def reload(self, serve, upstream):
        files = policies(serve, upstream)

        async def taken():
            if (await self.desk.process.serving.reload(files)).accepted:
                self.files = files

        self.run(taken())

    @rule(text=st.sampled_from(["Be kind.", "Be brief."]), version=st.sampled_from(["1.0.0", "1.1.0"]))
    def register(self, text, version):
        prompt = f"---\nkind: prompt\nname: greeting\nversion: {version}\n---\n{text}\n"
        self.run(self.desk.registries.register({"g.prompt": prompt}, "ada"))

    @rule(verb=st.sampled_from(["start", "promote", "rollback", "retry", "undo"]))
    def roll(self, verb):
        self.run(getattr(self.desk.process.rollouts, verb)("desk", ADA))

    @rule()
    def kill_and_start_again(self):
        ahead = self.desk.process.clock.ahead
        self.runner.run(self.life.aclose())
        self.run(self.begin())
        self.desk.process.clock.ahead = ahead

    @invariant()
    def what_is_frozen_never_changes(self):
        kept = {each.key: each for each in self.store.disk.recorded.standings}
        for key, digest in self.frozen.items():
            assert digest == kept[key].digest == self.store.disk.entries[key].digest
            assert kept[key].is_frozen
        self.frozen |= {key: each.digest for key, each in kept.items() if each.is_frozen}

    @invariant()
    def what_was_revoked_serves_nobody(self):
        for route in self.desk.process.live.current.routes.values():
            for version, _ in tracks_of(route):
                assert not self.out & set(keys_of(route.releases[version]))

    @invariant()
    def what_is_known_is_what_is_recorded(self):
        """But for when a version was frozen, which the store says by its own clock."""
        known = self.desk.process.live.state.standings.values()
        kept, told = (
            {each.key: replace(each, changed_at=0.0) for each in found}
            for found in (self.store.disk.recorded.standings, known)
        )
        assert kept == told


TestRegistry = pytest.mark.untraced(Registry.TestCase)
TestRegistry.settings = settings(max_examples=40, stateful_step_count=25)
