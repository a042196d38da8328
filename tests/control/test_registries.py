"""The registries: what is registered, asked and decided of versions."""

import asyncio

import pytest

from gateway.control.terms import Terms
from gateway.core.dependent import RECENT_SECONDS, Dependent, Traffic
from gateway.core.errors import Overtaken, PolicyFault, StoreFault, UnknownSubject, VerbRefused
from gateway.core.standing import DUE
from tests.control.registry_world import (
    CATALOGUE,
    FIRST,
    GREETING,
    MAILS,
    ONE,
    PROMPT,
    SECOND,
    THIRD,
    THREE,
    TWO,
    registries,
    registry,
)
from tests.control.serving_world import ADA, Disk, Store, once, serving

pytestmark = pytest.mark.anyio

ROLLING = 'rollout: {from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}'
NEW = {"n.yaml": CATALOGUE.split("---")[1].replace("atlas", "nova")}


async def deprecate(desk, key, retire_at=None, successor=None):
    """Have a version deprecated."""
    return await desk.registries.deprecate(key, "a better one", retire_at=retire_at, successor=successor)


# Asking


async def test_what_a_set_declares_is_registered_and_what_serves_is_frozen():
    """The release that serves, its model and its prompt are candidates; everything else is a draft that may change."""
    async with registries() as desk:
        frozen = {key for key, each in desk.process.live.state.standings.items() if each.is_frozen}
        assert {FIRST, ONE, GREETING} == frozen
        assert 8 == len(desk.process.live.state.standings)
        assert all(desk.standing(key) == desk.kept(key) for key in desk.process.live.state.standings)
        assert "<Registries 8 versions>" == repr(desk.registries)


async def test_versions_are_listed_by_kind_and_use_case():
    """A text of the use case will do, in small or capital letters."""
    async with registries() as desk:
        listed = desk.registries.listed
        assert ["1", "2", "3"] == [entry.version for entry, _ in await listed("model")]
        assert ["1"] == [entry.version for entry, _ in await listed("model", use_case="SUPPORT")]
        assert [] == list(await listed("model", use_case="law"))
        assert [] == list(await listed("dataset", use_case="support"))


async def test_versions_are_found_by_anything_that_is_known_of_them():
    """Names with their versions, and every fact; a use case that is asked for beside it counts too."""
    async with registries() as desk:
        listed = desk.registries.listed
        assert ["2"] == [entry.version for entry, _ in await listed("model", search="ATLAS@2")]
        assert ["1"] == [entry.version for entry, _ in await listed("model", search="customer")]
        assert ["1.1.0"] == [entry.version for entry, _ in await listed("release", search="desk/1.1")]
        assert [] == list(await listed("model", search="dragons"))
        assert [] == list(await listed("model", search="atlas@2", use_case="customer"))


async def test_a_version_is_shown_whole():
    """Its content, its facts, and where it stands."""
    async with registries() as desk:
        entry, standing = await desk.registries.shown(GREETING)
        assert ("Be kind.", desk.standing(GREETING)) == (entry.content["text"], standing)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (("model", "atlsa", "1"), "there is no model atlsa@1; did you mean"),
        (("release", "desk", "1.0.1"), "there is no release desk/1.0.1; did you mean"),
        (("model", "zzz", "9"), "there is no model zzz@9; see `pinion model list`"),
    ],
)
async def test_a_version_that_is_not_there_is_told_with_the_nearest(key, said):
    """Whatever is asked of it."""
    async with registries() as desk:
        asked = desk.registries
        for ask in (
            asked.shown(key),
            asked.dependents(key),
            asked.retire(key, "x"),
            asked.revoke(key, "x"),
            deprecate(desk, key),
            deprecate(desk, ONE, successor="99"),
        ):
            with pytest.raises(UnknownSubject) as raised:
                await ask
            assert said in raised.value.message or "there is no model atlas@99" in raised.value.message


async def test_a_version_that_is_known_and_not_yet_in_the_store_is_asked_for_again():
    """Another store than the one that it was read from."""
    async with registries() as desk:
        desk.process.store.disk.recorded = Disk().recorded
        with pytest.raises(UnknownSubject, match="is not registered yet; try again in a second"):
            await desk.registries.shown(ONE)


