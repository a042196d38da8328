"""What files say should serve: taken whole and recorded, or refused; and what others record, followed."""

import pytest

from gateway.adapters.sql_store import SqlStore
from gateway.control.registries import Registries
from gateway.control.terms import Terms
from gateway.core.errors import PolicyFault, StoreFault, UnknownSubject
from gateway.core.outcome import Outcome
from tests.control.serving_world import (
    ADA,
    ARMS,
    HELD,
    TESTED,
    Disk,
    Store,
    files,
    living,
    once,
    rolling,
    route,
    serving,
)
from tests.control.signed_sets import signed_set, unsigned_set

pytestmark = pytest.mark.anyio


async def test_a_first_deployment_serves_what_the_line_asks_for():
    """Nothing is recorded and nothing says what it was before: the release serves, with no rollout."""
    async with serving(files(route())) as process:
        assert ("1.0.0", 1_000_000) == (process.desk.stable.version, process.desk.weight_ppm("1.0.0"))
        assert process.live.record_of("desk").rollout is None
        assert "1.0.0" == process.kept.stable
        assert ["accepted"] == process.meters.reloads
        assert "<Live epoch 1, 1 routes>" == repr(process.live)
        assert f"<Serving revision {process.live.current.revision[:12]}>" == repr(process.serving)


async def test_the_policies_that_serve_are_known():
    """None at first, then the last set that was taken, which a refused one does not replace."""
    async with living(Store()) as process:
        assert {} == process.serving.policies.routes
        await process.serving.open(files(route()))
        await process.serving.reload({"a.yaml": "a: ["})
        assert ["desk"] == list(process.serving.policies.routes)


async def test_the_routes_of_a_set_are_recorded_in_one_write():
    """However many they are, with the set itself; where neither a route nor the set has changed, nothing is written."""
    writes, store = [], Store()

    async def count():
        writes.append(1)

    store.before = count
    names = ("desk", "other", "third")
    async with serving(files(*map(route, names)), store) as process:
        assert (1, set(names)) == (len(writes), set(store.disk.recorded.routes))
        new = [route(name, "1.1.0", more="rollout: {steps: [{percent: 5}]}") for name in names]
        assert (await process.serving.reload(files(*new))).accepted
        assert (2, {"start"}) == (len(writes), {event.verb for event in store.disk.events})
        assert (await process.serving.reload(files(*new, "# a remark"))).accepted
        assert (3, 3) == (len(writes), len(store.disk.events))
        assert (await process.serving.reload(files(*new, "# a remark"))).accepted
        assert (3, 3) == (len(writes), len(store.disk.events))


async def test_an_empty_store_exposes_nobody():
    """With a release to roll out from, that one serves and the rollout waits for a person."""
    async with serving(HELD) as process:
        assert ("1.0.0", 0, "held") == (process.desk.stable.version, process.weight, process.state)
        assert [{"level": "info"}] == [{"level": event["level"]} for event in process.events("rollout_hold")]


async def test_a_changed_line_starts_a_rollout_by_itself_and_its_change_back_aborts_it():
    """The record knows what served before; the same line again changes nothing."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        epoch = process.store.disk.recorded.epoch
        await process.serving.reload(rolling())
        assert (50_000, "running") == (process.weight, process.state)
        assert epoch == process.store.disk.recorded.epoch - 1  # what began to serve was noted, nothing else

        await process.serving.reload(files(route()))
        assert (0, "rolled_back", "1.0.0") == (process.weight, process.state, process.desk.stable.version)


async def test_a_line_that_names_a_third_release_supersedes_the_rollout():
    """The new candidate starts at its first step; the old one has no weight any more."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.serving.reload(rolling(serve="1.2.0"))

        assert [0, 50_000] == [process.desk.weight_ppm(version) for version in ("1.1.0", "1.2.0")]
        assert ["start", "supersede", "start"] == [event.verb for event in process.store.disk.events]


