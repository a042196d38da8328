"""The registry in SQL, on both engines."""

from dataclasses import replace

import pytest

from gateway.core import standing as rules
from gateway.core.audit import ITSELF
from gateway.core.audit_acts import act_of_standing
from gateway.core.deployment import Change, Deployment
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.recorded import RouteMove, ServedVersion
from gateway.core.review import Review
from gateway.core.route_record import RouteRecord
from gateway.core.standing import SERVED, Entry, registered
from tests.adapters.databases import opened

pytestmark = pytest.mark.anyio

ATLAS = Entry("model", "atlas", "1", {"upstream_model": "atlas-2026-01-01"}, {"owner": "ada", "use_cases": ["support"]})
DRAFT = registered(ATLAS, None, author="ada", now=10.0)
SERVES = ServedVersion(*ATLAS.key, ATLAS.digest)
ACT = act_of_standing(DRAFT, "revoke", ITSELF)
SECOND = replace(DRAFT, digest="0" * 64, revision=2)


async def put(store, entry=ATLAS, known=None, now=10.0):
    """Register a version; give where it stands."""
    standing = registered(entry, known, author="ada", now=now)
    await store.record_routes([], [(entry, standing)])
    return standing


async def standing_of(store, key=ATLAS.key):
    """Where a version stands, as the store has it."""
    return next(each for each in (await store.recorded()).standings if each.key == key)


async def test_a_version_is_there_after_a_restart(place):
    """Whole by its name; among its kind without its content; where it stands, in what is read for a snapshot."""
    async with opened(place) as store:
        before = await store.epoch()
        assert DRAFT == await put(store)
        assert before + 1 == await store.epoch()
    async with opened(place) as store:
        assert (ATLAS, DRAFT) == await store.entry(ATLAS.key)
        assert [(replace(ATLAS, content={}), DRAFT)] == list(await store.entries("model"))
        assert [] == list(await store.entries("prompt"))
        assert None is await store.entry(("model", "atlas", "2"))
        assert (DRAFT,) == tuple((await store.recorded()).standings)


async def test_versions_of_a_name_are_listed_as_they_came(place):
    """By name, then the newest last, whatever their numbers."""
    async with opened(place) as store:
        for number, (name, version) in enumerate([("b", "9"), ("a", "2"), ("a", "10")]):
            await put(store, Entry("dataset", name, version, {"rows": number}), now=float(number))
        found = [(entry.name, entry.version) for entry, _ in await store.entries("dataset")]
        assert [("a", "2"), ("a", "10"), ("b", "9")] == found


async def test_a_draft_and_its_facts_may_be_told_anew(place):
    """Content and facts are those of the last word; when it was registered stays."""
    async with opened(place) as store:
        first = await put(store)
        changed = replace(ATLAS, content={"upstream_model": "b"}, facts={})
        second = await put(store, changed, first, 20.0)
        assert (changed, second) == await store.entry(ATLAS.key)
        assert (10.0, 2) == (second.registered_at, second.revision)


async def test_two_who_register_the_same_version_at_once(place):
    """The second is overtaken and nothing of its transaction is written, routes neither; so with a move."""
    async with opened(place) as store:
        first = await put(store)
        epoch = await store.epoch()
        move = RouteMove(RouteRecord("desk", "1.0.0", "1.0.0"), (), 0)
        with pytest.raises(Overtaken, match=r"somebody else's act on model atlas@1 was recorded first"):
            await store.record_routes([move], [(ATLAS, DRAFT)])
        await store.record_standing(rules.review(first, "request", "please", 20.0), ACT)
        with pytest.raises(Overtaken):
            await store.record_standing(rules.review(first, "revoke", "late", 30.0), ACT)
        with pytest.raises(Overtaken):
            await put(store, replace(ATLAS, facts={}), first)
        recorded = await store.recorded()
        assert ({}, epoch + 1) == (recorded.routes, recorded.epoch)
        assert Review.in_review is (await standing_of(store)).review


async def test_a_version_that_nobody_has_registered_cannot_be_moved(place):
    """There is no revision that the move could rest on."""
    async with opened(place) as store:
        with pytest.raises(Overtaken):
            await store.record_standing(rules.retire(DRAFT, "x", 20.0), ACT)


