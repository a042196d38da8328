"""What becomes of Redis, or of one replica's way to it: nothing that a request notices."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.rig import Replica, Rig
from tests.gateway_process import wait_until
from tests.redis_server import RedisServer

BY_STORE = 2.0
"""Seconds within which replicas follow each other by the store alone."""

CHANGE_LINES = 12
"""How many lines of coming and going a replica may log in a row: pauses grow, so there are few."""


def is_up(replica: Replica) -> bool:
    """Whether a replica has its fleet."""
    return replica.status()["fleet"]["up"]


def rolled_back_seconds(rig: Rig, route: str, at: int = 0) -> float:
    """Roll a route back at one replica; how long until no replica gives the candidate anything.

    The answer to the act is not waited for: where the store is away it waits a second for the record.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(rig.act, at, "rollback", route)
        try:
            wait_until(lambda: not any(rig.weights(route)))
        except TimeoutError as error:
            raise TimeoutError(f"{route}: {rig.weights(route)}, {rig.ailments()}, {answer.result()}") from error
        took = time.monotonic() - began
        answer.result()
    return took


def change_lines(rig: Rig, since: list[int]) -> int:
    """The most lines of coming and going that a replica has logged since it had so many."""
    return max(
        len(replica.lines("fleet_away")) + len(replica.lines("fleet_back")) - before
        for replica, before in zip(rig.replicas, since, strict=True)
    )


def lines_now(rig: Rig) -> list[int]:
    """How many such lines each replica has."""
    return [len(each.lines("fleet_away")) + len(each.lines("fleet_back")) for each in rig.replicas]


def refused(means: Means, found: Findings) -> None:
    """Redis is killed; its port refuses, and it comes back empty."""
    rig = means.rig
    route, before = rig.begin("move"), lines_now(rig)
    with rig.traffic() as traffic:
        traffic.flow(2)
        rig.redis.kill()
        wait_until(lambda: not any(map(is_up, rig.replicas)))
        found.figure("rolled back everywhere after", rolled_back_seconds(rig, route), BY_STORE)
        traffic.flow(means.scaled(6, 2))
        rig.redis.start()
        found.figure("Redis used again after", rig.seconds_until(lambda: all(map(is_up, rig.replicas))), 15)
    found.none_failed(traffic.ledger)
    lines = change_lines(rig, before)
    found.note(f"at most {lines} lines of it a replica", ok=lines <= CHANGE_LINES)


def frozen(means: Means, found: Findings) -> None:
    """Redis is stopped in its tracks: its connections stay and nothing answers."""
    rig = means.rig
    with rig.traffic(rate=100, stream_every=10) as traffic:
        traffic.flow(2)
        begun = time.time()
        traffic.flow(means.scaled(8, 3))
        logs = [len(replica.gateway.log) for replica in rig.replicas]
        froze = time.time()
        rig.redis.freeze()
        traffic.flow(means.scaled(10, 4))
        thawed = time.time()
        log = sum(each.log_bytes(since) for each, since in zip(rig.replicas, logs, strict=True))
        rig.redis.thaw()
        traffic.flow(means.scaled(8, 3))
    found.none_failed(traffic.ledger)
    whole = traffic.ledger.where(lambda each: not each.stream)
    usual = whole.where(lambda each: begun <= each.at < froze or each.at >= thawed).p99_ms()
    found.figure("added p99 in the first second", whole.sent(froze, froze + 1).p99_ms() - usual, 100, "ms")
    found.figure("added p99 after it", whole.sent(froze + 1, thawed).p99_ms() - usual, 5, "ms")
    found.figure("log a request", log / 1024 / len(traffic.ledger.sent(froze, thawed).requests), 1, "KB")


