"""Moments: the mean and the variance of numbers that come one by one, without keeping them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(slots=True)
class Moments:
    """How many numbers there were, their mean, and `m2`, the sum of their squared distances from it.

    Welford (Technometrics 4, 1962) for one number, and Chan, Golub and LeVeque (1979) for merging; both keep their
    digits where sums of squares would lose them.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0

    def add(self, number: float) -> None:
        """Take one finite number."""
        self.n += 1
        distance = number - self.mean
        self.mean += distance / self.n
        self.m2 += distance * (number - self.mean)

    def merge(self, other: "Moments") -> None:
        """Take all numbers that another has taken."""
        if not other.n:
            return
        n = self.n + other.n
        distance = other.mean - self.mean
        self.m2 += other.m2 + distance**2 * self.n * other.n / n
        self.mean += distance * other.n / n
        self.n = n

    @property
    def variance(self) -> float:
        """The variance of what the numbers are a sample of; 0 for fewer than two."""
        return self.m2 / (self.n - 1) if self.n > 1 else 0.0

    def to_json(self) -> list[float]:
        """Write the moments as a JSON list."""
        return [self.n, self.mean, self.m2]

    @classmethod
    def from_json(cls, value: Sequence[float]) -> Self:
        """Read what `to_json` wrote."""
        n, mean, m2 = value
        return cls(int(n), mean, m2)
