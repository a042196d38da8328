"""The sample ratio: whether the sides of a split got the shares they were given, looked at at any time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from gateway.core.split_check import split_p


class SampleRatio:
    """The sequential test of a sample ratio mismatch (Lindon and Malek, NeurIPS 2022; Optimizely's `ssrm`).

    The p of `split_p` is 1 / e-value, so the lowest so far holds at all looks at once, and never rises again.

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
        self.p = min(self.p, split_p(self._shares, self.counts))

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
