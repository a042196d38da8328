"""Evidence: what one step of a rollout, or one arm of an experiment, has shown of a candidate beside stable."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from gateway.core.digest import hash_of
from gateway.core.gate_looks import GateLooks
from gateway.core.metric import FEEDBACK, SHARES, is_feedback
from gateway.core.observation import Answer, Observation, Side
from gateway.core.outcome import GOOD
from gateway.core.plan import Criterion
from gateway.core.record import Record
from gateway.core.sample_ratio import SampleRatio
from gateway.core.sequential import OneShare, TwoShares
from gateway.core.share import upper_share
from gateway.core.tally import Tally
from gateway.core.unit_cells import DistinctUnits

Compared = Literal["canary", "shadow", "arm"]

_OF_WHOLE, _OF_STEPS = 0.7, 0.3
_BASELINE_CONFIDENCE = 0.95
_MOST_LIMIT = 1 - 1e-6


@dataclass(slots=True)
class Watch:
    """One criterion's sequential tests, with the counts that they have been told.

    `relative` tests against stable, or against a share known from a baseline, and `absolute` against the
    criterion's own limit. Both are None for a metric of a mean, whose interval holds at all times by itself.
    `whole` is the test against stable that began with the rollout's first step and goes on through its steps: what a
    small step has shown is not forgotten in the next. A mean of e-values is one (with weights that sum up to 1: 0.7 for
    the whole, 0.3 shared by the `looks`, the steps that each begin a test of their own), so the weighted sum may be
    held against one threshold for the whole rollout.

    `told` are stable's bad outcomes, its outcomes, and the candidate's. The peaks are the highest logarithms so far.
    `gate` is what the step's gate saw, which is asked whether the limits are kept.
    """

    criterion: Criterion
    looks: int = 1
    relative: TwoShares | OneShare | None = None
    absolute: OneShare | None = None
    whole: TwoShares | None = None
    relative_peak: float = -math.inf
    absolute_peak: float = -math.inf
    told: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    gate: GateLooks = field(default_factory=GateLooks)

    def look(self, stable: Tally, candidate: Tally) -> None:
        """Tell the tests what came since the last look, as one batch."""
        if self.relative is None and self.absolute is None:
            return
        metric, over = self.criterion.metric, self.criterion.over
        mine, theirs = candidate.share(metric, over), stable.share(metric, over)
        if mine is None or theirs is None:
            return
        now, told = [theirs.bad, theirs.n, mine.bad, mine.n], self.told
        if now == told:
            return
        new = [now[0] - told[0], now[1] - told[1], now[2] - told[2], now[3] - told[3]]
        self.told = now
        if isinstance(self.relative, TwoShares) and self.whole is not None:
            self.relative.add(*new)
            self.whole.add(*new)
            of_step = self.relative.log_e + math.log(_OF_STEPS / self.looks)
            self.relative_peak = max(self.relative_peak, _log_sum(self.whole.log_e + math.log(_OF_WHOLE), of_step))
        elif isinstance(self.relative, OneShare) and new[3]:
            self.relative.add(*new[2:])
            self.relative_peak = max(self.relative_peak, self.relative.log_e + math.log(_OF_STEPS / self.looks))
        if self.absolute is not None and new[3]:
            self.absolute.add(*new[2:])
            self.absolute_peak = max(self.absolute_peak, self.absolute.log_e - math.log(self.looks))

    def go_on_from(self, before: "Watch") -> None:
        """Take over the test of the whole rollout from the step before."""
        if self.whole is not None and before.whole is not None:
            self.whole = TwoShares.from_json(before.whole.to_json())

    def may_alarm(self, alpha: float) -> bool:
        """Say whether a test has reached 1/alpha."""
        return max(self.relative_peak, self.absolute_peak) >= -math.log(alpha)

    def to_json(self) -> dict[str, Any]:
        """Write the watch as a JSON object, without its criterion."""
        return {
            "told": list(self.told),
            "gate": self.gate.to_json(),
            "relative": None if self.relative is None else self.relative.to_json(),
            "absolute": None if self.absolute is None else self.absolute.to_json(),
            "whole": None if self.whole is None else self.whole.to_json(),
            "peaks": [None if peak == -math.inf else peak for peak in (self.relative_peak, self.absolute_peak)],
        }

    def restore(self, value: Mapping[str, Any]) -> None:
        """Go on from what `to_json` wrote of a watch of the same criterion."""
        self.told = list(value["told"])
        self.gate = GateLooks.from_json(value["gate"])
        if self.relative is not None:
            self.relative = type(self.relative).from_json(value["relative"])
        if self.absolute is not None:
            self.absolute = OneShare.from_json(value["absolute"])
        if self.whole is not None:
            self.whole = TwoShares.from_json(value["whole"])
        peaks = (-math.inf if peak is None else peak for peak in value["peaks"])
        self.relative_peak, self.absolute_peak = peaks


def _log_sum(a: float, b: float) -> float:
    """The logarithm of the sum of two numbers of which the logarithms are given."""
    most = max(a, b)
    return most + math.log1p(math.exp(min(a, b) - most))


class Evidence:
    """Hears settled requests, and tests the candidate's against stable's at every look.

    `alpha` is the error level of each limit over the whole rollout, and `looks` how many stretches of evidence share
    it; this is one of them, and begins empty: what belongs to it its caller knows. `weights` are the shares of units
    that stable and the candidate should get. With a `baseline`, what stable showed before it was left without requests,
    the candidate is compared with that: a share with the upper 95 % bound of the baseline's, since a safe test needs
    one limit that holds.

    A side's outcome is that of its first attempt, and none where that failed together with stable. A retry of stable's
    would flatter it, and a request that stable answered for the candidate is the candidate's failure. What an answer
    shows (seconds, cost, tokens, schema) counts only for the side that gave it, and only where it was asked for one:
    a count of tokens is no answer.

    Attributes:
        versions: those of stable and the candidate.
        stable, candidate: what each side has shown. `compared` is stable's, or the baseline in its place.
        watches: the tests, by criterion.
        sample_ratio: whether the units fell on the sides as they should; None without weights, and for a shadow.
    """

    __slots__ = (
        "_arrivals",
        "_arrived",
        "alpha",
        "baseline",
        "candidate",
        "looks",
        "sample_ratio",
        "stable",
        "track",
        "versions",
        "watches",
    )

    def __init__(
        self,
        criteria: Sequence[Criterion],
        *,
        stable: str,
        candidate: str,
        track: Compared,
        alpha: float,
        looks: int = 1,
        weights: tuple[float, float] | None = None,
        baseline: Tally | None = None,
    ) -> None:
        self.versions = (stable, candidate)
        self.track = track
        self.alpha = alpha
        self.looks = looks
        self.baseline = baseline
        overs = sorted({each.over for each in criteria if each.over is not None})
        names = sorted({each.metric.removeprefix(FEEDBACK) for each in criteria if is_feedback(each.metric)})
        self.stable = Tally(overs, names)
        self.candidate = Tally(overs, names)
        self.watches = {each: _watch(each, looks, baseline) for each in criteria}
        self.sample_ratio = SampleRatio(weights) if weights is not None and track != "shadow" else None
        self._arrivals = DistinctUnits()
        self._arrived = [0, 0]

    def go_on_from(self, before: "Evidence") -> None:
        """Take over what tests of the whole rollout the step before has begun."""
        for criterion, watch in self.watches.items():
            if criterion in before.watches:
                watch.go_on_from(before.watches[criterion])

    @property
    def compared(self) -> Tally:
        """What the candidate is compared with."""
        return self.stable if self.baseline is None else self.baseline

    def hear(self, record: Record, side: Side | None = None) -> Observation | None:
        """Take a settled request, and give what it showed; None of one from neither side.

        For an arm the caller names the side, since only it knows which arm held the unit; otherwise `side` is not
        looked at.
        """
        seen = self._observed(record, side)
        if seen is not None:
            self.take(seen)
        return seen

    def _observed(self, record: Record, side: Side | None) -> Observation | None:
        if not record.attempts or record.attempts[0].excused:
            return None
        whose = side if self.track == "arm" else self._side_of(record)
        if whose is None:
            return None
        # A shadow's record has no unit, and both of its sides see the same units, so each request there is its own:
        # capping stable alone would compare different mixes of busy and other units.
        unit = hash_of(record.request_id) if self.track == "shadow" else unit_of(record)
        return Observation(whose, record.attempts[0].outcome, unit, record.at, self._answer_of(record))

    def take(self, seen: Observation, *, is_sample: bool = False) -> None:
        """Take an observation. One of a sample does not tell how units arrive: it has more of the busy ones."""
        tally = self.stable if seen.side == "stable" else self.candidate
        tally.add(seen.outcome, seen.unit, seen.at, seen.answer)
        if self.sample_ratio is not None and not is_sample and self._arrivals.add(seen.unit):
            self._arrived[seen.side == "candidate"] += 1

    def count(self, side: Side, outcome: str, count: int) -> None:
        """Take outcomes of a side of which nothing else is known: they count, and are not judged."""
        (self.stable if side == "stable" else self.candidate).count(outcome, count)

    def hear_feedback(self, side: Side, name: str, value: float, unit: int) -> None:
        """Take a value of feedback on a side's answer to a unit, by its hash; what is not finite is none."""
        if math.isfinite(value):
            (self.stable if side == "stable" else self.candidate).add_feedback(name, value, unit)

    def look(self) -> None:
        """Tell the tests what came since the last look."""
        for watch in self.watches.values():
            watch.look(self.compared, self.candidate)
        if self.sample_ratio is not None and any(self._arrived):
            self.sample_ratio.add(self._arrived)
            self._arrived = [0, 0]

    def _side_of(self, record: Record) -> Side | None:
        first, (stable, candidate) = record.attempts[0], self.versions
        if self.track == "canary" and record.split is None:
            return None
        if first.track == "stable" and first.release == stable:
            return "stable"
        if first.track == self.track and first.release == candidate:
            return "candidate"
        return None

    def _answer_of(self, record: Record) -> Answer | None:
        first = record.attempts[0]
        own = record.release == first.release and record.track == first.track
        if not own or record.outcome not in GOOD or record.endpoint == "count_tokens":
            return None
        # A shadow is read as a whole, so stable's streams are compared with it by their ends.
        streamed = record.first_token_seconds is not None and self.track != "shadow"
        known = record.input_tokens is not None and record.output_tokens is not None
        return Answer(
            seconds=record.seconds,
            pace=record.first_token_seconds if streamed and record.first_token_seconds is not None else record.seconds,
            first_token_seconds=record.first_token_seconds,
            cost=record.cost_usd,
            tokens=(record.input_tokens or 0) + (record.output_tokens or 0) if known else None,
            schema_valid=record.schema_valid,
        )

    def to_json(self) -> dict[str, Any]:
        """Write all of it as a JSON object, of some 150 KB at most, for a checkpoint."""
        return {
            "criteria": [asdict(each) for each in self.watches],
            "versions": list(self.versions),
            "track": self.track,
            "alpha": self.alpha,
            "looks": self.looks,
            "baseline": None if self.baseline is None else self.baseline.to_json(),
            "stable": self.stable.to_json(),
            "candidate": self.candidate.to_json(),
            "watches": [watch.to_json() for watch in self.watches.values()],
            "sample_ratio": None if self.sample_ratio is None else self.sample_ratio.to_json(),
            "arrivals": self._arrivals.to_json(),
            "arrived": list(self._arrived),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; the evidence goes on as if it had not been written."""
        stable, candidate = value["versions"]
        evidence = cls(
            [Criterion(**each) for each in value["criteria"]],
            stable=stable,
            candidate=candidate,
            track=value["track"],
            alpha=value["alpha"],
            looks=value["looks"],
            baseline=None if value["baseline"] is None else Tally.from_json(value["baseline"]),
        )
        evidence.stable = Tally.from_json(value["stable"])
        evidence.candidate = Tally.from_json(value["candidate"])
        for watch, written in zip(evidence.watches.values(), value["watches"], strict=True):
            watch.restore(written)
        if value["sample_ratio"] is not None:
            evidence.sample_ratio = SampleRatio.from_json(value["sample_ratio"])
        evidence._arrivals = DistinctUnits.from_json(value["arrivals"])
        evidence._arrived = list(value["arrived"])
        return evidence


def unit_of(record: Record) -> int:
    """Give the hash of a request's unit; a request that has none is one of its own."""
    return hash_of(record.request_id) if record.unit_digest is None else int(record.unit_digest[:16], 16)


def _watch(criterion: Criterion, looks: int, baseline: Tally | None) -> Watch:
    """The tests that a criterion needs: for its limits relative to stable one, and for an absolute one another."""
    watch = Watch(criterion, looks)
    if criterion.metric not in SHARES:
        return watch
    if criterion.max_delta is not None or criterion.max_ratio is not None:
        if baseline is None:
            watch.relative, watch.whole = TwoShares(), TwoShares()
        else:
            watch.relative = OneShare(_baseline_limit(criterion, baseline))
    limit = bad_limit(criterion)
    if limit is not None:
        watch.absolute = OneShare(limit)
    return watch


def _baseline_limit(criterion: Criterion, baseline: Tally) -> float:
    share = baseline.share(criterion.metric, criterion.over)
    return _MOST_LIMIT if share is None else min(_MOST_LIMIT, upper_share(share.bad, share.n, _BASELINE_CONFIDENCE))


def bad_limit(criterion: Criterion) -> float | None:
    """Give the absolute limit of a share's criterion as one of the bad share: `min` 0.98 valid is 0.02 invalid."""
    if criterion.metric == "schema_valid":
        return None if criterion.min is None else 1 - criterion.min
    return criterion.max
