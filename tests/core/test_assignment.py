"""Which release answers a request, on which track, and why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.assignment import Facts, assign
from gateway.core.bucket import Range, Salt
from gateway.core.errors import Forbidden
from gateway.core.route import Arm, Canary, Experiment
from gateway.core.rule import Rule
from gateway.core.unit import Unit
from tests.proxy.playbook import release, route

FULL = 1_000_000
SALT = Salt("v1/test")


def facts(unit="u-1", **changes):
    """What a plain request shows of itself."""
    given_ = {
        "app": "helpdesk",
        "found_unit": None if unit is None else Unit(unit, "body:user"),
        "input_chars": 0,
        "header": {}.get,
    }
    return Facts(**{**given_, **changes})


def met(one, **changes):
    """The version and track that a request meets."""
    assignment = assign(one, facts(**changes))
    return assignment.release.version, assignment.track


def experiment(*shares):
    """An experiment whose arms serve 1.0.0, 1.1.0 and so on, with these shares of a million."""
    starts = [sum(shares[:place]) for place in range(len(shares))]
    arms = [
        Arm(f"arm-{place}", release(f"1.{place}.0"), Range(start, start + share))
        for place, (start, share) in enumerate(zip(starts, shares, strict=True))
    ]
    return Experiment("answer-length", SALT, tuple(arms))


def test_with_nothing_running_stable_answers():
    """And says so."""
    assignment = assign(route(), facts())
    assert ("1.0.0", "stable", None) == (assignment.release.version, assignment.track, assignment.bucket)
    assert "no rollout or experiment is running" == assignment.why


@given(st.text(min_size=1), st.integers(0, FULL))
def test_a_canary_serves_the_units_under_its_weight(unit, weight):
    """Exactly those, and the bucket is told."""
    assignment = assign(route(canary_ppm=weight), facts(unit))
    bucket = SALT.bucket(unit)
    assert bucket == assignment.bucket
    assert ("canary" if bucket < weight else "stable") == assignment.track
    assert str(bucket) in assignment.why


@given(st.text(min_size=1), st.integers(0, FULL), st.integers(0, FULL))
def test_a_growing_canary_loses_nobody(unit, first, second):
    """Who was with the canary at a smaller weight is with it at a larger one."""
    small, large = sorted((first, second))
    if met(route(canary_ppm=small), unit=unit)[1] == "canary":
        assert "canary" == met(route(canary_ppm=large), unit=unit)[1]


@pytest.mark.parametrize(("weight", "track"), [(0, "stable"), (FULL, "canary")])
def test_none_and_all_are_exact(weight, track):
    """For every unit."""
    assert {track} == {met(route(canary_ppm=weight), unit=f"u-{n}")[1] for n in range(200)}


def test_a_canary_that_is_out_gets_nobody():
    """Its rollout might as well not be."""
    one = route(canary_ppm=FULL, out={"1.1.0": "rolled back"})
    assert ("1.0.0", "stable") == met(one)
    assert "no rollout or experiment is running" == assign(one, facts()).why


def test_without_a_unit_stable_answers():
    """Whatever is running."""
    for one in (route(canary_ppm=FULL), route(experiment=experiment(0, FULL))):
        assignment = assign(one, facts(None))
        assert ("stable", None, "the request has no unit") == (assignment.track, assignment.bucket, assignment.why)


def test_arms_own_their_ranges_and_stable_the_rest():
    """Every unit meets the arm that holds its bucket."""
    one = route(experiment=experiment(300_000, 200_000))
    for number in range(200):
        bucket = SALT.bucket(f"u-{number}")
        expected = (
            ("1.0.0", "arm") if bucket < 300_000 else ("1.1.0", "arm") if bucket < 500_000 else ("1.0.0", "stable")
        )
        assert expected == met(one, unit=f"u-{number}")


def test_an_arm_that_is_out_moves_nobody_but_its_own():
    """They go to stable, and the other arm keeps its units."""
    one = route(experiment=experiment(0, FULL), out={"1.1.0": "rolled back"})
    assignment = assign(one, facts())
    assert "stable" == assignment.track
    assert f"no arm serves bucket {assignment.bucket}" == assignment.why


def test_the_first_rule_that_matches_decides():
    """Before rollout and experiment, and with its name."""
    rules = (Rule("rule 1", "1.1.0", apps=frozenset({"other"})), Rule("rule 2", "1.0.0"), Rule("rule 3", "1.1.0"))
    assignment = assign(route(canary_ppm=FULL, rules=rules), facts())
    assert ("1.0.0", "rule", "rule 2") == (assignment.release.version, assignment.track, assignment.why)


def test_a_rule_whose_release_is_out_does_not_match():
    """The next one may."""
    rules = (Rule("rule 1", "1.1.0"), Rule("rule 2", "0.9.0"))
    one = route(rules=rules, more={"0.9.0": release("0.9.0")}, out={"1.1.0": "rolled back"})
    assert ("0.9.0", "rule") == met(one)


@pytest.mark.parametrize(
    ("version", "changes", "track"),
    [
        ("1.0.0", {"canary_ppm": FULL}, "stable"),
        ("1.1.0", {"canary_ppm": 0}, "canary"),
        ("1.1.0", {"experiment": experiment(0, 0)}, "arm"),
        ("0.9.0", {}, "rule"),
        ("0.9.0", {"canary_ppm": FULL, "experiment": experiment(0)}, "rule"),
    ],
)
def test_a_follow_up_returns_on_the_track_its_release_has_now(version, changes, track):
    """Before rules and buckets."""
    one = route(more={"0.9.0": release("0.9.0")}, rules=(Rule("rule 1", "1.1.0"),), **changes)
    assert (version, track) == met(one, follow_up=version)


@pytest.mark.parametrize("earlier", ["9.9.9", "1.1.0"])
def test_a_follow_up_to_what_is_gone_is_assigned_anew(earlier):
    """Unknown, or out."""
    assert ("1.0.0", "stable") == met(route(out={"1.1.0": "rolled back"}), follow_up=earlier)


def test_what_decided_is_told_as_the_split():
    """The arm with its experiment, or the rollout for both of its sides; nothing where no split decided."""
    tested = route(experiment=experiment(300_000, 200_000))
    for number in range(50):
        held = SALT.bucket(f"u-{number}")
        expected = "answer-length/arm-0" if held < 300_000 else "answer-length/arm-1" if held < 500_000 else None
        assert expected == assign(tested, facts(f"u-{number}")).split
    rolled = route(canary_ppm=500_000)
    assert {"rollout-1"} == {assign(rolled, facts(f"u-{number}")).split for number in range(50)}
    rules = (Rule("rule 1", "1.1.0"),)
    undecided = [
        (route(), facts()),
        (route(canary_ppm=FULL), facts(None)),
        (route(canary_ppm=FULL, out={"1.1.0": "rolled back"}), facts()),
        (route(canary_ppm=FULL, rules=rules), facts()),
        (route(canary_ppm=FULL), facts(forced="1.1.0")),
    ]
    assert {None} == {assign(one, shown).split for one, shown in undecided}


@pytest.mark.parametrize(
    ("version", "changes", "expected"),
    [
        ("1.0.0", {"experiment": experiment(FULL, 0)}, ("arm", "answer-length/arm-0")),
        ("1.1.0", {"experiment": experiment(FULL, 0)}, ("arm", None)),
        ("1.1.0", {"canary_ppm": FULL}, ("canary", "rollout-1")),
        ("1.0.0", {"canary_ppm": FULL}, ("stable", None)),
        ("1.0.0", {"canary_ppm": 0}, ("stable", "rollout-1")),
    ],
)
def test_a_follow_up_counts_for_the_split_that_would_have_said_the_same(version, changes, expected):
    """So a conversation counts as a whole, and one whose unit belongs elsewhere counts for nobody."""
    assignment = assign(route(**changes), facts(follow_up=version))
    assert expected == (assignment.track, assignment.split)


def test_force_comes_first():
    """Before a follow-up."""
    assert ("1.1.0", "forced") == met(route(), forced="1.1.0", follow_up="1.0.0")


@pytest.mark.parametrize(
    ("version", "word"), [("9.9.9", "has no release '9.9.9'; it has 1.0.0, 1.1.0"), ("1.1.0", "rolled back")]
)
def test_what_cannot_be_forced_is_refused(version, word):
    """With what there is, or why not."""
    with pytest.raises(Forbidden, match=word):
        assign(route(out={"1.1.0": "rolled back"}), facts(forced=version))


def test_two_rollouts_are_independent():
    """Names that differ by one letter split the same units anew: about a quarter is with both canaries."""
    one = route(canary_ppm=500_000)
    other = replace(one, canary=Canary(one.canary.release, 500_000, Salt("v1/tesu"), "rollout-2"))
    both = sum(met(one, unit=f"u-{n}")[1] == met(other, unit=f"u-{n}")[1] == "canary" for n in range(2000))
    assert 420 < both < 580
