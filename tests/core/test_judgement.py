"""What the evidence comes to, in a verdict and a sentence."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.evidence import Evidence
from gateway.core.judgement import Finding, Verdict, breaches, findings, judge
from gateway.core.moments import Moments
from gateway.core.observation import Answer
from gateway.core.outcome import Outcome
from gateway.core.plan import Criterion
from gateway.core.tally import Tally
from tests.core.evidence_records import CANDIDATE, SINCE, STABLE, answered

DELTA = Criterion("error_rate", max_delta=0.02)
RATIO = Criterion("error_rate", max_ratio=1.5)
MOST = Criterion("error_rate", max=0.05)


def evidence(*criteria: Criterion, alpha: float = 0.01, baseline: Tally | None = None) -> Evidence:
    """A canary's evidence for these criteria."""
    return Evidence(criteria, stable=STABLE, candidate=CANDIDATE, track="canary", alpha=alpha, baseline=baseline)


def steady(step: Evidence, stable: tuple[int, int], candidate: tuple[int, int], looks: int = 20, **changes) -> None:
    """Let each side fail so many of so many at every look."""
    unit = 0
    for _ in range(looks):
        for track, (failed, n) in (("stable", stable), ("canary", candidate)):
            for at in range(n):
                unit += 1
                step.hear(answered(track, unit, "failed" if at < failed else "ok", **changes))
        step.look()


def judged(criterion: Criterion, stable: tuple[int, int], candidate: tuple[int, int], looks: int = 20) -> Finding:
    """The finding after that."""
    step = evidence(criterion)
    steady(step, stable, candidate, looks)
    return judge(step, criterion, "guardrail")


@pytest.mark.parametrize(
    ("criterion", "stable", "candidate", "verdict"),
    [
        (DELTA, (1, 50), (2, 10), Verdict.breach),
        (DELTA, (1, 100), (1, 100), Verdict.within),
        (DELTA, (0, 95), (0, 5), Verdict.inconclusive),
        (DELTA, (0, 95), (0, 10), Verdict.within),
        (RATIO, (1, 50), (2, 10), Verdict.breach),
        (RATIO, (20, 100), (20, 100), Verdict.within),
        (RATIO, (0, 50), (0, 10), Verdict.inconclusive),
        (RATIO, (0, 50), (2, 10), Verdict.breach),
        (MOST, (0, 1), (2, 10), Verdict.breach),
        (MOST, (0, 1), (0, 10), Verdict.within),
        (MOST, (0, 1), (1, 20), Verdict.inconclusive),
        (Criterion("error_rate", max=0.0), (0, 1), (1, 20), Verdict.breach),
        (Criterion("error_rate", max=0.0), (0, 1), (0, 20), Verdict.inconclusive),
    ],
)
def test_a_share_is_over_its_limit_beyond_chance_or_surely_under_it(criterion, stable, candidate, verdict):
    """Or neither is known yet."""
    finding = judged(criterion, stable, candidate)
    assert verdict is finding.verdict, finding.rule


def test_a_breach_is_worse_beyond_chance_and_by_more_than_allowed():
    """Three points above stable, surely: over a limit of two, and not over one of five."""
    sure = judged(Criterion("error_rate", max_delta=0.02), (1, 100), (4, 100))
    assert Verdict.breach is sure.verdict
    allowed = judged(Criterion("error_rate", max_delta=0.05), (1, 100), (4, 100))
    assert Verdict.within is allowed.verdict
    assert allowed.e_value > allowed.threshold


def test_a_breach_says_why():
    """With the e-value, what it needed, the distance and what was allowed."""
    finding = judged(DELTA, (1, 50), (2, 10))
    assert finding.rule.startswith("worse beyond chance (e-value ")
    assert finding.rule.endswith(" of 100 needed) and 18.0 points above stable, 2.0 allowed")
    assert (0.02, 0.2, 1000, 200) == (finding.stable, finding.candidate, finding.stable_n, finding.candidate_n)
    assert finding.bound > 0.18
    assert pytest.approx(100) == finding.threshold
    assert (1000, 200) == (pytest.approx(finding.stable_units, rel=0.02), finding.candidate_units)


def test_no_failures_say_what_they_exclude():
    """None of 120 is not a proof of none."""
    finding = judged(DELTA, (0, 95), (0, 6))
    assert finding.rule.endswith("0 of 120 failed, which excludes more than 2.5 %")


