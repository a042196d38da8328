"""The judgement: what the evidence says of each criterion, in a verdict and in a sentence."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any, Literal

from gateway.core.confidence import one_sided_difference, one_sided_mean
from gateway.core.evidence import Evidence, bad_limit
from gateway.core.gate_looks import GateLooks
from gateway.core.metric import is_better_high
from gateway.core.moments import Moments
from gateway.core.plan import Criterion
from gateway.core.share import difference_bound, ratio_bound, upper_share
from gateway.core.tally import Share

Kind = Literal["guardrail", "signal"]

_MOST_E = 1e12
_Z = NormalDist().inv_cdf(0.95)
_BAD = {"error_rate": "failed", "slow_rate": "were slow", "schema_valid": "were invalid"}
_LIMITS = ("max_delta", "max_ratio", "max", "min")


class Verdict(StrEnum):
    """What is known: over the limit, under it, not yet either, or nothing at all."""

    breach = "breach"
    within = "within"
    inconclusive = "inconclusive"
    no_data = "no_data"


_WORST_FIRST = (Verdict.breach, Verdict.no_data, Verdict.inconclusive, Verdict.within)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the evidence says of one criterion.

    `stable` and `candidate` are the metric's values, fractions for rates, None without outcomes; `*_n` the outcomes
    that they are of, and `*_units` the distinct units. `bound` is the upper bound that was compared with `limit`, in
    the limit's own terms and in the direction of worse; None where nothing bounds it. `limit_name` is the limit that
    decided, of those that the criterion has, empty where it has none. `e_value` is the highest one
    so far, at most 10^12, and `threshold` the 1/alpha that it must reach; None for means, which are judged by
    their confidence sequence at level alpha. `rule` names the deciding rule with its numbers.
    """

    kind: Kind
    criterion: Criterion
    verdict: Verdict
    stable: float | None
    candidate: float | None
    stable_n: int
    candidate_n: int
    stable_units: int
    candidate_units: int
    bound: float | None
    limit_name: str
    limit: float
    e_value: float | None
    threshold: float | None
    rule: str

    @property
    def sentence(self) -> str:
        """The metric and what is said of it."""
        return f"{self.criterion.metric}: {self.rule}"

    def to_json(self) -> dict[str, Any]:
        """Write the finding as a JSON object; what is not a finite number is null."""
        return {**_tame(asdict(self)), "criterion": _tame(asdict(self.criterion)), "verdict": self.verdict.value}


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What one limit of a criterion comes to."""

    verdict: Verdict
    rule: str
    limit: float
    bound: float | None = None
    e_value: float | None = None


def findings(evidence: Evidence, guardrails: Iterable[Criterion], signals: Iterable[Criterion]) -> list[Finding]:
    """Judge all criteria of a step, guardrails first. The evidence must have been made for all of them."""
    return [
        *(judge(evidence, each, "guardrail") for each in guardrails),
        *(judge(evidence, each, "signal") for each in signals),
    ]


def said_of(found: Iterable[Finding]) -> str:
    """Give the sentences of findings in one line."""
    return "; ".join(finding.sentence for finding in found)


def breaches(evidence: Evidence, criteria: Iterable[Criterion], kind: Kind = "guardrail") -> list[Finding]:
    """Judge the criteria that may be breached, and give those that are.

    Most looks find none, and cost a comparison for each: only a share whose test has reached its threshold once, and
    a mean that is itself over its limit, are judged in full.
    """
    suspects = (each for each in criteria if _is_suspect(evidence, each))
    judged = (judge(evidence, each, kind) for each in suspects)
    return [finding for finding in judged if finding.verdict is Verdict.breach]


def _is_suspect(evidence: Evidence, criterion: Criterion) -> bool:
    """Whether a criterion may be breached: an interval that is wholly over a limit has its middle over it, too."""
    if evidence.candidate.share(criterion.metric, criterion.over) is not None:
        return evidence.watches[criterion].may_alarm(evidence.alpha)
    sign = -1 if is_better_high(criterion.metric) else 1
    stable, candidate = (sign * side.mean(criterion.metric).mean for side in (evidence.compared, evidence.candidate))
    return (
        (criterion.max_delta is not None and candidate - stable > criterion.max_delta)
        or (criterion.max_ratio is not None and candidate - criterion.max_ratio * stable > 0)
        or (criterion.max is not None and candidate > sign * criterion.max)
        or (criterion.min is not None and candidate > sign * criterion.min)
    )


def judge(evidence: Evidence, criterion: Criterion, kind: Kind) -> Finding:
    """Judge one criterion by the evidence as of its last look.

    A criterion with several limits is as bad as the worst of them. A limit that says nothing about its metric, such
    as a `min` of the error rate, is never kept. Whatever is not a number is neither over nor under a limit.
    """
    share = evidence.candidate.share(criterion.metric, criterion.over)
    limits = [(name, limit) for name in _LIMITS if (limit := getattr(criterion, name)) is not None]
    rule_on = _rule_on_mean if share is None else _rule_on_share
    rulings = [(name, rule_on(evidence, criterion, name, limit)) for name, limit in limits]
    limit_name, worst = min(rulings, key=lambda each: _WORST_FIRST.index(each[1].verdict), default=("", _NO_LIMIT))
    (stable, stable_n), (candidate, candidate_n) = _shown(evidence, criterion)
    return Finding(
        kind=kind,
        criterion=criterion,
        verdict=worst.verdict,
        stable=stable,
        candidate=candidate,
        stable_n=stable_n,
        candidate_n=candidate_n,
        stable_units=evidence.compared.units,
        candidate_units=evidence.candidate.units,
        bound=None if worst.bound is None or _is_wild(worst.bound) else worst.bound,
        limit_name=limit_name,
        limit=worst.limit,
        e_value=worst.e_value,
        threshold=None if worst.e_value is None else 1 / evidence.alpha,
        rule=worst.rule,
    )


_NO_LIMIT = _Ruling(Verdict.inconclusive, "the criterion has no limit", math.nan)


def _tame(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: None if _is_wild(value) else value for name, value in plain.items()}


def _is_wild(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _shown(evidence: Evidence, criterion: Criterion) -> tuple[tuple[float | None, int], tuple[float | None, int]]:
    """The metric's value and its outcomes, for stable and for the candidate."""
    stable, candidate = (
        _value(tally.share(criterion.metric, criterion.over), tally.mean(criterion.metric), criterion)
        for tally in (evidence.compared, evidence.candidate)
    )
    return stable, candidate


