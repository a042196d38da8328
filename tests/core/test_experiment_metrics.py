"""The metrics of an experiment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.experiment_metrics import METRICS, better, is_metric, shown, shown_span


def test_metrics_are_known_by_name():
    """The built-in ones, and feedback under any name that feedback may have."""
    assert all(map(is_metric, (*METRICS, "feedback.resolved", "feedback.a-b_c.1")))
    for name in ("errors", "feedback.", "feedback.Resolved", "feedback.a b", f"feedback.{'a' * 65}", "resolved", ""):
        assert not is_metric(name)


def test_which_way_is_better():
    """Feedback and valid answers are good when there is much of them, everything else when there is little."""
    higher = {name for name in (*METRICS, "feedback.resolved") if better(name) == "higher"}
    assert {"schema_valid", "feedback.resolved"} == higher


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("error_rate", 0.0125, "1.25%"),
        ("cost_per_request", 0.0040385, "0.00404 USD"),
        ("seconds", 1.23456, "1.23 s"),
        ("tokens_per_request", 1079.2, "1,079"),
        ("tokens_per_request", 85.26, "85.3"),
        ("feedback.resolved", 0.63636, "0.636"),
        ("feedback.resolved", 0.0, "0.00"),
        ("feedback.score", 1e-12, "1e-12"),
        ("feedback.score", 1e15, "1e+15"),
    ],
)
def test_values_are_written_for_people(metric, value, expected):
    """Shares in percent, everything else to three digits with its unit."""
    assert expected == shown(metric, value)


@pytest.mark.parametrize(
    ("metric", "bounds", "expected"),
    [
        ("error_rate", (-0.0066, 0.0029, 0.0124), ("+0.29 points", "-0.66 to +1.24")),
        ("cost_per_request", (0.000655, 0.000738, 0.000822), ("+0.00074 USD", "+0.00065 to +0.00082")),
        ("feedback.resolved", (0.0377, 0.1184, 0.1990), ("+0.12", "+0.04 to +0.20")),
        ("tokens_per_request", (-1500.0, -1000.0, -500.0), ("-1,000", "-1,500 to -500")),
        ("seconds", (0.0, 0.0, 0.0), ("+0.0 s", "+0.0 to +0.0")),
    ],
)
def test_a_difference_has_the_decimals_that_its_interval_deserves(metric, bounds, expected):
    """With its sign, and of shares in percentage points."""
    assert expected == shown_span(metric, *bounds)


@given(st.sampled_from((*METRICS, "feedback.x")), st.tuples(*[st.floats(-1e15, 1e15)] * 3).map(sorted))
def test_any_numbers_can_be_written(metric, bounds):
    """However large, small or near to each other."""
    difference, span = shown_span(metric, *bounds)
    assert difference[0] in "+-"
    assert " to " in span
    assert len(difference) + len(span) < 100
    assert shown(metric, bounds[1])
