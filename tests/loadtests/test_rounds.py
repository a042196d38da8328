"""Interleaving, medians, ratios and differences."""

import pytest

from loadtests.bench.rounds import (
    errors_of,
    interleaved,
    median_difference,
    median_of,
    median_ratio,
    ratios,
    spread,
)

SERIES = {
    "pinion": [{"cpu_us": 30.0, "errors": 0}, {"cpu_us": 60.0, "errors": 0}, {"cpu_us": 33.0, "errors": 0}],
    "envoy": [{"cpu_us": 40.0, "errors": 0}, {"cpu_us": 75.0, "errors": 0}, {"cpu_us": 30.0, "errors": 0}],
    "portkey": [{"cpu_us": 900.0, "errors": 0}, {"cpu_us": 950.0, "errors": 3}, {"cpu_us": 940.0, "errors": 1}],
}


def test_rounds_interleave():
    """Every part has its turn in each round before any has its next."""
    assert [(0, "a"), (0, "b"), (1, "a"), (1, "b")] == list(interleaved(2, ["a", "b"]))


def test_a_figure_is_the_median_of_its_rounds():
    """One slow round does not move it."""
    assert 33.0 == median_of(SERIES, "pinion", "cpu_us")


def test_a_ratio_is_taken_round_by_round():
    """A round that was slow for both changes neither ratio."""
    assert [0.75, 0.8, 1.1] == pytest.approx(ratios(SERIES, "pinion", "envoy", "cpu_us"))
    assert 0.8 == pytest.approx(median_ratio(SERIES, "pinion", "envoy", "cpu_us"))


def test_a_difference_is_taken_round_by_round():
    """What is added is compared with the direct request of the same round."""
    assert -10.0 == median_difference(SERIES, "pinion", "envoy", "cpu_us")


def test_errors_stand_in_the_place_of_figures():
    """A system with a failed request in any round has no figure and no ratio."""
    assert 4 == errors_of(SERIES, "portkey")
    assert median_of(SERIES, "portkey", "cpu_us") is None
    assert median_ratio(SERIES, "pinion", "portkey", "cpu_us") is None
    assert median_difference(SERIES, "pinion", "portkey", "cpu_us") is None


def test_what_was_not_measured_has_no_figure():
    """A missing system or figure gives None, never a zero."""
    assert median_of(SERIES, "litellm", "cpu_us") is None
    assert median_of(SERIES, "pinion", "p99_ms") is None
    assert median_ratio(SERIES, "pinion", "litellm", "cpu_us") is None


def test_spread_is_half_the_range_as_a_part_of_the_median():
    """Values that agree have none."""
    assert 0.1 == pytest.approx(spread([9, 10, 11]))
    assert 0 == spread([10, 10])
    assert 0 == spread([])
