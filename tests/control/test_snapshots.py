"""Snapshots made of what files declare and what the store records."""

from dataclasses import replace

import pytest

from gateway.control.policies import load
from gateway.control.releases import compile_release
from gateway.control.snapshots import build_route, build_snapshot
from gateway.core import rollout as rules
from gateway.core.plan import Plan, Step
from gateway.core.ports import ArmOut
from gateway.core.rollout import RouteRecord
from tests.control.serving_world import PriceBook, files, route

ARMS = (
    'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 60}, b: {release: "1.1.0", percent: 30},'
    ' c: {release: "1.2.0", percent: 0}}}'
)


def loaded(more: str = "", *documents: str):
    """The policies of one route, with its releases compiled."""
    policies = load(files(route(more=more), *documents))
    providers = {name: policy.provider for name, policy in policies.providers.items()}
    releases = {
        ("desk", version): compile_release("desk", release, policies, providers, PriceBook(), dev=False)
        for version, release in policies.routes["desk"].releases.items()
    }
    return policies, releases


def built(record: RouteRecord, more: str = "", arms_out: tuple[ArmOut, ...] = ()):
    """The route as it serves under a record."""
    policies, releases = loaded(more)
    return build_route(policies.routes["desk"], releases, record, arms_out)


def rolling_record(more: str = "rollout: {steps: [{percent: 5}, {percent: 50}]}") -> RouteRecord:
    """The record of a rollout that has started."""
    plan = loaded(more)[0].routes["desk"].plan
    before = RouteRecord("desk", "1.0.0", "1.0.0")
    decision = rules.reconcile(
        before, route="desk", serve="1.1.0", rollout_from=None, plan=plan, now=1.0, new_id="rollout-1"
    )
    return decision.record


STEADY = RouteRecord("desk", "1.0.0", "1.0.0")


def test_a_route_without_a_rollout_serves_stable_alone():
    """The record names stable; what the file merely declares has no weight."""
    made = built(STEADY)

    assert ("1.0.0", None, None, {}) == (made.stable.version, made.canary, made.experiment, made.out)
    assert ["1.0.0", "1.1.0", "1.2.0"] == list(made.releases)


def test_a_running_rollout_makes_a_canary_with_its_weight_and_salt():
    """They come from the record, not from the file."""
    record = rolling_record()
    canary = built(record).canary

    assert ("1.1.0", 50_000, record.rollout.salt, "rollout-1") == (
        canary.release.version,
        canary.weight_ppm,
        canary.salt.text,
        canary.rollout,
    )


@pytest.mark.parametrize("end", ["rolled_back", "superseded", "held", "completed"])
def test_only_a_running_rollout_makes_a_canary(end):
    """Held, over or completed, there is none."""
    record = rolling_record()
    made = built(replace(record, rollout=replace(record.rollout, state=rules.RolloutState(end))))

    assert made.canary is None


def test_a_candidate_whose_step_has_no_weight_is_out():
    """A step at 0 percent gives it no request, as a fallback or by a rule neither."""
    record = rolling_record()
    nothing = Plan(None, (Step(percent_ppm=0), Step(percent_ppm=500_000)))
    record = replace(record, rollout=replace(record.rollout, plan=nothing))

    assert {"1.1.0": "its step is at weight 0"} == built(record).out


def test_what_was_rolled_back_is_out_with_its_reason():
    """As the record says, whatever the file names it for."""
    made = built(replace(STEADY, out={"1.1.0": "rolled back: because"}), 'fallback: ["1.1.0"]')

    assert {"1.1.0": "rolled back: because"} == made.out
    assert made.is_out(made.fallback[0])


def test_an_experiment_has_reserved_ranges_and_leaves_out_the_arm_without_weight():
    """Three arms start at their cumulative share of all weights; one at 0 gets no request."""
    made = built(STEADY, ARMS)

    assert [("a", 0, 600_000), ("b", 666_666, 966_666), ("c", 1_000_000, 1_000_000)] == [
        (arm.name, arm.range.start, arm.range.end) for arm in made.experiment.arms
    ]
    assert {"1.2.0": "arm c is at weight 0"} == made.out


def test_a_release_with_weight_in_another_arm_is_not_out():
    """It is the release that gets requests or none, not the arm."""
    twice = 'experiment: {name: x, arms: {a: {release: "1.1.0", percent: 0}, b: {release: "1.1.0", percent: 10}}}'

    assert {} == built(STEADY, twice).out


@pytest.mark.parametrize(
    ("experiment", "release", "name", "expected"),
    [
        ("length", "1.1.0", "desk", {"1.1.0", "1.2.0"}),
        ("earlier", "1.1.0", "desk", {"1.2.0"}),
        ("length", "1.1.0", "other", {"1.2.0"}),
    ],
)
def test_a_tripped_arm_is_out_of_its_own_experiment(experiment, release, name, expected):
    """Another experiment's trips, or another route's, say nothing of this one."""
    gone = ArmOut(name, experiment, release, "consecutive: failed 3", 1.0)

    assert expected == set(built(STEADY, ARMS, (gone,)).out)


def test_a_standing_mirror_has_a_salt_of_its_own():
    """The shadow's sample is apart from the split."""
    shadow = built(STEADY, 'shadow: {release: "1.1.0", percent: 10, max_body: 2MiB, timeout: 5s}').shadow

    assert ("1.1.0", 100_000, 2 << 20, 5.0) == (shadow.release.version, shadow.ppm, shadow.max_body, shadow.timeout)
    assert "shadow" in shadow.salt.text


@pytest.mark.parametrize("apps", [0, 1])
def test_a_snapshot_is_open_only_without_applications(apps):
    """With one declared, a key is asked of everybody."""
    app = f"kind: app\nname: helpdesk\nkeys: [{{sha256: {'ab' * 32}}}]\nroutes: [desk]\n"
    policies, releases = loaded("", *[app] * apps)
    made = build_snapshot(policies, releases, {"desk": STEADY}, [], epoch=7, dev=True)

    assert (7, policies.revision, True, apps == 0) == (made.epoch, made.revision, made.dev, made.open)
    assert ["helpdesk"] * apps == [app.name for app in made.keys.values()]
