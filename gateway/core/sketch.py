"""A sketch: the quantiles of durations, to 2 percent, in constant memory."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Self

_ACCURACY = 0.02
_GAMMA = (1 + _ACCURACY) / (1 - _ACCURACY)
_LOG_GAMMA = math.log(_GAMMA)
_MOST_BINS = 512
_LEAST = 1e-9
"""Durations below a nanosecond are nought: no clock tells them apart."""


class Sketch:
    """Quantiles of seconds (DDSketch: Masson, Rim and Lee, VLDB 2019).

    Bin i counts what lies in (g^(i-1), g^i] with g = 1.02 / 0.98, and its middle is within 2 % of all of it. There
    are at most 512 bins, enough for a ratio of 10^8 between the longest and the shortest; beyond it the lowest
    become one, so that high quantiles stay exact.

    Attributes:
        bins: how many durations each bin holds, by its number.
        count: how many durations there are.
    """

    __slots__ = ("bins", "count")

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}
        self.count = 0

    def add(self, seconds: float) -> None:
        """Take one duration. What is not a finite number is no duration and is not counted."""
        if not math.isfinite(seconds):
            return
        index = math.ceil(math.log(max(seconds, _LEAST)) / _LOG_GAMMA)
        self.count += 1
        if index in self.bins:
            self.bins[index] += 1
        else:
            self.bins[index] = 1
            self._collapse()

    def quantile(self, q: float) -> float | None:
        """Give the duration, in seconds, that a share `q` of all lie under or at; None without any."""
        if not self.count:
            return None
        indices = sorted(self.bins)
        ends = list(accumulate(self.bins[index] for index in indices))
        middle = 2 * _GAMMA ** indices[bisect_right(ends, q * (self.count - 1))] / (_GAMMA + 1)
        return 0.0 if middle <= 2 * _LEAST else middle

    def merge(self, other: "Sketch") -> None:
        """Take all durations that another has taken."""
        for index, count in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + count
        self.count += other.count
        self._collapse()

    def _collapse(self) -> None:
        if len(self.bins) <= _MOST_BINS:
            return
        indices = sorted(self.bins)
        lowest = indices[-_MOST_BINS]
        for index in indices[:-_MOST_BINS]:
            self.bins[lowest] += self.bins.pop(index)

    def to_json(self) -> dict[str, Any]:
        """Write the sketch as a JSON object."""
        return {"bins": [[index, self.bins[index]] for index in sorted(self.bins)]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        sketch = cls()
        sketch.bins = dict(value["bins"])
        sketch.count = sum(sketch.bins.values())
        return sketch
