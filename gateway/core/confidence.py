"""Confidence: intervals for means and their differences, for a live look at any time or for the planned end.

A confidence sequence holds at all times at once, so that one may stop when it says something. The asymptotic one of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas ("Time-uniform central limit theory and asymptotic confidence
sequences", 2021, Theorem 2.2 and, one-sided, its appendix) is the one that GrowthBook and TensorZero use. With N
numbers and s the deviation of one of them,

    half-width = s sqrt( 2(N r^2 + 1) / (N^2 r^2) * ln( sqrt(N r^2 + 1) / alpha ) )
    one-sided:   the logarithm becomes ln( 1 + sqrt(N r^2 + 1) / (2 alpha) ), with r from 2 alpha
    r          = sqrt( (-2 ln alpha + ln(1 - 2 ln alpha)) / PLANNED )

For a difference N counts both sides and s^2 is N times the difference's variance. The sequence is narrowest at
`PLANNED` numbers, and wide at first, which is also what keeps it honest before means are near normal.

A side's variance is never taken to be zero. It is at least that of both sides together, and has one number more
that lies as far from the mean as the mean from zero (or `scale`, where that is more). Without this the width would
be zero while a side has shown nothing rare, and certainty come with its second request: measured, a 0/1 value of
1 % with a candidate at 5 % then lay outside a 95 % sequence in 37 % of runs.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from gateway.core.moments import Moments

PLANNED = 5000
"""The numbers of both sides at which a decision is expected, where the caller knows no better."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its bounds, in the unit of the numbers. Without numbers: NaN between infinities."""

    low: float
    estimate: float
    high: float


UNKNOWN = Interval(-math.inf, math.nan, math.inf)


def difference_interval(
    stable: Moments, candidate: Moments, *, alpha: float, ratio: float = 1.0, scale: float = 0.0
) -> Interval:
    """Give the two-sided sequence for the mean of candidate - ratio * stable, wrong ever with probability `alpha`."""
    if not stable.n or not candidate.n:
        return UNKNOWN
    return _around(*_difference(stable, candidate, ratio, scale), _width(stable.n + candidate.n, alpha))


def one_sided_difference(
    stable: Moments, candidate: Moments, *, alpha: float, ratio: float = 1.0, scale: float = 0.0
) -> Interval:
    """Give both one-sided sequences for the mean of candidate - ratio * stable.

    `low` alone is ever wrong with probability `alpha`, and so is `high` alone.
    """
    if not stable.n or not candidate.n:
        return UNKNOWN
    n = stable.n + candidate.n
    return _around(*_difference(stable, candidate, ratio, scale), _one_sided_width(n, alpha))


def one_sided_mean(sample: Moments, *, alpha: float, scale: float = 0.0) -> Interval:
    """Give both one-sided sequences for the mean of one sample; each bound alone has the level `alpha`."""
    if not sample.n:
        return UNKNOWN
    deviation = math.sqrt(_variance(sample, max(scale, abs(sample.mean))) / sample.n)
    return _around(sample.mean, deviation, _one_sided_width(sample.n, alpha))


def always_valid_p(
    stable: Moments, candidate: Moments, *, alpha: float, ratio: float = 1.0, scale: float = 0.0
) -> float:
    """Give the p-value of "candidate = ratio * stable in the mean", which may be looked at at any time.

    It is 1 / e-value of the normal mixture behind the two-sided sequence, so it is at most `alpha` exactly where
    `difference_interval` at `alpha` leaves zero out. 1.0 while a side has no number.
    """
    if not stable.n or not candidate.n:
        return 1.0
    estimate, deviation = _difference(stable, candidate, ratio, scale)
    if not deviation:
        return 1.0
    spread = (stable.n + candidate.n) * _rho_squared(alpha)
    log_e = spread * (estimate / deviation) ** 2 / (2 * (spread + 1)) - math.log(spread + 1) / 2
    return min(1.0, math.exp(-log_e))


def fixed_interval(stable: Moments, candidate: Moments, *, alpha: float) -> Interval:
    """Give the plain normal interval for the mean of candidate - stable, good for one look at a planned end.

    It has Welch's variance without a floor, and needs two numbers on either side.
    """
    if stable.n < 2 or candidate.n < 2:
        return UNKNOWN
    variance = candidate.variance / candidate.n + stable.variance / stable.n
    z = NormalDist().inv_cdf(1 - alpha / 2)
    return _around(candidate.mean - stable.mean, math.sqrt(variance), z)


def _around(estimate: float, deviation: float, width: float) -> Interval:
    return Interval(estimate - deviation * width, estimate, estimate + deviation * width)


def _difference(stable: Moments, candidate: Moments, ratio: float, scale: float) -> tuple[float, float]:
    """The estimate of candidate - ratio * stable, and its standard deviation."""
    expected = Moments(stable.n, ratio * stable.mean, ratio**2 * stable.m2)
    both = Moments(expected.n, expected.mean, expected.m2)
    both.merge(candidate)
    scale = max(scale, abs(expected.mean), abs(candidate.mean))
    variance = sum(max(both.variance, _variance(side, scale)) / side.n for side in (expected, candidate))
    return candidate.mean - expected.mean, math.sqrt(variance)


def _variance(side: Moments, scale: float) -> float:
    """A side's variance, as if it had one number more that lies `scale` from the mean."""
    return (side.m2 + scale**2) / side.n


def _rho_squared(alpha: float) -> float:
    log = -2 * math.log(alpha)
    return (log + math.log(log + 1)) / PLANNED


def _width(n: int, alpha: float) -> float:
    """The half-width at `n` numbers, in standard deviations of the estimate."""
    spread = n * _rho_squared(alpha)
    return math.sqrt(2 * (spread + 1) / spread * math.log(math.sqrt(spread + 1) / alpha))


def _one_sided_width(n: int, alpha: float) -> float:
    # Levels of one half and more are no use to anybody, and the formula for r ends there.
    alpha = min(alpha, 0.49)
    spread = n * _rho_squared(2 * alpha)
    return math.sqrt(2 * (spread + 1) / spread * math.log(1 + math.sqrt(spread + 1) / (2 * alpha)))
