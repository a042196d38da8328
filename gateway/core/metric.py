"""A metric by its name: whether it is of feedback, and which way it is better."""

import re

FEEDBACK = "feedback."
"""What the metric of a feedback's name starts with."""

FEEDBACK_NAME = re.compile(r"[a-z0-9_.-]{1,64}")

SHARES = ("error_rate", "schema_valid", "slow_rate")
"""Metrics whose values are shares, from 0 to 1."""


def is_feedback(metric: str) -> bool:
    """Say whether a metric is of what applications say of answers."""
    return metric.startswith(FEEDBACK) and is_feedback_name(metric.removeprefix(FEEDBACK))


def is_feedback_name(name: str) -> bool:
    """Say whether feedback may have this name: 1 to 64 of a to z, 0 to 9, dot, dash and underscore."""
    return FEEDBACK_NAME.fullmatch(name) is not None


def is_better_high(metric: str) -> bool:
    """Say whether a metric is better when it is higher. Feedback is: send it that way round."""
    return metric == "schema_valid" or is_feedback(metric)