def troubled(what: Callable[[Replica], None]) -> Callable[[Means, Findings], None]:
    """A row in which every replica's way to Redis has trouble for a while."""

    def run(means: Means, found: Findings) -> None:
        rig = means.rig
        route, before = rig.begin("move"), lines_now(rig)
        with rig.traffic() as traffic:
            traffic.flow(1)
            logs = [len(replica.gateway.log) for replica in rig.replicas]
            begun = time.time()
            for replica in rig.replicas:
                what(replica)
            traffic.flow(means.scaled(10, 4))
            found.figure("rolled back everywhere after", rolled_back_seconds(rig, route), BY_STORE)
            log = sum(each.log_bytes(since) for each, since in zip(rig.replicas, logs, strict=True))
            ended = time.time()
        found.none_failed(traffic.ledger)
        lines = change_lines(rig, before)
        found.note(f"at most {lines} lines of it a replica", ok=lines <= CHANGE_LINES)
        found.figure("log a request", log / 1024 / len(traffic.ledger.sent(begun, ended).requests), 1, "KB")

    return run


def flapping(means: Means, found: Findings) -> None:
    """Redis is there and gone, twice a second."""
    rig, before = means.rig, lines_now(means.rig)
    with rig.traffic() as traffic:
        traffic.flow(1)
        for _ in range(means.scaled(16, 6)):
            for act in ("refuse", "heal"):
                for replica in rig.replicas:
                    getattr(replica.redis_way, act)()
                traffic.flow(0.25)
    found.none_failed(traffic.ledger)
    lines = change_lines(rig, before)
    found.note(f"at most {lines} lines of it a replica", ok=lines <= CHANGE_LINES)


@dataclass(frozen=True, slots=True)
class Settled:
    """What no loss of Redis' memory may bring back: a rollout's step, a rollback, and a key that was revoked."""

    rig: Rig
    kept: str
    out: str
    secret: str
    stage: list[int]

    @classmethod
    def on(cls, rig: Rig) -> Self:
        """Begin one rollout, take another back, issue a key and revoke it; all replicas know."""
        kept, out = rig.begin("move"), rig.begin("move")
        rolled_back_seconds(rig, out)
        issued = rig.replicas[0].ask("POST", "apps/help/keys").json()
        wait_until(lambda: all(each.chat(key=issued["secret"]).status == 200 for each in rig.replicas))
        rig.replicas[1].ask("POST", f"keys/{issued['key']}/revoke")
        wait_until(lambda: all(each.chat(key=issued["secret"]).status == 401 for each in rig.replicas))
        return cls(rig, kept, out, issued["secret"], rig.weights(kept))

    def hold(self, found: Findings) -> None:
        """Hold that all of it is as it was."""
        revived = sum(each.chat(key=self.secret).status != 401 for each in self.rig.replicas)
        found.note(f"{revived} revoked keys revived", ok=not revived)
        is_same = self.rig.weights(self.kept) == self.stage and not any(self.rig.weights(self.out))
        found.note("no stage moved", ok=is_same)


def flushed(means: Means, found: Findings) -> None:
    """FLUSHALL, with a rollout in its step, one that was rolled back, and a key that was revoked."""
    rig = means.rig
    settled = Settled.on(rig)
    with rig.traffic() as traffic:
        traffic.flow(1)
        rig.redis.ask("FLUSHALL")
        began = time.monotonic()
        traffic.flow(1.5)  # until every replica has looked
        wait_until(lambda: not rig.ailments())
        found.figure("replicas counted again after, at most", time.monotonic() - began, 5)
        traffic.flow(2)
        settled.hold(found)
    found.none_failed(traffic.ledger)


def full(means: Means, found: Findings) -> None:
    """Redis has no memory left: it refuses every write; then it evicts whichever keys it likes for somebody else's."""
    rig = means.rig
    settled, route, before = Settled.on(rig), rig.begin("move"), lines_now(rig)
    with rig.traffic() as traffic:
        traffic.flow(1)
        try:
            _give(rig, "noeviction", 1)
            wait_until(lambda: not any(map(is_up, rig.replicas)))
            found.figure("without room, rolled back everywhere after", rolled_back_seconds(rig, route), BY_STORE)
            traffic.flow(means.scaled(5, 1))
            settled.hold(found)
            _give(rig, "noeviction", 0)
            found.figure("Redis used again after", rig.seconds_until(lambda: all(map(is_up, rig.replicas))), 15)
            wait_until(lambda: not rig.ailments())
            evicted = _evicting(rig, means.scaled(600, 200))
            found.note(f"Pinion's keys were evicted {evicted} times", ok=evicted > 0)
            settled.hold(found)
        finally:
            _give(rig, "noeviction", 0)
            rig.redis.ask("FLUSHALL")
        found.figure("replicas counted again after", rig.seconds_until(lambda: not rig.ailments()), 15)
    found.none_failed(traffic.ledger)
    lines = change_lines(rig, before)
    found.note(f"at most {lines} lines of it a replica", ok=lines <= CHANGE_LINES)


