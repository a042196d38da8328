"""What the operating system says of a process."""

import os

from loadtests.bench.accounting import cpu_seconds, family, resident_kb, usage


def test_cpu_time_is_user_and_system_time():
    """The command's name may hold blanks and parentheses."""
    ticks = os.sysconf("SC_CLK_TCK")
    line = f"12 (a ) b) S 1 12 12 0 -1 4194304 500 0 0 0 {3 * ticks} {ticks} 9 9 20 0 1 0 100 1000 200"
    assert 4.0 == cpu_seconds(line)


def test_a_process_that_has_ended_counts_nothing():
    """Its files are gone, so they read as empty."""
    assert 0.0 == cpu_seconds("")
    assert 0 == resident_kb("")


def test_resident_memory_is_read_in_kb():
    """Other lines are passed over."""
    assert 1234 == resident_kb("Name:\tx\nVmHWM:\t  9999 kB\nVmRSS:\t  1234 kB\n")


def test_a_process_counts_itself():
    """Its own number comes first, and it uses memory."""
    assert os.getpid() == family(os.getpid())[0]
    assert 0 < usage(os.getpid()).resident_kb
