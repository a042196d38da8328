"""Buckets: the published vectors, and the properties that make a split fair, sticky and independent."""

import json
import os
import subprocess
import sys
import unicodedata
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gateway.core import bucket
from gateway.core.bucket import (
    ALGORITHM,
    BUCKETS,
    Range,
    Salt,
    arm_ranges,
    experiment_salt,
    parts_per_million,
    return_salt,
    rollout_salt,
    rule_salt,
    shadow_salt,
)

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "bucket-v1.json").read_text(encoding="utf-8"))
UNITS = [f"user-{number}" for number in range(20_000)]


def members(salt: str, ppm: int) -> set[str]:
    """The units whose bucket is under `ppm`."""
    split = Salt(salt)
    return {unit for unit in UNITS if Range(0, ppm).holds(split.bucket(unit))}


def dependence(first: str, second: str) -> float:
    """The p-value of the hypothesis that being in 10 % by one salt says nothing about the other (chi-square, 2x2)."""
    one, other = members(first, 100_000), members(second, 100_000)
    both, neither = len(one & other), len(UNITS) - len(one | other)
    return float(stats.chi2_contingency([[both, len(one - other)], [len(other - one), neither]]).pvalue)


def test_the_vectors_are_of_this_algorithm():
    """The published vectors name the algorithm that is in use, and are many."""
    assert ALGORITHM == VECTORS["algorithm"]
    assert len(VECTORS["cases"]) >= 60


def test_vectors():
    """Each published case gives its bucket."""
    cases = VECTORS["cases"]
    assert cases == [{**case, "bucket": Salt(case["salt"]).bucket(case["unit"])} for case in cases]


@given(st.text(), st.text(st.characters(exclude_categories=[]), max_size=200))
def test_a_bucket_is_a_place_in_a_million(salt: str, unit: str):
    """Any text, lone surrogates included, has one bucket from 0 to 999,999."""
    salt = salt.encode("utf-8", "ignore").decode()
    bucket = Salt(salt).bucket(unit)
    assert 0 <= bucket < BUCKETS
    assert bucket == Salt(salt).bucket(unit)


@given(st.text(st.characters(codec="utf-8")))
def test_normal_forms_are_one_unit(unit: str):
    """A unit typed with composed or with combining characters is the same unit."""
    salt = Salt("normal forms")
    assert salt.bucket(unicodedata.normalize("NFC", unit)) == salt.bucket(unicodedata.normalize("NFD", unit))


def test_growth_keeps_everyone():
    """Whoever is in at 5 % is in at 25, 50 and 100 %: the salt knows nothing of percentages."""
    salt = rollout_salt("support", "1.0.0", "1.1.0", 1)
    sizes = [members(salt, parts_per_million(percent)) for percent in (5, 25, 50, 100)]
    assert all(before < after for before, after in pairwise(sizes))


@given(st.text(), st.integers(0, BUCKETS), st.integers(0, BUCKETS))
def test_growth_is_monotone_for_any_unit(unit: str, one: int, other: int):
    """A unit within the smaller of two shares is within the larger."""
    bucket = Salt("growth").bucket(unit)
    smaller, larger = sorted((one, other))
    assert Range(0, larger).holds(bucket) or not Range(0, smaller).holds(bucket)


def test_nothing_and_everything_are_exact():
    """0 % holds nobody and 100 % everybody, the last bucket too."""
    assert set() == members("any", parts_per_million(0))
    assert set(UNITS) == members("any", parts_per_million(100))
    assert Range(0, BUCKETS).holds(BUCKETS - 1)
    assert not Range(0, BUCKETS).holds(BUCKETS)


def test_buckets_are_uniform():
    """A hundred equal ranges get equal numbers of sequential units (chi-square)."""
    salt = Salt(rollout_salt("support", "1.0.0", "1.1.0", 1))
    found = [0] * 100
    for unit in UNITS:
        found[salt.bucket(unit) * 100 // BUCKETS] += 1
    assert stats.chisquare(found).pvalue > 0.001


@pytest.mark.parametrize(
    "second",
    [
        rollout_salt("support", "1.0.0", "1.1.0", 2),
        rollout_salt("support", "1.0.0", "1.1.1", 1),
        rollout_salt("supporu", "1.0.0", "1.1.0", 1),
        rollout_salt("support", "1.1.0", "1.0.0", 1),
        experiment_salt("support", "1.0.0"),
        shadow_salt("support", "1.1.0"),
        rule_salt("support", 1),
        return_salt("support", "1.1.0"),
    ],
)
def test_near_identical_names_split_independently(second: str):
    """Being in one split says nothing about another, however alike their names are."""
    assert dependence(rollout_salt("support", "1.0.0", "1.1.0", 1), second) > 0.001


def test_the_test_of_independence_finds_dependence():
    """The chi-square that finds independence above does reject a split against itself."""
    assert dependence("same", "same") < 1e-9


def test_every_kind_of_split_has_its_own_salt():
    """Salts of the same names differ by kind, so a gate and what it lets through are never correlated."""
    salts = {
        rollout_salt("r", "1", "2", 1),
        rollout_salt("r", "1", "2", 2),
        experiment_salt("r", "1"),
        shadow_salt("r", "1"),
        rule_salt("r", 1),
        return_salt("r", "1"),
    }
    assert 6 == len(salts)
    assert "v1/rollout/r/1/2/1" in salts


def test_a_name_may_not_hold_the_separator():
    """Two different sets of names can never make one salt."""
    with pytest.raises(ValueError, match="slash"):
        experiment_salt("route/a", "b")


def test_other_processes_agree():
    """A process with another hash seed gives the same buckets."""
    code = "from gateway.core.bucket import Salt; s = Salt('p'); print([s.bucket(f'u{n}') for n in range(20)])"
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    salt = Salt("p")
    assert {str([salt.bucket(f"u{n}") for n in range(20)])} == printed


def test_a_salt_is_a_value():
    """Salts are equal by their text, can be keys, do not change, and show their text."""
    assert Salt("a") == Salt("a") != Salt("b")
    assert 1 == len({Salt("a"), Salt("a")})
    assert "Salt(text='a')" == repr(Salt("a"))
    with pytest.raises(AttributeError):
        Salt("a").text = "b"


def test_a_salt_is_prepared_once():
    """The same text gives the same object, which splits as one that is made anew."""
    assert bucket.salt("v1/rollout/desk/1/2/1") is bucket.salt("v1/rollout/desk/1/2/1")
    assert bucket.salt("a") == Salt("a") != bucket.salt("b")
    assert [Salt("a").bucket(f"u{n}") for n in range(20)] == [bucket.salt("a").bucket(f"u{n}") for n in range(20)]


@pytest.mark.parametrize(
    ("percent", "ppm"),
    [
        (0, 0),
        (100, 1_000_000),
        (5, 50_000),
        (0.1, 1_000),
        (33.3333, 333_333),
        (0.0001, 1),
        ("12.5", 125_000),
        ("1e1", 100_000),
        (Decimal("99.9999"), 999_999),
        (-0.0, 0),
    ],
)
def test_percents_are_exact(percent: float | Decimal | str, ppm: int):
    """A percent with up to four decimals is a whole number of millionths."""
    assert ppm == parts_per_million(percent)


@given(st.integers(0, BUCKETS))
def test_every_share_can_be_written_as_a_percent(ppm: int):
    """Floats round nothing: all million and one shares come back from their percent."""
    assert ppm == parts_per_million(ppm / 10_000)


@pytest.mark.parametrize(
    "percent", [-1, 100.0001, 101, 0.00001, "1.00001", "ten", "", "nan", float("inf"), True, "1e999999"]
)
def test_what_is_no_percent_is_refused(percent: float | str):
    """Out of range, too fine, or no number: an error that says what to write."""
    with pytest.raises(ValueError, match="write"):
        parts_per_million(percent)


def test_two_arms_grow_towards_each_other():
    """With two arms, one may grow and the other shrink without moving a unit between them."""
    assert [Range(0, 100_000), Range(800_000, 1_000_000)] == arm_ranges([100_000, 200_000])
    assert [Range(0, 500_000), Range(500_000, 1_000_000)] == arm_ranges([500_000, 500_000])
    assert [Range(0, 300_000)] == arm_ranges([300_000])
    assert [] == arm_ranges([])


def test_three_arms_keep_their_starts_when_all_grow_in_proportion():
    """Growing all arms by the same factor moves nobody from one arm to another."""
    small, large = arm_ranges([10_000, 10_000, 20_000]), arm_ranges([250_000, 250_000, 500_000])
    assert [0, 250_000, 500_000] == [held.start for held in small] == [held.start for held in large]
    assert [10_000, 10_000, 20_000] == [held.end - held.start for held in small]


@given(st.lists(st.integers(0, 200_000), max_size=5))
def test_arms_have_their_shares_and_never_overlap(shares: list[int]):
    """Each arm's range is as large as its share, within the million, and apart from the others'."""
    ranges = arm_ranges(shares)
    assert shares == [held.end - held.start for held in ranges]
    edges = [edge for held in ranges for edge in (held.start, held.end)]
    assert sorted(edges) == edges
    assert all(0 <= edge <= BUCKETS for edge in edges)


@pytest.mark.parametrize("shares", [[500_000, 500_001], [400_000, 400_000, 400_000], [-1, 5]])
def test_arms_share_at_most_everything(shares: list[int]):
    """Shares that cannot all be reserved are refused."""
    with pytest.raises(ValueError, match="arms"):
        arm_ranges(shares)
