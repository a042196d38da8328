"""The evidence of a step."""

import json
import math
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.evidence import Evidence, unit_of
from gateway.core.outcome import Outcome
from gateway.core.plan import Criterion
from gateway.core.record import Record, Tried
from gateway.core.sequential import OneShare, TwoShares
from gateway.core.tally import Tally
from tests.core.evidence_records import CANDIDATE, SINCE, STABLE, answered, failed_over

ERRORS = Criterion("error_rate", max_delta=0.02)
SLOW = Criterion("slow_rate", over=1.0, max_delta=0.05)
CRITERIA = (
    ERRORS,
    SLOW,
    Criterion("error_rate", max=0.05),
    Criterion("schema_valid", min=0.98),
    Criterion("cost_per_request", max_ratio=1.2),
    Criterion("feedback.rating", max_delta=0.1),
)


def evidence(
    track="canary", *, criteria=CRITERIA, weights=(0.95, 0.05), baseline=None, alpha=0.05, looks=1
) -> Evidence:
    """The evidence of a step."""
    return Evidence(
        criteria,
        stable=STABLE,
        candidate=CANDIDATE,
        track=track,
        alpha=alpha,
        looks=looks,
        weights=weights,
        baseline=baseline,
    )


def test_each_side_is_that_of_the_first_attempt():
    """A canary's request is the candidate's and stable's is stable's."""
    step = evidence()
    step.hear(answered("stable", 1))
    step.hear(answered("canary", 2))
    step.hear(answered("canary", 3, "failed"))
    assert (1, 0, 2, 1) == (step.stable.judged, step.stable.failed, step.candidate.judged, step.candidate.failed)
    assert (1, 2) == (step.stable.units, step.candidate.units)
    assert SINCE + 1 == step.candidate.newest_at


def test_a_request_that_stable_answered_for_the_candidate_is_its_failure_once():
    """Neither a success of stable's nor an answer of anybody's: its seconds and its cost are of both together."""
    step = evidence()
    step.hear(failed_over(1))
    assert (1, 1) == (step.candidate.failed, step.candidate.judged)
    assert 0 == step.candidate.seconds.count == step.candidate.slow[1.0].n == step.candidate.cost.n
    assert 0 == step.stable.judged == step.stable.seconds.count


def test_stables_retry_does_not_flatter_it():
    """Its first attempt failed, whatever the second did."""
    step = evidence()
    attempts = (Tried(STABLE, "stable", "failed", 503), Tried(STABLE, "stable", "ok", 200))
    step.hear(answered("stable", 1, attempts=attempts))
    assert (1, 1) == (step.stable.failed, step.stable.judged)
    assert 1 == step.stable.seconds.count


@pytest.mark.parametrize("outcome", ["client_fault", "cancelled", "rate_limited", "gateway_fault"])
def test_what_is_nobodys_doing_is_counted_and_not_judged(outcome: str):
    """Of either side."""
    step = evidence()
    step.hear(answered("canary", 1, outcome))
    step.look()
    assert 0 == step.candidate.judged
    assert 1 == step.candidate.counts[outcome]


@pytest.mark.parametrize(
    "record",
    [
        answered("canary", 1, split=None),
        answered("stable", 1, split=None),
        answered("shadow", 1),
        answered("rule", 1),
        answered("forced", 1),
        answered("arm", 1),
        answered("canary", 1, attempts=()),
        answered("canary", 1, "failed", attempts=(Tried(CANDIDATE, "canary", "failed", 503, excused=True),)),
        answered("canary", 1, attempts=(Tried("0.9.0", "canary", "ok", 200),)),
        answered("stable", 1, attempts=(Tried("0.9.0", "stable", "ok", 200),)),
        answered("stable", 1, attempts=(Tried(STABLE, "fallback", "ok", 200),)),
    ],
)
def test_what_is_not_of_the_split_is_ignored(record: Record):
    """A late result, a request without a unit, a shadow, a rule, a forced release, another version."""
    step, untouched = evidence(), evidence()
    step.hear(record)
    assert untouched.to_json() == step.to_json()


def test_a_shadow_is_compared_with_stables_first_attempts():
    """With or without a unit; and a canary's record is no shadow."""
    step = evidence("shadow")
    step.hear(answered("shadow", 1, unit_digest=None, first_token_seconds=None))
    step.hear(answered("stable", 2, bucket=None, unit_digest=None))
    step.hear(answered("canary", 3))
    assert (1, 1) == (step.stable.judged, step.candidate.judged)
    assert step.sample_ratio is None


def test_a_shadow_is_slow_by_its_end_as_stable_is_then():
    """A shadow is read as a whole, so a first token would be compared with an end."""
    step = evidence("shadow")
    step.hear(answered("shadow", 1, unit_digest=None, first_token_seconds=None, seconds=1.5))
    step.hear(answered("stable", 2, first_token_seconds=0.2, seconds=1.5))
    assert 1 == step.stable.slow[1.0].bad == step.candidate.slow[1.0].bad


