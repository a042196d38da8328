"""The clock of the machine."""

import time


class SystemClock:
    """The port `Clock`, read from the operating system without a detour: a request looks at it a dozen times.

    `monotonic` gives seconds from an arbitrary start, never going back; `wall` gives seconds since the epoch, as the
    machine believes them to be.
    """

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
