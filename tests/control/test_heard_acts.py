"""Two gateways on one store: what the one takes out is out at the other before it is recorded."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.control import heard_acts
from gateway.control.heard_acts import HeardActs
from gateway.control.registries import Registries
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.fleet_message import Closed, KeyOut, Look, Opened, RolloutOut, VersionOut
from gateway.core.recorded import ArmOut
from tests.control.serving_world import ADA, TESTED, Disk, Store, files, living, rolling, route

pytestmark = pytest.mark.anyio

APP = "kind: app\nname: help\nkeys: []\nroutes: [desk]"


class Side:
    """One gateway, what it said, and how often it was told to look."""

    def __init__(self, process):
        self.process, self.said, self.looks = process, [], []
        self.acts = HeardActs(process.live, process.breakers, lambda: self.looks.append(1), patience=5.0)

    @property
    def unrecorded(self):
        return len(self.process.recording)


@asynccontextmanager
async def pair(policies):
    """Two gateways that have opened the same files; `one` says what it does into a list."""
    disk = Disk()
    async with living(Store(disk)) as first, living(Store(disk)) as second:
        one, two = Side(first), Side(second)
        object.__setattr__(first.live.world, "say", one.said.append)
        await first.serving.open(policies)
        assert await first.recording.settled(60)
        await second.serving.open(policies)
        assert await second.recording.settled(60)
        await first.serving.follow()
        one.said.clear()
        yield one, two


def outs(side):
    """What a gateway said that takes something out."""
    return [said for said in side.said if not isinstance(said, Look)]


def waiting():
    """Files of a rollout that waits to be started."""
    return rolling(plan='{from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}')


async def test_a_rollback_acts_before_it_is_recorded_and_looking_does_not_undo_it():
    """The store is away for both; back, it is recorded once, by whoever did it."""
    async with pair(waiting()) as (one, two):
        await one.process.rollouts.start("desk", ADA)
        await two.process.serving.follow()
        assert 50_000 == two.process.weight
        one.process.store.away = True
        one.said.clear()
        one.process.trip()
        (said,) = outs(one)
        assert isinstance(said, RolloutOut)
        assert two.acts.hear(said)
        assert (0, "rolled_back") == (two.process.weight, two.process.state)
        assert (0, [], 1) == (two.unrecorded, two.process.meters.rollbacks, len(two.process.events("out_elsewhere")))
        assert not two.acts.hear(said)
        two.process.live._epoch = -1  # as if others had recorded something
        await two.process.serving.follow()
        assert (0, "rolled_back") == (two.process.weight, two.process.state)
        one.process.store.away = False
        assert await one.process.recording.settled(60)
        await two.process.serving.follow()
        two.process.clock.now += 6
        await two.acts.settle(store_is_away=False)
        assert ("rolled_back", "<HeardActs 0 to be recorded>") == (two.process.state, repr(two.acts))
        assert 0 == two.unrecorded
        assert ["rollback"] == [event.verb for event in one.process.store.disk.events if event.verb == "rollback"]


async def test_what_is_heard_before_its_rollout_is_known_acts_once_it_is():
    """Messages may be faster than a look at the store."""
    async with pair(waiting()) as (one, two):
        await one.process.rollouts.start("desk", ADA)
        rollout = one.process.live.record_of("desk").rollout
        said = RolloutOut("desk", rollout.id, "rollback", "1.0.0", "ada", "bad", 5.0)
        assert two.acts.hear(said)
        await two.process.serving.follow()
        assert (0, "rolled_back") == (two.process.weight, two.process.state)


@pytest.mark.parametrize("what", ["rollout", "arm", "version", "key"])
async def test_what_its_gateway_never_recorded_is_recorded_by_who_heard_it(what):
    """In the gateway's own name, since a message proves nobody's word; and not while the store is away."""
    policies = TESTED if what == "arm" else files(*(waiting())["all.yaml"].split("\n---\n")[1:], APP)
    async with pair(policies) as (one, two):
        said = await _out(what, one, two)
        assert two.acts.hear(said)
        two.process.clock.now += 6
        await two.acts.settle(store_is_away=True)
        await two.acts.settle(store_is_away=False)
        assert 0 == two.unrecorded
        two.process.clock.now += 6
        two.process.store.away = True
        with pytest.raises(StoreFault):
            await two.acts.settle(store_is_away=False)
        two.process.store.away = False
        await two.acts.settle(store_is_away=False)
        assert await two.process.recording.settled(60)
        recorded = two.process.store.disk.recorded
        found = {
            "rollout": lambda: recorded.routes["desk"].rollout.state.value == "rolled_back",
            "arm": lambda: [arm.release for arm in recorded.arms_out] == ["1.1.0"],
            "version": lambda: any(each.review.value == "revoked" for each in recorded.standings),
            "key": lambda: all(key.revoked_at is not None for key in recorded.keys),
        }
        assert found[what]()
        assert "gateway" == two.process.store.disk.acts[-1].actor


def _model(side):
    """A registered model version that nothing serves."""
    return next(key for key in side.process.live.state.standings if key[0] == "model" and "1.2.0" in str(key))


async def _out(what, one, two):
    """Something that was taken out by a gateway which was lost."""
    if what == "rollout":
        rollout = two.process.live.record_of("desk").rollout
        return RolloutOut("desk", rollout.id, "rollback", "1.0.0", "mallory", "bad", 5.0)
    if what == "arm":
        return ArmOut("desk", "length", "1.1.0", "bad", 5.0)
    if what == "version":
        return VersionOut(_model(two), "leaks", 5.0)
    issued, _ = await one.process.keys.issue("app", "help", "ada", None)
    await two.process.serving.follow()
    return KeyOut(issued.id, "mallory", 5.0)


async def test_each_act_that_takes_out_is_said():
    """An arm, a version, a key; what others did meanwhile with a version stands."""
    async with pair(TESTED) as (one, two):
        one.process.trip()
        (said,) = outs(one)
        assert two.acts.hear(said)
        assert "1.1.0" in two.process.desk.out
        one.said.clear()
        registries = Registries(one.process.live, None)
        key = _model(one)
        await registries.revoke(key, "leaks")
        (said,) = outs(one)
        two.process.store.away = True
        assert two.acts.hear(said)
        assert two.process.live.state.standings[key].why_out(9.0)
        two.process.store.away = False
        two.process.clock.now += 6
        await two.acts.settle(store_is_away=False)
        assert await two.process.recording.settled(60)


async def test_a_version_that_was_moved_while_it_was_to_be_recorded_is_looked_at():
    """Somebody else's move came first: what they made of it is in the store."""
    async with pair(files(route())) as (one, two):
        key = _model(two)
        assert two.acts.hear(VersionOut(key, "leaks", 5.0))
        two.process.clock.now += 6
        registries = Registries(one.process.live, None)
        two.process.store.let_first(registries.deprecate(key, "old", retire_at=None, successor=None))
        await two.acts.settle(store_is_away=False)
        assert await two.process.recording.settled(60)
        assert two.looks
        two.process.clock.now += 6
        await two.acts.settle(store_is_away=False)
        assert await two.process.recording.settled(60)
        (found,) = [each for each in (await two.process.store.recorded()).standings if each.key == key]
        assert "leaks" in found.why_out(two.process.clock.wall())


