"""Safe tests: evidence that a share is too high, in e-values that may be looked at after every batch.

An e-value is a likelihood ratio whose mean is at most 1 while the hypothesis holds, whatever the true share is. By
Ville's inequality it then ever reaches 1/alpha with a probability of at most alpha, so looking often costs nothing
and stopping at will is allowed. E-values are kept as natural logarithms.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

PROOF = 1e6
"""The logarithm of the e-value of something impossible: beyond all that outcomes add up to. JSON has no infinity."""

_PRIOR_BAD = 0.18
_PRIOR = 0.36
# Turner, Ly and Grunwald's choice for the 2x2 test: the least regret over all shares, one half at first.


def learned(bad: int, n: int) -> float:
    """Give the share to expect after `bad` of `n` outcomes; never 0 or 1."""
    return (bad + _PRIOR_BAD) / (n + _PRIOR)


@dataclass(slots=True)
class TwoShares:
    """The safe 2x2 test of "the candidate's share of bad outcomes is not above stable's".

    Turner, Ly and Grunwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
    stopping" (2021). A batch of n_a outcomes of stable and n_b of the candidate, x_a and x_b of them bad, adds

        ln [ p_a^x_a (1-p_a)^(n_a-x_a) p_b^x_b (1-p_b)^(n_b-x_b) / (p_0^x (1-p_0)^(n-x)) ]

    with x = x_a + x_b, n = n_a + n_b and p_0 = (n_a p_a + n_b p_b) / n. With that p_0 the mean is at most 1 for
    batches of any two sizes: under a common share t it is A^n_a B^n_b where A = 1 + (t-p_0)(p_a-p_0)/(p_0(1-p_0))
    and B likewise, whose mean weighted by n_a and n_b is exactly 1, so the product is at most 1. Forcing p_b >= p_a
    carries this over to every candidate that is better than stable.

    p_a and p_b are learned from earlier batches alone. A side without any has the other's share, so that its first
    batch adds nothing: with one half, the share of complete ignorance, a sound first batch would bury what follows.

    Attributes:
        log_e: the logarithm of the e-value now.
        log_peak: the highest it ever was, by which a test alone may be judged (a watch mixes two, and keeps its own).
    """

    stable_bad: int = 0
    stable_n: int = 0
    candidate_bad: int = 0
    candidate_n: int = 0
    log_e: float = 0.0
    log_peak: float = 0.0

    def add(self, stable_bad: int, stable_n: int, candidate_bad: int, candidate_n: int) -> None:
        """Take one batch: how many outcomes each side had since the last one, and how many of those were bad.

        The sizes must not depend on the outcomes of the batch. A batch without both sides teaches the shares and
        adds no evidence.
        """
        if stable_n and candidate_n and self.stable_n and self.candidate_n:
            p_a = learned(self.stable_bad, self.stable_n)
            p_b = max(p_a, learned(self.candidate_bad, self.candidate_n))
            p_0 = (stable_n * p_a + candidate_n * p_b) / (stable_n + candidate_n)
            self.log_e += _log_ratio(stable_bad, stable_n, p_a, p_0) + _log_ratio(candidate_bad, candidate_n, p_b, p_0)
            self.log_peak = max(self.log_peak, self.log_e)
        self.stable_bad += stable_bad
        self.stable_n += stable_n
        self.candidate_bad += candidate_bad
        self.candidate_n += candidate_n

    def to_json(self) -> dict[str, Any]:
        """Write the test as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; the test goes on as if it had not been written."""
        return cls(**value)


@dataclass(slots=True)
class OneShare:
    """The safe test of "the share of bad outcomes is at most `limit`", a fraction.

    Each outcome multiplies the e-value by its likelihood under the share that earlier batches taught, never below
    the limit, over that under the limit (the plug-in method: Wald, 1947; Ramdas et al., "Game-theoretic statistics
    and safe anytime-valid inference", 2023). Under a share t <= p_0 the mean is
    1 + (t-p_0)(p-p_0)/(p_0(1-p_0)) <= 1. The first batch adds nothing, as in `TwoShares`.

    A limit of 0 is broken by the first bad outcome, and one of 1 by none.

    Attributes:
        log_e: the logarithm of the e-value now.
        log_peak: the highest it ever was, by which a test alone may be judged (a watch mixes two, and keeps its own).
    """

    limit: float
    bad: int = 0
    n: int = 0
    log_e: float = 0.0
    log_peak: float = 0.0

    def add(self, bad: int, n: int) -> None:
        """Take one batch: how many outcomes there were since the last one, and how many of those were bad."""
        if self.limit <= 0.0:
            self.log_e = PROOF if bad else self.log_e
        elif self.n and self.limit < 1.0:
            share = max(self.limit, learned(self.bad, self.n))
            self.log_e += _log_ratio(bad, n, share, self.limit)
        self.log_peak = max(self.log_peak, self.log_e)
        self.bad += bad
        self.n += n

    def to_json(self) -> dict[str, Any]:
        """Write the test as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; the test goes on as if it had not been written."""
        return cls(**value)


def _log_ratio(bad: int, n: int, share: float, null: float) -> float:
    """The log-likelihood ratio of `bad` of `n` between a share and the null hypothesis's, both inside 0 to 1."""
    return bad * (math.log(share) - math.log(null)) + (n - bad) * (math.log(1 - share) - math.log(1 - null))
