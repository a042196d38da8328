"""What the gateway's metrics say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Readings:
    """What `/metrics` says: dollars by (route, release) and by application, weights by (route, release)."""

    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    app_costs: Mapping[str, float] = field(default_factory=dict)
    weights_ppm: Mapping[tuple[str, str], int] = field(default_factory=dict)


def read(exposition: str) -> Readings:
    """Read what `/metrics` answers in Prometheus' text format."""
    families = {family.name: family for family in text_string_to_metric_families(exposition)}
    return Readings(
        costs=_values(families.get("pinion_cost_usd"), "route", "release"),
        app_costs={app: usd for (app,), usd in _values(families.get("pinion_app_cost_usd"), "app").items()},
        weights_ppm=_values(families.get("pinion_release_weight_ppm"), "route", "release"),
    )


def _values(family: Metric | None, *labels: str) -> dict[Any, Any]:
    """Give a family's samples by the values of these labels, those of equal values added up."""
    values: dict[tuple[str, ...], float] = {}
    for sample in () if family is None else family.samples:
        key = tuple(sample.labels[label] for label in labels)
        values[key] = values.get(key, 0.0) + sample.value
    return values
