"""What becomes of the database, or of one replica's way to it: requests go on, and what must be recorded waits."""

import time
from collections.abc import Callable

from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.redis_faults import rolled_back_seconds
from tests.chaos.rig import STRANGER, Replica, Rig
from tests.gateway_process import wait_until

ADMIN_SECONDS = 2.0
"""Within which the operations API says that it cannot."""


def is_away(replica: Replica) -> bool:
    """Whether a replica knows that it has no store."""
    return replica.status()["store_away"]


def refusals(rig: Rig, found: Findings, route: str) -> None:
    """Hold what each replica answers while the database is away: keys, the operations API, readiness."""
    strangers = [each.chat(key=STRANGER) for each in rig.replicas]
    said = sorted({each.status for each in strangers})
    comes_again = all("retry-after" in each.headers for each in strangers)
    found.note(f"unknown key: {said} with retry-after", ok=said == [503] and comes_again)
    took = []
    for replica in rig.replicas:
        for path, body in ((f"rollouts/{route}/promote", {}), ("apps/help/keys", {})):
            began = time.monotonic()
            answer = replica.ask("POST", path, **body)
            took.append(time.monotonic() - began)
            if answer.status != 503:
                found.note(f"{path} answered {answer.status}", ok=False)
    found.figure("operations API answers 503 after, at most", max(took), ADMIN_SECONDS)
    found.note("stays ready", ok=all(each.is_ready() for each in rig.replicas))


def away(inject: Callable[[Rig], None], heal: Callable[[Rig], None]) -> Callable[[Means, Findings], None]:
    """A row in which the database is away for a while."""

    def run(means: Means, found: Findings) -> None:
        rig = means.rig
        route, kept = rig.begin("move"), rig.begin("move")
        with rig.traffic() as traffic:
            traffic.flow(1)
            inject(rig)
            try:
                wait_until(lambda: all(map(is_away, rig.replicas)))
                refusals(rig, found, kept)
                found.figure("rolled back everywhere after", rolled_back_seconds(rig, route, 1), 1)
                traffic.flow(means.scaled(3, 1))
            finally:
                heal(rig)
            found.figure("well again after", rig.seconds_until(lambda: not rig.ailments()), 15)
        found.none_failed(traffic.ledger)
        acts = rig.replicas[0].acts(route)
        found.note("the rollback is recorded once", ok=acts.count("rollback") == 1)
        found.note("no stage moved", ok=set(rig.weights(kept)) == {500_000})

    return run


def absent_at_start(means: Means, found: Findings) -> None:
    """A replica starts while the database is away."""
    rig = means.rig
    last = rig.replicas[2]
    rig.begin("move")
    wait_until((last.folder / "copy.json").exists)
    with rig.traffic(replicas=(0, 1)) as traffic:
        last.gateway.stop()
        rig.postgres.stop()
        try:
            began = time.monotonic()
            rig.start(2)
            found.figure("ready from its copy after", time.monotonic() - began, 10)
            answers = [last.chat() for _ in range(10)]
            found.note("serves what is stable", ok=all(each.status == 200 for each in answers))
            said = last.chat(key=STRANGER).status
            found.note(f"unknown key: {said}", ok=said == 503)
        finally:
            rig.postgres.start()
        found.figure("caught up by itself after", rig.seconds_until(lambda: not rig.ailments()), 15)
    found.none_failed(traffic.ledger)


def lost_commit(means: Means, found: Findings) -> None:
    """The connection is cut right after an act's COMMIT was sent, before the database's word on it comes."""
    rig, acting = means.rig, means.rig.replicas[0]
    acts = ("promote", "rollback", "pause", "key") * means.scaled(3, 1)
    twice, lied, cut = 0, 0, 0
    with rig.traffic() as traffic:
        for verb in acts:
            route = rig.begin("move")
            before = _issued(rig)
            table, subject = (b"credentials", b"help") if verb == "key" else (b"rollout_events", route.encode())
            acting.store_way.trouble("there", fatal=b"COMMIT", after=b"INTO " + table)
            struck = acting.store_way.struck
            answer = acting.ask("POST", "apps/help/keys") if verb == "key" else acting.act(verb, route)
            wait_until(lambda since=struck: acting.store_way.struck > since)
            cut += subject in acting.store_way.cut and b"ROLLBACK" not in acting.store_way.cut
            acting.store_way.heal()
            wait_until(lambda: not rig.ailments())
            done = _issued(rig) - before if verb == "key" else acting.acts(route).count(verb)
            twice += done > 1
            lied += answer.status == 200 and done == 0
    found.none_failed(traffic.ledger)
    found.note(f"{cut} of {len(acts)} acts cut at their own COMMIT", ok=cut == len(acts))
    found.note(f"{twice} acts applied twice", ok=not twice)
    found.note(f"{lied} acts told as done that were not", ok=not lied)