async def test_what_was_rolled_back_stays_so_until_the_line_goes_away_and_back():
    """The file may go on asking; only a change starts anew, with a breaker that owes nothing to the past."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        for _ in range(3):
            permit = process.breakers.permit(process.desk, process.desk.releases["1.1.0"], 1.0)
            process.breakers.report(process.desk, process.desk.releases["1.1.0"], permit, Outcome.failed, 1.0)
        assert "rolled_back" == process.state
        await process.serving.reload(altered(rolling(), "kind: provider", "# nothing\nkind: provider"))
        assert ("rolled_back", 0) == (process.state, process.weight)

        await process.serving.reload(files(route()))
        await process.serving.reload(rolling())

        assert ("running", 50_000, 2) == (
            process.state,
            process.weight,
            process.live.record_of("desk").rollout.attempt,
        )
        assert not process.breakers.is_open("desk", "1.1.0")


async def test_nothing_changes_when_files_are_not_acceptable():
    """The last good set goes on serving, and the reasons are kept and counted."""
    async with serving(files(route())) as process:
        before = process.live.current
        reload = await process.serving.reload({"all.yaml": "kind: nonsense\n"})

        assert before is process.live.current
        assert (False, "all.yaml", reload) == (reload.accepted, reload.problems[0].file, process.serving.last_reload)
        assert ["accepted", "rejected"] == process.meters.reloads
        assert "all.yaml:1:" in process.events("reload_rejected")[0]["problems"][0]


def altered(policies: dict[str, str], old: str, new: str) -> dict[str, str]:
    """The same files with one piece of text replaced."""
    assert old in policies["all.yaml"]
    return {"all.yaml": policies["all.yaml"].replace(old, new)}


PINNED = "{model: sim/atlas-1.0.0-2026-01-01}"

WITH_PARAMS = "{model: sim/atlas-1.0.0-2026-01-01, params: {temperature: 1}}"

REFUSED = {
    "stable is no longer declared": (
        rolling(),
        rolling(releases="1.1.0 1.2.0"),
        "all.yaml:8: route desk no longer declares release 1.0.0, which is its stable; declare it for as long as it"
        " serves",
    ),
    "parameters of a served release have changed": (
        files(route()),
        altered(files(route()), PINNED, WITH_PARAMS),
        "all.yaml:10: release desk/1.0.0 is registered with the digest e4474fb89a96, and what is given has "
        "bfe7645d3796; versions are immutable: put it back, and publish a new version",
    ),
    "an experiment beside a running rollout": (
        rolling(),
        files(route(serve="1.1.0", more=ARMS)),
        "all.yaml:8: route desk has an experiment, and a rollout to 1.1.0; end the one before the other begins",
    ),
    "an experiment with a new rollout": (
        files(route()),
        files(route(serve="1.2.0", more=ARMS)),
        "all.yaml:8: route desk has an experiment, and a rollout to 1.2.0; end the one before the other begins",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_set_that_contradicts_the_records_is_refused(case):
    """Correct by itself, it may not serve here, and what serves does not change."""
    first, then, said = REFUSED[case]
    async with serving(files(route())) as process:
        await process.serving.reload(first)
        before = process.live.current
        reload = await process.serving.reload(then)

        assert [said] == [str(problem) for problem in reload.problems]
        assert before is process.live.current


async def test_the_content_of_what_only_waits_may_change():
    """A held candidate has met no request, so it is not fixed yet; once it has, it is."""
    changed = altered(HELD, "atlas-1.1.0-2026-01-01", "atlas-1.1.0-2026-02-02")
    async with serving(HELD) as process:
        assert (await process.serving.reload(changed)).accepted
        await process.rollouts.start("desk", ADA)
        assert not (await process.serving.reload(HELD)).accepted


async def test_a_development_server_lets_served_versions_change():
    """Nothing is fixed there, and everything is marked."""
    async with serving(files(route()), terms=Terms(dev=True)) as process:
        assert (await process.serving.reload(altered(files(route()), PINNED, WITH_PARAMS))).accepted
        assert (True, True) == (process.live.current.dev, process.desk.stable.dev)
        assert () == process.store.disk.recorded.served


async def test_no_application_may_be_missing_beyond_loopback():
    """Anyone could call; the same set with one application serves."""
    async with living(Store(), Terms(open=False)) as process:
        with pytest.raises(PolicyFault, match="no application is declared"):
            await process.serving.open(files(route()))
        app = f"kind: app\nname: helpdesk\nkeys: [{{sha256: {'0' * 64}}}]\nroutes: [desk]\n"
        await process.serving.open(files(route(), app))
        assert not process.live.current.open


async def test_a_credential_that_is_not_there_refuses_the_set():
    """The message names the provider and the source."""
    keyed = altered(files(route()), "/v1\n", "/v1\ncredential: {env: SIM_KEY}\n")
    async with living(Store()) as process:
        with pytest.raises(PolicyFault, match="provider sim: credential env:SIM_KEY: not here; put it there"):
            await process.serving.open(keyed)
        process.secrets.known["env:SIM_KEY"] = "sk-1"
        await process.serving.open(keyed)
        process.secrets.known["env:SIM_KEY"] = "sk-2"
        await process.serving.reload(keyed)

        assert b"Bearer sk-2" == process.desk.stable.model.provider.credential.value


async def test_a_restart_goes_on_where_the_records_are():
    """A running rollout keeps its step, and the plan that it started with though the file's has changed since."""
    store = Store()
    async with serving(files(route()), store) as process:
        await process.serving.reload(rolling())
        await process.rollouts.promote("desk", ADA)
        salt = process.desk.canary.salt.text

    async with serving(rolling(plan="{steps: [{percent: 1}, {percent: 2}, {percent: 3}]}"), store) as process:
        assert (500_000, salt) == (process.weight, process.desk.canary.salt.text)
        done = await process.rollouts.promote("desk", ADA)
        assert "completed" == done.state.value


