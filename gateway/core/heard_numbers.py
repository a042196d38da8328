"""Heard numbers: which numbered messages of which sources were heard, so that none counts twice."""

from collections.abc import Mapping
from typing import Any, Self

WINDOW = 64
"""How many numbers below the highest may still come: what is later than that is lost."""

MOST_SOURCES = 1_000
"""How many sources are remembered. None is forgotten, since what it said might come again; more are not heard."""


class HeardNumbers:
    """Takes the numbers of each source, from 1 on, each at most once, whatever is lost, repeated or out of order."""

    __slots__ = ("_sources",)

    def __init__(self) -> None:
        self._sources: dict[str, tuple[int, int, int]] = {}
        """The highest number; a bit for each of the WINDOW numbers up to it, itself the lowest; how many were heard."""

    def __repr__(self) -> str:
        return f"<HeardNumbers of {len(self._sources)} sources>"

    def take(self, source: str, number: int) -> bool:
        """Take a number of a source; say whether it is heard for the first time, so that it may count."""
        if number < 1 or (source not in self._sources and len(self._sources) >= MOST_SOURCES):
            return False
        highest, bits, heard = self._sources.get(source, (0, 0, 0))
        if number > highest:
            bits = (bits << min(number - highest, WINDOW) | 1) & ((1 << WINDOW) - 1)
            self._sources[source] = (number, bits, heard + 1)
            return True
        bit = 1 << highest - number
        if bit >= 1 << WINDOW or bits & bit:
            return False
        self._sources[source] = (highest, bits | bit, heard + 1)
        return True

    @property
    def heard(self) -> int:
        """How many numbers were taken."""
        return sum(heard for _, _, heard in self._sources.values())

    @property
    def missed(self) -> int:
        """How many numbers were passed over, and have not come since."""
        return sum(highest - heard for highest, _, heard in self._sources.values())

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object, of some 70 KB at most."""
        return {source: list(numbers) for source, numbers in self._sources.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        numbers = cls()
        numbers._sources = {source: (highest, bits, heard) for source, (highest, bits, heard) in value.items()}
        return numbers
