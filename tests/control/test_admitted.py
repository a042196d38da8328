"""Whether a policy set may serve, given what has served before."""

from dataclasses import replace

import pytest

from gateway.control import admitted
from gateway.control.policies import load
from gateway.control.releases import compile_release
from gateway.control.snapshots import build_snapshot
from gateway.control.standings import Standings
from gateway.control.terms import Terms
from gateway.core.recorded import ExperimentStart
from gateway.core.review import Review
from gateway.core.rollout import RolloutState
from gateway.core.route_record import UNDO_SECONDS, Former, RouteRecord
from gateway.core.standing import Standing
from tests.control.serving_world import PriceBook, files, route
from tests.control.signed_sets import signed_set, unsigned_set
from tests.control.test_snapshots import in_state, mirroring_record, rolling_record

PROMPT = "---\nkind: prompt\nname: support\nversion: 1.0.0\n---\nAnswer briefly.\n"
DEFAULT = Terms()
STEADY = RouteRecord("desk", "1.0.0", "1.0.0")
EVERYWHERE = """\
fallback: ["1.1.0"]
rules: [{when: {percent: 1}, release: "1.2.0"}]
shadow: {release: "1.3.0", percent: 1}
"""


def compiled(policies_files):
    """A policy set with its releases."""
    policies = load(policies_files)
    providers = {name: policy.provider for name, policy in policies.providers.items()}
    return policies, {
        (name, version): compile_release(name, release, policies, providers, PriceBook(), dev=False)
        for name, one in policies.routes.items()
        for version, release in one.releases.items()
    }


def said(policies_files, record=STEADY, served=None, terms=DEFAULT):
    """What is said against a set."""
    policies, releases = compiled(policies_files)
    records = {} if record is None else {record.route: record}
    return [problem.problem for problem in admitted.problems(policies, releases, records, served or {}, terms)]


def servable(policies_files, record=STEADY):
    """The versions that requests can meet, as kind, name and version."""
    policies, releases = compiled(policies_files)
    snapshot = build_snapshot(policies, releases, {"desk": record}, [], Standings({}, 0.0), epoch=1, dev=False)
    return [(item.kind, item.name, item.version) for item in admitted.servable(snapshot)]


def test_a_route_that_is_new_is_admitted():
    """There is nothing that it could contradict."""
    assert [] == said(files(route()), record=None)


def test_stable_must_be_declared_for_as_long_as_it_serves():
    """Whatever the line asks for."""
    assert ["route desk no longer declares release 1.0.0, which is its stable"] == said(
        files(route(serve="1.1.0", releases="1.1.0 1.2.0"))
    )


def test_a_rollouts_candidate_must_be_declared_while_it_moves():
    """A record whose candidate the file has dropped, under the same line, says how to go on."""
    record = rolling_record()
    renamed = replace(record, rollout=replace(record.rollout, candidate="0.9.0"))

    assert ["route desk no longer declares release 0.9.0, which its rollout is moving to"] == said(
        files(route(serve="1.1.0")), renamed
    )
    assert [] == said(
        files(route(serve="1.1.0")), replace(renamed, rollout=replace(renamed.rollout, state=RolloutState.rolled_back))
    )


ONE_ARM = 'experiment: {name: x, arms: {a: {release: "1.2.0", percent: 10}}}'


@pytest.mark.parametrize(
    ("serve", "record", "is_wrong"),
    [
        ("1.0.0", STEADY, False),
        ("1.1.0", STEADY, True),
        ("1.1.0", rolling_record(), True),
        ("1.0.0", rolling_record(), False),
        ("1.1.0", in_state(rolling_record(), RolloutState.paused), True),
        ("1.1.0", in_state(rolling_record(), RolloutState.rolled_back), False),
        ("1.1.0", None, False),
    ],
)
def test_an_experiment_does_not_stand_beside_a_rollout(serve, record, is_wrong):
    """One that a changed line would start, or that is open under the line as it is; an abort is none."""
    expected = ["route desk has an experiment, and a rollout to 1.1.0"] * is_wrong
    assert expected == said(files(route(serve=serve, more=ONE_ARM)), record)


def test_a_set_without_applications_is_for_loopback_alone():
    """It is said of the first file, once."""
    assert ["no application is declared, and the gateway listens beyond loopback"] == said(
        files(route()), terms=Terms(open=False)
    )


def test_a_set_without_operators_is_for_loopback_alone():
    """Or for where the admin token says who may."""
    assert ["no operator is declared, and the operations API listens beyond loopback"] == said(
        files(route()), terms=Terms(local=False)
    )
    assert [] == said(files(route(), "kind: operator\nname: ada"), terms=Terms(local=False))


