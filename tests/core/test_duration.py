"""Durations: one integer and one unit, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.duration import format_duration, parse_duration, roughly


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("0s", 0.0), ("10s", 10.0), ("5m", 300.0), ("24h", 86_400.0), ("3d", 259_200.0)],
)
def test_a_duration_has_one_integer_and_one_unit(text: str, seconds: float):
    """Every unit is read, and written again as it was."""
    assert seconds == parse_duration(text)
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1.5s", "-5s", "5 s", "1h30m", "5S", "5w", "٣s", "9" * 400 + "d", "5s\n"]
)
def test_anything_else_is_refused(text: str):
    """Signs, fractions, spaces, sums and other units are an error that says what to write."""
    with pytest.raises(ValueError, match="write one integer and one of ms, s, m, h, d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.0001, "0s"), (90, "90s"), (5400, "90m"), (86_400, "1d"), (0.25, "250ms"), (1.5, "1500ms")],
)
def test_the_largest_whole_unit_is_written(seconds: float, text: str):
    """A duration is written in the largest unit that needs no fraction, to the millisecond."""
    assert text == format_duration(seconds)


@given(st.integers(0, 10**12))
def test_whole_milliseconds_come_back(milliseconds: int):
    """What is written is read as the same duration."""
    assert milliseconds / 1000 == parse_duration(format_duration(milliseconds / 1000))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.2, "1s"), (119.5, "120s"), (120, "2m"), (3599, "60m"), (7200, "2h"), (86_400 * 3, "3d")],
)
def test_seconds_are_rounded_up_for_people(seconds, text):
    """To what is worth saying: nobody reads 3599s."""
    assert text == roughly(seconds)
