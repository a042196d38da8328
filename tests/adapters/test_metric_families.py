"""Counters and histograms as plain numbers."""

from gateway.adapters.metric_families import Counter, Histogram


def samples(family):
    """A family's samples as (name, label values in order, value)."""
    return [(sample.name, tuple(sample.labels.values()), sample.value) for sample in family.samples]


def test_a_counter_adds_up():
    """Each combination of labels has a sum of its own; an amount of 0 makes it appear."""
    counter = Counter("things_total", "Things.", ("kind",))
    counter.add(0, "none")
    counter.add(2, "some")
    counter.add(3, "some")
    assert [("things_total", ("none",), 0), ("things_total", ("some",), 5)] == samples(counter.family())


def test_a_counter_has_a_unit():
    """Billionths are counted exactly and read as whole units."""
    counter = Counter("cost_usd_total", "Cost.", (), 1e-9)
    for _ in range(1_000):
        counter.add(1_500_000)
    assert [("cost_usd_total", (), 1.5)] == samples(counter.family())


def test_a_histogram_counts_up_to_each_bound():
    """Buckets are cumulative and hold their upper end; the last one holds everything."""
    histogram = Histogram("wait_seconds", "Waiting.", (0.1, 1.0), ("queue",))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds, "q")
    assert [
        ("wait_seconds_bucket", ("q", "0.1"), 2),
        ("wait_seconds_bucket", ("q", "1.0"), 3),
        ("wait_seconds_bucket", ("q", "+Inf"), 4),
        ("wait_seconds_count", ("q",), 4),
        ("wait_seconds_sum", ("q",), 7.65),
    ] == samples(histogram.family())


def test_series_are_forgotten_by_their_labels():
    """All given label values must match; a family without such a label keeps everything."""
    counter = Counter("x_total", "X.", ("route", "release"))
    histogram = Histogram("y_seconds", "Y.", (1.0,), ("route",))
    for route in ("a", "b"):
        histogram.observe(0.5, route)
        for release in ("1", "2"):
            counter.add(1, route, release)
    for family in (counter, histogram):
        family.forget(route="a", release="2")
    assert [("a", "1"), ("b", "1"), ("b", "2")] == [labels for _, labels, _ in samples(counter.family())]
    assert 8 == len(samples(histogram.family()))
    for family in (counter, histogram):
        family.forget(route="b")
    assert [("a", "1")] == [labels for _, labels, _ in samples(counter.family())]
    assert 4 == len(samples(histogram.family()))
