"""Keys under whatever is done to them, in whatever order, with the store away and kills in between."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.errors import PinionError
from tests.control.serving_world import Store, files, living, route

WHO = files(
    route(),
    *(f"kind: app\nname: {name}\nkeys: []" for name in ("helpdesk", "sales")),
    "kind: operator\nname: ada\nroles: [operator]",
)
APPS = st.sampled_from(["helpdesk", "sales"])
LIVES = st.sampled_from([None, 60.0, 3_600.0])
PLACE = st.integers(0, 30)


@dataclass(frozen=True)
class Issued:
    """A key that somebody was given, as they know it. What was taken back may be `lost`, told as not yet recorded."""

    kind: str
    owner: str
    id: str
    ends: float | None
    is_revoked: bool = False
    is_lost_by_a_kill: bool = False

    def is_good(self, now: float) -> bool:
        """Whether it should let in."""
        return not self.is_revoked and (self.ends is None or now < self.ends)


class Keys(RuleBasedStateMachine):
    """One store, and one life of a gateway after another."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = Store()
        self.known: dict[str, Issued] = {}
        self.run(self.begin())

    def run(self, act):
        """Act, and let what is to be recorded right after be recorded where the store is there."""

        async def acted():
            with suppress(PinionError):
                await act
            if not self.store.away:
                assert await self.process.recording.settled(60.0)
                self.all_recorded()

        return self.runner.run(acted())

    async def begin(self, now=1000.0):
        self.life = AsyncExitStack()
        self.process = await self.life.enter_async_context(living(self.store))
        self.process.clock.now = now
        await self.process.serving.open(WHO)

    def teardown(self):
        self.runner.run(self.life.aclose())
        self.runner.close()

    def all_recorded(self):
        self.known = {text: replace(each, is_lost_by_a_kill=False) for text, each in self.known.items()}

    def one(self, place):
        """A key that somebody was given, by its text."""
        return list(self.known.items())[place % len(self.known)]

    @property
    def now(self):
        return self.process.clock.wall()

    @rule(owner=APPS, lasts=LIVES)
    def issue(self, owner, lasts):
        self.run(self._issue("app", owner, lasts))

    @rule(lasts=LIVES)
    def issue_a_token(self, lasts):
        self.run(self._issue("operator", "ada", lasts))

    async def _issue(self, kind, owner, lasts):
        key, text = await self.process.keys.issue(kind, owner, "root", lasts)
        self.known[text] = Issued(kind, owner, key.id, key.expires_at)

    @precondition(lambda self: self.known)
    @rule(place=PLACE, overlap=st.sampled_from([0.0, 30.0, 86_400.0]), lasts=LIVES)
    def rotate(self, place, overlap, lasts):
        old_text, old = self.one(place)

        async def rotated():
            made, replaced, text = await self.process.keys.rotate(old.owner, old.id, "root", overlap, lasts)
            assert replaced.expires_at <= self.now + overlap
            assert old.ends is None or replaced.expires_at <= old.ends
            self.known[old_text] = replace(old, ends=replaced.expires_at)
            self.known[text] = Issued("app", old.owner, made.id, made.expires_at)

        self.run(rotated())

    @precondition(lambda self: self.known)
    @rule(place=PLACE)
    def revoke(self, place):
        text, key = self.one(place)
        self.process.keys.revoke(key.kind, key.id, "root")
        if not key.is_revoked:
            self.known[text] = replace(key, is_revoked=True, is_lost_by_a_kill=True)
        self.run(asyncio.sleep(0))

    @rule(seconds=st.sampled_from([1.0, 61.0, 3_601.0]))
    def wait(self, seconds):
        self.process.clock.now += seconds
        self.process.live.end_keys()

    @rule()
    def reload(self):
        self.run(self.process.serving.reload({**WHO, "more.yaml": f"kind: app\nname: a{self.now:.0f}\nkeys: []\n"}))

    @rule()
    def lose_the_store(self):
        self.store.away = True

    @rule()
    def have_the_store_back(self):
        self.store.away = False
        self.run(asyncio.sleep(0))

    @precondition(lambda self: not self.store.away)
    @rule()
    def hear_of_others(self):
        self.run(self.process.serving.follow())

    @rule()
    def kill_and_start_again(self):
        now, self.store.away = self.process.clock.now, False
        self.runner.run(self.life.aclose())
        self.runner.run(self.begin(now))
        for text, key in self.known.items():
            if key.is_lost_by_a_kill:
                self.known[text] = replace(key, is_revoked=False, is_lost_by_a_kill=False)
        recorded = {key.id: key for key in self.store.disk.recorded.keys}
        for text, key in self.known.items():  # some of them had been recorded all the same
            self.known[text] = replace(key, is_revoked=recorded[key.id].revoked_at is not None or key.is_revoked)

    @invariant()
    def a_key_lets_in_until_it_ends_or_is_revoked(self):
        """And no moment longer: whom it lets in is its owner."""
        current = self.process.live.current
        for text, key in self.known.items():
            named = self.process.live.state.keys[key.id]
            found = current.app_of(text.encode()) if key.kind == "app" else current.operators.by_token.get(named.digest)
            assert (key.owner if key.is_good(self.now) else None) == (found and found.name)

    @invariant()
    def nothing_that_was_given_out_is_lost(self):
        """The store has each, and what was recorded as revoked stays so."""
        recorded = {key.id: key for key in self.store.disk.recorded.keys}
        for key in self.known.values():
            assert key.owner == recorded[key.id].owner
            if key.is_revoked and not key.is_lost_by_a_kill:
                assert recorded[key.id].revoked_at is not None


TestKeys = pytest.mark.untraced(Keys.TestCase)
TestKeys.settings = settings(max_examples=40, stateful_step_count=25)
