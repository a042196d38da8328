"""The effect of an arm, carried by units."""

import math
import random
from statistics import fmean

import numpy as np
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


def direct_jackknife(ratios: list[tuple[float, int]]) -> float:
    """The variance of the ratio, from the ratios that leave each unit out in turn."""
    without = [[*ratios[:place], *ratios[place + 1 :]] for place in range(len(ratios))]
    whole, *left = (sum(x for x, _ in some) / sum(d for _, d in some) for some in [ratios, *without])
    return (len(ratios) - 1) / len(ratios) * sum((each - whole) ** 2 for each in left)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 1_000)), min_size=2, max_size=30))
def test_the_variance_is_that_of_leaving_each_unit_out(ratios):
    """Of a ratio whose units are unlike in use."""
    moments = moments_of("seconds", ratios)
    assert math.isclose(direct_jackknife(ratios), moments.variance / moments.n, rel_tol=1e-6, abs_tol=1e-9)


def test_a_unit_that_sends_most_requests_makes_the_end_less_sure():
    """By the plain delta method it would hide its own deviation: it is most of the ratio that it is held against."""
    ratios = [(float(place % 10 == 0), 1.0) for place in range(200)]
    heavy = [*ratios, (80.0, 400.0)]
    ratio, mean = 100 / 600, 600 / 201
    plain = sum(((x - ratio * d) / mean) ** 2 for x, d in heavy) / 200
    assert moments_of("error_rate", heavy).variance > 5 * plain


def test_one_unit_has_no_variance():
    """Nothing is left without it."""
    assert Moments(1, 2.5, 0.0) == moments_of("seconds", [(5.0, 2)])


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


@pytest.mark.parametrize(
    ("arm_variance", "expected"),
    [(4.0, 1 / 1_900 + 4 / 100), (0.25, (1_899 * 1 + 99 * 0.25) / 1_998 * (1 / 1_900 + 1 / 100))],
    ids=["welch", "student"],
)
def test_the_end_has_the_larger_of_two_variances(arm_variance, expected):
    """Each arm's own, and that of both together: a small arm that shows little is not sure for it."""
    control, arm = Moments(1_900, 1.0, 1_899.0), Moments(100, 1.0, 99 * arm_variance)
    interval = effect_of("seconds", control, arm, alpha=ALPHA, final=True).interval
    assert pytest.approx(1.959964 * math.sqrt(expected)) == interval.high
    assert pytest.approx(-interval.high) == interval.low


def test_a_small_arm_without_failures_is_not_sure_at_the_end():
    """None of 100 units, where one in twenty fails, is no difference shown; among 2,000 it is."""
    control = moments_of("error_rate", [(float(place % 40 == 0), 1.0) for place in range(1_900)])
    for units, is_shown in ((100, False), (2_000, True)):
        arm = moments_of("error_rate", [(0.0, 1.0)] * units)
        assert is_shown == effect_of("error_rate", control, arm, alpha=ALPHA, final=True).is_shown


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


@pytest.mark.untraced
def test_an_experiment_without_a_difference_rarely_shows_one():
    """Looked at a dozen times, and at the end alone: at most alpha and two deviations of that many runs."""
    runs = [peeked(seed) for seed in range(300)]
    most = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / len(runs))
    live, final = (fmean(result) for result in zip(*runs, strict=True))
    assert live <= most
    assert final <= most


def ended(seed: int, share: float, units: int) -> bool:
    """Run an A/A experiment whose units are very unlike in use and quality: did its planned end show a difference?"""
    rng = np.random.default_rng(seed)
    use = np.ceil(rng.pareto(1.2, units) * 3 + 0.05).astype(int)
    failed = rng.binomial(use, rng.beta(0.1, 1.9, units))
    is_arm = rng.random(units) < share
    sides = (
        moments_of("error_rate", zip(failed[side].tolist(), use[side].tolist(), strict=True))
        for side in (~is_arm, is_arm)
    )
    return effect_of("error_rate", *sides, alpha=ALPHA, final=True).is_shown


@pytest.mark.untraced
@pytest.mark.parametrize(("share", "units"), [(0.5, 600), (0.05, 3_000)])
def test_the_planned_end_holds_its_level_with_heavy_users(share, units):
    """At most alpha and two deviations of that many runs, also where the arm is small."""
    runs = 400
    most = ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / runs)
    assert fmean(ended(seed, share, units) for seed in range(runs)) <= most


def test_a_real_difference_is_shown():
    """Three points of failures among 5,000 units."""
    chance = random.Random(1)
    sides = [
        moments_of("error_rate", [(float(sum(chance.random() < p for _ in range(4))), 4.0) for _ in range(2_500)])
        for p in (0.02, 0.05)
    ]
    effect = effect_of("error_rate", *sides, alpha=ALPHA, final=False)
    assert (True, False) == (effect.is_shown, effect.is_better("lower"))
