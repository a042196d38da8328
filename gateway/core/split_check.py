"""The split check: whether units fell on the sides of a split as their shares say."""

import math
from collections.abc import Sequence

CONCENTRATIONS = (100.0, 10_000.0)
"""How near to the given shares a broken split is expected to be: within some points, or within a tenth of that."""

BROKEN_P = 0.001
"""The p under which a split is held to be broken; under 0.01 one sound one in a hundred would be."""


def split_p(shares: Sequence[float], units: Sequence[int]) -> float:
    """Give a p-value for units having fallen on sides by these shares, which sum to 1; good at any time.

    It is 1 / e-value of the Dirichlet-multinomial test of Lindon and Malek ("Anytime-valid inference for multinomial
    count data", NeurIPS 2022), which sets a Dirichlet distribution around the shares against exactly those shares. Its
    Bayes factor is averaged over two concentrations, which leaves it an e-value: a gross mistake has to be found among
    some hundred units, and a subtle one among a million. A side that should get nothing and gets something makes p
    zero; otherwise it is left out. With fewer than two sides there is nothing that could be wrong.
    """
    if any(count and not share for share, count in zip(shares, units, strict=True)):
        return 0.0
    logs = [_log_factor(shares, units, concentration) for concentration in CONCENTRATIONS]
    most = max(logs)
    log_mean = most + math.log(math.fsum(math.exp(log - most) for log in logs) / len(logs))
    return math.exp(-max(0.0, log_mean))


def _log_factor(shares: Sequence[float], units: Sequence[int], concentration: float) -> float:
    """The logarithm of the Bayes factor of a Dirichlet distribution around the shares against exactly the shares."""
    log = math.lgamma(concentration) - math.lgamma(concentration + sum(units))
    for share, count in zip(shares, units, strict=True):
        if share:
            prior = concentration * share
            log += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return log
