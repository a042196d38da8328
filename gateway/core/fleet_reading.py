"""How the fleet bus is: what metrics and people are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FleetReading:
    """Whether it is there, how many gateways are, and since what wall time it is away.

    `commands` are those sent so far by how they ended (ok, failed, timeout; away: not sent at all), `messages` those
    heard so far by what came of them (acted, known, dropped), `hand_overs` those of evidence said so far, and heard by
    what came of them (counted, repeated, elsewhere, refused).
    """

    is_up: bool
    replicas: int
    away_since: float | None
    commands: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)
    hand_overs: Mapping[str, int] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Tell people, as JSON."""
        return {"up": self.is_up, "replicas": self.replicas, "away_since": self.away_since}