async def test_a_restart_leaves_out_what_was_rolled_back(tmp_path):
    """With the real store: out it stays, as a fallback and in rules too, whatever the file asks for."""
    everywhere = 'fallback: ["1.1.0"]\nrules: [{when: {percent: 100}, release: "1.1.0"}]'
    policies = files(route(serve="1.1.0", more=f"rollout: {{steps: [{{percent: 5}}]}}\n{everywhere}"))
    url = f"sqlite:///{tmp_path / 'pinion.db'}"
    store = await SqlStore.open(url)
    async with serving(files(route()), store) as process:
        await process.serving.reload(policies)
        process.trip()
        assert await process.recording.settled(60)
        out = dict(process.desk.out)
    await store.close()

    store = await SqlStore.open(url)
    async with serving(policies, store) as process:
        assert ("rolled_back", 0, out) == (process.state, process.weight, process.desk.out)
    await store.close()


async def test_a_store_that_fails_amid_a_reload_leaves_all_as_it_was():
    """A set is taken whole or not at all, and recorded so."""
    async with serving(files(route("desk"), route("other"))) as process:
        assert await process.recording.settled(60)
        before, recorded = process.live.current, process.store.disk.recorded

        async def fail_from_now_on():
            process.store.away = True

        process.store.before = fail_from_now_on
        new = [
            route(name, "1.3.0", releases="1.0.0 1.3.0", more="rollout: {steps: [{percent: 5}]}")
            for name in ("desk", "other")
        ]
        assert not (await process.serving.reload(files(*new))).accepted
        assert before is process.live.current
        assert process.live.record_of("desk").rollout is None
        assert recorded is process.store.disk.recorded

        process.store.away, process.store.before = False, Store().before
        assert (await process.serving.reload(files(*new))).accepted
        assert 50_000 == process.desk.weight_ppm("1.3.0")


