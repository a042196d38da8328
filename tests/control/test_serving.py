"""What serves now, and everything that may change it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.sql_store import SqlStore
from gateway.control.serving import Terms
from gateway.core.errors import PolicyFault, StoreFault, UnknownSubject, VerbRefused
from gateway.core.outcome import Outcome
from tests.control.serving_world import Disk, Store, files, living, rolling, route, serving

pytestmark = pytest.mark.anyio

HELD = files(route(serve="1.1.0", more='rollout: {from: "1.0.0", steps: [{percent: 5}, {percent: 50}]}'))
ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}'
TESTED = files(route(more=ARMS))
ACT = ("ada", "because")


async def test_a_first_deployment_serves_what_the_line_asks_for():
    """Nothing is recorded and nothing says what it was before: the release serves, with no rollout."""
    async with serving(files(route())) as process:
        assert ("1.0.0", 1_000_000) == (process.desk.stable.version, process.desk.weight_ppm("1.0.0"))
        assert process.serving.record_of("desk").rollout is None
        assert "1.0.0" == process.kept.stable
        assert ["accepted"] == process.meters.reloads
        assert "<Serving epoch 1, 1 routes>" == repr(process.serving)


async def test_the_policies_that_serve_are_known():
    """None at first, then the last set that was taken, which a refused one does not replace."""
    async with living(Store()) as process:
        assert {} == process.serving.policies.routes
        await process.serving.open(files(route()))
        await process.serving.reload({"a.yaml": "a: ["})
        assert ["desk"] == list(process.serving.policies.routes)


async def test_the_routes_of_a_set_are_recorded_in_one_write():
    """However many they are; where none of them has moved, nothing is written."""
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
        assert (2, 3) == (len(writes), len(store.disk.events))


async def test_an_empty_store_exposes_nobody():
    """With a release to roll out from, that one serves and the rollout waits for a person."""
    async with serving(HELD) as process:
        assert ("1.0.0", 0, "held") == (process.desk.stable.version, process.weight, process.state)
        assert [{"level": "info"}] == [{"level": event["level"]} for event in process.events("rollout_hold")]


async def test_a_held_rollout_is_started_promoted_and_completed():
    """Each verb gives the next weight; from the last step the candidate becomes stable."""
    async with serving(HELD) as process:
        weights = [(await process.serving.start("desk", *ACT)).weight_ppm, process.weight]
        weights += [(await process.serving.promote("desk", *ACT)).weight_ppm, process.weight]
        done = await process.serving.promote("desk", *ACT)

        assert [50_000, 50_000, 500_000, 500_000] == weights
        assert ("completed", "1.1.0", None) == (done.state.value, process.desk.stable.version, process.desk.canary)
        assert ["hold", "start", "promote", "promote"] == [event.verb for event in process.store.disk.events]
        assert ["ada"] == [event["actor"] for event in process.events("rollout_start")]


async def test_promoting_in_full_skips_the_steps():
    """`full` completes at once."""
    async with serving(HELD) as process:
        await process.serving.start("desk", *ACT)
        await process.serving.promote("desk", *ACT, full=True)

        assert "1.1.0" == process.desk.stable.version


async def test_a_rollback_takes_the_candidate_out_for_good_and_a_retry_has_other_units():
    """Rolled back, it gets no request at all; tried anew, its split has another salt and its breaker starts afresh."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        salt = process.desk.canary.salt.text
        rollout = await process.serving.rollback("desk", *ACT)

        assert ("rolled_back", 0, {"1.1.0": "rolled back: because"}) == (
            rollout.state.value,
            process.weight,
            process.desk.out,
        )
        assert ("rolled_back", "rolled_back") == (process.state, process.kept.rollout.state.value)
        assert [("desk", "manual")] == process.meters.rollbacks

        again = await process.serving.retry("desk", *ACT)
        assert (2, 50_000, {}) == (again.attempt, process.weight, process.desk.out)
        assert salt != process.desk.canary.salt.text


