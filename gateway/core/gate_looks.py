"""The looks of a gate: at which samples a guardrail may be shown to be kept, and with which part of the error level.

Who asks every second until the answer is yes gets it by luck. So a gate looks when it is first asked, and then each
time the candidate's sample has grown by a half. The first look has an error level of 0.025, the k-th one of 0.02 / k.
Neighbouring looks share most of their sample, so that all together err less than the sum: 4.6 % over 14 looks, between
which the sample grows 290-fold (100,000 simulated paths of a normal statistic at its limit).
"""

from collections.abc import Sequence
from typing import Any, Self

from gateway.core.tally import Share

GROWTH = 1.5
_FIRST_LEVEL = 0.025
_LATER_LEVEL = 0.02


class GateLooks:
    """How often a gate has looked at a guardrail, and what it saw the last time.

    Attributes:
        count: how many looks there were.
        stable, candidate: the shares at the last look; empty before the first.
    """

    __slots__ = ("candidate", "count", "stable")

    def __init__(self) -> None:
        self.count = 0
        self.stable, self.candidate = Share(), Share()

    @property
    def next_n(self) -> int:
        """How many outcomes of the candidate the next look takes; 1 before the first."""
        return max(1, int(-(-self.candidate.n * GROWTH // 1)))

    def confidence(self, count: int) -> float:
        """Give the confidence of a look, of which the first is 1."""
        return 1 - (_FIRST_LEVEL if count <= 1 else _LATER_LEVEL / count)

    def take(self, stable: Share, candidate: Share) -> None:
        """Look."""
        self.count += 1
        self.stable, self.candidate = Share(stable.bad, stable.n), Share(candidate.bad, candidate.n)

    def to_json(self) -> list[int]:
        """Write the looks as a list of numbers."""
        return [self.count, self.stable.bad, self.stable.n, self.candidate.bad, self.candidate.n]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Self:
        """Read what `to_json` wrote."""
        looks = cls()
        looks.count, stable_bad, stable_n, candidate_bad, candidate_n = value
        looks.stable, looks.candidate = Share(stable_bad, stable_n), Share(candidate_bad, candidate_n)
        return looks
