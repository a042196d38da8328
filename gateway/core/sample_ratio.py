"""The sample ratio: whether the sides of a split got the shares they were given, looked at at any time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

_CONCENTRATION = 10_000.0
"""How near to the given shares the alternative expects the true ones: as if 10,000 had been seen to keep them."""


class SampleRatio:
    """The sequential test of a sample ratio mismatch (Lindon and Malek, NeurIPS 2022; Optimizely's `ssrm`).

    The Bayes factor sets a Dirichlet distribution around the expected shares against exactly those shares. It is an
    e-value, so p = 1 / (the highest Bayes factor so far) holds at all looks at once. A side that should get nothing
    and gets something makes p zero; otherwise it is left out.

    What is counted must fall on the sides independently. Count units, not their requests: one busy unit would
    otherwise be found to be a mismatch.
    """

    __slots__ = ("_shares", "counts", "p")

    def __init__(self, expected: tuple[float, ...]) -> None:
        total = math.fsum(expected)
        if not total > 0 or min(expected) < 0:
            raise ValueError(f"shares are from 0 up and one of them is above it: {expected}")
        self._shares = tuple(weight / total for weight in expected)
        self.counts = [0] * len(expected)
        self.p = 1.0

    @property
    def expected(self) -> tuple[float, ...]:
        """The share that each side should get, as fractions that sum to 1."""
        return self._shares

    def add(self, counts: Sequence[int]) -> None:
        """Take what came since the last time, for each side in the order of the expected shares."""
        self.counts = [old + new for old, new in zip(self.counts, counts, strict=True)]
        self.p = min(self.p, self._p_now())

    def _p_now(self) -> float:
        pairs = list(zip(self._shares, self.counts, strict=True))
        if any(count and not share for share, count in pairs):
            return 0.0
        n = sum(self.counts)
        log_factor = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + n)
        for share, count in pairs:
            if share:
                prior = _CONCENTRATION * share
                log_factor += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
        return min(1.0, math.exp(min(0.0, -log_factor)))

    def to_json(self) -> dict[str, Any]:
        """Write the test as a JSON object."""
        return {"expected": list(self._shares), "counts": list(self.counts), "p": self.p}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; the test goes on as if it had not been written."""
        test = cls(tuple(value["expected"]))
        test._shares = tuple(value["expected"])  # dividing by a total that is nearly 1 could move the last digit
        test.counts = list(value["counts"])
        test.p = value["p"]
        return test
