"""Counters and histograms as plain numbers, turned into Prometheus' families only when somebody scrapes."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]
"""Label values, in the order of the family's label names."""


class Counter:
    """A family of counters. `name` ends in `_total`; what is counted is multiplied by `unit` when it is read."""

    def __init__(self, name: str, text: str, names: Labels = (), unit: float = 1) -> None:
        self._name = name
        self._text = text
        self._names = names
        self._unit = unit
        self._values: dict[Labels, int] = {}

    def add(self, amount: int, *labels: str) -> None:
        """Count; an amount of 0 makes the series appear."""
        self._values[labels] = self._values.get(labels, 0) + amount

    def forget(self, **gone: str) -> None:
        """Drop every series that has all of these label values."""
        for labels in _matching(list(self._values), self._names, gone):
            del self._values[labels]

    def family(self) -> CounterMetricFamily:
        """Give the samples."""
        family = CounterMetricFamily(self._name, self._text, labels=self._names)
        for labels, value in self._values.items():
            family.add_metric(labels, value * self._unit)
        return family


class Histogram:
    """A family of histograms of seconds. `bounds` are the upper ends of the buckets, rising."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], names: Labels) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._names = names
        self._buckets: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one duration; as everywhere in Prometheus a bucket holds its upper end."""
        buckets = self._buckets.get(labels)
        if buckets is None:
            buckets = self._buckets[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        buckets[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def forget(self, **gone: str) -> None:
        """Drop every series that has all of these label values."""
        for labels in _matching(list(self._buckets), self._names, gone):
            del self._buckets[labels], self._sums[labels]

    def family(self) -> HistogramMetricFamily:
        """Give the samples."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._names)
        ends = [*(str(bound) for bound in self._bounds), "+Inf"]
        for labels, buckets in self._buckets.items():
            cumulative = list(zip(ends, accumulate(buckets), strict=True))
            family.add_metric(labels, cumulative, self._sums[labels])
        return family


def _matching(keys: list[Labels], names: Labels, wanted: dict[str, str]) -> list[Labels]:
    """Give the keys that have all wanted label values; a family without one of those labels has none."""
    if not wanted.keys() <= set(names):
        return []
    places = [(names.index(name), value) for name, value in wanted.items()]
    return [labels for labels in keys if all(labels[place] == value for place, value in places)]
