"""The effect of an arm: how far its metric lies from the control's, with an interval that units, not requests, carry.

A metric over requests is a ratio R = (sum of x) / (sum of d) over units, say failures over requests. Requests of one
unit are alike, so its variance is that of units (Deng, Lu and Litz, "Trustworthy analysis of online A/B tests", WSDM
2017). Units are unlike in use, though, and one that sends a tenth of the requests draws R to itself and hides its own
deviation; the plain delta method then gave 8 to 17 % false alarms at 5 %. So the variance is the jackknife's, CV3 of
MacKinnon, Nielsen and Webb ("Fast and reliable jackknife and bootstrap methods for cluster-robust inference", Journal
of Applied Econometrics 38, 2023), which is not too small in the mean (Efron and Stein, Annals of Statistics 9, 1981).
With R_i that of all units but i, and n units,

    V = (n - 1) / n * sum of (R_i - R)^2,    R_i - R = -(x_i - R d_i) / (sum of d - d_i)

Where all use alike this is the variance of a mean. Feedback is averaged for each unit first, so that a unit that says
much does not count more than one that says little.

At the planned end the variance of the difference is the larger of Welch's, each arm by its own units, and Student's,
both arms by all units: the rule of Angrist and Pischke ("Mostly Harmless Econometrics", 2009, section 8.1). A small arm
that happens to lack the units that fail most is low in its metric and its variance at once, and would else be too sure.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from gateway.core.confidence import Interval, always_valid_p, difference_interval, fixed_interval
from gateway.core.experiment_metrics import Direction
from gateway.core.metric import SHARES, is_feedback
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
    """Give the moments of a metric over units, each with its numerator and denominator; those without are left out.

    The mean is the ratio over all, and the variance, over the number of units, the jackknife's of it.
    """
    given = [(x, d) for x, d in ratios if d]
    if is_feedback(metric):
        given = [(x / d, 1.0) for x, d in given]
    if not given:
        return Moments()
    n, total = len(given), math.fsum(d for _, d in given)
    ratio = math.fsum(x for x, _ in given) / total
    if n == 1:
        return Moments(1, ratio)
    return Moments(n, ratio, math.fsum(((n - 1) * (x - ratio * d) / (total - d)) ** 2 for x, d in given))


def effect_of(metric: str, control: Moments, arm: Moments, *, alpha: float, final: bool) -> Effect | None:
    """Compare an arm with the control; None while either has too few units.

    Shares get a floor under their variance of one unit that is all bad: without failures so far, an interval of width
    zero would claim that there are none.
    """
    if min(control.n, arm.n) < LEAST_UNITS:
        return None
    if final:
        interval = _final_interval(control, arm, alpha)
        return Effect(interval, _fixed_p(interval, alpha), alpha, final=True)
    scale = 1.0 if metric in SHARES else 0.0
    interval = difference_interval(control, arm, alpha=alpha, scale=scale)
    p = always_valid_p(control, arm, alpha=alpha, scale=scale)
    return Effect(interval, p, alpha, final=False)


def _final_interval(control: Moments, arm: Moments, alpha: float) -> Interval:
    """The normal interval of one look, with the larger variance of Welch's and Student's."""
    pooled = (control.m2 + arm.m2) / (control.n + arm.n - 2)
    alike = (Moments(side.n, side.mean, pooled * (side.n - 1)) for side in (control, arm))
    both = fixed_interval(control, arm, alpha=alpha), fixed_interval(*alike, alpha=alpha)
    return max(both, key=lambda interval: interval.high - interval.low)


def _fixed_p(interval: Interval, alpha: float) -> float:
    """The two-sided p-value behind a normal interval."""
    normal = NormalDist()
    deviation = (interval.high - interval.estimate) / normal.inv_cdf(1 - alpha / 2)
    if not deviation:
        return 0.0 if interval.estimate else 1.0
    return 2 * normal.cdf(-abs(interval.estimate) / deviation)
