"""The policy set that the replicas of a chaos run serve: one steady route, and others to be used up by faults."""

import hashlib
from collections.abc import Iterable

TRAFFIC_KEY = "chaos-traffic-key"
STEADY = "steady"
STABLE_MODEL = "stable-2026-01-15"

HALF = '{from: "1.0.0", steps: [{percent: 50, hold: 1h}, {percent: 100, bake: 1h}]}'
NEARLY_ALL = '{from: "1.0.0", steps: [{percent: 99, hold: 1h}, {percent: 100, bake: 1h}]}'
QUICK = (
    '{from: "1.0.0", steps: [{percent: 20, hold: 4s, min_requests: 5}, {percent: 40, hold: 4s, min_requests: 5},'
    " {percent: 60, hold: 4s, min_requests: 5}, {percent: 80, hold: 1h}, {percent: 100, bake: 1h}]}"
)
PLANS = {"trip": NEARLY_ALL, "move": HALF, "step": QUICK}
"""What each kind of route rolls out by."""

APPS = f"""
kind: app
name: traffic
keys: [{{sha256: "{hashlib.sha256(TRAFFIC_KEY.encode()).hexdigest()}"}}]
---
kind: app
name: help
keys: []
routes: [{STEADY}]
---
kind: app
name: metered
keys: []
routes: [{STEADY}]
limits: [{{requests: 30, per: 1h}}]
"""

APPS_OF_ANY_ROUTE = APPS.replace(f"routes: [{STEADY}]\n", "")
"""The same, with no word of a route: what becomes of the routes is no contradiction."""


def candidate_model(route: str) -> str:
    """The upstream model of a route's candidate, which no other route has."""
    return f"{route}-2026-11-02"


BREAKER = "breaker: {min_requests: 1000}"
"""Rates are of all gateways: a gateway could trip by the failures of another, where news of a trip is measured."""


def rolling(route: str, plan: str) -> str:
    """A route that waits to be told to roll its candidate out."""
    return (
        f"kind: route\nname: {route}\n"
        "releases:\n"
        f'  "1.0.0": {{model: openai/{STABLE_MODEL}}}\n  "1.1.0": {{model: openai/{candidate_model(route)}}}\n'
        f'serve: "1.1.0"\nrollout: {plan}\n{BREAKER}\n'
    )


def policy_files(provider_url: str, routes: Iterable[str]) -> dict[str, str]:
    """The files; a route is named KIND-NUMBER, of the kinds of `PLANS`."""
    provider = f"kind: provider\nname: openai\ndialect: openai\nbase_url: {provider_url}/v1\nretries: 0\n"
    steady = f'kind: route\nname: {STEADY}\nreleases: {{"1.0.0": {{model: openai/{STABLE_MODEL}}}}}\nserve: "1.0.0"\n'
    made = [rolling(route, PLANS[route.partition("-")[0]]) for route in routes]
    return {"provider.yaml": provider, "apps.yaml": APPS, "routes.yaml": "---\n".join([steady, *made])}