@given(
    st.sampled_from(
        [DELTA, RATIO, Criterion("slow_rate", over=1.0, max_delta=0.01), Criterion("schema_valid", max_delta=0.01)]
    ),
    st.integers(0, 10),
    st.integers(0, 10),
    st.integers(1, 30),
)
@settings(max_examples=40, deadline=None)
def test_the_direction_is_never_inverted(criterion: Criterion, bad: int, better: int, looks: int):
    """A candidate that is no worse than stable at every look is never in breach, whatever the metric."""
    step, unit = evidence(criterion, alpha=0.2), 0
    for _ in range(looks):
        for track, count in (("stable", bad), ("canary", min(bad, better))):
            for at in range(10):
                unit += 1
                wrong = at < count
                outcome = "failed" if wrong and criterion.metric == "error_rate" else "ok"
                pace = 5.0 if wrong else 0.1
                step.hear(answered(track, unit, outcome, first_token_seconds=pace, schema_valid=not wrong))
        step.look()
    assert Verdict.breach is not judge(step, criterion, "guardrail").verdict


@pytest.mark.untraced
def test_equal_releases_are_seldom_in_breach():
    """Judged at every look at 5 to 95, with a delta of nought: no more than alpha of 100 runs, plus two deviations."""
    criterion, alarms = Criterion("error_rate", max_delta=0.0), 0
    for seed in range(100):
        rng, step, unit = np.random.default_rng(seed), evidence(criterion, alpha=0.05), 0
        for _ in range(12):
            for is_canary, chance in rng.random((100, 2)):
                unit += 1
                track, outcome = "canary" if is_canary < 0.05 else "stable", "failed" if chance < 0.03 else "ok"
                side = step.stable if track == "stable" else step.candidate
                side.add(Outcome(outcome), unit, SINCE, None)
            step.look()
        alarms += judge(step, criterion, "guardrail").verdict is Verdict.breach
    assert 100 * 0.05 + 2 * math.sqrt(100 * 0.05 * 0.95) >= alarms


def means(metric: str, limits: dict[str, float], stable: Moments, candidate: Moments, **more) -> Finding:
    """The finding of a metric of a mean."""
    criterion = Criterion(metric, **limits)
    step = evidence(criterion, alpha=0.05, **more)
    for side, moments in ((step.compared, stable), (step.candidate, candidate)):
        if metric == "cost_per_request":
            side.cost = moments
        elif metric == "tokens_per_request":
            side.tokens = moments
        else:
            side.feedback[metric.removeprefix("feedback.")] = moments
    return judge(step, criterion, "signal")


def sample(n: int, mean: float, deviation: float) -> Moments:
    """Numbers of this mean and deviation."""
    return Moments(n, mean, deviation**2 * (n - 1))


@pytest.mark.parametrize(
    ("metric", "limits", "stable", "candidate", "verdict"),
    [
        ("cost_per_request", {"max_ratio": 1.2}, sample(4000, 0.01, 0.005), sample(400, 0.02, 0.01), Verdict.breach),
        ("cost_per_request", {"max_ratio": 1.5}, sample(4000, 0.01, 0.005), sample(400, 0.01, 0.005), Verdict.within),
        ("cost_per_request", {"max_ratio": 1.5}, sample(4000, 0.01, 0.005), sample(400, 0.002, 0.01), Verdict.within),
        ("cost_per_request", {"max_ratio": 1.1}, sample(40, 0.01, 0.01), sample(4, 0.02, 0.01), Verdict.inconclusive),
        ("tokens_per_request", {"max_delta": 50}, sample(4000, 500, 300), sample(400, 700, 300), Verdict.breach),
        ("tokens_per_request", {"max": 600}, sample(1, 0, 0), sample(400, 800, 300), Verdict.breach),
        ("tokens_per_request", {"max": 900}, sample(1, 0, 0), sample(400, 600, 300), Verdict.within),
        ("feedback.rating", {"max_delta": 0.1}, sample(4000, 0.9, 0.3), sample(400, 0.6, 0.5), Verdict.breach),
        ("feedback.rating", {"max_delta": 0.2}, sample(4000, 0.7, 0.45), sample(400, 0.9, 0.3), Verdict.within),
        ("feedback.rating", {"min": 0.8}, sample(1, 0, 0), sample(400, 0.5, 0.5), Verdict.breach),
        ("feedback.rating", {"min": 0.5}, sample(1, 0, 0), sample(400, 0.8, 0.4), Verdict.within),
        ("feedback.rating", {"min": 0.8}, sample(1, 0, 0), sample(5, 1.0, 0.0), Verdict.inconclusive),
        ("feedback.rating", {"max_delta": 0.1}, sample(9, 0, 0), sample(2, 0, 0), Verdict.inconclusive),
        ("cost_per_request", {"max_ratio": 1.5}, sample(900, 0, 0), sample(90, 0, 0), Verdict.inconclusive),
    ],
)
def test_a_mean_is_judged_by_its_sequence(metric, limits, stable, candidate, verdict):
    """Over its limit, under it, or not known yet; feedback is better when it is higher."""
    finding = means(metric, limits, stable, candidate)
    assert verdict is finding.verdict, finding.rule
    assert finding.e_value is None
    assert "bounds that hold at all looks" in finding.rule