@pytest.mark.parametrize("dev", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [("release", "desk", "1.0.0"), ("model", "atlas-1.0.0-2026-01-01", "2026-01-01"), ("prompt", "support", "1.0.0")],
)
def test_what_has_served_keeps_its_content(kind, name, version, dev):
    """A release, its model and its prompt are each held to the digest under which they served; not in development."""
    policies_files = {
        "support.prompt": PROMPT,
        "all.yaml": files(route())["all.yaml"].replace("01-01}", "01-01, prompt: support@1.0.0}", 1),
    }
    release = compiled(policies_files)[1]["desk", "1.0.0"]
    name = release.model.model if kind == "model" else name
    version = release.model.version if kind == "model" else version
    found = said(policies_files, served={(kind, name, version): "another"}, terms=Terms(dev=dev))

    wanted = f"the content of {kind} {name}@{version} (release desk/1.0.0) has changed since it served"
    assert ([] if dev else [wanted]) == found


def test_what_can_be_met_is_everything_with_a_way_to_it():
    """Stable, a canary, rules, fallbacks and mirrors; what is merely declared, or out, is not."""
    everything = files(route(releases="1.0.0 1.1.0 1.2.0 1.3.0 1.4.0", more=EVERYWHERE))
    releases = [version for kind, _, version in servable(everything) if kind == "release"]
    assert ["1.0.0", "1.2.0", "1.1.0", "1.3.0"] == releases

    out = replace(STEADY, out={"1.2.0": "rolled back"})
    assert "1.2.0" not in [version for kind, _, version in servable(everything, out) if kind == "release"]


def test_arms_and_candidates_can_be_met():
    """Once they have weight."""
    arms = 'experiment: {name: x, arms: {a: {release: "1.1.0", percent: 10}, b: {release: "1.2.0", percent: 0}}}'

    assert {"1.0.0", "1.1.0"} == {v for kind, _, v in servable(files(route(more=arms))) if kind == "release"}
    assert {"1.0.0", "1.1.0"} == {v for kind, _, v in servable(files(route()), rolling_record()) if kind == "release"}


def test_what_gets_copies_can_be_met():
    """The candidate of a shadow step takes no requests and answers copies: it too is held to its content."""
    releases = [v for kind, _, v in servable(files(route()), mirroring_record()) if kind == "release"]
    assert ["1.0.0", "1.1.0"] == releases

    gone = in_state(mirroring_record(), RolloutState.rolled_back)
    mirror = 'shadow: {release: "1.1.0", percent: 1}'
    out = replace(gone, out={"1.1.0": "rolled back: because"})
    assert ["1.0.0"] == [v for kind, _, v in servable(files(route(more=mirror)), out) if kind == "release"]


# Experiments that have begun

ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 60}, b: {release: "1.1.0", percent: 30}}}'
BEGUN = ExperimentStart("desk", "length", 1.0, (("a", "1.0.0", 600_000), ("b", "1.1.0", 300_000)))


def changed(more: str, *begun: ExperimentStart) -> list[str]:
    """What is said of a route's experiment, given those that have begun."""
    return [str(problem) for problem in admitted.changed_experiments(load(files(route(more=more))), begun)]


A, B = ("a", "1.0.0", 600_000), ("b", "1.1.0", 300_000)


@pytest.mark.parametrize(
    "arms",
    [
        (A,),
        (("a", "1.0.0", 500_000), B),
        (A, ("b", "1.2.0", 300_000)),
        (A, ("c", "1.1.0", 300_000)),
        (A, B, ("c", "1.2.0", 100_000)),
    ],
)
def test_an_experiment_keeps_the_arms_that_it_began_with(arms):
    """Another proportion, release, name or number of arms would mix two questions, and the remedy is another name."""
    begun = replace(BEGUN, arms=arms)
    assert [
        "all.yaml:8: experiment length of route desk has begun with other arms; put them back, or give it another name"
    ] == changed(ARMS, begun)


@pytest.mark.parametrize(
    ("more", "begun"),
    [
        (ARMS, BEGUN),
        (ARMS, replace(BEGUN, arms=(("a", "1.0.0", 20_000), ("b", "1.1.0", 10_000)))),
        (ARMS, replace(BEGUN, name="earlier", arms=())),
        (ARMS, replace(BEGUN, route="other", arms=())),
        ("", BEGUN),
    ],
)
def test_an_experiment_that_is_as_it_began_or_new_is_admitted(more, begun):
    """As it was, where its arms have all grown, and whatever others began with."""
    assert [] == changed(more, begun)
    assert [] == changed(more)


# Releases that an undo may want


def missing(record: RouteRecord | None, now: float = 0.0) -> list[str]:
    """What is said of releases that the file has dropped."""
    policies = load(files(route(releases="1.1.0 1.2.0", serve="1.2.0")))
    records = {} if record is None else {record.route: record}
    return [str(problem) for problem in admitted.no_longer_warm(policies, records, now)]


SINCE = RouteRecord("desk", "1.2.0", "1.2.0", former=(Former("1.1.0", 1.0), Former("1.0.0", 0.0), Former("0.9.0", 0.0)))


def test_a_release_that_an_undo_could_go_back_to_is_missed():
    """Each one, with what an undo loses."""
    said = "all.yaml:8: route desk no longer declares release {}, so an undo cannot go back to it"
    remedy = "declare it for as long as it may be wanted"
    assert [f"{said.format(version)}; {remedy}" for version in ("1.0.0", "0.9.0")] == missing(SINCE)


