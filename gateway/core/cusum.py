"""The CUSUM: finds within requests that a release fails more often than stable does, without a window."""

import math
from dataclasses import dataclass

THRESHOLD = math.log(1000)
"""Where to trip: what came since the score was last zero is a thousand times likelier under p1 than p0."""

# Three times ln(10) and ln(1000) are the same number, and floating point need not know it.
_EPSILON = 1e-9

_LEAST_BASELINE = 0.02
_MOST_BASELINE = 0.5
_KEPT = 0.80 / 0.98

_FORGETTING = 0.5 ** (1 / 500)


@dataclass(slots=True)
class Cusum:
    """A one-sided Bernoulli CUSUM (Page, 1954) of one release's outcomes against a baseline.

    Each outcome adds its log-likelihood ratio between "fails at p1" and "fails at p0" to a score that never
    falls below zero:

        failure: + ln(p1 / p0)        success: + ln((1 - p1) / (1 - p0))

    p0 is what is still acceptable: stable's failing share, kept between 2 % (a lower one is mostly chance,
    and the third failure in a row should be evidence enough: ln(0.20 / 0.02) * 3 = ln 1000) and 50 % (stable
    failing more than that is no measure of anything).

    p1 is what must be found: a release that spoils so many of stable's good answers as one failing 20 %
    beside one failing 2 %, so 1 - p1 = (1 - p0) * 0.80 / 0.98. A success therefore always weighs the same,
    -0.203, and a failure the less the more stable fails: with stable at 2 %, 10 % and 30 %, p1 is 20 %, 27 %
    and 43 %, and an outage alone needs 3, 8 and 20 failures. Higher p1 finds outages sooner there, and takes
    more equal releases out for chance.
    """

    score: float = 0.0

    def add(self, failed: bool, baseline: float) -> bool:  # noqa: FBT001 - the outcome is the subject
        """Take one outcome and stable's failing share (a fraction); say whether the threshold is reached."""
        p0, p1 = hypotheses(baseline)
        step = math.log(p1 / p0) if failed else math.log((1 - p1) / (1 - p0))
        self.score = max(0.0, self.score + step)
        return self.score >= THRESHOLD - _EPSILON


def hypotheses(baseline: float) -> tuple[float, float]:
    """Give the failing shares (p0, p1) to tell apart when stable's own failing share is `baseline`."""
    p0 = min(_MOST_BASELINE, max(_LEAST_BASELINE, baseline))
    return p0, 1 - (1 - p0) * _KEPT


@dataclass(slots=True)
class FailingShare:
    """Stable's own failing share, with old outcomes forgotten by half every 500.

    It starts as if 25 outcomes with half a failure had been seen: at 2 %.
    """

    failures: float = 0.5
    outcomes: float = 25.0

    def add(self, failed: bool) -> None:  # noqa: FBT001 - the outcome is the subject
        """Take one outcome of stable."""
        self.failures = self.failures * _FORGETTING + failed
        self.outcomes = self.outcomes * _FORGETTING + 1

    @property
    def share(self) -> float:
        """The failing share now, a fraction."""
        return self.failures / self.outcomes
