"""The window against a plain list of what happened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.window import Window

EVENTS = st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.booleans()), max_size=60)


@given(EVENTS, st.sampled_from([30.0, 0.5, 3600.0]))
def test_the_window_counts_what_is_within_it(events: list[tuple[float, bool, bool]], seconds: float):
    """Everything younger than the window less one slot counts, and nothing older than the window."""
    window, now, seen = Window(seconds), 1000.0, []
    slot = seconds / max(10, min(60, seconds))
    for pause, failed, slow in events:
        now += pause
        window.add(now, failed=failed, slow=slow)
        seen.append((now, failed))
        surely = [failed for at, failed in seen if at > now - seconds + slot]
        perhaps = [failed for at, failed in seen if at > now - seconds]
        assert len(surely) <= window.counts.requests <= len(perhaps)
        assert sum(surely) <= window.counts.failed <= sum(perhaps)


def test_memory_does_not_grow():
    """A day of outcomes takes no more slots than the first second."""
    window = Window(86_400.0)
    for second in range(0, 86_400, 60):
        window.add(float(second), failed=True, slow=True)
    assert 60 == len(window._slots)
    assert (1440, 1440, 1440) == (window.counts.requests, window.counts.failed, window.counts.slow)


@pytest.mark.parametrize("pause", [30.0, 31.0, 1e6])
def test_silence_empties_the_window(pause: float):
    """After the window has passed without an outcome, however long ago, nothing is left."""
    window = Window(30.0)
    window.add(100.0, failed=True, slow=False)
    window.expire(100.0 + pause)
    assert 0 == window.counts.requests == window.counts.failed


def test_clearing_forgets_everything():
    """A cleared window starts from nothing, and nothing is taken from it later."""
    window = Window(30.0)
    window.add(1.0, failed=True, slow=True)
    window.clear()
    window.add(2.0, failed=False, slow=False)
    window.expire(1000.0)
    assert (0, 0, 0) == (window.counts.requests, window.counts.failed, window.counts.slow)
