"""The clock of the machine."""

import time

from gateway.adapters.system_clock import SystemClock


def test_monotonic_time_never_goes_back():
    """Durations are never negative."""
    clock = SystemClock()
    times = [clock.monotonic() for _ in range(1000)]
    assert sorted(times) == times


def test_wall_time_is_the_machines():
    """Records carry seconds since the epoch."""
    before = time.time()
    read = SystemClock().wall()
    assert before <= read <= time.time()