def _issued(rig: Rig) -> int:
    return rig.execute("select count(*) from credentials")[0][0]


def partitioned(means: Means, found: Findings) -> None:
    """One replica of three has no way to the database: everything that it sends is swallowed."""
    rig = means.rig
    route, kept = rig.begin("move"), rig.begin("move")
    cut_off = rig.replicas[2]
    with rig.traffic() as traffic:
        traffic.flow(1)
        cut_off.store_way.trouble(hole=True)
        wait_until(lambda: is_away(cut_off))
        found.note("stays ready", ok=cut_off.is_ready())
        found.figure("rolled back everywhere after", rolled_back_seconds(rig, route), 1)
        rig.act(0, "promote", kept)
        traffic.flow(3)
        ahead = rig.weights(kept, [cut_off])[0]
        found.note("the one cut off is not ahead of the record", ok=ahead == 500_000)
        cut_off.store_way.heal()
        took = rig.seconds_until(lambda: set(rig.weights(kept)) == {1_000_000} and not rig.ailments())
        found.figure("one stage again after", took, 15)
    found.none_failed(traffic.ledger)


def slow(means: Means, found: Findings) -> None:
    """Every answer of the database takes 50 ms, give or take 25."""
    rig = means.rig
    route, kept = rig.begin("move"), rig.begin("move")
    with rig.traffic() as traffic:
        begun = time.time()
        traffic.flow(means.scaled(5, 2))
        slowed = time.time()
        for replica in rig.replicas:
            replica.store_way.trouble("back", latency=0.05, jitter=0.025)
        traffic.flow(means.scaled(5, 2))
        found.figure("rolled back everywhere after", rolled_back_seconds(rig, route), 1)
        began = time.monotonic()
        status = rig.replicas[1].act("pause", kept).status
        found.figure("an act takes", time.monotonic() - began, ADMIN_SECONDS)
        found.note(f"and is answered {status}", ok=status == 200)
    found.none_failed(traffic.ledger)
    whole = traffic.ledger.where(lambda each: not each.stream)
    added = whole.sent(slowed).p99_ms() - whole.sent(begun, slowed).p99_ms()
    found.figure("added p99", added, 10, "ms")


FAULTS = (
    Fault(
        "database-down",
        "PostgreSQL crashes and comes back",
        "0 requests fail; unknown key 503 with retry-after; operations API 503 within 2 s; ready; a rollback acts"
        " everywhere and is recorded once",
        away(lambda rig: rig.postgres.stop(), lambda rig: rig.postgres.start()),
        runbook="the-database-is-away",
    ),
    Fault(
        "database-frozen",
        "PostgreSQL is stopped (SIGSTOP)",
        "as when it is down",
        away(lambda rig: rig.postgres.freeze(), lambda rig: rig.postgres.thaw()),
        runbook="the-database-is-away",
    ),
    Fault(
        "database-absent",
        "a replica starts while PostgreSQL is away",
        "ready from its copy; unknown key 503; catches up by itself",
        absent_at_start,
        runbook="the-database-is-away",
    ),
    Fault(
        "database-commit-lost",
        "the connection is cut right after the COMMIT of an act was sent",
        "0 requests fail; applied at most once; nothing told as done that is not",
        lost_commit,
        runbook="the-way-to-the-database-is-bad",
    ),
    Fault(
        "database-partitioned",
        "one replica is cut off from PostgreSQL",
        "0 requests fail; ready; hears rollbacks within 1 s; never ahead of the record; one stage again after",
        partitioned,
        runbook="one-replica-is-cut-off",
    ),
    Fault(
        "database-slow",
        "every answer of PostgreSQL takes 50 ms, give or take 25",
        "0 requests fail, none waits; an act is done within 2 s",
        slow,
        runbook="the-way-to-the-database-is-bad",
    ),
)
