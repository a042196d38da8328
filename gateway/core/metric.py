"""A metric by its name: whether it is of feedback, and which way it is better."""

FEEDBACK = "feedback."
"""What the metric of a feedback's name starts with."""

SHARES = ("error_rate", "schema_valid", "slow_rate")
"""Metrics whose values are shares, from 0 to 1."""


def is_feedback(metric: str) -> bool:
    """Say whether a metric is of what applications say of answers."""
    return metric.startswith(FEEDBACK)


def is_better_high(metric: str) -> bool:
    """Say whether a metric is better when it is higher. Feedback is: send it that way round."""
    return metric == "schema_valid" or is_feedback(metric)
