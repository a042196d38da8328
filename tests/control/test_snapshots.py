"""Snapshots made of what files declare and what the store records."""

from dataclasses import replace

import pytest

from gateway.control.policies import load
from gateway.control.releases import compile_release
from gateway.control.snapshots import build_route, build_snapshot
from gateway.control.standings import Standings
from gateway.core.error_budget import Slo
from gateway.core.plan import Plan, Step
from gateway.core.recorded import ArmOut
from gateway.core.rollout import RolloutState
from gateway.core.route_record import Former, RouteRecord, ServeLine, reconcile
from tests.control.serving_world import PriceBook, files, route

ARMS = (
    'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 60}, b: {release: "1.1.0", percent: 30},'
    ' c: {release: "1.2.0", percent: 0}}}'
)


NOTHING_KNOWN = Standings({}, 0.0)

STEADY = RouteRecord("desk", "1.0.0", "1.0.0")


def loaded(more: str = "", *documents: str):
    """The policies of one route, with its releases compiled."""
    policies = load(files(route(more=more), *documents))
    providers = {name: policy.provider for name, policy in policies.providers.items()}
    releases = {
        ("desk", version): compile_release("desk", release, policies, providers, PriceBook(), dev=False)
        for version, release in policies.routes["desk"].releases.items()
    }
    return policies, releases


def built(record: RouteRecord, more: str = "", arms_out: tuple[ArmOut, ...] = (), retired: str = ""):
    """The route as it serves under a record. `retired` names the releases that its file has retired."""
    policies, releases = loaded(more)
    policy = policies.routes["desk"]
    own = {
        version: replace(release, retired="too old" if version in retired.split() else None)
        for version, release in policy.releases.items()
    }
    return build_route(replace(policy, releases=own), releases, record, arms_out, NOTHING_KNOWN)


def rolling_record(more: str = "rollout: {steps: [{percent: 5}, {percent: 50}]}") -> RouteRecord:
    """The record of a rollout that has started."""
    plan = loaded(more)[0].routes["desk"].plan
    decision = reconcile(
        STEADY, route="desk", line=ServeLine("1.1.0"), rollout_from=None, plan=plan, now=1.0, new_id="rollout-1"
    )
    return decision.record


def mirroring_record() -> RouteRecord:
    """The record of a rollout in a shadow step."""
    return rolling_record("rollout: {steps: [{shadow: 20}, {percent: 50}]}")


def in_state(record: RouteRecord, state: RolloutState) -> RouteRecord:
    """The record with its rollout in another state."""
    return replace(record, rollout=replace(record.rollout, state=state))


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


def test_a_route_has_its_objective():
    """What its file states, or none."""
    assert Slo(0.99) == built(STEADY, "slo: {success: 0.99}").slo
    assert built(STEADY).slo is None


@pytest.mark.parametrize("state", ["running", "baking", "held", "paused"])
def test_an_open_rollout_in_a_step_makes_a_canary(state):
    """Held and paused, it keeps the weight of its step."""
    record = in_state(rolling_record(), RolloutState(state))
    made = built(record)

    assert ("1.1.0", 50_000) == (made.canary.release.version, made.canary.weight_ppm)
    assert (None, {}) == (made.shadow, made.out)
    assert (50_000, 950_000) == (made.weight_ppm("1.1.0"), made.weight_ppm("1.0.0"))


@pytest.mark.parametrize("end", ["rolled_back", "superseded", "completed"])
def test_a_rollout_that_is_over_makes_no_canary(end):
    """Its record says what is stable and what is out."""
    for record in (rolling_record(), mirroring_record()):
        made = built(in_state(record, RolloutState(end)))
        assert (None, None, {}) == (made.canary, made.shadow, made.out)


def test_a_rollout_before_its_first_step_makes_no_canary():
    """Nobody has started it: its candidate is neither split to nor out."""
    decision = reconcile(
        None, route="desk", line=ServeLine("1.1.0"), rollout_from="1.0.0", plan=Plan.default(), now=1.0, new_id="r"
    )
    made = built(decision.record)

    assert ("1.0.0", None, None, {}) == (made.stable.version, made.canary, made.shadow, made.out)


@pytest.mark.parametrize("state", ["shadow", "held", "paused"])
def test_a_shadow_step_makes_a_mirror(state):
    """Its candidate gets copies and, out of everything else, no request: a trip can still take it out."""
    made = built(in_state(mirroring_record(), RolloutState(state)), 'fallback: ["1.1.0"]')

    assert ("1.1.0", 200_000, True) == (made.shadow.release.version, made.shadow.ppm, made.shadow.is_step)
    assert (1 << 20, 60.0, None) == (made.shadow.max_body, made.shadow.timeout, made.shadow.daily_budget_usd)
    assert ("1.1.0", 0) == (made.canary.release.version, made.canary.weight_ppm)
    assert {"1.1.0": "its step is at weight 0"} == made.out
    assert made.is_out(made.fallback[0])
    assert (0, 1_000_000) == (made.weight_ppm("1.1.0"), made.weight_ppm("1.0.0"))


