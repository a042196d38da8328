"""Confidence sequences: they cover at all times at once."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from gateway.core.confidence import (
    Interval,
    always_valid_p,
    difference_interval,
    fixed_interval,
    one_sided_difference,
    one_sided_mean,
)
from gateway.core.moments import Moments

ALPHA = 0.05
RUNS = 120
MOST = RUNS * ALPHA + 2 * math.sqrt(RUNS * ALPHA * (1 - ALPHA))

DRAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(1, 0.3, n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1, n),
    "rare": lambda rng, n: (rng.random(n) < 0.01) * 1.0,
    "nearly always": lambda rng, n: (rng.random(n) < 0.99) * 1.0,
}


def of(values: np.ndarray) -> Moments:
    """The moments of an array, as a batch."""
    return Moments(len(values), float(values.mean()), float(((values - values.mean()) ** 2).sum()))


def misses(draw: Callable[[np.random.Generator, int], np.ndarray], seed: int, ratio: float) -> tuple[bool, bool, bool]:
    """Whether the truth was ever left out: by the two-sided sequence, and by each one-sided one.

    200 looks, at 5 to 95: every two canary requests, after the very first.
    """
    rng, stable, candidate = np.random.default_rng(seed), Moments(), Moments()
    two = low = high = False
    for look in range(200):
        stable.merge(of(draw(rng, 38)))
        candidate.merge(of(draw(rng, 1 if not look else 2) * ratio))
        both = difference_interval(stable, candidate, alpha=ALPHA, ratio=ratio)
        one = one_sided_difference(stable, candidate, alpha=ALPHA, ratio=ratio)
        two |= not both.low <= 0 <= both.high
        low |= one.low > 0
        high |= one.high < 0
    return two, low, high


@pytest.mark.untraced
@pytest.mark.parametrize("ratio", [1.0, 1.5])
@pytest.mark.parametrize("name", DRAWS)
def test_the_truth_is_covered_at_all_times(name: str, ratio: float):
    """For lengths near normal, costs with a long tail and 0/1 values that are rare: never more misses than alpha."""
    counts = np.sum([misses(DRAWS[name], seed, ratio) for seed in range(RUNS)], axis=0)
    assert all(count <= MOST for count in counts), counts


@pytest.mark.parametrize("name", ["normal", "lognormal"])
def test_one_mean_is_seldom_found_over_what_it_is(name: str):
    """The lower bound of a single sample, looked at after every number from the first."""
    truth = {"normal": 1.0, "lognormal": math.exp(0.5)}[name]
    missed = 0
    for seed in range(RUNS):
        sample, low = Moments(), -math.inf
        for number in DRAWS[name](np.random.default_rng(seed), 400):
            sample.add(float(number))
            low = max(low, one_sided_mean(sample, alpha=ALPHA).low)
        missed += low > truth
    assert MOST >= missed


def test_a_third_more_is_found():
    """A cost 30 % higher shows at 5 to 95 before 400 canary requests, in nearly all runs."""
    found = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        stable, candidate = of(rng.normal(1, 0.5, 7600)), of(rng.normal(1.3, 0.5, 400))
        found += one_sided_difference(stable, candidate, alpha=ALPHA).low > 0
    assert 48 <= found


def test_equal_numbers_and_first_ones_prove_nothing():
    """Zero variance does not make a width of zero: what has shown nothing rare yet may still."""
    ones, noughts = Moments(50, 1.0, 0.0), Moments(50, 0.0, 0.0)
    assert difference_interval(ones, ones, alpha=ALPHA).high > 0.1
    assert difference_interval(noughts, noughts, alpha=ALPHA, scale=0.1).high > 0.01
    assert one_sided_mean(ones, alpha=ALPHA).high > 1.1
    single = difference_interval(Moments(1, 1.0, 0.0), Moments(1, 2.0, 0.0), alpha=ALPHA)
    assert single.low < 0 < single.high


def test_no_numbers_say_nothing():
    """NaN between infinities, and a p of one."""
    some, none = Moments(5, 1.0, 1.0), Moments()
    for interval in (
        difference_interval(some, none, alpha=ALPHA),
        one_sided_difference(none, some, alpha=ALPHA),
        one_sided_mean(none, alpha=ALPHA),
        fixed_interval(some, Moments(1, 1.0, 0.0), alpha=ALPHA),
    ):
        assert (-math.inf, math.inf) == (interval.low, interval.high)
        assert math.isnan(interval.estimate)
    assert 1.0 == always_valid_p(some, none, alpha=ALPHA)
    assert 1.0 == always_valid_p(Moments(9, 0.0, 0.0), Moments(9, 0.0, 0.0), alpha=ALPHA)


samples = st.builds(Moments, st.integers(1, 5000), st.integers(-500, 500).map(lambda n: n / 100), st.floats(0, 5000))


@given(samples, samples, st.sampled_from([0.001, 0.05, 0.2]), st.sampled_from([1.0, 1.5]))
@settings(max_examples=200)
def test_the_p_value_is_that_of_the_interval(stable: Moments, candidate: Moments, alpha: float, ratio: float):
    """It is at most alpha where the interval at alpha leaves zero out, and only there."""
    interval = difference_interval(stable, candidate, alpha=alpha, ratio=ratio)
    p = always_valid_p(stable, candidate, alpha=alpha, ratio=ratio)
    if abs(p - alpha) > 1e-6:
        assert (p < alpha) == (not interval.low <= 0 <= interval.high)


@pytest.mark.untraced
@given(samples, samples, st.integers(1, 2000))
@settings(max_examples=1000)
def test_the_estimate_lies_inside_and_a_worse_one_higher(stable: Moments, candidate: Moments, more: int):
    """Bounds are around the estimate, and where the candidate lies above stable, more of it raises the upper one.

    Below stable or zero it need not: the floor of the variance grows with what a side's mean is away from either.
    """
    one = one_sided_difference(stable, candidate, alpha=ALPHA)
    assert one.low <= one.estimate <= one.high
    above = max(candidate.mean, stable.mean, 0.0)
    worse, worst = (Moments(candidate.n, mean, candidate.m2) for mean in (above, above + more))
    assert one_sided_difference(stable, worst, alpha=ALPHA).high > one_sided_difference(stable, worse, alpha=ALPHA).high


def test_the_width_is_the_formula():
    """In numbers, for 5000 planned, 2500 on either side of deviation 1, at 5 %."""
    side = Moments(2500, 0.0, 2500.0)
    rho_squared = (-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 5000
    spread = 5000 * rho_squared
    width = math.sqrt(2 * (spread + 1) / (5000 * spread) * math.log(math.sqrt(spread + 1) / 0.05)) * 2
    interval = difference_interval(side, side, alpha=0.05)
    assert pytest.approx(width, rel=1e-3) == interval.high


def test_the_fixed_interval_is_welchs():
    """The plain normal interval, beside statsmodels'."""
    rng = np.random.default_rng(1)
    stable, candidate = rng.normal(1, 1, 300), rng.normal(1.2, 2, 200)
    low, high = CompareMeans(DescrStatsW(candidate), DescrStatsW(stable)).zconfint_diff(usevar="unequal")
    interval = fixed_interval(of(stable), of(candidate), alpha=0.05)
    assert pytest.approx((low, high)) == (interval.low, interval.high)


def test_a_level_of_one_half_and_more_is_no_error():
    """Nobody asks for it on purpose, and a formula must not end a rollout."""
    interval = one_sided_mean(Moments(10, 1.0, 1.0), alpha=0.9)
    assert isinstance(interval, Interval)
    assert math.isfinite(interval.low)
