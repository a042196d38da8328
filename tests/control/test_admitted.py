"""Whether a policy set may serve, given what has served before."""

from dataclasses import replace

import pytest

from gateway.control import admitted
from gateway.control.policies import load
from gateway.control.releases import compile_release
from gateway.control.serving import Terms
from gateway.control.snapshots import build_snapshot
from gateway.core.rollout import RolloutState, RouteRecord
from tests.control.serving_world import PriceBook, files, route
from tests.control.test_snapshots import rolling_record

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
    snapshot = build_snapshot(policies, releases, {"desk": record}, [], epoch=1, dev=False)
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


def test_a_set_without_applications_is_for_loopback_alone():
    """It is said of the first file, once."""
    assert ["no application is declared, and the gateway listens beyond loopback"] == said(
        files(route()), terms=Terms(open=False)
    )


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
