"""The quick comparison: today's CPU ratios against the baseline's, with room for noise."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from loadtests.bench.rounds import ratios, spread
from loadtests.bench.verdicts import PINION, Results

COMPARED = {
    "request, to nginx's": ("json-64", "nginx"),
    "request, to Envoy's": ("json-64", "envoy"),
    "event, to nginx's": ("events", "nginx"),
    "event, to Envoy's": ("events", "envoy"),
}
"""What is compared: Pinion's CPU, by scenario, to a peer's."""

TOLERANCE = 0.10
"""By how much a ratio may be worse before the noise of the rounds is added."""

MOST_NOISE = 0.25
"""The most that rounds far apart may add: beyond it a slow machine would excuse everything."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One ratio: today's and the baseline's medians, and the limit; None for what there is none of.

    `missing` says that the peer is not installed, so that there is nothing to compare.
    """

    name: str
    now: float | None
    baseline: float | None
    noise: float
    limit: float | None
    missing: bool = False

    @property
    def worse(self) -> bool:
        """Whether it is worse than the baseline beyond noise; what had errors is."""
        if self.now is None:
            return not self.missing
        return self.limit is not None and self.now > self.limit

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {**asdict(self), "worse": self.worse}


def measured_ratios(results: Results) -> dict[str, list[float]]:
    """Give the ratios of the rounds, by what is compared."""
    return {
        name: ratios(results.get(scenario, {}), PINION, peer, "cpu_us") for name, (scenario, peer) in COMPARED.items()
    }


def compare(
    now: Mapping[str, list[float]], baseline: Mapping[str, list[float]], missing: Collection[str] = ()
) -> list[Comparison]:
    """Compare today's ratios with the baseline's; a ratio that the baseline lacks has no limit."""
    told = []
    for name, (_, peer) in COMPARED.items():
        today, before = now.get(name, []), baseline.get(name, [])
        noise = min(MOST_NOISE, max(spread(today), spread(before)))
        limit = median(before) * (1 + TOLERANCE + noise) if before else None
        told.append(
            Comparison(
                name=name,
                now=median(today) if today else None,
                baseline=median(before) if before else None,
                noise=noise,
                limit=limit,
                missing=peer in missing,
            )
        )
    return told