def _value(share: Share | None, mean: Moments, criterion: Criterion) -> tuple[float | None, int]:
    if share is None:
        return (mean.mean, mean.n) if mean.n else (None, 0)
    if not share.n:
        return None, 0
    bad = share.bad / share.n
    return (1 - bad if criterion.metric == "schema_valid" else bad), share.n


def _pointless(criterion: Criterion, name: str) -> bool:
    """Whether a limit says nothing about the metric: an upper one where higher is better, or the reverse."""
    return name in {"max", "max_ratio"} if is_better_high(criterion.metric) else name == "min"


def _missing(evidence: Evidence, name: str, limit: float, stable_n: int, candidate_n: int) -> _Ruling | None:
    """The ruling where a side that is needed has no outcome."""
    if not candidate_n:
        return _Ruling(Verdict.no_data, "the candidate has no outcome to judge", limit)
    if name in {"max_delta", "max_ratio"} and not stable_n:
        return _Ruling(Verdict.no_data, f"{_stable(evidence)} has no outcome to compare with", limit)
    return None


def _stable(evidence: Evidence) -> str:
    return "stable" if evidence.baseline is None else "stable's baseline"


def _rule_on_share(evidence: Evidence, criterion: Criterion, name: str, limit: float) -> _Ruling:
    if _pointless(criterion, name):
        return _Ruling(Verdict.inconclusive, f"{name} says nothing about {criterion.metric}", limit)
    stable, candidate = _shares(evidence, criterion)
    missing = _missing(evidence, name, limit, stable.n, candidate.n)
    if missing is not None:
        return missing
    watch = evidence.watches[criterion]
    is_absolute = name in {"max", "min"}
    log_peak = watch.absolute_peak if is_absolute else watch.relative_peak
    is_over, distance, allowed = (
        _against_limit(criterion, candidate, limit)
        if is_absolute
        else _against_stable(evidence, criterion, (stable, candidate), name, limit)
    )
    e_value = _MOST_E if log_peak >= math.log(_MOST_E) else math.exp(log_peak)
    chance = f"e-value {_e_text(e_value)} of {1 / evidence.alpha:.4g} needed"
    if log_peak >= -math.log(evidence.alpha) and is_over:
        bound = _shown_bound(name, _bound(name, (stable, candidate), watch.gate))
        return _Ruling(
            Verdict.breach, f"worse beyond chance ({chance}) and {distance}, {allowed}", limit, bound, e_value
        )
    gate = watch.gate
    bound = _bound(name, (gate.stable, gate.candidate) if gate.count else (stable, candidate), gate)
    clean = "" if candidate.bad else f", {_clean(candidate, criterion)}"
    is_early = not gate.count and not _is_worth_a_look(evidence, criterion)
    most = bad_limit(criterion) if is_absolute else limit
    reach, shown = _reach(bound, criterion, name, evidence), _shown_bound(name, bound)
    if most is not None and bound < most and not is_over and not is_early:
        seen = f" at look {gate.count}, of {gate.candidate.n} outcomes" if gate.count else ""
        return _Ruling(Verdict.within, f"with 95 % confidence {reach}{seen}, {allowed}{clean}", limit, shown, e_value)
    text = f"not decided: {distance}, {reach} with 95 % confidence{_until(gate, is_early=is_early)}, {allowed}"
    return _Ruling(Verdict.inconclusive, f"{text}; {chance}{clean}", limit, shown, e_value)