async def test_a_version_that_is_heard_to_be_revoked_while_it_is_moved_here_stays_revoked():
    """What is recorded here says nothing of it yet; the revocation is put upon that, too."""
    async with pair(files(route())) as (_one, two):
        key = _model(two)

        async def hear():
            assert two.acts.hear(VersionOut(key, "leaks", 5.0))

        two.process.store.let_first(hear())
        registries = Registries(two.process.live, None)
        await registries.deprecate(key, "old", retire_at=None, successor=None)
        assert "leaks" in two.process.live.state.standings[key].why_out(9.0)


async def test_a_version_that_is_revoked_while_it_is_moved_stays_revoked_and_is_recorded_so():
    """The move is recorded first, and the revocation upon it."""
    async with pair(files(route())) as (_one, two):
        registries, key = Registries(two.process.live, None), _model(two)
        revoking = []

        async def revoke():
            revoking.append(asyncio.ensure_future(registries.revoke(key, "leaks")))
            await asyncio.sleep(0)

        two.process.store.let_first(revoke())
        await registries.deprecate(key, "old", retire_at=None, successor=None)
        assert "revoked: leaks" == two.process.live.state.standings[key].why_out(9.0)
        await revoking[0]
        assert await two.process.recording.settled(60)
        (found,) = [each for each in (await two.process.store.recorded()).standings if each.key == key]
        assert ("revoked: leaks", 3) == (found.why_out(9.0), found.revision)
        assert found == two.process.live.state.standings[key]