def test_both_sides_of_a_shadow_count_each_request():
    """A shadow has no unit; to cap stable's busy units alone would compare another mix of them."""
    step = evidence("shadow")
    for number in range(30):
        step.hear(answered("shadow", number, unit_digest=None))
        step.hear(answered("stable", 7, request_id=f"other-{number}"))
    assert (30, 30) == (step.stable.judged, step.candidate.judged)


def test_an_arm_is_of_the_side_that_the_caller_names():
    """Since only the caller knows which arm is compared with which."""
    step = evidence("arm")
    step.hear(answered("arm", 1), "candidate")
    step.hear(answered("arm", 2), "stable")
    step.hear(answered("arm", 3))
    assert (1, 1) == (step.stable.judged, step.candidate.judged)
    assert 1 == step.candidate.seconds.count


def test_a_stream_is_slow_by_its_first_token():
    """Anything else by its end."""
    step = evidence()
    step.hear(answered("canary", 1, first_token_seconds=0.2, seconds=9.0))
    step.hear(answered("canary", 2, first_token_seconds=None, seconds=9.0))
    assert (1, 2) == (step.candidate.slow[1.0].bad, step.candidate.slow[1.0].n)


def test_an_answer_shows_cost_tokens_and_schema():
    """Cost in dollars, tokens of both kinds; what is not known is left out."""
    step = evidence()
    step.hear(answered("canary", 1, schema_valid=False))
    step.hear(answered("canary", 2, schema_valid=None, cost_nano_usd=None, input_tokens=None))
    assert (1, pytest.approx(0.0035), 1) == (
        step.candidate.cost.n,
        step.candidate.cost.mean,
        step.candidate.cost_unknown,
    )
    assert (1, 1100) == (step.candidate.tokens.n, step.candidate.tokens.mean)
    assert (1, 1) == (step.candidate.schema.bad, step.candidate.schema.n)


def test_a_count_of_tokens_is_no_answer():
    """It costs nothing and is fast, and would dilute what answers show; that it failed counts."""
    step = evidence()
    step.hear(answered("canary", 1, endpoint="count_tokens"))
    step.hear(answered("canary", 2, "failed", endpoint="count_tokens"))
    assert (1, 2, 0, 0) == (
        step.candidate.failed,
        step.candidate.judged,
        step.candidate.cost.n,
        step.candidate.seconds.count,
    )


def test_feedback_is_finite_and_of_this_step():
    """A rating from before it, and one that is not a number, are none."""
    step = evidence()
    step.hear_feedback("candidate", "rating", 1.0, 1)
    step.hear_feedback("stable", "rating", 0.5, 1)
    step.hear_feedback("candidate", "rating", math.nan, 1)
    assert (1, 1) == (step.candidate.feedback["rating"].n, step.stable.feedback["rating"].n)


def test_a_request_without_a_unit_is_one_of_its_own():
    """What says whose feedback it is."""
    mine = answered("canary", 1)
    assert unit_of(mine) == unit_of(replace(mine, request_id="another"))
    alone = [unit_of(replace(mine, request_id=request_id, unit_digest=None)) for request_id in ("a", "b", "a")]
    assert alone[0] == alone[2] != alone[1]


def test_a_look_is_one_batch_and_a_second_one_adds_nothing():
    """The tests hear of every outcome once."""
    step = evidence()
    for unit in range(50):
        step.hear(answered("canary" if unit % 5 == 0 else "stable", unit, "failed" if unit % 7 == 0 else "ok"))
    step.look()
    written = step.to_json()
    step.look()
    assert written == step.to_json()
    test = step.watches[ERRORS].relative
    assert isinstance(test, TwoShares)
    assert (40, 10) == (test.stable_n, test.candidate_n)
    absolute = step.watches[CRITERIA[2]].absolute
    assert absolute is not None
    assert (0.05, 10) == (absolute.limit, absolute.n)


def baseline(failed: int = 5, n: int = 1000) -> Tally:
    """What stable had shown before."""
    tally = Tally([1.0])
    for unit in range(n):
        tally.add(Outcome.failed if unit < failed else Outcome.ok, unit, 1.0, None)
    return tally


def test_without_stables_requests_its_baseline_is_the_limit():
    """The upper bound of what it showed, so that the test stays one of "not above"."""
    step = evidence(baseline=baseline())
    test = step.watches[ERRORS].relative
    assert isinstance(test, OneShare)
    assert 0.005 < test.limit < 0.011
    for turn in range(10):
        for unit in range(10):
            step.hear(answered("canary", turn * 10 + unit, "failed" if unit < 2 else "ok"))
        step.look()
    assert test.log_peak > math.log(100)
    assert 1000 == step.compared.judged
    without = evidence(baseline=Tally()).watches[ERRORS].relative
    assert isinstance(without, OneShare)
    assert 0.99 < without.limit < 1


def test_the_sample_ratio_is_of_units():
    """A busy unit is one; the right split of units is none too many, and a wrong one is found."""
    step = evidence(weights=(0.5, 0.5))
    for unit in range(400):
        for _ in range(20 if unit == 0 else 1):
            step.hear(answered("canary" if unit % 2 else "stable", unit))
    step.look()
    assert step.sample_ratio is not None
    assert [200, 200] == step.sample_ratio.counts
    assert 1.0 == step.sample_ratio.p
    for unit in range(400, 1600):
        step.hear(answered("canary" if unit % 5 else "stable", unit))
    step.look()
    assert step.sample_ratio.p < 0.001


