"""The clock of the machine."""

import time


class SystemClock:
    """The port `Clock`, read from the operating system."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the epoch, as the machine believes them to be."""
        return time.time()
