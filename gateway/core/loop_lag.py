"""How late the serving loop is: by how much what is to come every so often comes later than that."""

KEPT_SECONDS = 60.0
"""How long the longest lag is told at least, so that whoever scrapes once a minute sees it; twice that at most."""


class LoopLag:
    """The longest lag of the last minute or two, in seconds. Times are of one clock that only goes forward."""

    def __init__(self, every: float) -> None:
        """`tick` is to be called every so many seconds."""
        self._every = every
        self._ticked_at: float | None = None
        self._since = 0.0
        self._current = self._former = 0.0

    def __repr__(self) -> str:
        return f"<LoopLag {self.longest:g} s>"

    @property
    def longest(self) -> float:
        """The longest lag lately."""
        return max(self._current, self._former)

    def tick(self, now: float) -> None:
        """Hear that the loop has come to it, at `now`."""
        if now - self._since >= KEPT_SECONDS:
            self._former, self._current, self._since = self._current, 0.0, now
        if self._ticked_at is not None:
            self._current = max(self._current, now - self._ticked_at - self._every)
        self._ticked_at = now
