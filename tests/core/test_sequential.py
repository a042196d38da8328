"""The safe tests: they keep their level however often one looks, and find what is worse soon."""

import itertools
import json
import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gateway.core.sequential import PROOF, OneShare, TwoShares, learned
from gateway.core.unit_cells import UnitCells

ALPHA = 0.05
ALARM = math.log(1 / ALPHA)

batches = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1), st.floats(0, 1)).map(
        lambda b: (int(b[0] * b[2]), b[0], int(b[1] * b[3]), b[1])
    ),
    max_size=12,
)


def highest(runs: int) -> float:
    """So many false alarms of `runs` are not more than alpha, two standard deviations allowed."""
    return runs * ALPHA + 2 * math.sqrt(runs * ALPHA * (1 - ALPHA))


def canary_until_alarm(shares: tuple[float, float], seed: int, step: int = 10, most: int = 1000) -> int | None:
    """How many canary requests it takes at a split of 5 to 95, looking every `step` of them."""
    rng, test = np.random.default_rng(seed), TwoShares()
    while test.candidate_n < most:
        canary = int(rng.binomial(step * 20, 0.05))
        stable = step * 20 - canary
        test.add(int(rng.binomial(stable, shares[0])), stable, int(rng.binomial(canary, shares[1])), canary)
        if test.log_peak >= ALARM:
            return test.candidate_n
    return None


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1])
def test_equal_releases_are_told_apart_less_often_than_alpha(share: float):
    """With a look every ten canary requests and as many looks as it likes, the test keeps its level."""
    alarms = [canary_until_alarm((share, share), seed) for seed in range(300)]
    assert highest(300) >= sum(alarm is not None for alarm in alarms)


def test_a_ten_times_worse_canary_is_found_within_sixty_of_its_requests():
    """From 1 % to 10 %, in the middle of 300 runs."""
    found = [canary_until_alarm((0.01, 0.1), seed) for seed in range(300)]
    assert 60 >= median(n or math.inf for n in found)


def test_a_three_times_worse_canary_is_found_within_a_thousand():
    """From 1 % to 3 %, nine times of ten."""
    found = [canary_until_alarm((0.01, 0.03), seed) for seed in range(200)]
    assert 0.9 <= sum(n is not None for n in found) / 200


def test_a_better_canary_raises_no_alarm():
    """The direction is not inverted: a candidate that fails less never comes near the threshold."""
    assert [None] * 100 == [canary_until_alarm((0.1, 0.01), seed) for seed in range(100)]


def clustered(seed: int, *, alarm: float = ALARM, requests: int = 6000) -> bool:
    """Whether an A/A test alarms where units are sticky, use is heavy-tailed and some units fail far more often.

    Two outcomes of a unit correlate by 0.14: of 5 % failures in all, one unit in thirty has over 25 %.
    """
    rng = np.random.default_rng(seed)
    weight = rng.pareto(1.2, 1500) + 0.05
    failing = rng.beta(0.3, 5.7, 1500)
    hashes = rng.integers(0, 1 << 63, 1500)
    in_canary = rng.random(1500) < 0.05
    units = rng.choice(1500, requests, p=weight / weight.sum())
    failed = rng.random(requests) < failing[units]
    sides = (UnitCells(), UnitCells())
    test, counts = TwoShares(), [0, 0, 0, 0]
    for i in range(requests):
        side = int(in_canary[units[i]])
        if sides[side].take(int(hashes[units[i]])):
            counts[2 * side] += int(failed[i])
            counts[2 * side + 1] += 1
        if i % 200 == 199:
            test.add(*counts)
            counts = [0, 0, 0, 0]
    return test.log_peak >= alarm


@pytest.mark.untraced
def test_busy_units_with_errors_of_their_own_raise_no_more_alarms_than_alpha():
    """With at most 5 outcomes of a unit the level holds, at 5 to 95 and a look every 200 requests."""
    assert highest(250) >= sum(clustered(seed) for seed in range(250))


@pytest.mark.parametrize("sizes", [(1, 1), (7, 2), (2, 5)])
@pytest.mark.parametrize("shares", [(0.3, 0.3), (0.05, 0.05), (0.6, 0.2)])
def test_the_e_value_of_a_batch_is_at_most_one_in_the_mean(sizes: tuple[int, int], shares: tuple[float, float]):
    """Summed over all that can happen in a batch of unequal sides, for equal shares and for a better candidate."""
    mean = 0.0
    for stable_bad, candidate_bad in itertools.product(range(sizes[0] + 1), range(sizes[1] + 1)):
        test = TwoShares()
        test.add(2, 40, 3, 9)
        test.add(stable_bad, sizes[0], candidate_bad, sizes[1])
        likelihood = stats.binom.pmf(stable_bad, sizes[0], shares[0]) * stats.binom.pmf(
            candidate_bad, sizes[1], shares[1]
        )
        mean += likelihood * math.exp(test.log_e)
    assert mean <= 1 + 1e-12