# Registering


async def test_a_model_is_registered_by_an_operator():
    """It is a draft with its author, recorded before the answer; a route may name it later."""
    async with registries() as desk:
        (standing, *others) = await desk.registries.register(NEW, "ada")
        assert 2 == len(others)
        assert ("model nova@1", "ada", "draft") == (str(standing), standing.author, standing.review.value)
        assert standing == desk.kept(standing.key) == desk.standing(standing.key)
        again = await desk.registries.register(NEW, "eve")
        assert standing is again[0]


async def test_a_document_that_cannot_be_is_not_registered():
    """Nor anything beside it."""
    async with registries() as desk:
        with pytest.raises(PolicyFault):
            await desk.registries.register({**NEW, "b.yaml": "kind: model\nname: b\n"}, "ada")
        assert 8 == len(desk.process.live.state.standings)


async def test_what_serves_is_not_registered_otherwise():
    """A prompt of the route; nothing is written."""
    async with registries() as desk:
        epoch = desk.process.store.disk.recorded.epoch
        with pytest.raises(VerbRefused, match="versions are immutable"):
            await desk.registries.register({"g.prompt": PROMPT.replace("Be kind", "Be brief")}, "ada")
        assert epoch == desk.process.store.disk.recorded.epoch


# The end of a version


async def test_a_deprecated_version_serves_on_and_says_so():
    """By headers on the answers of every release that is made of it, from that moment on."""
    async with registries() as desk:
        now = desk.process.clock.wall()
        standing = await deprecate(desk, ONE, retire_at=1_900_000_000.0, successor="2")
        assert ("deprecated", standing) == (standing.lifecycle.value, desk.kept(ONE))
        assert (
            (b"deprecation", f"@{int(now)}".encode()),
            (b"sunset", b"Sun, 17 Mar 2030 17:46:40 GMT"),
            (b"link", b'<urn:pinion:model:atlas@2>; rel="successor-version"'),
        ) == desk.process.desk.stable.notice
        assert set(desk.process.desk.stable.notice) < set(desk.process.desk.stable.headers)
        assert "1.0.0" == desk.stable
        assert "info" == desk.process.events("version_moved")[-1]["level"]


@pytest.mark.parametrize("key", [ONE, FIRST, GREETING])
async def test_what_serves_is_not_retired(key):
    """The route and the track are named, and what to do."""
    async with registries() as desk:
        with pytest.raises(VerbRefused, match=r"serves desk \(stable\); deprecate it, and move them first") as raised:
            await desk.registries.retire(key, "old")
        assert 409 == raised.value.status
        assert desk.standing(key).lifecycle.value == "active"


async def test_what_was_asked_for_lately_is_not_retired():
    """Applications that have met it are named with how often; a week later nobody is left."""
    async with registries() as desk:
        desk.process.clock.ahead = 10 * RECENT_SECONDS
        desk.ledger.seen = [
            Traffic("web", "desk", "1.1.0", 1_200, desk.process.clock.wall() - 5),
            Traffic("web", "desk", "1.2.0", 3, desk.process.clock.wall() - 5),
        ]
        said = r"model atlas@2 answered requests of the last 7 days for web \(1,200 by desk/1.1.0\)"
        with pytest.raises(VerbRefused, match=said):
            await desk.registries.retire(TWO, "old")
        desk.process.clock.ahead += RECENT_SECONDS
        assert "retired" == (await desk.registries.retire(TWO, "old")).lifecycle.value
        assert "retired" == desk.kept(TWO).lifecycle.value
        assert "retired with its model atlas@2: old" == desk.process.desk.out["1.1.0"]


async def test_what_is_retired_is_not_retired_again():
    """Said before anything else."""
    async with registries() as desk:
        await desk.registries.retire(TWO, "old")
        desk.ledger.seen = [Traffic("web", "desk", "1.1.0", 1, desk.process.clock.wall())]
        with pytest.raises(VerbRefused, match="is retired and does not take retire"):
            await desk.registries.retire(TWO, "old")