STANDING = 'shadow: {release: "1.2.0", percent: 10, max_body: 2MiB, timeout: 5s, daily_budget_usd: 3}'


def test_a_shadow_step_takes_the_place_of_a_standing_mirror():
    """It keeps that one's limits, and neither its release, its share nor its sample."""
    step, standing = built(mirroring_record(), STANDING).shadow, built(STEADY, STANDING).shadow

    assert ("1.1.0", 200_000, True) == (step.release.version, step.ppm, step.is_step)
    assert (2 << 20, 5.0, 3.0) == (step.max_body, step.timeout, step.daily_budget_usd)
    assert ("1.2.0", 100_000, False) == (standing.release.version, standing.ppm, standing.is_step)
    assert step.salt.text != standing.salt.text


@pytest.mark.parametrize("end", ["rolled_back", "completed"])
def test_a_standing_mirror_comes_back_after_a_shadow_step(end):
    """And stands in every step of percent."""
    percent = replace(mirroring_record().rollout, step=1, state=RolloutState.running)
    over = in_state(mirroring_record(), RolloutState(end))

    for record in (over, replace(over, rollout=percent)):
        shadow = built(record, STANDING).shadow
        assert ("1.2.0", False) == (shadow.release.version, shadow.is_step)


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


FORMER = replace(STEADY, stable="1.2.0", former=(Former("1.1.0", 2.0), Former("0.9.0", 1.0), Former("1.0.0", 0.0)))


@pytest.mark.parametrize(
    ("retired", "out", "stable"),
    [
        ("", {}, "1.2.0"),
        ("1.1.0", {}, "1.2.0"),
        ("1.2.0", {}, "1.1.0"),
        ("1.2.0 1.1.0", {}, "1.0.0"),
        ("1.2.0", {"1.1.0": "rolled back: because"}, "1.0.0"),
        ("1.2.0 1.1.0 1.0.0", {}, "1.2.0"),
    ],
)
def test_a_retired_stable_gives_way_to_the_newest_before_it_that_serves(retired, out, stable):
    """Retired, rolled back and undeclared ones are passed over; where none is left, the recorded one is out."""
    made = built(replace(FORMER, out=out), retired=retired)

    assert stable == made.stable.version
    assert {**out, **dict.fromkeys(retired.split(), "retired: too old")} == made.out
    assert (len(retired.split()) == 3) is made.is_out(made.stable)


def test_a_retired_stable_without_any_before_it_is_out():
    """There is nothing that could answer."""
    made = built(STEADY, retired="1.0.0")

    assert ("1.0.0", True, 0) == (made.stable.version, made.is_out(made.stable), made.weight_ppm("1.0.0"))


def test_a_retired_candidate_is_out():
    """Whatever weight its step has, and with its own reason in a step without any."""
    made = built(rolling_record(), retired="1.1.0")

    assert ({"1.1.0": "retired: too old"}, 0) == (made.out, made.weight_ppm("1.1.0"))
    assert {"1.1.0": "retired: too old"} == built(mirroring_record(), retired="1.1.0").out


def test_a_retired_candidate_gets_no_copies():
    """They are requests as well; a standing mirror keeps its place."""
    assert built(mirroring_record(), retired="1.1.0").shadow is None
    assert "1.2.0" == built(mirroring_record(), STANDING, retired="1.1.0").shadow.release.version


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
    """The shadow's sample is apart from the split, and it is no rollout's."""
    shadow = built(STEADY, 'shadow: {release: "1.1.0", percent: 10, max_body: 2MiB, timeout: 5s}').shadow

    assert ("1.1.0", 100_000, 2 << 20, 5.0) == (shadow.release.version, shadow.ppm, shadow.max_body, shadow.timeout)
    assert "shadow" in shadow.salt.text


@pytest.mark.parametrize("apps", [0, 1])
def test_a_snapshot_is_open_only_without_applications(apps):
    """With one declared, a key is asked of everybody."""
    app = f"kind: app\nname: helpdesk\nkeys: [{{sha256: {'ab' * 32}}}]\nroutes: [desk]\n"
    policies, releases = loaded("", *[app] * apps)
    made = build_snapshot(policies, releases, {"desk": STEADY}, [], NOTHING_KNOWN, epoch=7, dev=True)

    assert (7, policies.revision, True, apps == 0) == (made.epoch, made.revision, made.dev, made.open)
    assert ["helpdesk"] * apps == [app.name for app in made.keys.values()]