def test_a_batch_of_one_side_adds_no_evidence_and_teaches_its_share():
    """What stable does before the canary's first request counts for the comparison, and proves nothing."""
    test = TwoShares()
    test.add(1, 100, 0, 0)
    test.add(0, 0, 5, 5)
    assert (0.0, 0.0) == (test.log_e, test.log_peak)
    test.add(0, 10, 1, 1)
    p_a, p_b = learned(1, 100), learned(5, 5)
    p_0 = (10 * p_a + p_b) / 11
    assert pytest.approx(math.log(p_b / p_0) + 10 * math.log((1 - p_a) / (1 - p_0))) == test.log_e


def test_a_first_batch_of_sound_outcomes_does_not_bury_what_follows():
    """Nothing is learned yet, so nothing is lost, and an outage right after is found at once."""
    test = TwoShares()
    test.add(1, 500, 0, 20)
    assert 0.0 == test.log_e
    for _ in range(4):
        test.add(0, 20, 1, 1)
    assert test.log_peak > ALARM


def test_no_failures_are_no_evidence():
    """A sound start neither divides by zero nor alarms."""
    test = TwoShares()
    for _ in range(100):
        test.add(0, 20, 0, 1)
    assert test.log_e <= 1e-9
    assert 0.0 <= test.log_peak < 1e-9


@pytest.mark.untraced
@given(batches, batches)
def test_two_shares_go_on_from_json(before: list[tuple[int, ...]], after: list[tuple[int, ...]]):
    """A test that was written and read goes on as the one that was not, and its peak never falls."""
    test = TwoShares()
    for batch in before:
        test.add(*batch)
    read = TwoShares.from_json(json.loads(json.dumps(test.to_json())))
    for batch in after:
        peak = test.log_peak
        test.add(*batch)
        read.add(*batch)
        assert test.log_peak >= max(peak, test.log_e)
    assert test == read


def outcomes_until_alarm(limit: float, share: float, seed: int, most: int = 1000) -> int | None:
    """How many outcomes it takes to find that a share is over a limit, looking every 5."""
    rng, test = np.random.default_rng(seed), OneShare(limit)
    while test.n < most:
        test.add(int(rng.binomial(5, share)), 5)
        if test.log_peak >= ALARM:
            return test.n
    return None


@pytest.mark.parametrize("limit", [0.02, 0.2])
def test_a_share_at_its_limit_is_found_over_it_less_often_than_alpha(limit: float):
    """At the very limit the test keeps its level, and below it even more so."""
    assert highest(300) >= sum(outcomes_until_alarm(limit, limit, seed) is not None for seed in range(300))
    assert 0 == sum(outcomes_until_alarm(limit, limit / 4, seed) is not None for seed in range(100))


def test_a_share_far_over_its_limit_is_found_soon():
    """10 % where 2 % are allowed, within 80 outcomes in the middle of 200 runs."""
    assert 80 >= median(outcomes_until_alarm(0.02, 0.1, seed) or math.inf for seed in range(200))


def test_a_limit_of_nought_is_broken_by_the_first_bad_outcome():
    """Good ones say nothing against it, and one bad one is proof, for good and in JSON."""
    test = OneShare(0.0)
    test.add(0, 100)
    assert 0.0 == test.log_peak
    test.add(1, 3)
    assert PROOF == test.log_peak
    assert test == OneShare.from_json(json.loads(json.dumps(test.to_json(), allow_nan=False)))


def test_a_limit_of_one_is_never_broken():
    """Nothing is more than everything."""
    test = OneShare(1.0)
    for _ in range(50):
        test.add(10, 10)
    assert 0.0 == test.log_peak


def test_a_limit_that_is_not_a_number_is_never_found_broken():
    """Nor does it poison the test."""
    test = OneShare(math.nan)
    test.add(5, 10)
    test.add(5, 10)
    assert (0.0, 0.0) == (test.log_e, test.log_peak)


@given(st.floats(0, 1), batches, batches)
def test_one_share_goes_on_from_json(limit: float, before: list[tuple[int, ...]], after: list[tuple[int, ...]]):
    """A test that was written and read goes on as the one that was not."""
    test = OneShare(limit)
    for bad, n, _, _ in before:
        test.add(bad, n)
    read = OneShare.from_json(json.loads(json.dumps(test.to_json(), allow_nan=False)))
    for bad, n, _, _ in after:
        test.add(bad, n)
        read.add(bad, n)
    assert test == read