def test_a_mean_is_told_in_the_terms_of_its_limit():
    """A ratio as times stable's, a minimum as the value that is surely reached."""
    ratio = means("cost_per_request", {"max_ratio": 1.5}, sample(4000, 0.01, 0.005), sample(4000, 0.01, 0.005))
    assert 1.0 < ratio.bound < 1.5
    least = means("feedback.rating", {"min": 0.5}, sample(1, 0, 0), sample(400, 0.8, 0.4))
    assert 0.5 < least.bound < 0.8


@pytest.mark.parametrize(
    ("mean", "verdict"), [(0.02, Verdict.breach), (0.01, Verdict.within), (0.0125, Verdict.inconclusive)]
)
def test_a_mean_is_compared_with_the_baseline_that_stable_left(mean: float, verdict: Verdict):
    """The candidate's own sequence against the upper bound of the baseline's mean."""
    finding = means(
        "cost_per_request", {"max_ratio": 1.3}, sample(4000, 0.01, 0.005), sample(600, mean, 0.005), baseline=Tally()
    )
    assert verdict is finding.verdict, finding.rule
    assert "stable's baseline" in finding.rule


def test_a_share_is_compared_with_the_baseline_that_stable_left():
    """Worse is found, and the same is within."""
    for failed, verdict in ((3, Verdict.breach), (0, Verdict.within)):
        tally = Tally()
        for unit in range(2000):
            tally.add(Outcome.failed if unit < 20 else Outcome.ok, unit, SINCE, None)
        step = evidence(DELTA, baseline=tally)
        steady(step, (0, 0), (failed, 15))
        finding = judge(step, DELTA, "guardrail")
        assert verdict is finding.verdict, finding.rule
        assert (2000, 0.01) == (finding.stable_n, finding.stable)
        assert "stable's baseline" in finding.rule


def test_schema_is_judged_by_its_invalid_share():
    """It shows the valid share, and its limits are of that too."""
    for limits, invalid, verdict in (
        ({"min": 0.98}, 2, Verdict.breach),
        ({"min": 0.9}, 0, Verdict.within),
        ({"max_delta": 0.02}, 2, Verdict.breach),
        ({"max_delta": 0.05}, 0, Verdict.within),
    ):
        criterion, unit = Criterion("schema_valid", **limits), 0
        step = evidence(criterion)
        for _ in range(20):
            for at in range(10):
                unit += 2
                step.hear(answered("canary", unit, schema_valid=at >= invalid))
                step.hear(answered("stable", unit + 1, schema_valid=True))
            step.look()
        finding = judge(step, criterion, "guardrail")
        assert verdict is finding.verdict, finding.rule
        assert (1.0, pytest.approx(1 - invalid / 10)) == (finding.stable, finding.candidate)
        if "min" in limits:
            assert 0.7 < finding.bound < finding.candidate


@pytest.mark.parametrize(
    ("criterion", "stable", "candidate"),
    [
        (DELTA, (0, 0), (0, 10)),
        (DELTA, (0, 10), (0, 0)),
        (MOST, (0, 10), (0, 0)),
        (Criterion("slow_rate", max=0.1), (0, 10), (0, 10)),
        (Criterion("feedback.rating", min=0.5), (0, 10), (0, 10)),
        (Criterion("nonsense", max=0.5), (0, 10), (0, 10)),
    ],
)
def test_nothing_heard_is_never_healthy(criterion: Criterion, stable: tuple[int, int], candidate: tuple[int, int]):
    """A side without outcomes, a rate without its threshold, feedback that nobody gave, a metric that nobody knows."""
    finding = judged(criterion, stable, candidate)
    assert Verdict.no_data is finding.verdict
    assert "no outcome" in finding.rule


