"""The series that requests count in."""

from gateway.adapters.metric_families import Counter, Histogram
from gateway.adapters.request_series import RequestFamilies, RequestSeries, known


def families() -> RequestFamilies:
    """Families that nobody else counts in."""

    def count(name, text, *names, unit=1):
        return Counter(f"{name}_total", text, names, unit)

    def measure(name, text, bounds, *names):
        return Histogram(name, text, bounds, names)

    return RequestFamilies(count, measure)


def samples(family):
    """A family's samples by name and label values, zeros left out."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in family.family().samples if sample.value}


def test_a_series_appears_when_it_is_first_counted_in():
    """Binding alone makes none: what never happened has no series."""
    of = families()
    series = RequestSeries(of, "helpdesk", "desk", "1.0.0", "stable")
    assert {} == samples(of.requests) == samples(of.tokens) == samples(of.cost)
    series.attempt("ok")
    series.attempt("ok")
    series.used(input=7, output=None)
    assert {("requests_total", "desk", "1.0.0", "stable", "ok"): 2} == samples(of.requests)
    assert {("tokens_total", "desk", "1.0.0", "stable", "input"): 7} == samples(of.tokens)


def test_two_bindings_of_one_series_count_together():
    """After a reload the same names are bound anew, and nothing starts from zero."""
    of = families()
    for _ in range(2):
        series = RequestSeries(of, "helpdesk", "desk", "1.0.0", "stable")
        series.served(10, 2_000_000_000, 0.001)
        series.answered(0.2, 0.1)
    assert {("app_requests_total", "helpdesk", "desk"): 2} == samples(of.app_requests)
    assert {("app_tokens_total", "helpdesk", "desk"): 20} == samples(of.app_tokens)
    assert {("app_cost_usd_total", "helpdesk", "desk"): 4.0} == samples(of.app_cost)
    assert 2 == samples(of.seconds)["request_seconds_count", "desk", "1.0.0", "stable"]
    assert 2 == samples(of.first_token)["first_token_seconds_count", "desk", "1.0.0", "stable"]
    assert 2 == samples(of.overhead)["overhead_seconds_count", "desk"]


def test_an_answer_that_was_no_stream_has_no_first_token():
    """Its latency is that of its end alone."""
    of = families()
    RequestSeries(of, "helpdesk", "desk", "1.0.0", "stable").answered(0.2, None)
    assert {} == samples(of.first_token)


def test_an_unknown_cost_is_counted_as_unknown():
    """Never as zero."""
    of = families()
    series = RequestSeries(of, "helpdesk", "desk", "1.0.0", "stable")
    series.charged(None)
    series.charged(500_000_000)
    assert {("cost_unknown_total", "desk", "1.0.0"): 1} == samples(of.cost_unknown)
    assert {("cost_usd_total", "desk", "1.0.0", "stable"): 0.5} == samples(of.cost)


def test_an_outcome_that_nobody_knows_is_other():
    """A label holds one of the names that are documented."""
    of = families()
    RequestSeries(of, "helpdesk", "desk", "1.0.0", "stable").attempt("melted")
    assert {("requests_total", "desk", "1.0.0", "stable", "other"): 1} == samples(of.requests)
    assert ("a", "other") == (known("a", {"a"}), known("b", {"a"}))


def test_a_series_shows_what_it_counts():
    """In a debugger, say."""
    series = RequestSeries(families(), "helpdesk", "desk", "1.0.0", "stable")
    assert "<RequestSeries helpdesk desk/1.0.0 stable>" == repr(series)
