"""The effect of an arm, carried by units."""

import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.confidence import Interval
from gateway.core.effect import LEAST_UNITS, Effect, effect_of, moments_of
from gateway.core.moments import Moments

ALPHA = 0.05


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), min_size=1, max_size=50))
def test_a_ratio_over_requests_is_the_mean_over_units(ratios):
    """The units' stand-ins have the whole ratio as their mean; units without a request are left out."""
    moments = moments_of("seconds", [*ratios, (0.0, 0)])
    assert len(ratios) == moments.n
    assert math.isclose(sum(x for x, _ in ratios) / sum(d for _, d in ratios), moments.mean, abs_tol=1e-6)


def test_with_equal_units_it_is_the_plain_mean_and_variance():
    """One request a unit needs no delta method."""
    values = [0.0, 1.0, 1.0, 5.0]
    moments = moments_of("seconds", [(value, 1) for value in values])
    assert pytest.approx(fmean(values)) == moments.mean
    assert pytest.approx(sum((value - 1.75) ** 2 for value in values) / 3) == moments.variance


def test_each_unit_counts_once_in_feedback():
    """Who says much says no more than who says it once."""
    assert pytest.approx(0.5) == moments_of("feedback.resolved", [(100.0, 100), (0.0, 1)]).mean
    assert pytest.approx(100 / 101) == moments_of("seconds", [(100.0, 100), (0.0, 1)]).mean


def test_nothing_has_no_moments():
    """Without requests there is neither mean nor effect."""
    assert Moments() == moments_of("seconds", [(0.0, 0)])


def test_too_few_units_have_no_effect():
    """Either side."""
    few, enough = Moments(LEAST_UNITS - 1, 1.0, 1.0), Moments(LEAST_UNITS, 1.0, 1.0)
    for control, arm in ((few, enough), (enough, few)):
        assert effect_of("seconds", control, arm, alpha=ALPHA, final=False) is None
    assert effect_of("seconds", enough, enough, alpha=ALPHA, final=False) is not None


@pytest.mark.parametrize("final", [False, True])
def test_p_agrees_with_the_interval(final):
    """It is at most alpha exactly where the interval leaves zero out."""
    control = Moments(1_000, 1.0, 1_000.0)
    for shift in (0.0, 0.05, 0.08, 0.1, 0.2, 0.5):
        effect = effect_of("seconds", control, Moments(1_000, 1.0 + shift, 1_000.0), alpha=ALPHA, final=final)
        assert effect.is_shown == (effect.p <= ALPHA)


def test_what_is_the_same_everywhere_differs_surely_or_not_at_all():
    """At the end, without any variance."""
    one, two = Moments(200, 1.0, 0.0), Moments(200, 2.0, 0.0)
    assert 1.0 == effect_of("seconds", one, one, alpha=ALPHA, final=True).p
    assert 0.0 == effect_of("seconds", one, two, alpha=ALPHA, final=True).p


def test_no_failures_so_far_are_no_certainty():
    """A share keeps a width while nothing has failed."""
    none = moments_of("error_rate", [(0.0, 5)] * 200)
    effect = effect_of("error_rate", none, none, alpha=ALPHA, final=False)
    assert effect.interval.low < 0 < effect.interval.high
    assert not effect.is_shown


@pytest.mark.parametrize(
    ("estimate", "direction", "expected"), [(1, "higher", True), (1, "lower", False), (-1, "lower", True)]
)
def test_better_is_a_matter_of_direction(estimate, direction, expected):
    """More is better of some metrics, less of others."""
    assert expected == Effect(Interval(estimate, estimate, estimate), 0.01, ALPHA, final=False).is_better(direction)


def peeked(seed: int, looks: int = 12, units: int = 100) -> tuple[bool, bool]:
    """Run an A/A experiment with busy units of unlike quality: was a difference shown at any look, and at the end?"""
    chance = random.Random(seed)
    sides: tuple[list, list] = ([], [])
    shown = False
    for _ in range(looks):
        for _ in range(units):
            requests = min(100, 1 + int(chance.paretovariate(1.1)))
            failing = chance.betavariate(0.4, 3.6)
            failed = sum(chance.random() < failing for _ in range(requests))
            sides[chance.random() < 0.5].append((float(failed), float(requests)))
        control, arm = (moments_of("error_rate", side) for side in sides)
        effect = effect_of("error_rate", control, arm, alpha=ALPHA, final=False)
        shown = shown or (effect is not None and effect.is_shown)
    return shown, effect_of("error_rate", control, arm, alpha=ALPHA, final=True).is_shown


def test_an_experiment_without_a_difference_rarely_shows_one():
    """Looked at a dozen times, and at the end alone: at most alpha and two deviations of that many runs."""
    runs = [peeked(seed) for seed in range(300)]
    most = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / len(runs))
    live, final = (fmean(result) for result in zip(*runs, strict=True))
    assert live <= most
    assert final <= most


def test_a_real_difference_is_shown():
    """Three points of failures among 5,000 units."""
    chance = random.Random(1)
    sides = [
        moments_of("error_rate", [(float(sum(chance.random() < p for _ in range(4))), 4.0) for _ in range(2_500)])
        for p in (0.02, 0.05)
    ]
    effect = effect_of("error_rate", *sides, alpha=ALPHA, final=False)
    assert (True, False) == (effect.is_shown, effect.is_better("lower"))
