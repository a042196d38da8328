"""The figures of a release."""

import pytest

from gateway.core.record import Tried
from gateway.core.release_figures import ReleaseFigures


def test_nothing_is_undefined_and_not_zero():
    """Without requests there is no rate, no quantile and no cost."""
    told = ReleaseFigures().to_json()
    assert {"value": None, "failed": 0, "n": 0} == told["error_rate"]
    assert {"p50": None, "p95": None, "p99": None, "n": 0} == told["seconds"]
    assert {"value": None, "n": 0, "unknown": 0} == told["cost_per_1000_requests_usd"]


def test_each_figure_says_what_it_rests_on():
    """What is unknown is counted apart, never as nought."""
    figures = ReleaseFigures(
        requests=12,
        answered=10,
        good=11,
        failed=1,
        cost_known=8,
        cost_nano_usd=4_000_000,
        tokens_known=9,
        input_tokens=900,
        output_tokens=90,
    )
    for seconds in range(1, 11):
        figures.seconds.add(seconds)
    told = figures.to_json()
    assert 12 == told["requests"]
    assert {"value": 0.0833333, "failed": 1, "n": 12} == told["error_rate"]
    assert {"value": 0.5, "n": 8, "unknown": 2} == told["cost_per_1000_requests_usd"]
    assert {"input": 900, "output": 90, "n": 9, "unknown": 1} == told["tokens"]
    assert (5, 10) == (pytest.approx(told["seconds"]["p50"], rel=0.02), told["seconds"]["n"])


def test_attempts_that_failed_are_counted_by_release():
    """Those of others, and those that speak against nobody, apart."""
    figures = ReleaseFigures()
    figures.add_failures(
        "1.1.0",
        [
            Tried("1.1.0", "canary", "failed", 500),
            Tried("1.1.0", "stable", "failed", 500, True),
            Tried("1.1.0", "stable", "ok", 200),
            Tried("1.0.0", "stable", "failed", 500),
        ],
    )
    assert (1, 1.0) == (figures.failed, figures.error_rate)
