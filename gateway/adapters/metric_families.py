"""Counters and histograms as plain numbers, turned into Prometheus' families only when somebody scrapes."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

Labels = tuple[str, ...]
"""Label values, in the order of the family's label names."""


Cell = list[int]
"""The count of one series, alone in a list so that it can be changed in place."""


class Counter:
    """A family of counters. `name` ends in `_total`; what is counted is multiplied by `unit` when it is read."""

    def __init__(self, name: str, text: str, names: Labels = (), unit: float = 1) -> None:
        self._name = name
        self._text = text
        self._names = names
        self._unit = unit
        self._values: dict[Labels, Cell] = {}

    def cell(self, *labels: str) -> Cell:
        """Give the place where one series is counted, for who counts in it again and again; the series appears."""
        cell = self._values.get(labels)
        if cell is None:
            cell = self._values[labels] = [0]
        return cell

    def add(self, amount: int, *labels: str) -> None:
        """Count; an amount of 0 makes the series appear."""
        self.cell(*labels)[0] += amount

    def forget(self, **gone: str) -> None:
        """Drop every series that has all of these label values."""
        for labels in _matching(list(self._values), self._names, gone):
            del self._values[labels]

    def family(self) -> CounterMetricFamily:
        """Give the samples."""
        family = CounterMetricFamily(self._name, self._text, labels=self._names)
        for labels, (value,) in self._values.items():
            family.add_metric(labels, value * self._unit)
        return family


class Buckets:
    """One series of a histogram: how many durations fell into each bucket, and their sum in seconds."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration; as everywhere in Prometheus a bucket holds its upper end."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Histogram:
    """A family of histograms of seconds. `bounds` are the upper ends of the buckets, rising."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], names: Labels) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._names = names
        self._series: dict[Labels, Buckets] = {}

    def buckets(self, *labels: str) -> Buckets:
        """Give one series, for who observes it again and again; it appears."""
        buckets = self._series.get(labels)
        if buckets is None:
            buckets = self._series[labels] = Buckets(self._bounds)
        return buckets

    def observe(self, seconds: float, *labels: str) -> None:
        """Count one duration."""
        self.buckets(*labels).observe(seconds)

    def forget(self, **gone: str) -> None:
        """Drop every series that has all of these label values."""
        for labels in _matching(list(self._series), self._names, gone):
            del self._series[labels]

    def family(self) -> HistogramMetricFamily:
        """Give the samples."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._names)
        ends = [*(str(bound) for bound in self._bounds), "+Inf"]
        for labels, buckets in self._series.items():
            cumulative = list(zip(ends, accumulate(buckets.counts), strict=True))
            family.add_metric(labels, cumulative, buckets.total)
        return family


def _matching(keys: list[Labels], names: Labels, wanted: dict[str, str]) -> list[Labels]:
    """Give the keys that have all wanted label values; a family without one of those labels has none."""
    if not wanted.keys() <= set(names):
        return []
    places = [(names.index(name), value) for name, value in wanted.items()]
    return [labels for labels in keys if all(labels[place] == value for place, value in places)]
