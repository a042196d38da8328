"""The figures that Pinion is held to: what each must be, what is its goal, and what was measured."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtests.bench.rounds import Series, median_difference, median_of, median_ratio

Results = Mapping[str, Series]
"""The series of each scenario, by its name."""

Measure = Callable[[Results], float | None]
"""Computes a figure; None when what it needs was not measured, or had errors."""

PINION = "pinion"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `must` and `goal` are limits in its unit, None for none; smaller is better unless `more` is."""

    name: str
    unit: str
    must: float | None
    goal: float | None
    measure: Measure
    more: bool = False

    def meets(self, limit: float | None, measured: float | None) -> bool | None:
        """Say whether a measured value keeps a limit; None when there is nothing to say."""
        if limit is None or measured is None:
            return None
        return measured >= limit if self.more else measured <= limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure as it was measured, and whether it keeps its limits; None where there is nothing to say."""

    name: str
    unit: str
    must: float | None
    goal: float | None
    measured: float | None
    meets_must: bool | None
    meets_goal: bool | None

    def as_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


def against(scenario: str, peer: str, figure: str, system: str = PINION) -> Measure:
    """Measure a system's figure over a peer's: the median of the rounds' ratios."""
    return lambda results: median_ratio(results.get(scenario, {}), system, peer, figure)


def beyond(scenario: str, peer: str, figure: str, system: str = PINION) -> Measure:
    """Measure a system's figure less a peer's: the median of the rounds' differences."""
    return lambda results: median_difference(results.get(scenario, {}), system, peer, figure)


def own(scenario: str, figure: str, system: str = PINION) -> Measure:
    """Measure a system's figure itself: the median of its rounds."""
    return lambda results: median_of(results.get(scenario, {}), system, figure)


FIGURES = (
    Figure("CPU per request, to Envoy's", "x", 1.0, 0.75, against("json-64", "envoy", "cpu_us")),
    Figure("CPU per request, to vllm-router's", "x", 0.8, None, against("json-64", "vllm-router", "cpu_us")),
    Figure("CPU per request, to LiteLLM's", "x", 0.01, None, against("json-64", "litellm", "cpu_us")),
    Figure("CPU per request, to nginx's", "x", None, 1.6, against("json-64", "nginx", "cpu_us")),
    Figure("p99 at 64 connections, to Envoy's", "x", 1.2, 0.9, against("json-64", "envoy", "p99_ms")),
    Figure(
        "throughput over a TLS upstream, to plain",
        "x",
        0.6,
        0.8,
        against("tls", PINION, "per_second", "pinion tls"),
        more=True,
    ),
    Figure("CPU per streamed event, to Envoy's", "x", 1.0, 0.8, against("events", "envoy", "cpu_us")),
    Figure("CPU per streamed event, to nginx's", "x", 1.4, 1.1, against("events", "nginx", "cpu_us")),
    Figure("added latency at 1,000 requests/s, p50", "ms", 0.4, 0.2, beyond("paced", "direct", "p50_ms")),
    Figure("added latency at 1,000 requests/s, p99", "ms", 1.5, 1.0, beyond("paced", "direct", "p99_ms")),
    Figure(
        "throughput with 1,000 routes, to 1",
        "x",
        0.95,
        1.0,
        against("routes", PINION, "per_second", "pinion 1000"),
        more=True,
    ),
    Figure("memory after start with 1,000 routes", "MB", 120, 90, own("start", "memory_mb")),
    Figure("memory of a waiting stream of 5,000", "KB", 60, 30, own("waiting", "kb_per_stream")),
    Figure("start to ready with 1,000 routes", "s", 2, 1, own("start", "seconds")),
    Figure("p99 moved by a reload of 1,000 routes", "ms", 10, 5, beyond("reload", "quiet", "p99_ms", "reload")),
)


def verdicts(results: Results) -> list[Verdict]:
    """Hold what was measured against every figure's limits."""
    told = []
    for figure in FIGURES:
        measured = figure.measure(results)
        must, goal = (figure.meets(limit, measured) for limit in (figure.must, figure.goal))
        told.append(Verdict(figure.name, figure.unit, figure.must, figure.goal, measured, must, goal))
    return told
