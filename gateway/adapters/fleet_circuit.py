"""The fleet bus's own circuit: whether it is there, and one line in the journal each time that changes."""

from collections.abc import Callable

from gateway.core.errors import FleetFault
from gateway.core.ports import Clock, Journal

MOST_FAULTS = 5
"""After how many faults in a row the bus is away; a command that was not answered in time is enough by itself."""

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

STEADY_SECONDS = 60.0
"""How long the bus must have been back before its next absence begins with the first pause again."""


class FleetCircuit:
    """Counts what commands meet. While the bus is away nobody asks it but the one trial after each pause.

    The pauses grow over absences that follow closely on one another, so that a bus on the brink costs little and says
    little.
    """

    def __init__(self, name: str, journal: Journal, clock: Clock, draw: Callable[[], float]) -> None:
        """`name` is what messages call the bus, nothing secret; `draw` gives numbers from 0 to 1."""
        self.name = name
        self.away_since: float | None = None
        self._journal = journal
        self._clock = clock
        self._draw = draw
        self._faults = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._gone_at = 0.0
        self._back_at = clock.monotonic()

    def __repr__(self) -> str:
        return f"<FleetCircuit {self.name}, {'away' if self.is_away else 'there'}>"

    @property
    def is_away(self) -> bool:
        """Whether nobody is to ask it now; `away_since` is the wall time since when."""
        return self.away_since is not None

    def check(self) -> None:
        """Let a command pass.

        Raises:
            FleetFault: the bus is away.
        """
        if self.is_away:
            raise FleetFault(f"{self.name} is away")

    def good(self) -> None:
        """A command was answered."""
        self._faults = 0

    def bad(self, reason: str, *, is_timeout: bool) -> None:
        """A command was not answered, or by an error."""
        self._faults += 1
        if self.is_away or (self._faults < MOST_FAULTS and not is_timeout):
            return
        self.away_since, self._gone_at = self._clock.wall(), self._clock.monotonic()
        if self._gone_at - self._back_at > STEADY_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        self._journal.event("fleet_away", level="warning", fleet=self.name, message=reason)

    def pause(self) -> float:
        """Give how many seconds to wait before the next trial: with jitter, and longer each time."""
        pause = self._pause * (0.5 + self._draw() / 2)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return pause

    def short_pause(self) -> float:
        """Give how many seconds a listener waits that has lost its connection."""
        return FIRST_PAUSE_SECONDS * (0.5 + self._draw() / 2)

    def back(self) -> None:
        """A trial was answered."""
        self._back_at = self._clock.monotonic()
        self.away_since, self._faults = None, 0
        self._journal.event("fleet_back", fleet=self.name, away_seconds=round(self._back_at - self._gone_at, 1))
