"""The programme of a run: scenarios by the name that `--only` takes, and how many turns each is about."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from loadtests.bench import latencies, reloads, scenarios, waiting
from loadtests.bench.lab import Lab
from loadtests.bench.peers import PEERS, PINION
from loadtests.bench.rounds import Series

Measure = Callable[[Lab], dict[str, Series]]
"""Measures, and gives the series by the names of the report."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A part of the programme: the systems that take turns in it, beside `extra` turns more, `times` over."""

    measure: Measure
    systems: Collection[str]
    extra: int = 0
    times: int = 1

    def turns(self, found: Collection[str]) -> int:
        """Say how many turns one round has, with what is installed."""
        return (sum(name in found for name in self.systems) + self.extra) * self.times


SCENARIOS: Mapping[str, Scenario] = {
    "headline": Scenario(scenarios.headline, list(PEERS)),
    "loads": Scenario(scenarios.loads, scenarios.FAST, times=len(scenarios.VARIANTS)),
    "tls": Scenario(scenarios.tls, scenarios.FAST, extra=1),
    "routes": Scenario(scenarios.routes, scenarios.ROUTING, extra=1),
    "events": Scenario(scenarios.events, scenarios.FAST),
    "events-tls": Scenario(scenarios.events_over_tls, scenarios.FAST),
    "first-token": Scenario(latencies.first_token, scenarios.FAST, extra=1),
    "paced": Scenario(latencies.paced, scenarios.FAST, extra=1),
    "waiting": Scenario(waiting.waiting, scenarios.FAST),
    "thousand": Scenario(reloads.thousand, [PINION.name], extra=len(reloads.KINDS)),
}

QUICK = ("headline", "events")

QUICK_PEERS = ("nginx", "envoy")


def turns(names: Collection[str], found: Collection[str]) -> int:
    """Say how many turns one round of the named scenarios has."""
    return sum(SCENARIOS[name].turns(found) for name in names)