@pytest.mark.parametrize("verb", ["start", "promote", "rollback", "retry"])
async def test_a_verb_on_what_is_not_there_is_refused(verb):
    """An unknown route is an unknown subject, and the message names those that exist; no rollout is a refusal."""
    async with serving(files(route())) as process:
        act = getattr(process.serving, verb)
        with pytest.raises(UnknownSubject, match="no route 'nowhere'; there is desk"):
            await act("nowhere", *ACT)
        with pytest.raises(VerbRefused, match="route desk has no rollout to"):
            await act("desk", *ACT)


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
        await process.serving.reload({**rolling(), "comment.yaml": "# nothing\n"})
        assert ("rolled_back", 0) == (process.state, process.weight)

        await process.serving.reload(files(route()))
        await process.serving.reload(rolling())

        assert ("running", 50_000, 2) == (
            process.state,
            process.weight,
            process.serving.record_of("desk").rollout.attempt,
        )
        assert not process.breakers.is_open("desk", "1.1.0")


async def test_a_retry_is_refused_once_the_line_asks_for_another():
    """Trying anew means what the file asks for now."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.serving.reload(files(route()))

        with pytest.raises(VerbRefused, match=r"asks for 1\.0\.0 now, not 1\.1\.0"):
            await process.serving.retry("desk", *ACT)


async def test_a_retry_is_refused_beside_an_experiment():
    """A route has a rollout or an experiment, never both."""
    async with serving(files(route())) as process:
        await process.serving.reload(rolling())
        await process.serving.rollback("desk", *ACT)
        reload = await process.serving.reload(files(route(serve="1.1.0", more=ARMS)))

        assert reload.accepted
        with pytest.raises(VerbRefused, match="has an experiment"):
            await process.serving.retry("desk", *ACT)


async def test_a_trip_acts_at_once_and_tells_its_evidence():
    """No wait: the snapshot has changed when the trip returns. A second trip of the same release changes nothing."""
    async with serving(HELD) as process:
        await process.serving.start("desk", *ACT)
        told = []
        process.serving.tell(told.append)
        process.trip()
        process.trip()

        assert (0, "rolled_back", 1) == (process.weight, process.state, len(told))
        assert process.desk.is_out(process.desk.releases["1.1.0"])
        event = process.events("rollback")[0]
        assert ("desk", "1.1.0", {"rule": "consecutive", "failed": 3}, "warning", "gateway") == tuple(
            event[name] for name in ("route", "release", "evidence", "level", "actor")
        )
        assert [("desk", "consecutive")] == process.meters.rollbacks
        assert await process.recording.settled(5)
        assert "consecutive: failed 3" == process.kept.rollout.reason


@pytest.mark.parametrize(("name", "version"), [("nowhere", "1.1.0"), ("desk", "1.0.0"), ("desk", "9.9.9")])
async def test_a_trip_of_what_cannot_be_rolled_back_changes_nothing(name, version):
    """Stable stays, and so does what is not there."""
    async with serving(HELD) as process:
        before = process.serving.current
        process.serving.trip(name, version, "consecutive", {})

        assert before is process.serving.current


async def test_a_tripped_arm_is_out_and_stays_out():
    """An arm's trip takes its share back to stable, in this life and in the next."""
    store = Store()
    async with serving(TESTED, store) as process:
        process.trip()
        assert ([1_000_000, 0], ["1.1.0"]) == (
            [process.desk.weight_ppm(v) for v in ("1.0.0", "1.1.0")],
            list(process.desk.out),
        )
        assert "out of experiment length: consecutive: failed 3" == process.desk.out["1.1.0"]
        assert [("desk", "consecutive")] == process.meters.rollbacks
        assert "error" == process.events("arm_out")[0]["level"]
        assert await process.recording.settled(5)

    async with serving(TESTED, store) as process:
        assert ["1.1.0"] == list(process.desk.out)


async def test_nothing_changes_when_files_are_not_acceptable():
    """The last good set goes on serving, and the reasons are kept and counted."""
    async with serving(files(route())) as process:
        before = process.serving.current
        reload = await process.serving.reload({"all.yaml": "kind: nonsense\n"})

        assert before is process.serving.current
        assert (False, "all.yaml", reload) == (reload.accepted, reload.problems[0].file, process.serving.last_reload)
        assert ["accepted", "rejected"] == process.meters.reloads
        assert "all.yaml:1:" in process.events("reload_rejected")[0]["problems"][0]


