"""Rounds: systems take turns, so that a noisy machine hits all alike; medians and ratios are taken over the turns."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import TypeVar

Sample = Mapping[str, float]
"""What one round of one system measured, by name; `errors` counts what was not a good answer."""

Series = Mapping[str, Sequence[Sample]]
"""The samples of each system, in the order of the rounds."""

Part = TypeVar("Part")


def interleaved(rounds: int, parts: Sequence[Part]) -> Iterator[tuple[int, Part]]:
    """Give every part once in each round: A B C A B C, with the number of the round."""
    for number in range(rounds):
        for part in parts:
            yield number, part


def values(samples: Sequence[Sample], figure: str) -> list[float]:
    """Give one figure of each round that has it."""
    return [sample[figure] for sample in samples if figure in sample]


def median_of(series: Series, system: str, figure: str) -> float | None:
    """Give the median of a figure over a system's rounds; None when there is none, or when a round had errors."""
    found = values(series.get(system, ()), figure)
    return median(found) if found and not errors_of(series, system) else None


def errors_of(series: Series, system: str) -> int:
    """Count what was not a good answer, over all rounds of a system."""
    return int(sum(values(series.get(system, ()), "errors")))


def ratios(series: Series, system: str, peer: str, figure: str) -> list[float]:
    """Divide a system's figure by a peer's, round by round; empty when either has errors or no such figure."""
    if errors_of(series, system) or errors_of(series, peer):
        return []
    own, other = (values(series.get(name, ()), figure) for name in (system, peer))
    return [mine / theirs for mine, theirs in zip(own, other, strict=False) if theirs]


def median_ratio(series: Series, system: str, peer: str, figure: str) -> float | None:
    """Give the median of the rounds' ratios."""
    found = ratios(series, system, peer, figure)
    return median(found) if found else None


def differences(series: Series, system: str, peer: str, figure: str) -> list[float]:
    """Subtract a peer's figure from a system's, round by round; empty when either has errors or no such figure."""
    if errors_of(series, system) or errors_of(series, peer):
        return []
    own, other = (values(series.get(name, ()), figure) for name in (system, peer))
    return [mine - theirs for mine, theirs in zip(own, other, strict=False)]


def median_difference(series: Series, system: str, peer: str, figure: str) -> float | None:
    """Give the median of the rounds' differences."""
    found = differences(series, system, peer, figure)
    return median(found) if found else None


def spread(found: Sequence[float]) -> float:
    """Say how far values lie apart: half of their range, as a part of their median."""
    return (max(found) - min(found)) / 2 / median(found) if found and median(found) else 0.0
