"""A tally of what one side has shown."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.observation import Answer
from gateway.core.outcome import Outcome
from gateway.core.tally import MOST_FEEDBACK_NAMES, Tally
from gateway.core.unit_cells import UnitCells

GOOD = Answer(seconds=2.0, pace=0.5, first_token_seconds=0.5, cost=0.01, tokens=100, schema_valid=True)

answers = st.none() | st.builds(
    Answer,
    seconds=st.floats(0.01, 100),
    pace=st.floats(0.01, 100),
    first_token_seconds=st.none() | st.floats(0.01, 100),
    cost=st.none() | st.floats(0, 1),
    tokens=st.none() | st.integers(0, 10_000),
    schema_valid=st.none() | st.booleans(),
)
events = st.lists(st.tuples(st.sampled_from(Outcome), st.integers(0, 1 << 64), st.floats(0, 1e9), answers), max_size=30)


def of(heard, *, overs=(1.0, 5.0), names=()) -> Tally:
    """The tally of these outcomes."""
    tally = Tally(overs, names)
    for event in heard:
        tally.add(*event)
    return tally


def test_only_what_a_release_did_is_judged():
    """A client's fault, a cancelled request, a rate limit and the gateway's own fault are counted and not judged."""
    tally = of([(outcome, number, 1.0, None) for number, outcome in enumerate(Outcome)])
    assert (3, 1) == (tally.judged, tally.failed)
    assert {outcome.value: 1 for outcome in Outcome} == tally.counts


def test_a_unit_counts_five_times_in_all_that_is_judged():
    """In shares and means; the counts and the sketches show everything."""
    tally = of([(Outcome.ok, 7, 1.0, GOOD)] * 15)
    assert 5 == tally.judged == tally.slow[1.0].n == tally.schema.n == tally.cost.n == tally.tokens.n
    assert 15 == tally.counts["ok"] == tally.seconds.count == tally.first_token_seconds.count
    assert 1 == tally.units


def test_a_failure_is_no_answer_and_not_slow():
    """What took its time and failed counts once, as a failure."""
    tally = of([(Outcome.failed, 1, 1.0, None), (Outcome.slow, 2, 1.0, GOOD)])
    assert (1, 2) == (tally.failed, tally.judged)
    assert 1 == tally.slow[1.0].n


def test_slow_is_over_the_threshold_and_what_is_no_number():
    """Exactly at it is not over; NaN never counts as healthy."""
    paces = (0.5, 1.0, 1.5, 6.0, math.nan)
    tally = of([(Outcome.ok, n, 1.0, Answer(seconds=pace, pace=pace)) for n, pace in enumerate(paces)])
    assert [(3, 5), (2, 5)] == [(share.bad, share.n) for share in tally.slow.values()]
    assert 4 == tally.seconds.count


def test_an_unknown_cost_is_not_nought():
    """Nor is one that is not a number."""
    tally = of([(Outcome.ok, n, 1.0, Answer(1.0, 1.0, cost=cost)) for n, cost in enumerate((None, math.nan, 0.5))])
    assert (1, 0.5, 2) == (tally.cost.n, tally.cost.mean, tally.cost_unknown)


def test_metrics_are_found_by_name():
    """Shares by their bad outcomes, means by their numbers, and nothing for what nobody knows."""
    tally = of([(Outcome.ok, 1, 1.0, GOOD)], names=["rating"])
    tally.add_feedback("rating", 4.0, 1)
    shares = [tally.share(name, 1.0) for name in ("error_rate", "slow_rate", "schema_valid")]
    assert [(0, 1)] * 3 == [(share.bad, share.n) for share in shares if share is not None]
    unknown = tally.share("slow_rate", 9.0)
    assert unknown is not None
    assert 0 == unknown.n
    assert tally.share("cost_per_request") is None
    means = ("cost_per_request", "tokens_per_request", "feedback.rating", "feedback.other", "rating", "nonsense")
    assert [0.01, 100, 4.0, 0, 0, 0] == [tally.mean(name).mean for name in means]


def test_feedback_is_of_at_most_twenty_names():
    """Those that were asked for are always among them."""
    tally = Tally(names=["wanted"])
    for number in range(50):
        tally.add_feedback(f"name-{number}", 1.0, 1)
    tally.add_feedback("wanted", 1.0, 1)
    assert MOST_FEEDBACK_NAMES == len(tally.feedback)
    assert 1 == tally.feedback["wanted"].n
    other = Tally()
    other.add_feedback("more", 1.0, 1)
    tally.merge(other)
    assert MOST_FEEDBACK_NAMES == len(tally.feedback)


def test_a_unit_counts_five_times_for_each_name_of_feedback():
    """However often it is said, before and after it was written down; another unit has its own five."""
    tally = Tally()
    for _ in range(20):
        for unit, name, rating in ((1, "rating", 1.0), (2, "rating", 0.0), (1, "resolved", 1.0)):
            tally.add_feedback(name, rating, unit)
        tally = Tally.from_json(json.loads(json.dumps(tally.to_json())))
    assert (10, 0.5, 5) == (tally.feedback["rating"].n, tally.feedback["rating"].mean, tally.feedback["resolved"].n)
    assert (0, 0) == (tally.judged, tally.units)


def test_a_merged_tally_knows_whose_feedback_it_has():
    """A unit that has had its say has had it."""
    tally, other = Tally(), Tally()
    for _ in range(5):
        other.add_feedback("rating", 1.0, 1)
    tally.merge(other)
    tally.add_feedback("rating", 1.0, 1)
    assert 5 == tally.feedback["rating"].n


def plain(tally: Tally) -> dict:
    """A tally's JSON, with sums that floating point may round otherwise left to `approx`."""
    written = tally.to_json()
    return {
        name: pytest.approx(value, rel=1e-6, abs=1e-9) if name in {"cost", "tokens"} else value
        for name, value in written.items()
    }