@pytest.mark.parametrize(
    "criterion",
    [
        Criterion("error_rate", min=0.1),
        Criterion("schema_valid", max=0.1),
        Criterion("schema_valid", max_ratio=2),
        Criterion("feedback.rating", max=0.1),
        Criterion("cost_per_request", min=0.1),
        Criterion("error_rate"),
        Criterion("error_rate", max_delta=math.nan),
        Criterion("error_rate", max_ratio=math.nan),
        Criterion("error_rate", max=math.nan),
        Criterion("cost_per_request", max=math.nan),
        Criterion("cost_per_request", max_delta=math.nan),
    ],
)
def test_a_limit_that_says_nothing_is_never_kept(criterion: Criterion):
    """One in the wrong direction, none at all, and one that is not a number."""
    finding = judged(criterion, (1, 10), (1, 10))
    assert Verdict.inconclusive is finding.verdict
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize("spoilt", [Moments(50, math.nan, 1.0), Moments(50, 0.01, math.nan)])
@pytest.mark.parametrize("limits", [{"max_delta": 1.0}, {"max_ratio": 2.0}, {"max": 1.0}])
def test_a_mean_that_is_no_number_is_never_healthy(spoilt: Moments, limits: dict[str, float]):
    """Nor is it a breach."""
    finding = means("cost_per_request", limits, sample(500, 0.01, 0.001), spoilt)
    assert Verdict.inconclusive is finding.verdict
    json.dumps(finding.to_json(), allow_nan=False)


def test_answers_of_no_number_of_seconds_are_slow():
    """They break a limit instead of keeping it."""
    criterion = Criterion("slow_rate", over=1.0, max=0.1)
    step = evidence(criterion)
    for unit in range(40):
        step.candidate.add(Outcome.ok, unit, SINCE, Answer(math.nan, math.nan))
        step.look()
    assert Verdict.breach is judge(step, criterion, "guardrail").verdict


def test_several_limits_are_as_bad_as_the_worst():
    """Within both is within, and over one is over; the limit that decided is named, even beside one of its size."""
    both = Criterion("error_rate", max_delta=0.02, max=0.3)
    assert Verdict.within is judged(both, (1, 100), (1, 100)).verdict
    found = judged(both, (1, 50), (2, 10))
    assert (Verdict.breach, "max_delta", 0.02) == (found.verdict, found.limit_name, found.limit)
    alike = judged(Criterion("error_rate", max_delta=0.1, max=0.1), (2, 10), (2, 10))
    assert (Verdict.breach, "max", 0.1) == (alike.verdict, alike.limit_name, alike.limit)
    assert "max" == alike.to_json()["limit_name"]
    assert "" == judged(Criterion("error_rate"), (1, 10), (1, 10)).limit_name


def test_findings_are_in_order_and_plain_json():
    """Guardrails first; proof beyond numbers is capped, and what is infinite is null."""
    least = Criterion("error_rate", max=0.0)
    step = evidence(DELTA, RATIO, least)
    steady(step, (0, 10), (5, 10))
    found = findings(step, [DELTA, least], [RATIO])
    assert [("guardrail", DELTA), ("guardrail", least), ("signal", RATIO)] == [(f.kind, f.criterion) for f in found]
    written = json.loads(json.dumps([finding.to_json() for finding in found], allow_nan=False))
    assert 1e12 == written[1]["e_value"]
    assert "over 10^12" in written[1]["rule"]
    assert written[2]["bound"] is None
    assert "breach" == written[0]["verdict"]
    assert 0.02 == written[0]["criterion"]["max_delta"]
    assert "while none of stable's" in found[2].rule


def test_breaches_are_those_findings_that_are_and_no_others():
    """Of shares whose test has alarmed, and of means, which have no test to ask."""
    cost = Criterion("cost_per_request", max=0.001)
    step = evidence(DELTA, MOST, cost)
    assert [] == breaches(step, [DELTA, MOST, cost])
    steady(step, (0, 10), (0, 10))
    assert [cost] == [finding.criterion for finding in breaches(step, [DELTA, MOST, cost])]
    steady(step, (0, 10), (5, 10))
    assert [judge(step, each, "guardrail") for each in (DELTA, MOST, cost)] == breaches(step, [DELTA, MOST, cost])


def test_a_small_share_is_told_with_two_digits():
    """Five in ten thousand are not 0.0 %."""
    finding = judged(Criterion("error_rate", max=0.0005), (0, 1), (0, 10))
    assert "0.05 % allowed" in finding.rule


CHECKS: dict[str, Callable[[], Finding]] = {
    "delta": lambda: judged(DELTA, (1, 100), (1, 100)),
    "ratio": lambda: judged(RATIO, (20, 100), (20, 100)),
    "most": lambda: judged(MOST, (0, 1), (1, 50)),
    "ratio open": lambda: judged(RATIO, (0, 50), (0, 10)),
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("delta", "points worse than stable, 2.0 allowed"),
        ("ratio", "times stable, 1.5 times allowed"),
        ("most", "% failed, 5.0 % allowed"),
        ("ratio open", "any multiple of stable is possible"),
    ],
)
def test_a_rule_tells_its_bound_and_what_is_allowed(name: str, text: str):
    """In the words of its limit."""
    assert text in CHECKS[name]().rule
