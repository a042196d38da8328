"""Bounds of shares, beside what scipy and statsmodels make of them."""

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, score_test_proportions_2indep

from gateway.core.share import difference_bound, ratio_bound, upper_share

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))

TABLES = [(10, 1000, 5, 50), (9, 950, 4, 50), (3, 40, 2, 30), (20, 400, 20, 400), (5, 50, 1, 60), (300, 500, 30, 60)]


@pytest.mark.parametrize("table", TABLES)
def test_the_bound_of_a_difference_is_that_of_statsmodels(table: tuple[int, int, int, int]):
    """Miettinen and Nurminen's interval, whose upper 95 % is the end of a two-sided 90 %."""
    stable_bad, stable_n, candidate_bad, candidate_n = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, high = confint_proportions_2indep(
            candidate_bad, candidate_n, stable_bad, stable_n, method="score", compare="diff", alpha=0.1, correction=True
        )
    assert pytest.approx(high, abs=1e-4) == difference_bound(*table)


@given(counts, counts)
@settings(max_examples=100)
def test_the_bound_of_a_difference_is_where_the_score_test_has_its_level(
    stable: tuple[int, int], candidate: tuple[int, int]
):
    """For all tables, with none and with only bad outcomes; the bound never lies below the estimate."""
    bound = difference_bound(*stable, *candidate)
    assert candidate[0] / candidate[1] - stable[0] / stable[1] <= bound <= 1
    if stable[1] > 1 and bound < 0.999 and abs(bound) > 1e-6:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test = score_test_proportions_2indep(*candidate, *stable, value=bound, alternative="smaller")
        # Where one share would be negative, statsmodels lets it be; there the oracle says nothing.
        if min(test.prop1_null, test.prop2_null) > 0 and max(test.prop1_null, test.prop2_null) < 1:
            assert math.isnan(test.pvalue) or pytest.approx(0.05, abs=1e-4) == test.pvalue


@given(counts, counts)
@settings(max_examples=100)
def test_the_bound_of_a_ratio_is_where_the_score_test_has_its_level(
    stable: tuple[int, int], candidate: tuple[int, int]
):
    """Where stable has a bad outcome; otherwise no ratio is excluded."""
    bound = ratio_bound(*stable, *candidate)
    if not stable[0]:
        assert math.inf == bound
    elif math.isfinite(bound) and abs(bound - 1) > 1e-6:
        assert bound >= (candidate[0] / candidate[1]) / (stable[0] / stable[1])
        _, p = score_test_proportions_2indep(
            *candidate, *stable, value=bound, compare="ratio", alternative="smaller", return_results=False
        )
        assert pytest.approx(0.05, abs=1e-4) == p


def test_the_bounds_are_the_wider_the_less_is_known():
    """Without outcomes nothing is excluded, and more of them exclude more."""
    assert 1.0 == difference_bound(0, 0, 0, 10) == difference_bound(0, 10, 0, 0)
    assert math.inf == ratio_bound(0, 0, 1, 5) == ratio_bound(1, 5, 0, 0)
    assert difference_bound(0, 10, 0, 10) > difference_bound(0, 100, 0, 100) > difference_bound(0, 1000, 0, 1000) > 0
    assert 1.0 == difference_bound(0, 10, 10, 10)
    assert 1 < ratio_bound(1, 10, 0, 3) < math.inf


def test_bounds_of_single_outcomes_are_numbers():
    """One outcome on either side, of any kind."""
    for stable, candidate in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert -1 <= difference_bound(stable, 1, candidate, 1) <= 1


@pytest.mark.untraced
@given(counts, st.sampled_from([0.9, 0.95, 0.99]))
@settings(max_examples=200)
def test_the_bound_of_a_share_is_exact(outcomes: tuple[int, int], confidence: float):
    """Clopper and Pearson's, which is a quantile of a beta distribution."""
    bad, n = outcomes
    expected = 1.0 if bad == n else stats.beta.ppf(confidence, bad + 1, n - bad)
    assert pytest.approx(expected, abs=1e-9) == upper_share(bad, n, confidence)


@pytest.mark.parametrize(("bad", "n"), [(0, 100), (1, 1_000_000), (5000, 1_000_000), (999_999, 1_000_000)])
def test_the_bound_of_a_share_holds_for_many_outcomes(bad: int, n: int):
    """A million outcomes lose no digits, and none of 100 is the rule of three."""
    assert pytest.approx(stats.beta.ppf(0.95, bad + 1, n - bad), rel=1e-7) == upper_share(bad, n)


def test_no_outcome_bounds_no_share():
    """Nothing is excluded."""
    assert 1.0 == upper_share(0, 0)
