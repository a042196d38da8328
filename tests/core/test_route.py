"""A route as it serves now: shares, what a trip does, and which attempts a request may come to."""

import pytest

from gateway.core.bucket import Range, Salt
from gateway.core.route import Arm, Experiment
from tests.proxy.playbook import provider, release, route

FULL = 1_000_000


def split(one):
    """Every release's share of the units, in parts per million."""
    return {version: one.weight_ppm(version) for version in one.releases}


def with_arms(**changes):
    """A route with an experiment: 30 % for 1.0.0, which is stable, 20 % for 1.1.0, and 10 % more for it."""
    stable, treatment = release("1.0.0"), release("1.1.0")
    arms = (
        Arm("control", stable, Range(0, 300_000)),
        Arm("treatment", treatment, Range(300_000, 500_000)),
        Arm("again", treatment, Range(500_000, 600_000)),
    )
    return route(stable=stable, candidate=treatment, experiment=Experiment("e", Salt("v1/e"), arms), **changes)


@pytest.mark.parametrize(
    ("one", "shares"),
    [
        (route(), {"1.0.0": FULL, "1.1.0": 0}),
        (route(canary_ppm=50_000), {"1.0.0": 950_000, "1.1.0": 50_000}),
        (route(canary_ppm=FULL), {"1.0.0": 0, "1.1.0": FULL}),
        (route(canary_ppm=50_000, out={"1.1.0": "rolled back"}), {"1.0.0": FULL, "1.1.0": 0}),
        (with_arms(), {"1.0.0": 700_000, "1.1.0": 300_000}),
        (with_arms(out={"1.1.0": "out"}), {"1.0.0": FULL, "1.1.0": 0}),
        (with_arms(more={"0.9.0": release("0.9.0")}), {"1.0.0": 700_000, "1.1.0": 300_000, "0.9.0": 0}),
        (route(canary_ppm=1, more={"0.9.0": release("0.9.0")}), {"1.0.0": 999_999, "1.1.0": 1, "0.9.0": 0}),
    ],
    ids=["plain", "canary", "all", "rolled back", "arms", "arm out", "bystander of arms", "bystander"],
)
def test_shares_add_up_to_all(one, shares):
    """What no candidate or arm serves is stable's."""
    assert shares == split(one)
    assert FULL == sum(split(one).values())


@pytest.mark.parametrize(
    ("one", "version", "can"),
    [
        (route(canary_ppm=1), "1.1.0", True),
        (route(canary_ppm=1), "1.0.0", False),
        (route(canary_ppm=1, out={"1.1.0": "out"}), "1.1.0", False),
        (route(), "1.1.0", False),
        (with_arms(), "1.1.0", True),
        (with_arms(), "1.0.0", False),
        (with_arms(more={"0.9.0": release("0.9.0")}), "0.9.0", False),
    ],
    ids=["canary", "stable", "out", "bystander", "arm", "stable arm", "no arm"],
)
def test_only_a_candidate_or_an_arm_can_be_rolled_back(one, version, can):
    """Stable has nobody to make way for, and what is out is out."""
    assert can == one.can_roll_back(version)


def test_a_release_that_is_out_is_out_whatever_its_place():
    """By its version."""
    one = route(out={"1.1.0": "rolled back"})
    assert (True, False) == (one.is_out(one.releases["1.1.0"]), one.is_out(one.stable))


def planned(track, version, *, retries=0, **changes):
    """The legs of a request, short: version, track, and whether it is stable's or a retry."""
    more = {name: release(name) for name in ("0.8.0", "0.9.0")}
    stable = release("1.0.0", provider=provider(retries=retries))
    one = route(stable=stable, more=more, fallback=tuple(more.values()), **changes)
    legs = one.legs(one.releases[version], track)
    return [(leg.release.version, leg.track, leg.is_stable, leg.retry) for leg in legs]


def test_stable_is_retried_and_then_the_fallbacks_follow():
    """As often as its provider says, on the track it was assigned on."""
    assert [
        ("1.0.0", "stable", True, False),
        ("1.0.0", "stable", True, True),
        ("1.0.0", "stable", True, True),
        ("0.8.0", "fallback", False, False),
        ("0.9.0", "fallback", False, False),
    ] == planned("stable", "1.0.0", retries=2)


@pytest.mark.parametrize("track", ["canary", "arm", "rule"])
def test_any_other_release_is_tried_once_and_then_stable_answers(track):
    """Stable's retries and the fallbacks follow."""
    assert [
        ("1.1.0", track, False, False),
        ("1.0.0", "fallback", True, False),
        ("1.0.0", "fallback", True, True),
        ("0.8.0", "fallback", False, False),
        ("0.9.0", "fallback", False, False),
    ] == planned(track, "1.1.0", retries=1)


def test_a_rule_that_names_stable_is_stable():
    """It is retried on the rule's track."""
    assert [("1.0.0", "rule", True, False), ("1.0.0", "rule", True, True)] == planned("rule", "1.0.0", retries=1)[:2]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_a_forced_release_stands_alone(version):
    """Stable, too."""
    assert [(version, "forced", version == "1.0.0", False)] == planned("forced", version, retries=2)


def test_no_release_is_planned_twice_and_none_that_is_out():
    """An arm's release may be a fallback as well."""
    versions = [leg[0] for leg in planned("arm", "0.9.0", out={"0.8.0": "rolled back"})]
    assert ["0.9.0", "1.0.0"] == versions


def test_the_attempts_of_a_release_on_a_track_are_listed_once():
    """Every request to it shares them, and they name who answers, and why."""
    one = route()
    legs = one.legs(one.stable, "stable")
    assert legs is one.legs(one.stable, "stable")
    assert (*one.stable.headers, (b"x-pinion-track", b"stable")) == legs[0].headers
    assert (b"x-pinion-track", b"forced") == one.legs(one.stable, "forced")[0].headers[-1]
