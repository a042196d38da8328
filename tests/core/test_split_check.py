"""Whether units fell on arms by their shares."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gateway.core.split_check import split_p

HALVES = (0.5, 0.5)


@pytest.mark.parametrize("units", [(0, 0), (1, 0), (500, 500), (520, 480), (50_500, 49_500)])
def test_chance_is_no_mistake(units):
    """Nor is it to have next to nothing."""
    assert split_p(HALVES, units) > 0.01


@pytest.mark.parametrize("units", [(310, 190), (900, 600), (52_000, 50_000), (503_500, 496_500)])
def test_a_broken_split_is_found(units):
    """A gross one among hundreds, a subtle one among many."""
    assert split_p(HALVES, units) < 0.001


def test_the_factor_is_the_mean_of_those_of_the_distributions():
    """Dirichlet-multinomial over multinomial, as scipy has them, near to the shares and nearer."""
    shares, seen = [0.7, 0.2, 0.1], [60, 60, 30]
    null = stats.multinomial.logpmf(seen, 150, shares)
    others = [stats.dirichlet_multinomial.logpmf(seen, prior, 150) for prior in ([70, 20, 10], [7000, 2000, 1000])]
    factors = [math.exp(other - null) for other in others]
    assert pytest.approx(2 / sum(factors), rel=1e-6) == split_p(shares, seen)


def test_an_arm_without_a_share_gets_nobody():
    """One unit there is proof; none is nothing."""
    assert 0.0 == split_p((1.0, 0.0), (100, 1))
    assert 1.0 == split_p((1.0, 0.0), (100, 0))


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 10**7)), min_size=2, max_size=6))
def test_it_is_a_probability_whatever_the_counts(arms):
    """And does not depend on the order of the arms."""
    total = sum(share for share, _ in arms)
    shares, units = [share / total for share, _ in arms], [count for _, count in arms]
    p = split_p(shares, units)
    assert 0.0 <= p <= 1.0
    assert math.isclose(p, split_p(shares[::-1], units[::-1]), rel_tol=1e-3, abs_tol=1e-300)


def test_looking_often_does_not_break_a_sound_split():
    """Of 400 experiments that are looked at after every 50 units of 3,000, at most 1 in 100 falls under 0.01."""
    broken = 0
    for seed in range(400):
        chance, units, least = random.Random(seed), [0, 0], 1.0
        for _ in range(60):
            first = chance.getrandbits(50).bit_count()
            units = [units[0] + first, units[1] + 50 - first]
            least = min(least, split_p(HALVES, units))
        broken += least < 0.01
    assert broken <= 4 + 2 * 2
