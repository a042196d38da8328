"""The metrics of an experiment: which there are, which way is better, and of what sort their values are."""

from typing import Literal

from gateway.core.metric import SHARES, is_better_high, is_feedback

MEANS = ("cost_per_request", "first_token_seconds", "seconds", "tokens_per_request")
"""Metrics whose values are means: US dollars, seconds, and input and output tokens together."""

METRICS = tuple(sorted(SHARES + MEANS))

Direction = Literal["higher", "lower"]


def is_metric(name: str) -> bool:
    """Say whether there is a metric of this name."""
    return name in METRICS or is_feedback(name)


def better(metric: str) -> Direction:
    """Say which way a metric is better, in a word."""
    return "higher" if is_better_high(metric) else "lower"


def shown(metric: str, value: float) -> str:
    """Write a metric's value for people, to three digits: shares in percent, costs in US dollars, times in seconds."""
    if metric in SHARES:
        return f"{value:.2%}"
    return _to_decimals(value, _decimals(value, 3)) + measure_of(metric)


def measure_of(metric: str) -> str:
    """Give what a metric's values are measured in, as it follows a number, with a space before it, or nothing."""
    return {"cost_per_request": " USD", "first_token_seconds": " s", "seconds": " s"}.get(metric, "")


def shown_span(metric: str, low: float, estimate: float, high: float) -> tuple[str, str]:
    """Write a difference of a metric's values, with its sign and unit, and apart from it its interval.

    All have the decimals that the interval's width deserves. Differences of shares are in percentage points.
    """
    if metric in SHARES:
        low, estimate, high = 100 * low, 100 * estimate, 100 * high
    decimals = 2 if metric in SHARES else _decimals(high - low or estimate, 2)
    unit = " points" if metric in SHARES else measure_of(metric)
    written = [_signed(number, decimals) for number in (low, estimate, high)]
    return f"{written[1]}{unit}", f"{written[0]} to {written[2]}"


def _decimals(size: float, digits: int) -> int:
    """How many decimals show so many digits of a number."""
    exponent = int(f"{abs(size):e}".partition("e")[2]) if size else 0
    return max(0, digits - 1 - exponent)


def _to_decimals(number: float, decimals: int) -> str:
    if decimals > 9 or abs(number) >= 1e12:
        return f"{number:.3g}"
    return f"{number:,.{decimals}f}"


def _signed(number: float, decimals: int) -> str:
    return ("-" if number < 0 else "+") + _to_decimals(abs(number), decimals)
