"""Moments: a mean and a variance that need no list."""

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.moments import Moments

numbers = st.lists(st.floats(-1e6, 1e6), max_size=50)


def of(values: list[float]) -> Moments:
    """The moments of a list."""
    moments = Moments()
    for number in values:
        moments.add(number)
    return moments


@given(numbers, numbers)
def test_merged_moments_are_those_of_all_numbers(first: list[float], second: list[float]):
    """Mean and variance are the standard library's, whichever side was empty."""
    moments, both = of(first), first + second
    moments.merge(of(second))
    assert len(both) == moments.n
    if both:
        assert pytest.approx(statistics.fmean(both), rel=1e-9, abs=1e-6) == moments.mean
    if len(both) > 1:
        assert pytest.approx(statistics.variance(both), rel=1e-6, abs=1e-3) == moments.variance


def test_small_differences_of_large_numbers_are_kept():
    """Sums of squares would lose the variance of these altogether."""
    assert pytest.approx(1.0) == of([1e9, 1e9 + 1, 1e9 + 2]).variance


def test_fewer_than_two_numbers_have_no_variance():
    """Nought, not an error."""
    assert (0.0, 0.0) == (Moments().variance, of([3.0]).variance)


@given(numbers, numbers)
def test_moments_go_on_from_json(before: list[float], after: list[float]):
    """To the last digit."""
    moments = of(before)
    read = Moments.from_json(json.loads(json.dumps(moments.to_json())))
    for number in after:
        moments.add(number)
        read.add(number)
    assert moments == read