async def test_a_store_that_cannot_be_read_at_the_start_is_a_fault():
    """Nothing serves without its records."""
    store = Store()
    store.away = True
    async with living(store) as process:
        with pytest.raises(StoreFault):
            await process.serving.open(files(route()))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_trip_during_a_reload_wins_and_the_reload_goes_on_from_it(moment):
    """The files' third release starts on top of the rollback; what tripped is out, here and in the store."""
    async with serving(files(route("other"), route())) as process:
        first = files(route("other"), route(serve="1.1.0", more="rollout: {steps: [{percent: 5}]}"))
        await process.serving.reload(first)
        assert await process.recording.settled(60)
        setattr(process.store, moment, once(process.trip))
        third = "rollout: {steps: [{percent: 5}]}"
        reload = await process.serving.reload(
            files(route("other", "1.1.0", more=third), route(serve="1.2.0", more=third))
        )

        assert reload.accepted
        assert ["1.1.0"] == list(process.desk.out)
        assert ("1.2.0", 50_000) == (process.desk.canary.release.version, process.desk.weight_ppm("1.2.0"))
        assert await process.recording.settled(60)
        assert process.live.record_of("desk") == process.kept


async def test_arms_that_grow_together_are_those_that_began():
    """They serve, the record keeps the shares of the beginning, and any other change is refused by it."""
    small = altered(TESTED, "percent: 50", "percent: 5")
    async with serving(small) as process:
        assert (await process.serving.reload(TESTED)).accepted
        (start,) = process.live.state.experiments
        assert [50_000, 50_000] == [share for _, _, share in start.arms]
        assert [500_000, 500_000] == [arm.range.end - arm.range.start for arm in process.desk.experiment.arms]
        assert not (await process.serving.reload(altered(small, "percent: 5}, b", "percent: 6}, b"))).accepted


async def test_an_arm_may_trip_while_a_reload_replaces_its_experiment():
    """Until the new set serves, the old one does, with all that belongs to it."""
    async with serving(TESTED) as process:
        assert await process.recording.settled(60)
        process.store.after = once(process.trip)
        reload = await process.serving.reload(
            files(route(serve="1.3.0", releases="1.0.0 1.1.0 1.3.0", more="rollout: {steps: [{percent: 5}]}"))
        )

        assert reload.accepted
        assert ("1.3.0", [("desk", "consecutive")]) == (process.desk.canary.release.version, process.meters.rollbacks)


async def test_a_route_that_leaves_the_files_comes_back_as_it_was():
    """Its record stays; meanwhile nothing acts on it."""
    async with serving(files(route("other"), route())) as process:
        await process.serving.reload(files(route("other"), rolling()["all.yaml"].split("---")[1]))
        await process.serving.reload(files(route("other")))
        process.trip()
        with pytest.raises(UnknownSubject):
            await process.rollouts.rollback("desk", ADA)
        await process.serving.reload(files(route("other"), rolling()["all.yaml"].split("---")[1]))

        assert 50_000 == process.weight


# What the registry bars


async def test_a_barred_set_is_refused_while_another_serves_and_admitted_at_a_start():
    """There it is a warning, and what is barred is left out: refusing would end what serves beside it."""
    store = Store()
    async with serving(rolling(plan='{from: "1.0.0", steps: [{percent: 5}]}'), store) as process:
        desk = Registries(process.live, None)
        await process.rollouts.start("desk", ADA)
        await desk.revoke(("release", "desk", "1.1.0"), "it leaks")
        await process.judging.judge()
        assert await process.recording.settled(60)
        reload = await process.serving.reload(rolling(plan="{steps: [{percent: 7}]}"))
        assert ("route desk: serve names 1.1.0, which is revoked: it leaks", False) == (
            reload.problems[0].problem,
            reload.accepted,
        )
    async with serving(rolling(plan='{from: "1.0.0", steps: [{percent: 5}]}'), store) as process:
        assert ("1.0.0", 0) == (process.desk.stable.version, process.weight)
        assert process.serving.last_reload.accepted
        assert "which is revoked: it leaks" in process.serving.last_reload.warnings[-1].problem


