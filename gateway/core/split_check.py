"""The split check: whether the units of an experiment fell on its arms as their shares say, at any one look."""

import math
from collections.abc import Sequence

CONCENTRATIONS = (100.0, 10_000.0)
"""How near to the given shares a broken split is expected to be: within some points, or within a tenth of that."""


def split_p(shares: Sequence[float], units: Sequence[int]) -> float:
    """Give a p-value for units having fallen on arms by these shares, which sum to 1; good at any time.

    It is 1 / e-value of the Dirichlet-multinomial test of Lindon and Malek ("Anytime-valid inference for multinomial
    count data", NeurIPS 2022), as `SampleRatio` has it, averaged over two concentrations: a report has to find a gross
    mistake among some hundred units, and a subtle one among a million. With fewer than two arms there is nothing that
    could be wrong.
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