@pytest.mark.parametrize(
    ("record", "now"),
    [
        (None, 0.0),
        (replace(SINCE, route="gone"), 0.0),
        (replace(SINCE, former=SINCE.former[:1]), 0.0),
        (replace(SINCE, out={"1.0.0": "rolled back: bad", "0.9.0": "rolled back: worse"}), 0.0),
        (SINCE, UNDO_SECONDS + 0.5),
    ],
)
def test_a_release_that_nobody_can_go_back_to_is_not_missed(record, now):
    """Still declared, rolled back, or too long ago."""
    assert [] == missing(record, now)


# What the registry and applications say


def app(more, name="web"):
    """An application's document."""
    return f'kind: app\nname: {name}\nkeys: [{{sha256: "{len(name):064x}"}}]\n{more}\n'


def model(version, may_serve):
    """A model version that says whom it may serve."""
    own = f"{{upstream_model: atlas-{version}-2026-01-01, may_serve: {may_serve}}}"
    return f'kind: model\nname: own{version}\nprovider: sim\nversions: {{"1": {own}}}'


def two_models(serve="1"):
    """A route whose release 1 may serve everything, and whose release 2 nothing."""
    releases = '{"1": {model: own1@1}, "2": {model: own2@1}}'
    return (
        model("1", "{data_classes: [public, personal], segments: [health]}"),
        model("2", "{}"),
        f'kind: route\nname: desk\nreleases: {releases}\nserve: "{serve}"',
    )


STEADY_ONE = RouteRecord("desk", "1", "1")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", []),
        ("data_classes: [personal]\nsegment: health", []),
        ("data_classes: [secret, public]", ["does not say that it may be sent secret data"]),
        ("segment: bank", ["does not say that it may serve bank"]),
        ("data_classes: [secret]\nroutes: [other]", []),
    ],
)
def test_an_application_meets_no_model_that_does_not_say_so(more, expected):
    """Its classes of data and its segment, of the routes that it may call; one that says nothing is not held to it."""
    found = said(
        files(*two_models(), route("other", releases="1.0.0"), app(more)),
        STEADY_ONE,
    )
    expected = [f"app web may meet release desk/1, and model own1@1 {each}" for each in expected]
    assert expected == [problem for problem in found if "release desk" in problem]


@pytest.mark.parametrize(("may", "expected"), [("false", 0), ("true", 1)])
def test_who_may_force_a_release_may_meet_every_one(may, expected):
    """Also those that no line names."""
    found = said(files(*two_models(), app(f"segment: health\nmay_force_release: {may}")), STEADY_ONE)
    assert expected == len([each for each in found if "release desk/2, and model own2@1" in each])


def test_every_place_of_a_route_counts_as_a_meeting():
    """Its line, what it comes from, fallback, rules, shadow and arms."""
    text = route(more=EVERYWHERE, releases="1.0.0 1.1.0 1.2.0 1.3.0")
    policies, _ = compiled(files(text))
    assert [("serve", "1.0.0"), ("fallback", "1.1.0"), ("rule 1", "1.2.0"), ("shadow", "1.3.0")] == [
        (place, version) for place, version in admitted.wanted_of(policies.routes["desk"])
    ]
    arms = 'experiment: {name: e, arms: {a: {release: "1.0.0", percent: 50}, b: {release: "1.1.0", percent: 50}}}\n'
    policies, _ = compiled(files(route(more='rollout: {from: "1.0.0"}'), route("tried", more=arms)))
    assert ("rollout.from", "1.0.0") in list(admitted.wanted_of(policies.routes["desk"]))
    assert [("arm a", "1.0.0"), ("arm b", "1.1.0")] == list(admitted.wanted_of(policies.routes["tried"]))[1:]


@pytest.mark.parametrize("place", ["serve", "fallback", "rule 1", "shadow"])
def test_what_the_registry_bars_is_named_at_its_place(place):
    """With the reason, and what to do."""
    policies, releases = compiled(files(route(more=EVERYWHERE, releases="1.0.0 1.1.0 1.2.0 1.3.0")))
    version = dict(admitted.wanted_of(policies.routes["desk"]))[place]
    out = Standing("release", "desk", version, "d", "f", 0.0, review=Review.revoked, reason="it leaks")
    (problem,) = admitted.barred(policies, releases, Standings({out.key: out}, 0.0))
    assert f"route desk: {place} names {version}, which is revoked: it leaks" == problem.problem
    assert "name another release" == problem.remedy


@pytest.mark.parametrize("dev", [False, True])
def test_releases_are_signed_where_their_route_asks_for_it(dev):
    """Whatever is recorded; not in development, where content may change."""
    found = [problem.problem for problem in admitted.unsigned(load(unsigned_set()), Terms(dev=dev))]
    assert ([] if dev else ["release desk/1.0.0 is not signed by ada or ben"]) == found
    assert [] == admitted.unsigned(load(signed_set("1.0.0", by="ben")), Terms(dev=dev))