def _give(rig: Rig, policy: str, most: int) -> None:
    """Give Redis a policy for what it does without room, and so many bytes; 0 is as many as there are."""
    rig.redis.ask("CONFIG", "SET", "maxmemory-policy", policy)
    rig.redis.ask("CONFIG", "SET", "maxmemory", most)


def _evicting(rig: Rig, count: int) -> int:
    """Fill Redis with somebody else's keys, and go on for so many; how often the list of the living was gone then."""
    (living,) = rig.redis.ask("KEYS", "pinion:*:alive")
    big = "x" * 65_536
    for number in range(50):
        rig.redis.ask("SET", f"other:{number}", big)
    _give(rig, "allkeys-random", rig.redis.ask("INFO", "memory")["used_memory"])
    evicted = 0
    for number in range(50, 50 + count):
        rig.redis.ask("SET", f"other:{number}", big)
        evicted += not rig.redis.ask("EXISTS", living)
    return evicted


def failed_over(means: Means, found: Findings) -> None:
    """Another Redis is promoted; old connections lead to a replica, which refuses to write (READONLY)."""
    rig = means.rig
    route = rig.begin("move")
    with RedisServer() as other, rig.traffic() as traffic:
        other.ask("REPLICAOF", "127.0.0.1", rig.redis.port)
        wait_until(lambda: other.ask("INFO", "replication")["master_link_status"] == "up")
        traffic.flow(1)
        try:
            other.ask("REPLICAOF", "NO", "ONE")
            other.ask("CONFIG", "RESETSTAT")
            rig.redis.ask("REPLICAOF", "127.0.0.1", other.port)
            for replica in rig.replicas:
                replica.redis_way.target = other.port
            at_other = rig.seconds_until(lambda: other.calls("zadd") >= rig.count and not rig.ailments())
            found.figure("all at the new leader after", at_other, 2)
            found.figure("rolled back everywhere after", rolled_back_seconds(rig, route), 1)
            traffic.flow(1)
        finally:
            rig.redis.ask("REPLICAOF", "NO", "ONE")
            for replica in rig.replicas:
                replica.redis_way.target = rig.redis.port
                replica.redis_way.reset()
    found.none_failed(traffic.ledger)


def partitioned(means: Means, found: Findings) -> None:
    """One replica of three has no way to Redis: everything that it sends is swallowed."""
    rig = means.rig
    route, kept = rig.begin("move"), rig.begin("move")
    cut_off = rig.replicas[2]
    with rig.traffic() as traffic:
        traffic.flow(1)
        cut_off.redis_way.trouble(hole=True)
        wait_until(lambda: not is_up(cut_off))
        rig.act(0, "rollback", route)
        took = rig.seconds_until(lambda: not any(rig.weights(route, [cut_off])))
        found.figure("the one cut off has stopped after", took, BY_STORE)
        rig.act(2, "promote", kept)
        took = rig.seconds_until(lambda: len(set(rig.weights(kept))) == 1)
        found.figure("the others follow the one cut off after", took, BY_STORE)
        traffic.flow(1)
        cut_off.redis_way.heal()
        found.figure("one fleet again after", rig.seconds_until(lambda: not rig.ailments()), 15)
    found.none_failed(traffic.ledger)
    found.note("nobody went back", ok=not any(rig.weights(route)) and set(rig.weights(kept)) == {1_000_000})


