"""The effect of an arm: how far its metric lies from the control's, with an interval that units, not requests, carry.

A metric over requests is a ratio R = (sum of x) / (sum of d) over units, say failures over requests. Requests of one
unit are alike, so its variance is that of units, by the delta method (Deng, Lu and Litz, "Trustworthy analysis of
online A/B tests", WSDM 2017): each unit stands for

    z = R + (x - R d) / mean(d)

whose mean is R and whose variance, over the number of units, is that of R. Feedback is averaged for each unit first,
so that a unit that says much does not count more than one that says little.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from gateway.core.confidence import PLANNED, Interval, always_valid_p, difference_interval, fixed_interval
from gateway.core.experiment_metrics import FEEDBACK, SHARES, Direction
from gateway.core.moments import Moments

LEAST_UNITS = 100
"""Units of either arm below which nothing is said: the intervals rest on means of many."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The difference of an arm's metric from the control's, in the metric's own unit, and how sure it is.

    `interval` and `p` are always valid, or, where `final`, those of one look at the planned end.
    """

    interval: Interval
    p: float
    alpha: float
    final: bool

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval.low > 0 or self.interval.high < 0

    def is_better(self, direction: Direction) -> bool:
        """Say whether a difference that is shown is one for the better."""
        return (self.interval.estimate > 0) == (direction == "higher")


def moments_of(metric: str, ratios: Iterable[tuple[float, float]]) -> Moments:
    """Give the moments of a metric over units, each with its numerator and denominator; those without are left out."""
    given = [(x, d) for x, d in ratios if d]
    if metric.startswith(FEEDBACK):
        given = [(x / d, 1.0) for x, d in given]
    moments = Moments()
    total = math.fsum(d for _, d in given)
    if not total:
        return moments
    ratio = math.fsum(x for x, _ in given) / total
    mean = total / len(given)
    for x, d in given:
        moments.add(ratio + (x - ratio * d) / mean)
    return moments


def effect_of(metric: str, control: Moments, arm: Moments, *, alpha: float, final: bool) -> Effect | None:
    """Compare an arm with the control; None while either has too few units.

    Shares get a floor under their variance of one unit that is all bad: without failures so far, an interval of width
    zero would claim that there are none.
    """
    if min(control.n, arm.n) < LEAST_UNITS:
        return None
    if final:
        interval = fixed_interval(control, arm, alpha=alpha)
        return Effect(interval, _fixed_p(interval, alpha), alpha, final=True)
    scale = 1.0 if metric in SHARES else 0.0
    interval = difference_interval(control, arm, alpha=alpha, planned=PLANNED, scale=scale)
    p = always_valid_p(control, arm, alpha=alpha, planned=PLANNED, scale=scale)
    return Effect(interval, p, alpha, final=False)


def _fixed_p(interval: Interval, alpha: float) -> float:
    """The two-sided p-value behind a normal interval."""
    normal = NormalDist()
    deviation = (interval.high - interval.estimate) / normal.inv_cdf(1 - alpha / 2)
    if not deviation:
        return 0.0 if interval.estimate else 1.0
    return 2 * normal.cdf(-abs(interval.estimate) / deviation)