async def test_a_revocation_is_recorded_of_a_version_that_another_gateway_has_retired_first():
    """To be out already is not to be revoked."""
    async with pair(files(route())) as (one, two):
        mine, theirs, key = Registries(two.process.live, None), Registries(one.process.live, None), _model(two)
        two.process.store.away = True
        await mine.revoke(key, "leaks")
        await theirs.deprecate(key, "old", retire_at=one.process.clock.wall() + 1.0, successor=None)
        one.process.clock.now += 2
        theirs.end_due()
        assert await one.process.recording.settled(60)
        two.process.store.away = False
        assert await two.process.recording.settled(60)
        (found,) = [each for each in (await two.process.store.recorded()).standings if each.key == key]
        assert "revoked: leaks" == found.why_out(9.0)
        assert found == two.process.live.state.standings[key]


async def test_hints_openings_and_closings_are_passed_on():
    """A look is had; a breaker that is not there does not close, and opens."""
    async with pair(files(route())) as (_one, two):
        assert two.acts.hear(Look())
        assert 1 == len(two.looks)
        assert not two.acts.hear(Closed("desk", "1.0.0", 1.0))
        assert two.acts.hear(Opened("desk", "1.0.0", "consecutive"))
        assert two.acts.hear(RolloutOut("other", "r", "rollback", "1.0.0", "ada", "", 5.0)) is False


async def test_what_is_kept_is_bounded():
    """A flood of messages is found in the store, if it is true."""
    async with pair(files(route())) as (_one, two):
        for number in range(heard_acts.MOST_HEARD):
            two.acts._heard.append(heard_acts._Heard(KeyOut(str(number), "ada", 1.0), 0.0))
        with pytest.raises(OverflowError, match="too many acts"):
            two.acts.hear(KeyOut("one more", "ada", 1.0))


async def test_what_is_decided_before_a_heard_act_is_recorded_overwrites_nothing():
    """The revision that the act will have is another gateway's by then; whoever thinks it is the act's is overtaken."""
    async with pair(waiting()) as (one, two), living(Store(one.process.store.disk)) as third:
        await one.process.rollouts.start("desk", ADA)
        await two.process.serving.follow()
        await third.serving.open(waiting())
        one.process.store.away = True
        one.process.trip()
        assert two.acts.hear(outs(one)[-1])
        await third.rollouts.promote("desk", ADA)
        with pytest.raises(Overtaken):
            await two.process.rollouts.retry("desk", ADA)
        assert ("promote", 2) == (third.store.disk.events[-1].verb, third.kept.rollout.step_number)


async def test_whoever_records_for_another_looks_at_what_it_has_become():
    """What is in the store then has another revision than what was heard of."""
    async with pair(files(route())) as (_, two):
        key = ("release", "desk", "1.1.0")
        assert two.acts.hear(VersionOut(key, "it leaks", 2.0))
        two.process.clock.now += 5.0
        await two.acts.settle(store_is_away=False)
        assert await two.process.recording.settled(60)
        assert await two.process.live.look_again()
        (recorded,) = (each for each in two.process.store.disk.recorded.standings if each.key == key)
        assert recorded == two.process.live.state.standings[key]


async def test_a_revocation_heard_of_rests_on_the_revision_that_was_read():
    """So that what somebody else makes of the version meanwhile is not overwritten."""
    async with pair(files(route())) as (one, two):
        key = ("release", "desk", "1.1.0")
        before = two.process.live.state.standings[key]
        assert two.acts.hear(VersionOut(key, "it leaks", 2.0))
        after = two.process.live.state.standings[key]
        assert ("revoked", before.revision) == (after.review.value, after.revision)
        assert 0 == one.unrecorded