async def test_what_serves_is_frozen(place):
    """A draft becomes a candidate, once, and what is no draft stays where it is."""
    async with opened(place) as store:
        await put(store)
        await store.record_served([SERVES])
        frozen = await standing_of(store)
        assert (Review.candidate, SERVED, 2) == (frozen.review, frozen.reason, frozen.revision)
        await store.record_served([SERVES])
        assert frozen == await standing_of(store)
        asked = rules.review(frozen, "request", "please", 20.0)
        await store.record_standing(asked, ACT)
        await store.record_served([SERVES, ServedVersion("model", "unregistered", "1", "d")])
        assert asked == await standing_of(store)


async def test_the_database_refuses_what_the_rules_refuse(place):
    """Nobody changes what is frozen, neither its digest nor its content, nor deletes a version, by whatever way."""
    async with opened(place) as store:
        await put(store)
        await store.record_standing(rules.review(DRAFT, "freeze", "it serves", 20.0), ACT)
        before = await store.entry(ATLAS.key)
        with pytest.raises(StoreFault, match="immutable"):
            await store.record_routes([], [(replace(ATLAS, content={}), replace(SECOND, revision=3))])
    for statement in (
        "UPDATE registered_versions SET digest = 'other'",
        "UPDATE registered_versions SET content = NULL, digest = 'other'",
        "UPDATE registered_versions SET review = 'draft', digest = 'other'",
        "DELETE FROM registered_versions",
    ):
        with pytest.raises(Exception, match=r"immutable|never deleted"):
            place.execute(statement)
    async with opened(place) as store:
        assert before == await store.entry(ATLAS.key)


async def test_the_database_lets_a_draft_change(place):
    """And anything but the content of what is frozen."""
    async with opened(place) as store:
        await put(store)
        place.execute("UPDATE registered_versions SET digest = 'other', revision = 2")
        assert "other" == (await standing_of(store)).digest
        await store.record_standing(rules.review(replace(DRAFT, revision=2), "freeze", "it serves", 20.0), ACT)
    place.execute("UPDATE registered_versions SET reason = 'told anew'")


# Deployments

STABLE = Deployment("default", "desk", "1.0.0", "stable", "d", 1.0, "first", "policy")
CANARY = replace(STABLE, release="1.1.0", track="canary", since=2.0, why="try", actor="ada")


def change(*begun, ended=(), at=5.0, environment="default"):
    """What begins and what ends."""
    return Change(environment, begun, tuple(ended), at)


async def test_deployments_last_until_they_end(place):
    """Those of an environment that last, and the newest of all, of one route or of any."""
    async with opened(place) as store:
        await store.record_deployments(change(STABLE, CANARY))
        await store.record_deployments(change(replace(STABLE, environment="lab", since=9.0), environment="lab"))
        assert [STABLE, CANARY] == list(await store.lasting_deployments("default"))
        await store.record_deployments(change(ended=[CANARY.place], at=7.0))
    async with opened(place) as store:
        assert [STABLE] == list(await store.lasting_deployments("default"))
        found = await store.deployments("desk", 10)
        assert [9.0, 2.0, 1.0] == [each.since for each in found]
        assert replace(CANARY, until=7.0) == found[1]
        assert [9.0] == [each.since for each in await store.deployments(None, 1)]
        assert [] == list(await store.deployments("other", 10))


async def test_what_another_gateway_has_written_of_the_same_is_left(place):
    """Begun once, ended once; and it may begin anew after its end."""
    async with opened(place) as store:
        await store.record_deployments(change(STABLE))
        await store.record_deployments(change(replace(STABLE, since=3.0, why="second")))
        assert [STABLE] == list(await store.lasting_deployments("default"))
        await store.record_deployments(change(ended=[STABLE.place], at=6.0))
        await store.record_deployments(change(ended=[STABLE.place], at=8.0))
        await store.record_deployments(change(replace(STABLE, since=9.0)))
        assert [(9.0, None), (1.0, 6.0)] == [(each.since, each.until) for each in await store.deployments(None, 10)]
