"""The units of an experiment's arms: one row a unit, added up from many, in memory that does not grow without end.

A row holds for each metric a sum and what it is divided by, so that any ratio over requests can be formed, and its
variance over units (`gateway/core/effect.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

MOST_UNITS = 100_000
"""Some 50 MB while they are added up."""

_HASHES = 1 << 32


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests of an experiment are meant, and which of its metrics: those from wall second `since` on.

    `until` ends them, without it; None: up to now. `over` is what makes an answer slow, in seconds.
    """

    route: str
    experiment: str
    metrics: tuple[str, ...]
    since: float = 0.0
    until: float | None = None
    over: float | None = None


@dataclass(slots=True)
class ArmUnit:
    """One unit: its arm, how many requests it sent, how many of them another release answered.

    `sums` holds two numbers for each metric in turn, numerator and denominator.
    """

    arm: str
    requests: int
    elsewhere: int
    sums: list[float]


class ArmUnits:
    """Adds units up, by their digests.

    When there are more than `most`, those whose digest is in the upper half of what is still taken are let go: the
    digest is a hash, so what stays is a fair sample of one unit in `one_in`, and each of them whole.

    A unit that was seen in two arms, because their shares have changed, says nothing of either and is counted apart.
    """

    def __init__(self, metrics: Sequence[str], most: int = MOST_UNITS) -> None:
        self.one_in = 1
        self._metrics = tuple(metrics)
        self._most = most
        self._units: dict[str, ArmUnit] = {}
        self._torn: set[str] = set()

    def __len__(self) -> int:
        return len(self._units)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics in the order of the sums."""
        return self._metrics

    @property
    def torn(self) -> int:
        """How many units of the sample were seen in two arms."""
        return len(self._torn)

    def add(self, unit: str, arm: str, requests: int, elsewhere: int, sums: Mapping[int, float]) -> None:
        """Take some requests of a unit, by its digest: `sums` by their places, two for each metric."""
        if unit in self._torn or not self._is_taken(unit):
            return
        known = self._units.get(unit)
        if known is None:
            known = self._units[unit] = ArmUnit(arm, 0, 0, [0.0] * (2 * len(self._metrics)))
        elif known.arm != arm:
            del self._units[unit]
            self._torn.add(unit)
            return
        known.requests += requests
        known.elsewhere += elsewhere
        for place, amount in sums.items():
            known.sums[place] += amount
        if len(self._units) + len(self._torn) > self._most:
            self._thin_out()

    def of(self, arm: str) -> Iterator[ArmUnit]:
        """Give the units of an arm that sent requests; feedback alone makes none."""
        return (unit for unit in self._units.values() if unit.arm == arm and unit.requests)

    def ratios(self, arm: str, metric: str) -> Iterator[tuple[float, float]]:
        """Give numerator and denominator of a metric for each unit of an arm."""
        place = 2 * self._metrics.index(metric)
        return ((unit.sums[place], unit.sums[place + 1]) for unit in self.of(arm))

    def _is_taken(self, unit: str) -> bool:
        return self.one_in == 1 or int(unit[:8], 16) < _HASHES // self.one_in

    def _thin_out(self) -> None:
        self.one_in *= 2
        self._units = {unit: row for unit, row in self._units.items() if self._is_taken(unit)}
        self._torn = {unit for unit in self._torn if self._is_taken(unit)}