async def test_a_set_that_changes_what_is_registered_is_refused_at_a_start_too():
    """Versions are immutable, whoever starts."""
    store = Store()
    async with serving(files(route()), store) as process:
        assert await process.recording.settled(60)
    with pytest.raises(PolicyFault, match="versions are immutable"):
        async with serving({"all.yaml": files(route())["all.yaml"].replace("atlas-1.0.0", "other-1.0.0")}, store):
            pass


async def test_two_gateways_that_register_the_same_set_at_once():
    """One is overtaken, looks again, and finds it registered."""
    disk = Disk()
    async with living(Store(disk)) as one, living(Store(disk)) as other:
        one.store.let_first(other.serving.open(files(route())))
        await one.serving.open(files(route()))
        assert await one.recording.settled(60)
        assert one.live.state.standings.keys() == {each.key for each in disk.recorded.standings}
        assert "1.0.0" == one.desk.stable.version


async def test_a_policy_set_is_told_once_a_revision():
    """With the one before it, and how many routes it has; the same set again is none."""
    store = Store()
    async with serving(files(route(), route("other")), store) as process:
        first = process.serving.policies.revision
        assert (await process.serving.reload(files(route(), route("other")))).accepted
        assert (await process.serving.reload(files(route()))).accepted
        accepted = [act for act in store.disk.acts if act.action == "policy.accept"]
        assert [(None, first), (first, process.serving.policies.revision)] == [
            (act.before_digest, act.after_digest) for act in accepted
        ]
        assert ["2", "1"] == [act.details["routes"] for act in accepted]


async def test_a_set_without_a_route_is_refused_while_routes_serve():
    """As a file may be cut off at a `---`, where no application names what is lost; and so is the plan of it."""
    async with serving(files(route())) as process:
        reload = await process.serving.reload(files())
        said = (
            ".:1: the set declares no route any more, which would refuse every request; declare one, or stop the"
            " gateway if nothing is to serve"
        )
        assert (False, [said]) == (reload.accepted, [str(problem) for problem in reload.problems])
        assert "1.0.0" == process.desk.stable.version
        with pytest.raises(PolicyFault, match="declares no route any more"):
            await process.serving.plan(files())


async def test_a_start_and_a_first_route_need_none_before():
    """Nothing is taken away: a set without routes may be what a gateway begins with, and stays with."""
    async with serving(files()) as process:
        assert (await process.serving.reload(files() | {"b.yaml": "kind: app\nname: a\nkeys: []\n"})).accepted
        assert (await process.serving.reload(files(route()))).accepted
        assert [("info", [])] * 3 == [(each["level"], each["removed"]) for each in process.events("reload_accepted")]


async def test_the_routes_that_a_reload_removes_are_named():
    """A route is removed by no longer declaring it; the log says which went, as a warning."""
    async with serving(files(route(), route("other"), route("third"))) as process:
        assert (await process.serving.reload(files(route("third")))).accepted
        assert ("warning", ["desk", "other"]) == tuple(
            process.events("reload_accepted")[-1][field] for field in ("level", "removed")
        )
        assert ["third"] == list(process.live.current.routes)


async def test_a_set_whose_entry_cannot_be_written_is_not_taken():
    """Even where no route moves: what serves is what is told."""
    store = Store()
    async with serving(files(route()), store) as process:
        before = process.serving.policies.revision
        assert await process.recording.settled(5)
        store.away = True
        assert (await process.serving.reload(files(route()))).accepted
        assert not (await process.serving.reload(files(route(), "# a remark"))).accepted
        assert before == process.serving.policies.revision


async def test_a_set_that_is_not_signed_as_its_route_asks_is_refused():
    """The last good one goes on serving; once it is signed, it is taken."""
    async with serving(unsigned_set(required=False)) as process:
        refused = await process.serving.reload(unsigned_set())
        assert (False, ["release desk/1.0.0 is not signed by ada or ben"]) == (
            refused.accepted,
            [problem.problem for problem in refused.problems],
        )
        assert () == process.serving.policies.routes["desk"].require_signature
        assert (await process.serving.reload(signed_set("1.0.0", by="ada"))).accepted
