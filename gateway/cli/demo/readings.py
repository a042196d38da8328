"""What the gateway's metrics say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

MIRRORED = "shadow"
"""The track of what was copied."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What `/metrics` says, in dollars: answers' cost and copies' cost by (route, release), and that by application."""

    costs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    copies: Mapping[tuple[str, str], float] = field(default_factory=dict)
    app_costs: Mapping[str, float] = field(default_factory=dict)


def read(exposition: str) -> Readings:
    """Read what `/metrics` answers in Prometheus' text format."""
    families = {family.name: family for family in text_string_to_metric_families(exposition)}
    costs: dict[tuple[str, str], float] = {}
    copies: dict[tuple[str, str], float] = {}
    for (route, release, track), usd in _values(families.get("pinion_cost_usd"), "route", "release", "track"):
        into = copies if track == MIRRORED else costs
        into[route, release] = into.get((route, release), 0.0) + usd
    apps: dict[str, float] = {}
    for (app,), usd in _values(families.get("pinion_app_cost_usd"), "app"):
        apps[app] = apps.get(app, 0.0) + usd
    return Readings(costs, copies, apps)


def _values(family: Metric | None, *labels: str) -> list[tuple[Any, float]]:
    """Give a family's samples, each with the values of these labels."""
    samples = () if family is None else family.samples
    return [(tuple(one.labels[label] for label in labels), one.value) for one in samples]
