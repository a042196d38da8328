"""What a soak is held to: each gate falls short by what it is there for, and says so honestly when it cannot know."""

import math
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.adapters.redis_fleet import CONNECTIONS
from loadtests.soak.findings import Replaced
from loadtests.soak.gates import Verdict, gates, p99_ms
from loadtests.soak.reconciliation import Account
from loadtests.soak.slope import slope
from loadtests.soak.workers import (
    Unreadable,
    WorkerView,
    connections_to,
    gauges,
    kinds_of_descriptors,
    rss_kb,
    started_workers,
)
from tests.gateway_process import wait_until
from tests.loadtests.soak_samples import HELD, HOUR, ended, findings, load


def verdicts(found) -> dict[str, Verdict]:
    """Every gate's verdict, by its name."""
    return {gate.name: gate.verdict for gate in gates(found)}


def test_a_soak_that_went_well():
    """Keeps every gate."""
    assert {"ok"} == set(verdicts(findings()).values())


def test_a_soak_with_one_load_has_no_second():
    """Nor were its workers replaced."""
    found = findings()
    found.loads, found.replaced = found.loads[:1], None
    names = set(verdicts(findings())) - set(verdicts(found))
    assert {"second load of worker 0", "second load of worker 1", "workers replaced under load"} == names


SPOILT = {
    "events": lambda found: found.ended.append(ended("stream", "succeeded", duplicated=1)),
    "streams cut": lambda found: found.ended.append(ended("short", "failed", why="cut")),
    "requests that ended otherwise": lambda found: found.ended.append(ended("reset", "succeeded")),
    "ledger": lambda found: setattr(found, "account", Account(count=1)),
    "audit trail": lambda found: setattr(found, "audit", "broken"),
    "reloads": lambda found: setattr(found, "reloads", (9, 1)),
    "memory of worker 1": lambda found: found.loads.__setitem__(0, load(0.0, kb_per_hour=4096)),
    "left after load 1": lambda found: setattr(found, "drained", [[HELD, {**HELD, "tasks": 17}]]),
    "second load of worker 0": lambda found: found.loads.__setitem__(1, load(HOUR + 60, kb=125_000)),
    "p99 of whole answers": lambda found: found.ended.extend(
        ended("whole", "succeeded", begun=float(second), seconds=0.02) for second in range(2400, 3600)
    ),
    "p99 of first contents": lambda found: found.ended.extend(
        ended("short", "succeeded", begun=float(second), first_seconds=0.02) for second in range(2400, 3600)
    ),
    "workers replaced under load": lambda found: setattr(found, "replaced", Replaced(1, 30.0, 60.0)),
    "end of the gateway": lambda found: setattr(found, "exit_code", None),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_gate_falls_short(name):
    """By the one thing that it is there for."""
    found = findings()
    SPOILT[name](found)
    assert "short" == verdicts(found)[name]


def test_what_is_left_is_named():
    """By worker, with both numbers."""
    found = findings()
    found.drained = [[HELD, {**HELD, "descriptors": 23}]]
    (told,) = [gate.measured for gate in gates(found) if gate.name == "left after load 1"]
    assert "worker 1: descriptors 21 became 23" == told


def test_the_pool_of_redis_has_a_limit_and_no_baseline():
    """It keeps what two commands at once have needed."""
    found = findings()
    for redis, verdict in ((1, "ok"), (CONNECTIONS, "ok"), (CONNECTIONS + 1, "short")):
        found.drained = [[HELD, {**HELD, "redis": redis}]]
        assert verdict == verdicts(found)["left after load 1"]


def test_a_short_soak_decides_nothing_that_needs_time():
    """Memory that grows, a second load that needs more, slower answers: told, not judged."""
    found = findings()
    found.loads = [load(0.0, 600.0, kb_per_hour=50_000), load(700.0, 600.0, kb=140_000)]
    undecided = {name for name, verdict in verdicts(found).items() if verdict == "undecided"}
    memory = {f"{what} of worker {worker}" for what in ("memory", "second load") for worker in (0, 1)}
    assert memory | {"p99 of whole answers", "p99 of first contents"} == undecided


def test_a_slope_whose_interval_holds_the_limit_is_not_decided():
    """However long the soak was."""
    found = findings()
    for place, look in enumerate(found.loads[0].looks):
        wave = 6000 * math.sin(look.at / 150)
        found.loads[0].looks[place] = replace(look, rss_kb=look.rss_kb + round(wave))
    assert "undecided" == verdicts(found)["memory of worker 0"]


def test_memory_that_was_hardly_sampled_is_not_decided():
    """Nor is any told."""
    found = findings()
    found.loads[0].looks = found.loads[0].looks[-6:]
    assert "undecided" == verdicts(found)["memory of worker 0"]


def test_a_slope_is_that_of_the_line_through_the_samples():
    """In MB an hour, with its interval around it."""
    moments = [float(second) for second in range(0, 3600, 5)]
    fitted = slope(moments, [100_000 + 3072 * moment / 3600 + (moment % 7) * 50 for moment in moments])
    assert fitted is not None
    assert abs(fitted.per_hour - 3) < 0.1
    assert fitted.low < fitted.per_hour < fitted.high
    assert slope(moments[:5], moments[:5]) is None


def test_a_p99_is_the_usual_minutes():
    """One bad minute is not the figure."""
    timed = [(float(second), 1.0 if 60 <= second < 120 else 0.005) for second in range(300)]
    assert 5.0 == p99_ms(timed)
    assert 0.0 == p99_ms([])


def test_what_cannot_be_read_ends_the_soak():
    """A process that has ended has no memory, and one that does not answer tells nothing."""
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    try:
        process.stdout.read()
        wait_until(lambda: "State:\tZ" in Path(f"/proc/{process.pid}/status").read_text())
        with pytest.raises(Unreadable, match="no resident memory"):
            rss_kb(process.pid)
        with pytest.raises(Unreadable, match="worker 0"):
            WorkerView(0, process.pid, "http://127.0.0.1:1", 6379).look()
    finally:
        process.wait()
        process.stdout.close()


def test_a_scrape_is_read_by_series():
    """Comments are none."""
    text = '# HELP pinion_tasks Tasks.\npinion_tasks 16.0\npinion_upstream_connections{state="idle"} 3.0\n'
    assert {"pinion_tasks": 16.0, 'pinion_upstream_connections{state="idle"}': 3.0} == gauges(text)


def test_workers_are_those_started_last(tmp_path):
    """As the supervisor's log tells."""
    log = tmp_path / "log"
    line = '{{"event":"worker_started","worker":{},"pid":{},"operations":"http://127.0.0.1:1"}}\n'
    log.write_text(line.format(1, 11) + line.format(0, 10) + "no JSON\n" + line.format(1, 12))
    assert [(0, 10, "http://127.0.0.1:1"), (1, 12, "http://127.0.0.1:1")] == started_workers(log)


def test_connections_are_counted_by_their_other_end():
    """In the process that has them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert 1 == connections_to(os.getpid(), port)
        assert 0 == connections_to(os.getpid(), port)


def test_descriptors_are_told_by_what_they_are():
    """For who looks for one too many."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert kinds_of_descriptors(process.pid)["pipe"] >= 2
        process.stdin.close()
