"""Durations as policies write them: one integer and one unit, such as `500ms`, `10s`, `5m`, `24h` or `3d`."""

import math
import re

_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_FORM = re.compile(r"([0-9]{1,12})(ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Read a duration and give its seconds.

    Raises:
        ValueError: the text is not one integer and one unit.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write one integer and one of ms, s, m, h, d, as in 30s")
    return int(match[1]) * _MILLISECONDS[match[2]] / 1_000


def format_duration(seconds: float) -> str:
    """Write seconds as a duration, to the millisecond, in the largest unit that states it whole."""
    milliseconds = round(seconds * 1_000)
    if milliseconds == 0:
        return "0s"
    unit = next(unit for unit, size in _MILLISECONDS.items() if milliseconds % size == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}"


def roughly(seconds: float) -> str:
    """Write seconds for people, rounded up: as seconds up to two minutes, minutes to two hours, hours to two days."""
    for unit, size, until in (("s", 1, 120), ("m", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < until:
            return f"{max(0, math.ceil(seconds / size))}{unit}"
    return f"{math.ceil(seconds / 86_400)}d"
