"""Request ids: in the order of time, and past guessing."""

import os
import time
from collections.abc import Callable

_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 512


class RequestIds:
    """Makes ids like `req_` and 32 hexadecimal digits: 12 of milliseconds since the epoch, then 80 random bits.

    What begins with the time is put at the end of the ledger's index, where it is cheap. The randomness is the
    operating system's, drawn for many ids at once, since each drawing is a system call.
    """

    def __init__(self, draw: Callable[[int], bytes] = os.urandom, nanos: Callable[[], int] = time.time_ns) -> None:
        """`draw` gives that many random bytes, `nanos` the wall time in billionths of a second."""
        self._draw = draw
        self._nanos = nanos
        self._drawn = ""
        self._used = 0
        self._millis = 0
        self._beginning = ""

    def __call__(self) -> str:
        """Make an id that nobody had before."""
        if self._used >= len(self._drawn):
            self._drawn = self._draw(_RANDOM_BYTES * _DRAWN_AT_ONCE).hex()
            self._used = 0
        start = self._used
        self._used = end = start + 2 * _RANDOM_BYTES
        millis = self._nanos() // 1_000_000
        if millis != self._millis:
            self._millis, self._beginning = millis, f"req_{millis:012x}"
        return self._beginning + self._drawn[start:end]

    def __repr__(self) -> str:
        return "<RequestIds>"
