"""The CUSUM and the baseline it is judged against."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cusum import THRESHOLD, Cusum, FailingShare, hypotheses


def failures_needed(baseline: float) -> int:
    """How many failures in a row reach the threshold."""
    cusum, failures = Cusum(), 1
    while not cusum.add(True, baseline):
        failures += 1
    return failures


@pytest.mark.parametrize(("baseline", "failures"), [(0.0, 3), (0.005, 3), (0.02, 3), (0.1, 8), (0.3, 20)])
def test_an_outage_is_found_by_so_many_failures(baseline: float, failures: int):
    """The third in a row is enough beside a sound stable release, and it takes more the more that one fails."""
    assert failures == failures_needed(baseline)


def test_good_answers_take_evidence_back_down_to_zero():
    """The score falls with each success, never below zero, so old good days do not hide a new fault."""
    cusum = Cusum()
    cusum.add(True, 0.02)
    assert math.log(10) == pytest.approx(cusum.score)
    for _ in range(100):
        assert not cusum.add(False, 0.02)
    assert 0.0 == cusum.score


def test_three_failures_among_few_successes_are_not_enough():
    """One success between three failures keeps the score under the threshold."""
    cusum = Cusum()
    assert [False] * 4 == [cusum.add(failed, 0.02) for failed in (True, True, False, True)]
    assert THRESHOLD > cusum.score > 6.5


def blamed(baseline: float, failing: float) -> int:
    """How many of 100 releases that fail so often are found to within 500 outcomes."""
    found = 0
    for seed in range(100):
        rng, cusum = random.Random(seed), Cusum()
        found += any(cusum.add(rng.random() < failing, baseline) for _ in range(500))
    return found


def test_what_stable_suffers_too_is_not_blamed_on_a_release():
    """A release failing 10 % like stable is seldom found; beside a sound stable release it nearly always is."""
    assert blamed(0.1, failing=0.1) < 10
    assert blamed(0.005, failing=0.1) > 95


@given(st.floats(0, 1))
def test_the_hypotheses_are_apart_and_never_certain(baseline: float):
    """What is accepted stays within 2 and 50 %, and what is looked for above it and below certainty."""
    p0, p1 = hypotheses(baseline)
    assert 0.02 <= p0 <= 0.5
    assert p0 + 0.09 < p1 < 0.6
    assert pytest.approx(0.8 / 0.98) == (1 - p1) / (1 - p0)


def test_stable_is_taken_to_fail_two_percent_at_first():
    """Before anything is known of stable, its share is 2 %."""
    assert 0.02 == FailingShare().share


def test_the_share_follows_stable_and_forgets():
    """After 500 outcomes an old one counts half, so the share comes to what stable does now."""
    share = FailingShare()
    for _ in range(5000):
        share.add(True)
    assert pytest.approx(1.0, abs=0.01) == share.share
    for _ in range(500):
        share.add(False)
    assert pytest.approx(0.5, abs=0.01) == share.share