async def test_nothing_is_retired_that_begins_to_serve_meanwhile():
    """What serves is looked at once the act has its turn."""
    async with registries() as desk:
        live = desk.process.live
        async with live.changing:
            retiring = asyncio.ensure_future(desk.registries.retire(TWO, "old"))
            await asyncio.sleep(0.01)
            live.state.records["desk"] = desk.process.kept.__class__("desk", "1.1.0", "1.1.0", revision=2)
            live.swap_all()
        with pytest.raises(VerbRefused, match=r"serves desk \(stable\)"):
            await retiring


async def test_an_announced_end_comes_by_itself():
    """Not before its instant; then stable gives way at once, and it is recorded as retired."""
    async with registries(registry("1.1.0", ROLLING)) as desk:
        process = desk.process
        await process.rollouts.start("desk", ADA)
        await process.rollouts.promote("desk", ADA, full=True)
        assert "1.1.0" == desk.stable
        end = process.clock.wall() + 3_600
        await deprecate(desk, TWO, retire_at=end)
        desk.registries.end_due()
        assert "1.1.0" == desk.stable
        process.clock.ahead += 3_600
        desk.registries.end_due()
        assert "1.0.0" == desk.stable
        await desk.settled()
        assert ("retired", DUE) == ((kept := desk.kept(TWO)).lifecycle.value, kept.reason)
        process.clock.ahead -= 3_600
        desk.registries.end_due()
        process.live.swap_all()
        assert "1.0.0" == desk.stable


# Revoking


@pytest.mark.parametrize("key", [TWO, SECOND])
async def test_a_revoked_stable_gives_way_to_the_newest_one_before_it(key):
    """Whether the release is revoked or what it is made of; at once, and in the next life too."""
    store = Store()
    async with registries(registry("1.1.0", ROLLING), store) as desk:
        await desk.process.rollouts.start("desk", ADA)
        await desk.process.rollouts.promote("desk", ADA, full=True)
        assert "1.1.0" == desk.stable
        await desk.registries.revoke(key, "it leaks")
        assert "1.0.0" == desk.stable
        assert desk.process.desk.is_out(desk.process.desk.releases["1.1.0"])
        assert ("revoked", "it leaks", "warning") == (
            desk.kept(key).review.value,
            desk.kept(key).reason,
            desk.process.events("version_moved")[-1]["level"],
        )
    async with registries(registry("1.1.0", ROLLING), store) as desk:
        assert "1.0.0" == desk.stable


async def test_where_nothing_else_can_serve_the_route_says_so():
    """Stable is out, and an alarm tells it."""
    async with registries() as desk:
        await desk.registries.revoke(GREETING, "it insults")
        assert desk.process.desk.is_out(desk.process.desk.stable)
        (alarm,) = desk.process.events("no_servable_release")
        assert "revoked with its prompt greeting@1.0.0: it insults" in alarm["message"]


@pytest.mark.parametrize("key", [TWO, SECOND])
async def test_a_revoked_candidate_is_rolled_back(key):
    """It gets nothing from the very moment, and its rollout ends with the rule `revoked`."""
    async with registries(registry("1.1.0", ROLLING)) as desk:
        process = desk.process
        await process.rollouts.start("desk", ADA)
        assert 50_000 == process.weight
        await desk.registries.revoke(key, "it leaks")
        assert 0 == process.weight
        await process.judging.judge()
        await desk.settled()
        assert ("rolled_back", [("desk", "revoked")]) == (process.state, process.meters.rollbacks)
        assert "it leaks" in process.live.record_of("desk").rollout.reason


async def test_a_revoked_version_never_comes_back():
    """No verb of its review, and neither its registration nor a reload, which is refused."""
    async with registries() as desk:
        await desk.registries.revoke(THREE, "it leaks")
        with pytest.raises(VerbRefused, match="is revoked and does not take revoke; publish another version"):
            await desk.registries.revoke(THREE, "again")
        reload = await desk.process.serving.reload(registry("1.2.0"))
        assert not reload.accepted
        assert "revoked with its model atlas@3: it leaks" in str(reload.problems[0])
        assert "1.0.0" == desk.stable