def altered(policies: dict[str, str], old: str, new: str) -> dict[str, str]:
    """The same files with one piece of text replaced."""
    assert old in policies["all.yaml"]
    return {"all.yaml": policies["all.yaml"].replace(old, new)}


PINNED = "{model: sim/atlas-1.0.0-2026-01-01}"
WITH_PARAMS = "{model: sim/atlas-1.0.0-2026-01-01, params: {temperature: 1}}"

# What serves, what is loaded then, and what is said against it.
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
        "all.yaml:8: the content of release desk@1.0.0 (release desk/1.0.0) has changed since it served; versions are"
        " immutable: put it back and publish a new version",
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
        before = process.serving.current
        reload = await process.serving.reload(then)

        assert [said] == [str(problem) for problem in reload.problems]
        assert before is process.serving.current


async def test_the_content_of_what_only_waits_may_change():
    """A held candidate has met no request, so it is not fixed yet; once it has, it is."""
    changed = altered(HELD, "atlas-1.1.0-2026-01-01", "atlas-1.1.0-2026-02-02")
    async with serving(HELD) as process:
        assert (await process.serving.reload(changed)).accepted
        await process.serving.start("desk", *ACT)
        assert not (await process.serving.reload(HELD)).accepted


async def test_a_development_server_lets_served_versions_change():
    """Nothing is fixed there, and everything is marked."""
    async with serving(files(route()), terms=Terms(dev=True)) as process:
        assert (await process.serving.reload(altered(files(route()), PINNED, WITH_PARAMS))).accepted
        assert (True, True) == (process.serving.current.dev, process.desk.stable.dev)
        assert () == process.store.disk.recorded.served


async def test_no_application_may_be_missing_beyond_loopback():
    """Anyone could call; the same set with one application serves."""
    async with living(Store(), Terms(open=False)) as process:
        with pytest.raises(PolicyFault, match="no application is declared"):
            await process.serving.open(files(route()))
        app = f"kind: app\nname: helpdesk\nkeys: [{{sha256: {'0' * 64}}}]\nroutes: [desk]\n"
        await process.serving.open(files(route(), app))
        assert not process.serving.current.open


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


# From one life to the next


async def test_a_restart_goes_on_where_the_records_are():
    """A running rollout keeps its step, and the plan that it started with though the file's has changed since."""
    store = Store()
    async with serving(files(route()), store) as process:
        await process.serving.reload(rolling())
        await process.serving.promote("desk", *ACT)
        salt = process.desk.canary.salt.text

    async with serving(rolling(plan="{steps: [{percent: 1}, {percent: 2}, {percent: 3}]}"), store) as process:
        assert (500_000, salt) == (process.weight, process.desk.canary.salt.text)
        done = await process.serving.promote("desk", *ACT)
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
        assert await process.recording.settled(5)
        out = dict(process.desk.out)
    await store.close()

    store = await SqlStore.open(url)
    async with serving(policies, store) as process:
        assert ("rolled_back", 0, out) == (process.state, process.weight, process.desk.out)
    await store.close()


async def test_a_trip_that_was_never_recorded_is_lost_with_the_process():
    """The store still says running; the release trips anew."""
    store = Store()
    async with serving(files(route()), store) as process:
        await process.serving.reload(rolling())
        assert await process.recording.settled(5)
        store.away = True
        process.trip()
        assert 0 == process.weight

    store.away = False
    async with serving(rolling(), store) as process:
        assert 50_000 == process.weight
        process.trip()
        assert 0 == process.weight


# The store is away


async def test_what_takes_out_needs_no_store():
    """Trips and rollbacks act at once, and are recorded once the store is back, before anything later."""
    async with serving(HELD) as process:
        await process.serving.start("desk", *ACT)
        assert await process.recording.settled(5)
        process.store.away = True
        process.trip()

        assert (0, "running", 1) == (process.weight, process.kept.rollout.state.value, len(process.recording))
        process.store.away = False
        assert await process.recording.settled(5)
        assert "rolled_back" == process.kept.rollout.state.value


