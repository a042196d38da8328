"""Calls that are left to end by themselves."""

from gateway.proxy.lingering import LINGER_SECONDS, Lingering


class Call:
    """Port `Call`: counts its cancellations."""

    def __init__(self):
        self.cancelled = 0

    def cancel(self):
        self.cancelled += 1


def test_each_call_has_its_second():
    """Then it is given up, once, and forgotten."""
    lingering, first, second = Lingering(), Call(), Call()
    lingering.add(first, 10.0)
    lingering.add(second, 10.5)
    assert "<Lingering 2 calls>" == repr(lingering)
    lingering.tick(10.0 + LINGER_SECONDS)
    assert (0, 0) == (first.cancelled, second.cancelled)
    lingering.tick(10.1 + LINGER_SECONDS)
    lingering.tick(10.2 + LINGER_SECONDS)
    assert (1, 0, "<Lingering 1 calls>") == (first.cancelled, second.cancelled, repr(lingering))
    lingering.tick(99.0)
    assert (1, 1) == (first.cancelled, second.cancelled)
