"""How soon the breaker takes a candidate out, by simulation. `python -m tests.core.detection` prints the figures."""

import random
from dataclasses import dataclass
from statistics import median

from gateway.core.breaker import Breaker, BreakerPolicy, Trip
from gateway.core.cusum import FailingShare
from gateway.core.outcome import Outcome

PACES = {"20 a second": 0.05, "one a second": 1.0, "one in 10 s": 10.0}
"""Seconds from one request of the route to the next, by name."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route under a rollout: failing shares of stable and canary, the canary's weight, seconds a request.

    `warm_up` requests reach stable before the rollout starts.
    """

    stable_fails: float
    canary_fails: float
    weight: float = 0.5
    seconds: float = 1.0
    warm_up: int = 0


def rollout(route: Route, seed: int, most: int) -> tuple[int, Trip | None]:
    """Run one rollout in sequence until it trips or the canary had `most` requests; give its requests and the trip."""
    rng = random.Random(seed)
    breaker, stable, now, requests = Breaker(BreakerPolicy()), FailingShare(), 0.0, 0
    for _ in range(route.warm_up):
        stable.add(rng.random() < route.stable_fails)
    while requests < most:
        now += route.seconds
        if rng.random() >= route.weight:
            stable.add(rng.random() < route.stable_fails)
            continue
        permit = breaker.permit(now)
        assert permit is not None
        requests += 1
        outcome = Outcome.failed if rng.random() < route.canary_fails else Outcome.ok
        trip = breaker.report(permit, outcome, now, baseline=stable.share)
        if trip is not None:
            return requests, trip
    return requests, None


def median_requests(route: Route, runs: int, most: int = 4000) -> float:
    """Give the median of the canary's requests until it is out."""
    return median(rollout(route, seed, most)[0] for seed in range(runs))


def rolled_back_share(route: Route, runs: int, most: int = 4000) -> float:
    """Give the share of rollouts that trip before the canary had `most` requests."""
    return sum(rollout(route, seed, most)[1] is not None for seed in range(runs)) / runs


def report(runs: int = 200) -> list[str]:
    """Write the figures, a line each, for all paces with stable failing 0.5 %."""
    lines = [
        "canary requests until it is out (median), or share of 4,000-request rollouts taken out; stable fails 0.5 %"
    ]
    for name, seconds in PACES.items():
        outage = median_requests(Route(0.005, 1.0, seconds=seconds), runs)
        fifth = median_requests(Route(0.005, 0.2, seconds=seconds), runs)
        equal = rolled_back_share(Route(0.005, 0.005, 0.8, seconds), runs)
        lines.append(f"{name:>12}: fails all {outage:g}, fails 1 in 5 {fifth:g}, equal {equal:.1%}")
    return lines


if __name__ == "__main__":
    print("\n".join(report()))  # noqa: T201 - a command's output