async def test_revoking_acts_while_the_store_is_away(monkeypatch):
    """And is recorded once it is back; what must be recorded first is refused meanwhile."""
    monkeypatch.setattr("gateway.control.live.RECORD_SECONDS", 0.01)
    async with registries(registry("1.1.0", ROLLING)) as desk:
        await desk.process.rollouts.start("desk", ADA)
        desk.process.store.away = True
        await desk.registries.revoke(TWO, "it leaks")
        assert 0 == desk.process.weight
        with pytest.raises(StoreFault):
            await deprecate(desk, THREE)
        desk.process.store.away = False
        desk.process.recording.hurry()
        await desk.settled()
        assert "revoked" == desk.kept(TWO).review.value


async def test_another_gateway_follows_at_its_next_look():
    """Of the same store; and neither answers for it any more."""
    disk = Disk()
    async with (
        registries(registry("1.1.0", ROLLING), Store(disk)) as one,
        serving(registry("1.1.0", ROLLING), Store(disk)) as other,
    ):
        await one.process.live.look_again()
        await one.process.rollouts.start("desk", ADA)
        await other.live.look_again()
        assert 50_000 == other.weight
        await one.registries.revoke(TWO, "it leaks")
        assert 50_000 == other.weight
        assert await other.live.look_again()
        assert 0 == other.weight


# Two at once


async def test_of_two_who_move_a_version_at_once_one_is_overtaken():
    """The other looks again, and may repeat its act."""
    disk = Disk()
    async with registries(store=Store(disk)) as one, registries(store=Store(disk)) as other:
        await one.process.live.look_again()
        one.process.store.let_first(deprecate(other, TWO, successor="3"))
        with pytest.raises(Overtaken):
            await deprecate(one, TWO)
        await one.process.live.look_again()
        assert "3" == one.standing(TWO).successor
        assert None is (await deprecate(one, TWO)).successor
        assert one.standing(TWO) == one.kept(TWO)


async def test_a_revocation_wins_whoever_was_first():
    """It is made of what the other has recorded; and where that takes the version out already, theirs stays."""
    disk = Disk()
    async with registries(store=Store(disk)) as one, registries(store=Store(disk)) as other:
        await one.process.live.look_again()
        await deprecate(other, TWO, successor="3")
        await one.registries.revoke(TWO, "it leaks")
        await one.settled()
        kept = one.kept(TWO)
        assert ("revoked", "deprecated", "3") == (kept.review.value, kept.lifecycle.value, kept.successor)

        await other.process.live.look_again()
        await other.registries.revoke(THREE, "theirs")
        await one.registries.revoke(THREE, "ours")
        await one.settled()
        assert "theirs" == one.kept(THREE).reason == one.standing(THREE).reason


async def test_a_store_that_knows_nothing_of_a_version_keeps_nobody_waiting():
    """It is another than it was: the version is out here, it is told, and what comes after is recorded."""
    async with registries() as desk:
        process, recorded = desk.process, desk.process.store.disk.recorded
        kept = tuple(each for each in recorded.standings if each.key != TWO)
        process.store.disk.recorded = type(recorded)(**{**_fields(recorded), "standings": kept})
        await desk.registries.revoke(TWO, "it leaks")
        await desk.settled()
        (lost,) = process.events("version_lost")
        assert ("model atlas@2", "error") == (lost["version"], lost["level"])
        assert "1.1.0" in process.desk.out


def _fields(recorded):
    return {name: getattr(recorded, name) for name in type(recorded).__dataclass_fields__}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("verb", ["register", "deprecate", "retire"])
