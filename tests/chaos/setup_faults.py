"""Mistakes of whoever sets a fleet up: one clear line each, and nothing harmed."""

import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.redis_faults import is_up
from tests.chaos.rig import Rig
from tests.gateway_process import started, wait_until
from tests.redis_server import RedisServer


def refusal(means: Means, store: str, *args: str) -> list[str]:
    """What a gateway that does not start says, in lines."""
    policies = means.rig.replicas[0].folder / "policies"
    copy = "--store-copy", str(means.folder / "copy.json")
    means.folder.mkdir(exist_ok=True)
    try:
        gateway = started(policies, store, *copy, *args)
    except RuntimeError as fault:
        said = str(fault).partition("logged:\n")[2]
        return [line for line in said.splitlines() if line and not line.startswith("{")]
    gateway.stop()
    return ["it started"]


def said_once(found: Findings, lines: Sequence[str], pattern: str) -> None:
    """Hold that there is one line, which says this."""
    is_ok = len(lines) == 1 and re.search(pattern, lines[0]) is not None
    found.note(lines[0] if len(lines) == 1 else f"{len(lines)} lines: {lines[:3]}", ok=is_ok)


def wrong_redis(means: Means, found: Findings) -> None:
    """Addresses of Redis that are none, and one where nothing listens."""
    rig = means.rig
    store = rig.postgres.new_database()
    for url, pattern in (
        ("http://127.0.0.1", "redis://"),
        ("redis://127.0.0.1:6379/0?password=x", "option|password"),
    ):
        said_once(found, refusal(means, store, "--fleet", url), pattern)
    policies = rig.replicas[0].folder / "policies"
    gateway = started(policies, store, "--store-copy", str(means.folder / "c.json"), "--fleet", "redis://127.0.0.1:1/0")
    try:
        wait_until(lambda: gateway.events("fleet_away"))
        lines = gateway.events("fleet_away")
        told = gateway.status()
        is_ok = len(lines) == 1 and told["ready"] and not told["fleet"]["up"]
        found.note(f"nothing listens: it serves, and says {lines[0]['message']!r} once", ok=is_ok)
    finally:
        gateway.stop()


def poor_redis(means: Means, found: Findings) -> None:
    """A Redis whose user may not do what a gateway does, and one whose password is wrong."""
    store = means.rig.postgres.new_database()
    with RedisServer() as redis:
        redis.ask("ACL", "SETUSER", "poor", "on", ">secret", "~pinion:*", "resetchannels", "+@connection", "+get")
        for user, pattern in (("poor:secret", "not allowed|permission|may not|NOPERM"), ("poor:wrong", "password")):
            lines = refusal(means, store, "--fleet", f"redis://{user}@127.0.0.1:{redis.port}/0")
            said_once(found, lines, pattern)
            found.note("no password told", ok="secret" not in str(lines) and ":wrong" not in str(lines))


def newer_store(means: Means, found: Findings) -> None:
    """A replica of an older version is started on a store that a newer one has migrated."""
    rig = means.rig
    version = rig.execute("select version_num from pinion_store_version")[0][0]
    rows = rig.execute("select count(*) from routes")[0][0]
    with rig.traffic() as traffic:
        rig.execute("update pinion_store_version set version_num = 'store_9999'")
        try:
            lines = refusal(means, rig.store_url(rig.postgres.port))
        finally:
            rig.execute(f"update pinion_store_version set version_num = '{version}'")  # noqa: S608 - read above
    said_once(found, lines, "is no store of this version of Pinion but 'store_9999'")
    found.none_failed(traffic.ledger)
    found.note("nothing written", ok=rows == rig.execute("select count(*) from routes")[0][0])


@contextmanager
def stranger(means: Means) -> Any:
    """A gateway of another fleet, on another store, that was pointed to the first one's Redis."""
    rig = means.rig
    means.folder.mkdir(exist_ok=True)
    policies, copy = rig.replicas[0].folder / "policies", str(means.folder / "copy.json")
    gateway = started(policies, rig.postgres.new_database(), "--store-copy", copy, "--fleet", rig.redis.url)
    try:
        wait_until(lambda: gateway.status()["fleet"]["up"])
        yield gateway
    finally:
        gateway.stop()


def two_fleets(means: Means, found: Findings) -> None:
    """Two fleets share one Redis by mistake; the same route is rolled out in both, and rolled back in one."""
    rig: Rig = means.rig
    with rig.traffic() as traffic, stranger(means) as other:
        route = rig.begin("move")
        other.act("start", route)
        told = other.route(route)
        other.act("rollback", route)
        traffic.flow(3)
        found.note(
            f"the one counts {rig.replicas[0].status()['fleet']['replicas']}, the other"
            f" {other.status()['fleet']['replicas']}",
            ok=other.status()["fleet"]["replicas"] == 1 and not rig.ailments(),
        )
        found.note("a rollback stays in its fleet", ok=set(rig.weights(route)) == {500_000} and bool(told["rollout"]))
        heard = sum(len(each.lines("out_elsewhere", route)) for each in rig.replicas)
        found.note(f"{heard} messages of the other heard", ok=not heard and all(map(is_up, rig.replicas)))
    found.none_failed(traffic.ledger)


FAULTS = (
    Fault(
        "wrong-redis",
        "an address of Redis that is none, and one where nothing listens",
        "one line and no start; or one line, and it serves by the store",
        wrong_redis,
        runbook="a-replica-does-not-start",
    ),
    Fault(
        "poor-redis",
        "a Redis user without the rights, or with another password",
        "one line and no start; no password in it",
        poor_redis,
        runbook="a-replica-does-not-start",
    ),
    Fault(
        "newer-store",
        "a schema from a newer version",
        "one line and no start; nothing written; those who serve go on",
        newer_store,
        runbook="a-replica-does-not-start",
    ),
    Fault(
        "two-fleets",
        "two fleets share one Redis by mistake",
        "neither hears or counts the other",
        two_fleets,
        runbook="two-fleets-on-one-redis",
    ),
)