async def test_what_gives_traffic_needs_the_store():
    """Nothing is served that is not recorded: the verb fails and changes nothing."""
    async with serving(HELD) as process:
        assert await process.recording.settled(5)
        process.store.away = True
        with pytest.raises(StoreFault, match="the disk is away"):
            await process.serving.start("desk", *ACT)
        assert (0, "held") == (process.weight, process.state)


async def test_nothing_overtakes_an_act_that_is_not_recorded_yet(monkeypatch):
    """While a rollback waits for the store, verbs and reloads are refused, and say so."""
    monkeypatch.setattr("gateway.control.serving.RECORD_SECONDS", 0.01)
    async with serving(HELD) as process:
        await process.serving.start("desk", *ACT)
        assert await process.recording.settled(5)
        process.store.away = True
        await process.serving.rollback("desk", *ACT)

        with pytest.raises(StoreFault, match="earlier acts are not recorded yet"):
            await process.serving.retry("desk", *ACT)
        reload = await process.serving.reload(files(route()))
        assert (False, "store", "rolled_back") == (reload.accepted, reload.problems[0].file, process.state)


async def test_a_store_that_fails_amid_a_reload_leaves_all_as_it_was():
    """A set is taken whole or not at all, and recorded so."""
    async with serving(files(route("desk"), route("other"))) as process:
        assert await process.recording.settled(5)
        before, recorded = process.serving.current, process.store.disk.recorded

        async def fail_from_now_on():
            process.store.away = True

        process.store.before = fail_from_now_on
        new = [
            route(name, "1.3.0", releases="1.0.0 1.3.0", more="rollout: {steps: [{percent: 5}]}")
            for name in ("desk", "other")
        ]
        assert not (await process.serving.reload(files(*new))).accepted
        assert before is process.serving.current
        assert process.serving.record_of("desk").rollout is None
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


# What comes meanwhile


def once(act):
    """A hook that acts at its first call alone."""
    waiting = [act]

    async def hook():
        if waiting:
            waiting.pop()()

    return hook


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("full", [False, True])
async def test_a_trip_during_a_promotion_wins(moment, full):
    """The promotion is refused, the candidate is out, and so the store says in the end, and in the next life."""
    store = Store()
    async with serving(HELD, store) as process:
        await process.serving.start("desk", *ACT)
        assert await process.recording.settled(5)
        setattr(store, moment, once(process.trip))
        with pytest.raises(VerbRefused, match="route desk was rolled back meanwhile; nothing was changed"):
            await process.serving.promote("desk", *ACT, full=full)

        assert (0, "1.0.0") == (process.weight, process.desk.stable.version)
        assert await process.recording.settled(5)

    async with serving(HELD, store) as process:
        assert ("rolled_back", "1.0.0") == (process.state, process.desk.stable.version)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_trip_during_a_reload_wins_and_the_reload_goes_on_from_it(moment):
    """The files' third release starts on top of the rollback; what tripped is out, here and in the store."""
    async with serving(files(route("other"), route())) as process:
        first = files(route("other"), route(serve="1.1.0", more="rollout: {steps: [{percent: 5}]}"))
        await process.serving.reload(first)
        assert await process.recording.settled(5)
        setattr(process.store, moment, once(process.trip))
        third = "rollout: {steps: [{percent: 5}]}"
        reload = await process.serving.reload(
            files(route("other", "1.1.0", more=third), route(serve="1.2.0", more=third))
        )

        assert reload.accepted
        assert ["1.1.0"] == list(process.desk.out)
        assert ("1.2.0", 50_000) == (process.desk.canary.release.version, process.desk.weight_ppm("1.2.0"))
        assert await process.recording.settled(5)
        assert process.serving.record_of("desk") == process.kept


async def test_an_arm_may_trip_while_a_reload_replaces_its_experiment():
    """Until the new set serves, the old one does, with all that belongs to it."""
    async with serving(TESTED) as process:
        assert await process.recording.settled(5)
        process.store.after = once(process.trip)
        reload = await process.serving.reload(
            files(route(serve="1.3.0", releases="1.0.0 1.1.0 1.3.0", more="rollout: {steps: [{percent: 5}]}"))
        )

        assert reload.accepted
        assert ("1.3.0", [("desk", "consecutive")]) == (process.desk.canary.release.version, process.meters.rollbacks)