@pytest.mark.untraced
def test_busy_units_are_no_sample_ratio_mismatch():
    """Heavy-tailed use at 5 to 95 stays at its level of 0.1 %, where counts of requests would not."""
    lowest = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weight, in_canary = rng.pareto(1.2, 600) + 0.05, rng.random(600) < 0.05
        step = evidence(criteria=())
        for unit in rng.choice(600, 1500, p=weight / weight.sum()):
            step.hear(answered("canary" if in_canary[unit] else "stable", int(unit)))
        step.look()
        assert step.sample_ratio is not None
        lowest.append(step.sample_ratio.p)
    assert min(lowest) > 0.001


def canary_until_alarm(shares: tuple[float, float], seed: int, most: int = 200) -> float:
    """The canary's requests until the error rate's test alarms, at 5 to 95 with a look every 100 requests."""
    rng, step, unit = np.random.default_rng(seed), evidence(criteria=(ERRORS,)), 0
    test = step.watches[ERRORS].relative
    assert isinstance(test, TwoShares)
    while step.candidate.judged < most:
        for is_canary, chance in rng.random((100, 2)):
            track = "canary" if is_canary < 0.05 else "stable"
            step.hear(answered(track, unit, "failed" if chance < shares[track == "canary"] else "ok"))
            unit += 1
        step.look()
        if test.log_peak >= math.log(20):
            return step.candidate.judged
    return math.inf


@pytest.mark.untraced
def test_a_canary_that_fails_ten_percent_is_found_within_sixty_requests():
    """From records to alarm, in the middle of 25 runs."""
    assert 60 >= median(canary_until_alarm((0.01, 0.1), seed) for seed in range(25))


records = st.builds(
    answered,
    st.sampled_from(["stable", "canary", "arm", "shadow"]),
    st.integers(0, 30),
    st.sampled_from([outcome.value for outcome in Outcome]),
    seconds=st.floats(0.01, 20),
    first_token_seconds=st.none() | st.floats(0.01, 20),
    schema_valid=st.none() | st.booleans(),
    cost_nano_usd=st.none() | st.integers(0, 10**9),
) | st.builds(failed_over, st.integers(0, 30))
events = st.lists(st.none() | records, max_size=25)


def play(step: Evidence, heard) -> None:
    """Hear records, and look where there is None."""
    for record in heard:
        if record is None:
            step.look()
        else:
            step.hear(record, "candidate" if record.release == CANDIDATE else "stable")
            step.hear_feedback("candidate", "rating", record.seconds, unit_of(record))


@given(st.sampled_from(["canary", "shadow", "arm"]), st.booleans(), events, events)
@settings(max_examples=60, deadline=None)
def test_evidence_goes_on_from_json(track, based: bool, before, after):
    """A checkpoint that survives a kill leaves no trace in what follows."""
    step = evidence(track, baseline=baseline(n=20) if based else None)
    play(step, before)
    read = Evidence.from_json(json.loads(json.dumps(step.to_json(), allow_nan=False)))
    play(step, after)
    play(read, after)
    step.look()
    read.look()
    assert step.to_json() == read.to_json()
    assert step.compared.judged == read.compared.judged


def test_a_checkpoint_is_small():
    """Whatever was heard: under 150 KB."""
    step = evidence()
    for unit in range(12_000):
        step.hear(answered("canary" if unit % 2 else "stable", unit, seconds=unit % 977 / 7 + 0.01))
    step.look()
    assert 150_000 > len(json.dumps(step.to_json()))


def test_what_a_step_has_shown_is_not_forgotten_in_the_next():
    """Evidence that is too little in each of two steps is enough in both together."""
    first, second, alone = (evidence(alpha=0.001, looks=4) for _ in range(3))

    def fail(step: Evidence, units: range) -> None:
        for unit in units:
            step.hear(answered("stable", unit))
            step.hear(answered("canary", unit, "failed"))
            step.look()

    fail(first, range(5))
    second.go_on_from(first)
    fail(second, range(5, 10))
    fail(alone, range(5, 10))
    assert [False, True, False] == [step.watches[ERRORS].may_alarm(0.001) for step in (first, second, alone)]


def test_the_tests_of_a_rollout_share_its_error_level():
    """Each step's own test has a part of the fifth that they share, and the whole's the rest; alone it is all."""
    for looks, expected in ((1, 0.0), (4, math.log(0.7 + 0.3 / 4))):
        step = evidence(looks=looks)
        for unit in range(20):
            step.hear(answered("stable", unit))
            step.hear(answered("canary", unit, "failed"))
            step.look()
        watch = step.watches[ERRORS]
        assert pytest.approx(watch.relative.log_peak + expected) == watch.relative_peak
        assert pytest.approx(watch.relative.log_peak) == watch.whole.log_peak