def _until(gate: GateLooks, *, is_early: bool) -> str:
    """When the gate will look again, in words."""
    if gate.count:
        return f" at look {gate.count}, of {gate.candidate.n} outcomes (the next is at {gate.next_n})"
    return " (too few outcomes for a first look)" if is_early else ""


def _shown_bound(name: str, bound: float) -> float:
    """A bound is of the bad share; a limit of the good share is shown with one of that: 2 % invalid is 98 % valid."""
    return 1 - bound if name == "min" else bound


def _bound(name: str, sides: tuple[Share, Share], gate: GateLooks) -> float:
    """The upper bound that a limit is compared with, at the level of the gate's last look, or of its first."""
    (stable, candidate), confidence = sides, gate.confidence(gate.count)
    if name in {"max", "min"}:
        return upper_share(candidate.bad, candidate.n, confidence)
    bound_of = ratio_bound if name == "max_ratio" else difference_bound
    return bound_of(stable.bad, stable.n, candidate.bad, candidate.n, confidence)


def look_at_gate(evidence: Evidence, criteria: Iterable[Criterion]) -> bool:
    """Let the step's gate look at the shares whose look is due, and say whether there were any.

    Call it when the step's time and sample are complete: what was not asked for is no look. When the first one is
    taken, what stable has shown and the candidate's number of outcomes decide, and never how many of them were bad.
    """
    has_looked = False
    for criterion in criteria:
        stable, candidate = _shares(evidence, criterion)
        gate = evidence.watches[criterion].gate
        if candidate.n >= gate.next_n and (gate.count or _is_worth_a_look(evidence, criterion)):
            gate.take(stable, candidate)
            has_looked = True
    return has_looked


def _shares(evidence: Evidence, criterion: Criterion) -> tuple[Share, Share]:
    """Stable's bad share and the candidate's; empty ones for a metric of a mean."""
    metric, over = criterion.metric, criterion.over
    return evidence.compared.share(metric, over) or Share(), evidence.candidate.share(metric, over) or Share()