async def test_two_promotions_at_once_are_two_steps():
    """Verbs follow one another; none is lost."""
    async with serving(HELD) as process:
        await process.serving.start("desk", *ACT)
        done = await asyncio.gather(*(process.serving.promote("desk", *ACT) for _ in range(2)))

        assert ["running", "completed"] == [rollout.state.value for rollout in done]


async def test_a_route_that_leaves_the_files_comes_back_as_it_was():
    """Its record stays; meanwhile nothing acts on it."""
    async with serving(files(route("other"), route())) as process:
        await process.serving.reload(files(route("other"), rolling()["all.yaml"].split("---")[1]))
        await process.serving.reload(files(route("other")))
        process.trip()
        with pytest.raises(UnknownSubject):
            await process.serving.rollback("desk", *ACT)
        await process.serving.reload(files(route("other"), rolling()["all.yaml"].split("---")[1]))

        assert 50_000 == process.weight


# Whatever happens, in whatever order

VERBS = ["start", "promote", "full", "retry", "rollback", "trip", "crash", "away", "back"]
STEPS = st.tuples(
    st.sampled_from([*VERBS, "reload"]),
    st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]),
    st.sampled_from(["", "before", "after"]),
)
"""A verb, the line of a reload, and whether the candidate trips meanwhile: before or after the verb's own write."""


class Observed:
    """What a person who only reads the store and the snapshots would hold Pinion to."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def check(self, process) -> None:
        """Weight rests on a record, and what the store says was rolled back has none."""
        desk = process.desk
        if desk.canary is not None:
            assert desk.canary.weight_ppm in {
                event.rollout.weight_ppm
                for event in self.disk.events
                if event.rollout.id == desk.canary.rollout and event.verb in ("start", "promote", "retry")
            }
        for event in self.disk.events:
            if event.verb == "rollback":
                rollout = process.serving.record_of("desk").rollout
                assert rollout.id != event.rollout.id or rollout.state.value == "rolled_back"
                assert desk.canary is None or desk.canary.rollout != event.rollout.id
        latest = {event.rollout.candidate: event for event in self.disk.events}
        for version, event in latest.items():
            if event.verb == "rollback":
                assert 0 == desk.weight_ppm(version)
                assert version in desk.out


async def act(process, verb: str, line: str, meanwhile: str) -> None:
    """Carry out one step; what is refused, or cannot be recorded, is no concern here."""
    store, verbs = process.store, process.serving
    rollout = verbs.record_of("desk").rollout
    store.before = store.after = Store().before
    if meanwhile and rollout is not None:
        setattr(store, meanwhile, once(lambda: process.trip(rollout.candidate)))
    try:
        match verb:
            case "reload":
                await verbs.reload(rolling(serve=line))
            case "full":
                await verbs.promote("desk", *ACT, full=True)
            case "trip":
                process.trip(line)
            case "away" | "back":
                store.away = verb == "away"
            case _:
                await getattr(verbs, verb)("desk", *ACT)
    except (VerbRefused, StoreFault):
        pass
    await process.recording.settled(0.005)


@settings(max_examples=150)
@given(steps=st.lists(STEPS, min_size=2, max_size=10))
def test_a_recorded_rollback_never_revives_and_weight_rests_on_records(steps):
    """Over any run of reloads, verbs, trips, crashes and a store that comes and goes."""

    async def live() -> None:
        disk, line = Disk(), "1.0.0"
        observed, waiting = Observed(disk), [("reload", "1.1.0", ""), *steps]
        while True:
            async with serving(rolling(serve=line), Store(disk)) as process:
                while waiting:
                    verb, asked, meanwhile = waiting.pop(0)
                    if verb == "crash":
                        break
                    await act(process, verb, asked, meanwhile)
                    line = process.serving.record_of("desk").serve_line
                    observed.check(process)
                else:
                    return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.control.serving.RECORD_SECONDS", 0.005)
        patch.setattr("gateway.control.recording.FIRST_PAUSE_SECONDS", 0.001)
        patch.setattr("gateway.control.recording.LONGEST_PAUSE_SECONDS", 0.001)
        asyncio.run(live())
