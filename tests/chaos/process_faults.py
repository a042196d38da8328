"""What becomes of the gateways themselves: killed, stopped in their tracks, restarted one after the other."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.balancer import Balancer
from tests.chaos.client import Plan
from tests.chaos.fault import Fault, Findings, Means
from tests.chaos.fleet_policies import STEADY, TRAFFIC_KEY, policy_files
from tests.chaos.provider import Provider
from tests.chaos.rig import FIRST_FIFTH, Replica, Rig
from tests.chaos.traffic import Traffic
from tests.gateway_process import GatewayProcess, started, wait_until, write_policies
from tests.postgres_server import PostgresServer

LEASE = 10.0
"""Seconds after which another gateway judges in the place of one that has gone."""

SECOND_STEP, THIRD_STEP = 400_000, 600_000


def controller_of(rig: Rig) -> Replica:
    """The replica that moves rollouts on: the one that sends the holder of the lease by its way to the store."""
    wait_until(lambda: rig.execute("select 1 from leases where name = 'judging'"))
    ((holder,),) = rig.execute("select holder from leases where name = 'judging'")
    before = [replica.store_way.seen for replica in rig.replicas]
    for replica in rig.replicas:
        replica.store_way.watched = holder.encode()

    def found() -> list[Replica]:
        pairs = zip(rig.replicas, before, strict=True)
        return [replica for replica, seen in pairs if replica.store_way.seen > seen]

    return wait_until(found)[0]


def stepped(rig: Rig, route: str, weight: int, replicas: list[Replica]) -> float:
    """How long until replicas serve a step."""
    return rig.seconds_until(lambda: set(rig.weights(route, replicas)) == {weight}, 120)


def same_steps(rig: Rig, route: str) -> str:
    """What is wrong with the recorded steps of a route; empty where each was entered once, in order."""
    events = reversed(rig.replicas[0].rollout(route)["events"])
    steps = [event["step"] for event in events if event["verb"] in ("start", "advance", "promote")]
    return "" if steps == sorted(set(steps)) else f"steps {steps}"


def controller_killed(means: Means, found: Findings) -> None:
    """The controller has decided on a step; what would record it does not reach the database, and it is killed."""
    rig = means.rig
    controller = controller_of(rig)
    others = [each for each in rig.replicas if each is not controller]
    route = rig.take("step")
    with rig.traffic(routes=(route,), replicas=[each.index for each in others]) as traffic:
        with rig.traffic(routes=(route,), replicas=[controller.index], rate=30):
            rig.act(0, "start", route)
            wait_until(lambda: set(rig.weights(route)) == {FIRST_FIFTH})
            struck = controller.store_way.struck
            controller.store_way.trouble("there", fatal=b"INTO rollout_events", holds=True)
            wait_until(lambda: controller.store_way.struck > struck)
        rig.kill(controller.index)
        controller.store_way.heal()
        went_on = set(rig.weights(route, others)) != {FIRST_FIFTH}
        found.note("not recorded, not served", ok=not went_on)
        found.figure("another moved it on after", stepped(rig, route, SECOND_STEP, others), LEASE + 10)
        rig.start(controller.index)
        stepped(rig, route, rig.weights(route, others)[0], [controller])
    found.none_failed(traffic.ledger)
    wrong = same_steps(rig, route)
    found.note(wrong or "each step was entered once", ok=not wrong)


def two_controllers(means: Means, found: Findings) -> None:
    """The controller is stopped for longer than its lease, and goes on while another one leads."""
    rig = means.rig
    controller = controller_of(rig)
    others = [each for each in rig.replicas if each is not controller]
    route = rig.take("step")
    pid = controller.gateway.process.pid
    with rig.traffic(routes=(route,), replicas=[each.index for each in others]) as traffic:
        with rig.traffic(routes=(route,), replicas=[controller.index], rate=30):
            rig.act(0, "start", route)
            wait_until(lambda: set(rig.weights(route)) == {FIRST_FIFTH})
        os.kill(pid, signal.SIGSTOP)
        try:
            found.figure("another moved it on after", stepped(rig, route, SECOND_STEP, others), LEASE + 15)
            stepped(rig, route, THIRD_STEP, others)
        finally:
            os.kill(pid, signal.SIGCONT)
        found.figure("the former one follows after", stepped(rig, route, THIRD_STEP, [controller]), 5)
        traffic.flow(means.scaled(6, 3))
        found.note("nobody went back", ok=min(rig.weights(route)) >= THIRD_STEP)
    found.none_failed(traffic.ledger)
    wrong = same_steps(rig, route)
    found.note(wrong or "each step was entered once", ok=not wrong)


def replica_killed(means: Means, found: Findings) -> None:
    """One replica of three is killed, in the middle of a rollout."""
    rig = means.rig
    route, out = rig.begin("move"), rig.begin("move")
    rig.act(0, "rollback", out)
    wait_until(lambda: not any(rig.weights(out)))
    with rig.traffic(replicas=(0, 1)) as traffic:
        rig.kill(2)
        traffic.flow(1)
        rig.start(2)
        at_start = rig.weights(route, [rig.replicas[2]])[0], rig.weights(out, [rig.replicas[2]])[0]
        found.note("same stage, and what was out is out", ok=at_start == (500_000, 0))
        traffic.flow(1)
    found.none_failed(traffic.ledger)


@contextmanager
def working(means: Means, *args: str) -> Iterator[GatewayProcess]:
    """Two workers behind one port, with a store and a provider of their own."""
    postgres = PostgresServer()
    policies = means.folder / "policies"
    with Provider(latency=0.02, length=20, rate=20) as provider:
        try:
            postgres.start()
            write_policies(policies, policy_files(provider.url, ()))
            copy = "--store-copy", str(means.folder / "copy.json")
            found = started(policies, postgres.new_database(), "--workers", "2", *copy, *args)
            try:
                yield found
            finally:
                found.stop()
        finally:
            postgres.remove()


def to(url: str, rate: float = 60.0, **more: int | bool) -> Traffic:
    """Requests to one port, every fourth for a stream of a second."""
    return Traffic(Plan((url,), (STEADY,), rate, TRAFFIC_KEY, 4, **more))


def worker_killed(means: Means, found: Findings) -> None:
    """One of two workers is killed."""
    with working(means) as gateway, to(gateway.url) as traffic:
        traffic.flow(2)
        pid = {event["worker"]: event["pid"] for event in gateway.events("worker_started")}[1]
        os.kill(pid, signal.SIGKILL)
        killed = time.time()
        wait_until(lambda: gateway.events("worker_restarted"))
        found.figure("there again after", time.time() - killed, 30)
        traffic.flow(2)
    ledger = traffic.ledger
    under_way = ledger.where(lambda each: each.at < killed + 0.1 and each.ended > killed)
    lost = ledger.not_whole
    found.note(
        f"{lost} of the {len(under_way.requests)} under way lost, no other of {len(ledger.requests)}",
        ok=lost == under_way.not_whole and not ledger.count("unreachable", "stalled"),
    )


def workers_rolled(means: Means, found: Findings) -> None:
    """All workers are replaced, again and again, under requests and streams."""
    times = means.scaled(20, 1)
    with working(means, "--drain-delay", "500ms") as gateway, to(gateway.url) as traffic:
        traffic.flow(1)
        for number in range(times):
            gateway.process.send_signal(signal.SIGUSR2)
            wait_until(lambda done=number: len(gateway.events("workers_replaced")) > done, 180)
        traffic.flow(1)
    found.note(f"{times} times both workers")
    found.none_failed(traffic.ledger)


def replicas_rolled(means: Means, found: Findings) -> None:
    """One replica after the other is drained and started again, behind a load balancer that asks for readiness."""
    rig, times = means.rig, means.scaled(20, 3)
    with Balancer(rig.proxies, rig.replicas) as balancer, to(balancer.url) as traffic:
        traffic.flow(1)
        for number in range(times):
            index = number % rig.count
            rig.replicas[index].gateway.stop()
            rig.start(index)
            balancer.wait(index)
        traffic.flow(1)
    found.note(f"{times} restarts")
    found.none_failed(traffic.ledger)


FAULTS = (
    Fault(
        "controller-killed",
        "the controller is killed between a decision and its record",
        "0 requests fail at the others; another goes on within its lease; each step is entered once",
        controller_killed,
        runbook="the-controller-is-lost",
    ),
    Fault(
        "two-controllers",
        "the controller is stopped (SIGSTOP) past its lease, and goes on",
        "what it had in mind is refused; each step is entered once; nobody goes back",
        two_controllers,
        runbook="the-controller-is-lost",
    ),
    Fault(
        "replica-killed",
        "a replica is killed in the middle of a rollout",
        "0 requests fail at the others; it comes back at the same stage",
        replica_killed,
        runbook="piniondown",
    ),
    Fault(
        "worker-killed",
        "one of two workers is killed",
        "what it had under way is lost and nothing else; it is there again",
        worker_killed,
        needs_fleet=False,
        runbook="piniondown",
    ),
    Fault(
        "workers-rolled",
        "20 rolling restarts of two workers (SIGUSR2), under streams",
        "0 refused, 0 truncated",
        workers_rolled,
        needs_fleet=False,
        runbook="restarts-lose-requests",
    ),
    Fault(
        "replicas-rolled",
        "20 restarts of replicas in turn, behind a balancer of readiness, under streams",
        "0 refused, 0 truncated",
        replicas_rolled,
        runbook="restarts-lose-requests",
    ),
)
