"""Quantiles of durations in constant memory."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sketch import Sketch

durations = st.lists(st.floats(1e-4, 1e4), max_size=60)


def of(values) -> Sketch:
    """The sketch of these."""
    sketch = Sketch()
    for seconds in values:
        sketch.add(float(seconds))
    return sketch


@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_right_to_two_percent(values: list[float], q: float):
    """Of the value that has that rank."""
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    assert pytest.approx(exact, rel=0.0201) == of(values).quantile(q)


@given(durations, durations)
def test_merged_sketches_are_those_of_all(first: list[float], second: list[float]):
    """Bin for bin, in either order."""
    sketch, other = of(first), of(second)
    sketch.merge(other)
    other.merge(of(first))
    assert of(first + second).to_json() == sketch.to_json() == other.to_json()
    assert len(first + second) == sketch.count


def test_without_durations_there_is_no_quantile():
    """None, not zero: zero would look fast."""
    assert Sketch().quantile(0.5) is None


def test_what_is_no_number_is_no_duration():
    """NaN and infinity are not counted."""
    assert 1 == of([math.nan, math.inf, -math.inf, 1.0]).count


def test_nought_and_less_are_nought():
    """A clock's jitter does not break a logarithm."""
    assert 0.0 == of([0.0, -1.0]).quantile(0.5)


def test_memory_is_bounded_and_the_high_quantiles_stay():
    """Beyond 512 bins the lowest become one."""
    sketch = of(1.05**power for power in range(-400, 500))
    assert 512 >= len(sketch.bins)
    assert 900 == sketch.count
    assert pytest.approx(1.05**490, rel=0.03) == sketch.quantile(0.99)
    other = Sketch()
    other.merge(sketch)
    other.merge(of([1e-8]))
    assert 512 >= len(other.bins)


@given(durations, durations)
def test_a_sketch_goes_on_from_json(before: list[float], after: list[float]):
    """As if it had not been written."""
    sketch = of(before)
    read = Sketch.from_json(json.loads(json.dumps(sketch.to_json())))
    for seconds in after:
        sketch.add(seconds)
        read.add(seconds)
    assert sketch.to_json() == read.to_json()
    assert sketch.count == read.count