@pytest.mark.untraced
@given(events, events)
@settings(max_examples=60)
def test_merged_tallies_are_those_of_all_outcomes(first, second):
    """Where no unit is over its cap."""
    tally, other = of(first), of(second)
    for side in (tally, other):
        side.add_feedback("rating", 1.0, 1)
    tally.merge(other)
    assert 2 == tally.feedback.pop("rating").n
    tally.feedback_cells = UnitCells()
    if max(Counter(unit for _, unit, *_ in (*first, *second)).values(), default=0) <= 5:
        assert plain(of([*first, *second])) == tally.to_json()


def test_a_threshold_that_only_one_knows_keeps_its_own_denominator():
    """So that a share over 5 s is not of outcomes that were never measured by it."""
    tally = of([(Outcome.ok, 1, 1.0, GOOD)], overs=[1.0])
    tally.merge(of([(Outcome.ok, 2, 1.0, GOOD)], overs=[1.0, 5.0]))
    assert {1.0: 2, 5.0: 1} == {over: share.n for over, share in tally.slow.items()}


@given(events, events)
@settings(max_examples=60)
def test_a_tally_goes_on_from_json(before, after):
    """As if it had not been written."""
    tally = of(before, names=["rating"])
    read = Tally.from_json(json.loads(json.dumps(tally.to_json(), allow_nan=False)))
    for event in after:
        tally.add(*event)
        read.add(*event)
    tally.add_feedback("rating", 0.5, 1)
    read.add_feedback("rating", 0.5, 1)
    assert tally.to_json() == read.to_json()
    assert tally.units == read.units


def test_a_tally_is_small_however_much_it_has_heard():
    """Its JSON stays under 35 KB."""
    tally = Tally([1.0])
    for number in range(30_000):
        unit = number * 0x9E3779B97F4A7C15 % (1 << 64)
        tally.add(Outcome.ok, unit, 1.0, Answer(number % 977 / 7 + 0.01, 1.0, cost=0.1))
        tally.add_feedback(f"name-{number % 25}", number / 7, unit)
    assert 35_000 > len(json.dumps(tally.to_json()))