def unheard(means: Means, found: Findings) -> None:
    """Every listener's connection is cut at the moment that something is said."""
    rig = means.rig
    took = []
    with rig.traffic() as traffic:
        for _ in range(means.scaled(5, 2)):
            route = rig.begin("move")
            for replica in rig.replicas[1:]:
                replica.redis_way.reset()
            took.append(rolled_back_seconds(rig, route))
    found.none_failed(traffic.ledger)
    found.figure("rolled back everywhere after, at most", max(took), 5)


def limited(means: Means, found: Findings) -> None:
    """An application with a limit of 30 requests sends 90 while Redis is away, also to a new one.

    Its window is long: within a short one some of what was used comes back, and may rightly be used again.
    """
    rig = means.rig
    issued = rig.replicas[0].ask("POST", "apps/metered/keys").json()
    secret = issued["secret"]
    wait_until(lambda: all(each.chat(key=secret).status != 401 for each in rig.replicas))
    rig.redis.kill()
    try:
        wait_until(lambda: not any(map(is_up, rig.replicas)))
        rig.kill(2)
        rig.start(2)
        statuses = [each.chat(key=secret).status for _ in range(30) for each in rig.replicas]
    finally:
        rig.redis.start()
    let_in, refused_ = statuses.count(200), statuses.count(429)
    found.note(f"{let_in} let in beyond the first, {refused_} refused", ok=let_in <= 30 and let_in + refused_ == 90)


FAULTS = (
    Fault(
        "redis-refused",
        "Redis is killed and comes back empty",
        "0 requests fail; replicas follow each other by the store within 2 s; a line for each change",
        refused,
        runbook="redis-is-away",
    ),
    Fault(
        "redis-frozen",
        "Redis is stopped (SIGSTOP) for 10 s",
        "0 requests fail; p99 at most 100 ms longer in the first second and 5 ms after; at most 1 KB of log a request",
        frozen,
        runbook="redis-is-away",
    ),
    Fault(
        "redis-slow",
        "every answer of Redis takes 70 ms, give or take 40",
        "0 requests fail; no flapping; at most 1 KB of log a request",
        troubled(lambda replica: replica.redis_way.trouble("back", latency=0.07, jitter=0.04)),
        runbook="redis-is-slow-or-comes-and-goes",
    ),
    Fault(
        "redis-narrow",
        "2 KB a second from Redis, in pieces of 16 bytes",
        "0 requests fail; no flapping; at most 1 KB of log a request",
        troubled(lambda replica: replica.redis_way.trouble("back", rate=2048, slices=16)),
        runbook="redis-is-slow-or-comes-and-goes",
    ),
    Fault(
        "redis-flapping",
        "Redis refuses and is back, twice a second",
        "0 requests fail; pauses grow, so that there are few lines",
        flapping,
        runbook="redis-is-slow-or-comes-and-goes",
    ),
    Fault(
        "redis-flushed",
        "FLUSHALL",
        "0 requests fail; no revoked key revived, no stage moved; counted again within 5 s",
        flushed,
        runbook="redis-was-emptied",
    ),
    Fault(
        "redis-full",
        "Redis has no memory left and refuses every write; then evicts keys of Pinion's (maxmemory)",
        "0 requests fail; acts reach all within 2 s by the store; no revoked key revived, no stage moved; used again by"
        " itself",
        full,
        runbook="redis-is-full",
    ),
    Fault(
        "redis-failed-over",
        "another Redis is promoted, old connections are READONLY, in a fleet that was steady",
        "0 requests fail; all at the new leader within 2 s; acts reach all within 1 s",
        failed_over,
        is_fresh=True,
        runbook="redis-failed-over",
    ),
    Fault(
        "redis-partitioned",
        "one replica is cut off from Redis",
        "0 requests fail; it and the others follow each other by the store within 2 s; nobody goes back",
        partitioned,
        runbook="one-replica-is-cut-off",
    ),
    Fault(
        "redis-unheard",
        "listeners are cut off as something is said",
        "all have acted within 5 s",
        unheard,
        runbook="redis-is-slow-or-comes-and-goes",
    ),
    Fault(
        "redis-limits",
        "an application with a limit, while Redis is away, a replica started anew meanwhile",
        "each replica gives its share: never more than the limit in all",
        limited,
        runbook="redis-is-away",
    ),
)