async def test_a_store_that_fails_amid_an_act_that_is_recorded_first(verb, moment):
    """Nothing moves until it is known what was written; then that holds, though the act was refused."""
    async with registries() as desk:
        acts = {
            "register": lambda: desk.registries.register(NEW, "ada"),
            "deprecate": lambda: deprecate(desk, TWO),
            "retire": lambda: desk.registries.retire(TWO, "old"),
        }
        before = dict(desk.process.live.state.standings)

        async def fail():
            raise StoreFault("the disk is away")

        setattr(desk.process.store, moment, fail)
        with pytest.raises(StoreFault):
            await acts[verb]()
        assert before == desk.process.live.state.standings
        desk.process.store.before = desk.process.store.after = Store().before
        await desk.process.live.look_again()
        written = {each.key: each for each in desk.process.store.disk.recorded.standings}
        assert written == desk.process.live.state.standings
        assert (before == written) is (moment == "before")
        if moment == "before":
            await acts[verb]()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_store_that_fails_amid_a_revocation(moment):
    """It stands all the while, and is in the records in the end, once."""
    async with registries() as desk:
        store = desk.process.store

        def fail():
            raise StoreFault("the disk is away")

        setattr(store, moment, once(fail))
        await desk.registries.revoke(TWO, "it leaks")
        assert "1.1.0" in desk.process.desk.out
        await desk.settled()
        assert ("revoked", "it leaks") == (desk.kept(TWO).review.value, desk.kept(TWO).reason)
        await desk.process.live.look_again()
        assert desk.kept(TWO) == desk.standing(TWO)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_dies_amid_a_revocation(moment):
    """What was not recorded is repeated in the next life; what was stays."""
    store = Store()
    async with registries(store=store) as desk:
        reached = asyncio.Event()

        async def die():
            reached.set()
            await asyncio.Event().wait()

        setattr(store, moment, die)
        acting = asyncio.ensure_future(desk.registries.revoke(TWO, "it leaks"))
        await reached.wait()
        assert "1.1.0" in desk.process.desk.out
        acting.cancel()
        await asyncio.wait([acting])
    store.before = store.after = Store().before
    async with registries(store=store) as desk:
        assert (moment == "after") is ("1.1.0" in desk.process.desk.out)
        if moment == "before":
            await desk.registries.revoke(TWO, "it leaks")
    async with registries(store=store) as desk:
        assert "1.1.0" in desk.process.desk.out


# Who depends


async def test_dependents_are_declared_and_observed():
    """By every release that a version is a part of, with the tracks on which that serves; a dataset's by its models."""
    async with registries(registry(more='fallback: ["1.1.0"]')) as desk:
        desk.process.clock.ahead = 2 * RECENT_SECONDS
        now = desk.process.clock.wall()
        desk.ledger.seen = [Traffic("old", "desk", "1.0.0", 5, now - 1), Traffic("old", "desk", "1.1.0", 5, now - 1)]
        expected = [
            Dependent("old", "desk", "1.0.0", ("stable",), requests=5, last_at=now - 1),
            Dependent("web", "desk", "1.0.0", ("stable",), is_declared=True),
        ]
        for key in (ONE, GREETING, FIRST, MAILS):
            assert expected == await desk.registries.dependents(key)
        assert [("desk",), now - RECENT_SECONDS] == [tuple(desk.ledger.asked[0][0]), desk.ledger.asked[0][1]]
        assert [("old", ("fallback",)), ("web", ("fallback",))] == [
            (each.app, each.tracks) for each in await desk.registries.dependents(TWO)
        ]
        assert [Dependent("web", "desk", "1.2.0", (), is_declared=True)] == await desk.registries.dependents(THIRD)


async def test_nobody_depends_on_what_no_release_is_made_of():
    """The ledger is not even asked."""
    async with registries() as desk:
        await desk.registries.register(NEW, "ada")
        assert [] == await desk.registries.dependents(("model", "nova", "1"))
        assert [] == desk.ledger.asked


async def test_a_ledger_that_is_away_lets_nothing_be_retired():
    """Nobody knows who would be cut off."""
    async with registries() as desk:
        desk.ledger.away = True
        with pytest.raises(StoreFault):
            await desk.registries.retire(TWO, "old")


# Development


async def test_a_development_server_registers_nothing():
    """Its policies change as they like."""
    async with registries(terms=Terms(dev=True)) as desk:
        assert {} == desk.process.live.state.standings
        assert (await desk.process.serving.reload({**registry(), "greeting.prompt": PROMPT + "Truly.\n"})).accepted
