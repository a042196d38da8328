"""A share: what counts of bad outcomes allow to say about the share behind them, as upper bounds."""

import math
from collections.abc import Callable
from statistics import NormalDist

_HALVINGS = 50
_TINY = 1e-300


def difference_bound(
    stable_bad: int, stable_n: int, candidate_bad: int, candidate_n: int, confidence: float = 0.95
) -> float:
    """Give the one-sided upper bound of the candidate's share minus stable's, -1 to 1.

    The score interval of Miettinen and Nurminen (Statistics in Medicine 4, 1985): the largest difference that a
    score test does not reject, with the variance under that difference (its closed form is the paper's appendix)
    and their factor n / (n - 1). It keeps its level with few or no bad outcomes. 1.0 while a side has no outcome.
    """
    if not stable_n or not candidate_n:
        return 1.0
    difference = candidate_bad / candidate_n - stable_bad / stable_n
    z = NormalDist().inv_cdf(confidence)

    def excluded(delta: float) -> bool:
        share = _stable_share_at_difference(stable_bad, stable_n, candidate_bad, candidate_n, delta)
        other = min(1.0, max(0.0, share + delta))
        return difference - delta <= -z * _deviation((share, stable_n), (other, candidate_n), 1.0)

    return _first(excluded, difference, 1.0)


def ratio_bound(
    stable_bad: int, stable_n: int, candidate_bad: int, candidate_n: int, confidence: float = 0.95
) -> float:
    """Give the one-sided upper bound of the candidate's share over stable's.

    The score interval of Miettinen and Nurminen for a ratio, on the statistic candidate - ratio * stable. Infinite
    while a side has no outcome or stable no bad one: then no ratio can be excluded.
    """
    if not stable_n or not candidate_n or not stable_bad:
        return math.inf
    stable, candidate = stable_bad / stable_n, candidate_bad / candidate_n
    z = NormalDist().inv_cdf(confidence)

    def excluded(ratio: float) -> bool:
        share = _stable_share_at_ratio(stable_bad, stable_n, candidate_bad, candidate_n, ratio)
        other = min(1.0, ratio * share)
        return candidate - ratio * stable <= -z * _deviation((share, stable_n), (other, candidate_n), ratio)

    # It ends: stable's share would have to be under 1/ratio, which its one bad outcome excludes in the end.
    high = max(1.0, 2 * candidate / stable)
    while not excluded(high):
        high *= 2
    return _first(excluded, candidate / stable, high)


def upper_share(bad: int, n: int, confidence: float = 0.95) -> float:
    """Give the one-sided upper bound of the share behind `bad` of `n`, a fraction.

    The exact bound of Clopper and Pearson (Biometrika 26, 1934): the share under which so few bad outcomes have a
    probability of 1 - confidence. With none of 100 it is 3 % ("rule of three"). 1.0 without outcomes.
    """
    if bad >= n:
        return 1.0
    if not bad:
        return -math.expm1(math.log(1 - confidence) / n)
    return _first(lambda share: _at_most(bad, n, share) <= 1 - confidence, bad / n, 1.0)


def _first(excluded: Callable[[float], bool], low: float, high: float) -> float:
    """The least value between `low` and `high` that is excluded, where all above it are."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if excluded(middle):
            high = middle
        else:
            low = middle
    return high


def _deviation(stable: tuple[float, int], candidate: tuple[float, int], ratio: float) -> float:
    """The standard deviation of candidate - ratio * stable, each given as a share and its outcomes."""
    (p_0, n_0), (p_1, n_1) = stable, candidate
    n = n_0 + n_1
    return math.sqrt((p_1 * (1 - p_1) / n_1 + ratio**2 * p_0 * (1 - p_0) / n_0) * n / (n - 1))


def _stable_share_at_difference(bad_0: int, n_0: int, bad_1: int, n_1: int, delta: float) -> float:
    """The likeliest share of stable if the candidate's is `delta` above it: the root of a cubic."""
    n, bad = n_0 + n_1, bad_0 + bad_1
    c_2 = (n_1 + 2 * n_0) * delta - n - bad
    c_1 = (bad_0 * delta - n - 2 * bad_0) * delta + bad
    c_0 = bad_0 * delta * (1 - delta)
    third = c_2 / (3 * n)
    q = third**3 - c_1 * c_2 / (6 * n**2) + c_0 / (2 * n)
    p = math.copysign(math.sqrt(max(0.0, third**2 - c_1 / (3 * n))), q)
    cosine = 1.0 if abs(p) ** 3 < _TINY else min(1.0, max(-1.0, q / p**3))
    root = 2 * p * math.cos((math.pi + math.acos(cosine)) / 3) - third
    # Both shares lie inside 0 to 1, which the cubic alone does not know.
    return min(1.0, 1 - delta, max(0.0, -delta, root))


def _stable_share_at_ratio(bad_0: int, n_0: int, bad_1: int, n_1: int, ratio: float) -> float:
    """The likeliest share of stable if the candidate's is `ratio` times as high: the root of a quadratic."""
    a = (n_0 + n_1) * ratio
    b = -(n_1 * ratio + bad_1 + n_0 + bad_0 * ratio)
    c = bad_0 + bad_1
    root = 2 * c / (-b + math.sqrt(max(0.0, b * b - 4 * a * c)))
    return min(1.0, max(0.0, root))


def _at_most(bad: int, n: int, share: float) -> float:
    """The probability of at most `bad` bad outcomes of `n`: the regularised incomplete beta function."""
    a, b, x = n - bad, bad + 1, 1 - share
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(a, b, x) / a
    return 1 - front * _continued_fraction(b, a, 1 - x) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    total, m, change = d, 0, 0.0
    while abs(change - 1) > 1e-14 and m < 100_000:
        m += 1
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            change = c * d
            total *= change
    return total


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY
