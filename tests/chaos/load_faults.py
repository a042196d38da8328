"""How much a fleet asks of its servers whatever it is asked itself, and what it does with more than it can carry."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from loadtests.bench.answers import MODEL
from loadtests.bench.upstreams import event_upstream
from tests.chaos.client import Plan
from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.fleet_policies import STEADY, TRAFFIC_KEY, policy_files
from tests.chaos.provider import Provider
from tests.chaos.rig import Rig
from tests.chaos.traffic import Ledger, Traffic
from tests.gateway_process import started, wait_until, write_policies

LOW = 100.0
HIGHEST = (2000.0, 600.0, 300.0)
"""The high rate: the first of these that the machine holds, beside the load's own generator."""

HELD = 0.95
"""The part of a rate that must have been answered for it to be held."""

ALIKE = 1.15
"""By how much a rate of commands may differ: a second more or less of a timer at either end of the time."""

SLOTS = 20
LATENCY = 0.2
CAPACITY = SLOTS / LATENCY
"""Requests a second that so many slots carry when each answer takes so long."""

PLAIN = "plain"
PLAIN_FILE = "plain.yaml"
PLAIN_POLICIES = f"""
kind: provider
name: plain
dialect: openai
base_url: %s/v1
---
kind: route
name: {PLAIN}
releases: {{"1.0.0": {{model: plain/{MODEL}}}}}
serve: "1.0.0"
"""
"""A route whose provider answers at once: the simulated one would take as much of the machine as the gateways."""


def commands(rig: Rig) -> tuple[int, int]:
    """How many commands Redis, and how many transactions the database, has carried out so far."""
    told = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
    return rig.redis.calls(), rig.execute(told)[0][0]


def asked(rig: Rig, rate: float, seconds: float) -> tuple[float, float, float]:
    """Commands and transactions a second, and answers a second, under so many requests a second."""
    with rig.traffic(rate=rate, routes=(PLAIN,), stream_every=0, units=10_000) as traffic:
        traffic.flow(2)
        before, began = commands(rig), time.time()
        traffic.flow(seconds)
        after, ended = commands(rig), time.time()
        answered = traffic.ledger.where(lambda each: began <= each.ended < ended and each.ending == "whole")
    length = ended - began
    redis, database = ((late - soon) / length for soon, late in zip(before, after, strict=True))
    return redis, database, len(answered.requests) / length


def cost(means: Means, found: Findings) -> None:
    """Commands a second at a hundred requests a second, and at the most that this machine holds up to 2,000."""
    rig, seconds = means.rig, means.scaled(10, 5)
    with _plain_route(means):
        low = asked(rig, LOW, seconds)
        for rate in HIGHEST if not means.is_quick else (300.0,):
            high = asked(rig, rate, seconds)
            if high[2] >= HELD * rate:
                break
            found.note(f"{rate:.0f} requests/s are not held here: {high[2]:.0f}")
    found.note(f"at {low[2]:.0f} and {high[2]:.0f} requests/s")
    for name, few, many in (("Redis", low[0], high[0]), ("PostgreSQL", low[1], high[1])):
        found.figures[f"{name} at {LOW:.0f}"], found.figures[f"{name} at {rate:.0f}"] = round(few, 2), round(many, 2)
        found.note(f"{name} {few:.1f} and {many:.1f} a second", ok=many <= ALIKE * few)


@contextmanager
def _plain_route(means: Means) -> Iterator[None]:
    """Every replica has the plain route, and takes it away again."""
    folders = [replica.folder / "policies" for replica in means.rig.replicas]
    with event_upstream(means.folder / "plain") as upstream:
        try:
            for folder in folders:
                write_policies(folder, {PLAIN_FILE: PLAIN_POLICIES % upstream.url})
            wait_until(lambda: all(replica.chat(PLAIN).status == 200 for replica in means.rig.replicas))
            yield
        finally:
            for folder in folders:
                (folder / PLAIN_FILE).unlink(missing_ok=True)


def overload(means: Means, found: Findings) -> None:
    """A gateway whose provider is slow gets three times what it has room for."""
    seconds = means.scaled(10, 4)
    with Provider(latency=LATENCY, length=5) as provider:
        policies = means.folder / "policies"
        write_policies(policies, policy_files(provider.url, ()))
        store = f"sqlite:///{means.folder / 'pinion.db'}"
        gateway = started(policies, store, "--max-requests", str(SLOTS))
        try:
            _offered(gateway.url, 0.5, 2)
            peak = _goodput(_offered(gateway.url, 0.95, seconds), seconds)
            over = _offered(gateway.url, 3.0, seconds)
            after = _offered(gateway.url, 0.8, 7)
        finally:
            gateway.stop()
    goodput = _goodput(over, seconds)
    found.figures["peak"], found.figures["goodput"] = peak, goodput
    found.note(f"goodput {goodput:.0f} of {peak:.0f} a second", ok=goodput >= 0.8 * peak)
    refused = over.where(lambda each: each.ending == "refused")
    slowest = sorted(each.seconds for each in refused.requests)[int(len(refused.requests) * 0.99)]
    found.figure("p99 of refusals", slowest * 1000, 50, "ms")
    found.note("each with retry-after", ok=all(each.retry_after and each.status == 503 for each in refused.requests))
    found.note(f"{over.failed} failed otherwise", ok=not over.failed)
    begun = after.requests[0].at
    late = [each.at - begun for each in after.requests if each.ending != "whole"]
    found.figure("recovered after", max(late, default=0.0), 5)


def _offered(url: str, times: float, seconds: float) -> Ledger:
    """What becomes of so many times the capacity, for so long."""
    plan = Plan((url,), (STEADY,), times * CAPACITY, TRAFFIC_KEY)
    with Traffic(plan) as traffic:
        traffic.flow(seconds)
    return traffic.ledger


def _goodput(ledger: Ledger, seconds: float) -> float:
    """Whole answers a second, of those that were sent in the time."""
    begun = ledger.requests[0].at
    return round(sum(each.ending == "whole" and each.ended < begun + seconds for each in ledger.requests) / seconds, 1)


FAULTS = (
    Fault(
        "commands",
        "20 times as many requests (as far as the machine holds them)",
        "Redis and PostgreSQL are asked no more a second",
        cost,
        runbook="pinionoverloaded",
    ),
    Fault(
        "overload",
        "three times the capacity, before a slow provider",
        "goodput at least 80 % of the peak; refusals within 50 ms; recovered within 5 s",
        overload,
        needs_fleet=False,
        runbook="pinionoverloaded",
    ),
)
