"""How soon a release that tripped at one replica, or a key that was revoked at one, is done with at all of them.

A trip is a real one. A candidate has 99 percent of its route. Its model begins to fail, four requests at the first
replica trip its breaker there, and the model is well again at once, so that the others have no reason of their own to
stop. The time runs from the rollback in the first replica's log to the start of the last request for the candidate's
model that reaches the provider. Requests go by each of the others all the while: 10 a second, and 2 where Redis is
gone, since then nobody keeps them from those that fail before it is time. Where another one has seen failures enough
to trip by itself, which takes three, that trip tells nothing and is left out.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.fleet_policies import candidate_model
from tests.chaos.redis_faults import is_up
from tests.chaos.rig import LATENCY, Rig
from tests.chaos.traffic import percentile
from tests.gateway_process import wait_until

TRIP_PACE = 10.0
"""Requests a second to each route of a batch, at each of the other replicas."""

PACE_WITHOUT_REDIS = 2.0

BATCH = 5
WATCHED_SECONDS = 2.5
"""For how long after a trip a late request is looked for."""

FAILURES = 4


def tripped(rig: Rig, routes: Sequence[str], pace: float) -> list[float]:
    """Trip routes whose rollouts have begun, one after the other, and give how long each took at the others."""
    rig.provider.forget()
    rig.provider.behave(latency=0.0)
    others = range(1, rig.count)
    with rig.traffic(rate=pace * len(routes) * len(others), routes=routes, replicas=others, stream_every=0) as traffic:
        traffic.flow(5 / pace)
        moments = {route: _trip(rig, route) for route in routes}
        traffic.flow(WATCHED_SECONDS)
    rig.provider.behave(latency=LATENCY)
    for route, moment in moments.items():
        mine = traffic.ledger.where(lambda each, name=route: each.route == name and each.release.endswith("1.1.0"))
        assert {each.target for each in mine.sent(0, moment).requests} == {0, 1}, f"{route} had no traffic"
    last = rig.provider.last_started()
    return [last[candidate_model(route)] - moment for route, moment in moments.items()]


def _trip(rig: Rig, route: str) -> float:
    """Make the first replica trip; give the moment that its log names."""
    model, first = candidate_model(route), rig.replicas[0]
    with ThreadPoolExecutor(FAILURES) as pool:
        for _ in range(20):
            rig.provider.behave_model(model, error_rate=1.0)
            try:
                list(pool.map(lambda _: first.chat(route), range(FAILURES)))
            finally:
                rig.provider.behave_model(model, error_rate=0.0)
            found = _soon(lambda: _rollback(rig, route))
            if found is not None:
                return found
    raise AssertionError(f"{route} does not trip")


def _soon(look: Any) -> Any:
    until = time.monotonic() + 1
    while time.monotonic() < until:
        if (found := look()) is not None:
            return found
        time.sleep(0.01)
    return None


def _rollback(rig: Rig, route: str) -> float | None:
    """When the first rollback of a route was, by whichever replica's log."""
    lines = [line for replica in rig.replicas for line in replica.lines("rollback", route)]
    return min((datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines), default=None)


def begun(rig: Rig, count: int) -> list[str]:
    """Begin so many rollouts to trip, and wait until all replicas serve them."""
    routes = [rig.take("trip") for _ in range(count)]
    for route in routes:
        rig.act(0, "start", route)
    wait_until(lambda: all(weights[route] for weights in [r.weights() for r in rig.replicas] for route in routes))
    return routes


def tell_trips(rig: Rig, found: Findings, count: int, most: float, pace: float = TRIP_PACE) -> None:
    """Trip so many routes at the first replica alone, and tell how soon the others had stopped."""
    took: list[float] = []
    by_others = 0
    while len(took) < count and rig.left("trip") >= BATCH:
        routes = begun(rig, BATCH)
        for route, late in zip(routes, tripped(rig, routes, pace), strict=True):
            if any(replica.lines("rollback", route) for replica in rig.replicas[1:]):
                by_others += 1  # it had seen failures enough of its own: that is no news travelling
            else:
                took.append(max(0.0, late))
    found.figure(f"p99 of {len(took)} trips", percentile(took, 99), most)
    if len(took) < count:
        found.note(f"only {len(took)} of {count}", ok=False)
        return
    found.note(f"median {percentile(took, 50):.3g} s, longest {max(took):.3g} s")
    found.note(f"{by_others} more, which another one tripped on, too, left out")


def trips(means: Means, found: Findings) -> None:
    """With everything there."""
    tell_trips(means.rig, found, means.scaled(100, 5), 1.0)


def trips_without_redis(means: Means, found: Findings) -> None:
    """With Redis gone."""
    rig = means.rig
    rig.redis.kill()
    try:
        wait_until(lambda: not any(map(is_up, rig.replicas)))
        tell_trips(rig, found, means.scaled(30, 5), 2.0, PACE_WITHOUT_REDIS)
    finally:
        rig.redis.start()


def revoked(rig: Rig, count: int) -> list[float]:
    """Revoke so many keys at one replica after the other; how long each was good anywhere."""
    took = []
    for number in range(count):
        at = number % rig.count
        issued = rig.replicas[at].ask("POST", "apps/help/keys").json()
        secret = issued["secret"]
        wait_until(lambda key=secret: all(each.chat(key=key).status == 200 for each in rig.replicas))
        began = time.monotonic()
        answer = rig.replicas[at].ask("POST", f"keys/{issued['key']}/revoke")
        assert answer.status == 200, answer
        wait_until(lambda key=secret: all(each.chat(key=key).status == 401 for each in rig.replicas))
        took.append(time.monotonic() - began)
    return took


def keys(means: Means, found: Findings) -> None:
    """A key is revoked at one replica; with Redis, and without."""
    rig = means.rig
    found.figure("refused everywhere after, at most", max(revoked(rig, means.scaled(12, 3))), 1.0)
    rig.redis.kill()
    try:
        wait_until(lambda: not any(map(is_up, rig.replicas)))
        found.figure("without Redis after, at most", max(revoked(rig, means.scaled(5, 2))), 5.0)
    finally:
        rig.redis.start()


FAULTS = (
    Fault(
        "trips",
        "a candidate trips at one replica",
        "the others have started their last request to it within 1 s, p99 of 100 trips",
        trips,
        trips=160,
        runbook="pinionrollback",
    ),
    Fault(
        "trips-without-redis",
        "the same with Redis gone",
        "within 2 s",
        trips_without_redis,
        trips=160,
        runbook="redis-is-away",
    ),
    Fault(
        "keys",
        "a key is revoked at one replica",
        "refused everywhere within 1 s; within 5 s without Redis",
        keys,
        runbook="a-key-is-out",
    ),
)
