"""An experiment's arms, and what may become of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.experiment_arms import are_comparable, arms_of
from gateway.control.policies import load
from gateway.core.bucket import arm_ranges
from tests.control.serving_world import files, route

ARMS = 'experiment: {name: length, arms: {a: {release: "1.0.0", percent: 60}, b: {release: "1.1.0", percent: 30}}}'
A, B = ("a", "1.0.0", 600_000), ("b", "1.1.0", 300_000)


def test_arms_are_recorded_by_name_release_and_share():
    """In parts per million, in the order of the file."""
    policy = load(files(route(more=ARMS))).routes["desk"].experiment
    assert (A, B) == arms_of(policy)


@pytest.mark.parametrize(
    "began",
    [
        (A, B),
        (("a", "1.0.0", 2), ("b", "1.1.0", 1)),
        (("a", "1.0.0", 400_000), ("b", "1.1.0", 200_000)),
    ],
)
def test_arms_that_are_the_same_or_have_grown_together_are_comparable(began):
    """Whatever their first shares were."""
    assert are_comparable(began, (A, B))


@pytest.mark.parametrize(
    "began",
    [
        (),
        (A,),
        (B, A),
        (("a", "1.0.0", 500_000), B),
        (("a", "1.0.0", 0), ("b", "1.1.0", 0)),
        (("a", "1.0.0", 200_000), ("b", "1.1.0", 0)),
        (("a", "1.0.0", 660_000), ("b", "1.1.0", 330_000)),
        (A, ("b", "1.2.0", 300_000)),
        (A, ("c", "1.1.0", 300_000)),
        (A, B, ("c", "1.2.0", 100_000)),
        (A, B, ("c", "1.2.0", 0)),
    ],
)
def test_arms_that_have_changed_in_another_way_are_not(began):
    """Another order or proportion, one that has shrunk or began without a share, another release, name or number."""
    assert not are_comparable(began, (A, B))


def test_arms_without_a_share_stay_so():
    """Nothing is nothing, and no factor makes anything of it."""
    began = (("a", "1.0.0", 500_000), ("b", "1.1.0", 0))
    assert are_comparable(began, (("a", "1.0.0", 1_000_000), ("b", "1.1.0", 0)))
    assert not are_comparable(began, (("a", "1.0.0", 500_000), ("b", "1.1.0", 1)))


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.integers(1, 100), st.integers(0, 100))
def test_nobody_changes_arms_where_they_have_grown_together(shares, first, more):
    """Each arm keeps all of the buckets that it had."""
    began, now = (
        [(str(place), "1.0.0", share * factor) for place, share in enumerate(shares)]
        for factor in (first, first + more)
    )
    had, has = (arm_ranges([share for _, _, share in arms]) for arms in (began, now))
    assert are_comparable(began, now) or not any(shares)
    assert all(new.start <= old.start and old.end <= new.end for old, new in zip(had, has, strict=True))