def _is_worth_a_look(evidence: Evidence, criterion: Criterion) -> bool:
    """Whether a candidate of this size would pass a first look if it were as bad as stable.

    Where that can never pass, and beside an absolute limit, it is one without a bad outcome.
    """
    gate = evidence.watches[criterion].gate
    stable, candidate = _shares(evidence, criterion)
    for name in _LIMITS:
        limit = getattr(criterion, name)
        if limit is None or not candidate.n:
            continue
        is_absolute = name in {"max", "min"}
        is_level = not is_absolute and stable.n > 0 and limit > (1 if name == "max_ratio" else 0)
        model = Share(stable.bad * candidate.n // stable.n if is_level else 0, candidate.n)
        most = bad_limit(criterion) if is_absolute else limit
        if most is None or not _bound(name, (stable, model), gate) < most:
            return False
    return candidate.n > 0


def _against_limit(criterion: Criterion, candidate: Share, limit: float) -> tuple[bool, str, str]:
    """Whether the candidate's bad share is over its absolute limit, and both in words."""
    most = bad_limit(criterion)
    bad = candidate.bad / candidate.n
    distance = f"{_percent(bad)} of {candidate.n} {_BAD[criterion.metric]}"
    return (
        most is not None and bad > most,
        distance,
        (f"{_percent(limit)} {'required to be valid' if criterion.metric == 'schema_valid' else 'allowed'}"),
    )


def _against_stable(
    evidence: Evidence, criterion: Criterion, sides: tuple[Share, Share], name: str, limit: float
) -> tuple[bool, str, str]:
    """Whether the candidate's bad share is further over stable's than allowed, and both in words."""
    (stable, candidate), other = sides, _stable(evidence)
    before, now = stable.bad / stable.n, candidate.bad / candidate.n
    if name == "max_ratio":
        times = f"{now / before:.3g} times {other}" if before else f"{_percent(now)} while none of {other}'s"
        return now > limit * before, times, f"{limit:.3g} times allowed"
    side = "worse than" if criterion.metric == "schema_valid" else "above"
    points = f"{_points(now - before)} points {side} {other}"
    return now - before > limit, points, f"{_points(limit)} allowed"


def _reach(bound: float, criterion: Criterion, name: str, evidence: Evidence) -> str:
    """How far the share may be over, in words."""
    if name == "max_delta":
        return f"at most {_points(bound)} points worse than {_stable(evidence)}"
    if name == "max_ratio":
        other = _stable(evidence)
        return f"at most {bound:.3g} times {other}" if math.isfinite(bound) else f"any multiple of {other} is possible"
    return f"at most {_percent(bound)} {_BAD[criterion.metric]}"


def _clean(candidate: Share, criterion: Criterion) -> str:
    """What no bad outcome at all excludes."""
    excluded = _percent(upper_share(0, candidate.n))
    return f"0 of {candidate.n} {_BAD[criterion.metric]}, which excludes more than {excluded}"


def _rule_on_mean(evidence: Evidence, criterion: Criterion, name: str, limit: float) -> _Ruling:
    """Rule by the one-sided confidence sequence, with everything turned so that higher is worse."""
    if _pointless(criterion, name):
        return _Ruling(Verdict.inconclusive, f"{name} says nothing about {criterion.metric}", limit)
    sign = -1 if is_better_high(criterion.metric) else 1
    stable, candidate = (_turned(side.mean(criterion.metric), sign) for side in (evidence.compared, evidence.candidate))
    missing = _missing(evidence, name, limit, stable.n, candidate.n)
    if missing is not None:
        return missing
    if name in {"max", "min"}:
        interval = one_sided_mean(candidate, alpha=evidence.alpha / evidence.looks, scale=abs(limit))
        low, high, most = interval.low, interval.high, sign * limit
    else:
        low, high, most = _beyond_stable(evidence, stable, candidate, name, limit)
    verdict = Verdict.breach if low > most else Verdict.within if high < most else Verdict.inconclusive
    bound = high
    if name == "max_ratio":
        low, high = (limit + each / stable.mean if stable.mean > 0 else math.nan for each in (low, high))
        bound = high
    elif name == "min":
        low, high, bound = -high, -low, -high
    text = {
        "max_delta": f"worse than {_stable(evidence)} by {low:.4g} to {high:.4g}, {limit:.4g} allowed",
        "max_ratio": f"{low:.4g} to {high:.4g} times {_stable(evidence)}, {limit:.4g} allowed",
    }.get(name, f"{low:.4g} to {high:.4g}, {'at least' if name == 'min' else 'at most'} {limit:.4g} allowed")
    opening = {Verdict.breach: "worse beyond chance: ", Verdict.inconclusive: "not decided: "}.get(verdict, "")
    return _Ruling(verdict, f"{opening}{text} (bounds that hold at all looks)", limit, bound)


def _beyond_stable(
    evidence: Evidence, stable: Moments, candidate: Moments, name: str, limit: float
) -> tuple[float, float, float]:
    """The bounds of candidate - ratio * stable and what they may be at most.

    A baseline does not grow, which a sequence for two growing samples must not be told: the candidate is then
    tested by itself against the upper 95 % bound of the baseline's mean, as a share is.
    """
    ratio, most = (limit, 0.0) if name == "max_ratio" else (1.0, limit)
    level = evidence.alpha / evidence.looks
    both = one_sided_difference(stable, candidate, alpha=level, ratio=ratio, scale=abs(most))
    if evidence.baseline is None:
        return both.low, both.high, most
    alone = one_sided_mean(candidate, alpha=level, scale=max(abs(most), abs(stable.mean)))
    reach = _Z * math.sqrt(stable.variance / stable.n)
    return alone.low - ratio * (stable.mean + reach), both.high, most


def _turned(moments: Moments, sign: int) -> Moments:
    return Moments(moments.n, sign * moments.mean, moments.m2)


def _percent(share: float) -> str:
    return f"{_points(share)} %"


def _points(share: float) -> str:
    """A share in hundredths, with one decimal, or with two digits where that would be nought."""
    hundredths = share * 100
    return f"{hundredths:.1f}" if abs(hundredths) >= 0.1 or not hundredths else f"{hundredths:.2g}"


def _e_text(e_value: float) -> str:
    return "over 10^12" if e_value >= _MOST_E else f"{e_value:.3g}" if e_value < 1000 else f"{e_value:.0f}"
