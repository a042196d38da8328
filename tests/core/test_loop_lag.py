"""How late the serving loop is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.loop_lag import LoopLag


def ticked(lag: LoopLag, *times: float) -> float:
    """The longest lag after ticks at some times."""
    for now in times:
        lag.tick(now)
    return lag.longest


def test_a_loop_in_time_has_none():
    """Nor has one that has only begun."""
    lag = LoopLag(0.1)
    assert 0.0 == ticked(lag, 5.0)
    assert ticked(lag, 5.1, 5.2, 5.3) == pytest.approx(0.0)
    assert repr(lag).startswith("<LoopLag ")


def test_the_longest_is_told_for_a_minute_at_least_and_two_at_most():
    """However often somebody looks meanwhile."""
    lag = LoopLag(0.1)
    assert ticked(lag, 1000.0, 1002.1, 1002.2, 1002.4) == pytest.approx(2.0)
    assert ticked(lag, *(1002.4 + each / 10 for each in range(1, 600))) == pytest.approx(2.0)
    assert ticked(lag, *(1062.3 + each / 10 for each in range(1, 600))) < 0.5


@given(st.lists(st.floats(0.1, 30.0), min_size=1, max_size=50))
def test_the_latest_lag_is_never_missed(pauses):
    """It is told right after it was met, however long the one before is ago."""
    lag, now = LoopLag(0.1), 100.0
    lag.tick(now)
    for pause in pauses:
        now += pause
        lag.tick(now)
        assert lag.longest >= pause - 0.1 - 1e-9
