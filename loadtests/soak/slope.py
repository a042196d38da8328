"""How fast memory grows: the least-squares slope of what was sampled, with the interval in which it lies."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

BLOCKS = 20
"""Samples follow one another closely and are not independent; the means of this many blocks nearly are."""

LEAST = 8
"""Blocks without which nothing is said."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope in MB (1,024 KB) an hour, and the ends of its 95 % interval."""

    per_hour: float
    low: float
    high: float


def slope(moments: Sequence[float], kb: Sequence[float]) -> Slope | None:
    """Fit a line through memory (KB) at moments (seconds, rising); None where there are too few."""
    size = max(1, len(moments) // BLOCKS)
    starts = range(0, len(moments) - size + 1, size)
    hours = [statistics.fmean(moments[start : start + size]) / 3600 for start in starts]
    mb = [statistics.fmean(kb[start : start + size]) / 1024 for start in starts]
    if len(hours) < LEAST:
        return None
    fitted = stats.linregress(hours, mb)
    error = 0.0 if math.isnan(fitted.stderr) else float(fitted.stderr)  # it is not told where nothing moves
    margin = float(stats.t.ppf(0.975, len(hours) - 2)) * error
    return Slope(float(fitted.slope), float(fitted.slope) - margin, float(fitted.slope) + margin)
