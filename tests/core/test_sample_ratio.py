"""The sample ratio check."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sample_ratio import SampleRatio

counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=10)


def lowest_p(weights: tuple[float, float], truth: float, seed: int) -> float:
    """The p after 200 looks at 50 units each, a share `truth` of them on the second side."""
    rng, test = np.random.default_rng(seed), SampleRatio(weights)
    for _ in range(200):
        second = int(rng.binomial(50, truth))
        test.add((50 - second, second))
    return test.p


@pytest.mark.untraced
def test_a_split_as_given_is_found_wrong_less_often_than_the_level():
    """At 5 % and at 0.1 %, looked at 200 times, at 5 to 95: no more of 600 than that, plus two deviations."""
    lowest = [lowest_p((95, 5), 0.05, seed) for seed in range(600)]
    for level in (0.05, 0.001):
        assert 600 * level + 2 * math.sqrt(600 * level * (1 - level)) >= sum(p < level for p in lowest)


def test_a_split_that_is_off_is_found():
    """7 % where 5 were meant, within 10,000 units."""
    assert all(lowest_p((0.95, 0.05), 0.07, seed) < 0.001 for seed in range(30))


@pytest.mark.parametrize("seen", [(310, 190), (900, 600), (52_000, 50_000)])
def test_a_gross_mistake_is_found_among_hundreds_and_a_subtle_one_among_many(seen: tuple[int, int]):
    """At one to one, at the first look."""
    test = SampleRatio((1, 1))
    test.add(seen)
    assert test.p < 0.001


def test_what_should_get_nothing_and_gets_something_is_proof():
    """An arm of weight zero is otherwise left out, whatever its place."""
    test = SampleRatio((0.0, 1.0, 1.0))
    test.add((0, 40, 40))
    assert 1.0 == test.p
    test.add((1, 0, 0))
    assert 0.0 == test.p


def test_p_never_rises():
    """A mismatch that was found stays found when the counts even out."""
    test = SampleRatio((1, 1))
    test.add((2000, 1000))
    low = test.p
    test.add((0, 1000))
    assert test.p == low < 0.001


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-1.0, 2.0), (math.nan, 1.0)])
def test_shares_of_nothing_are_refused(weights: tuple[float, float]):
    """There is no ratio to check."""
    with pytest.raises(ValueError, match="shares"):
        SampleRatio(weights)


def test_expected_shares_sum_to_one():
    """Weights may be given in any unit."""
    assert (0.95, 0.05) == SampleRatio((95, 5)).expected


@given(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), counts, counts)
def test_the_check_goes_on_from_json(weights, before, after):
    """To the last digit."""
    test = SampleRatio(weights)
    for batch in before:
        test.add(batch)
    read = SampleRatio.from_json(json.loads(json.dumps(test.to_json())))
    for batch in after:
        test.add(batch)
        read.add(batch)
    assert test.to_json() == read.to_json()
