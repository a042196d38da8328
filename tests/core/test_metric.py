"""Metrics by their names."""

import pytest

from gateway.core.experiment_metrics import METRICS
from gateway.core.metric import FEEDBACK, is_better_high, is_feedback


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("feedback.resolved", True), (f"{FEEDBACK}a.b", True), ("error_rate", False), ("feedback", False), ("", False)],
)
def test_feedback_is_told_by_its_prefix(metric: str, expected: bool):
    """Whatever the name behind it."""
    assert expected == is_feedback(metric)


def test_which_metrics_are_better_high():
    """Valid answers and feedback; of failures, time, tokens and cost, less is better."""
    assert {"schema_valid", "feedback.resolved"} == {
        metric for metric in (*METRICS, "feedback.resolved") if is_better_high(metric)
    }
