"""Scenarios under wrk: a fixed number of connections ask as fast as they are answered."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.bench.answers import EVENTS, events
from loadtests.bench.lab import Lab
from loadtests.bench.peers import PEERS
from loadtests.bench.processes import Process
from loadtests.bench.rounds import Sample, Series, interleaved
from loadtests.bench.setups import Subject
from loadtests.bench.upstreams import Upstream
from loadtests.bench.wrk import Load, loading, prepare, result

WARM_SECONDS = 1

SETTLE_SECONDS = 0.3
"""After a load, until deferred work such as records and logs is written and has been accounted."""

SLOW_SECONDS = 6
"""The shortest round of a slow peer: its answers under way at the end are work without a count."""

RAMP_SECONDS = 0.4
"""Until as many streams are open as there are connections, and the first have ended."""

EVENT_BYTES = sum(len(event) for event in events()) / EVENTS

LEAST_RELAYED = 0.7
"""The part of the upstream's bytes that must have reached the client; streams under way at the ends blur it."""

STREAM_TAIL_SECONDS = 0.2
"""Between the last reading of the counters and the end of the load."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A system in a scenario, under the name that its figures get there."""

    name: str
    subject: Subject


def contenders(subjects: Sequence[Subject], suffix: str = "") -> list[Contender]:
    """Name systems for a scenario."""
    return [Contender(f"{subject.name}{suffix}", subject) for subject in subjects]


def requests(lab: Lab, scenario: str, entered: Sequence[Contender], load: Load) -> Series:
    """Time whole answers: requests a second, CPU microseconds a request, latencies and memory, by contender."""
    scripts = {
        one.name: prepare(lab.folder / "run" / "requests" / scenario / one.name, one.subject.address, load)
        for one in entered
    }
    for one in entered:
        with loading(lab.wrk, scripts[one.name], one.subject.address, load, WARM_SECONDS) as process:
            result(process, WARM_SECONDS)
    series: dict[str, list[Sample]] = {one.name: [] for one in entered}
    for number, one in interleaved(lab.rounds, entered):
        slow = one.subject.name in PEERS and PEERS[one.subject.name].slow
        seconds = max(SLOW_SECONDS, lab.seconds) if slow else lab.seconds
        before = _cpu(one.subject.process)
        with loading(lab.wrk, scripts[one.name], one.subject.address, load, seconds) as process:
            harvest = result(process, seconds)
        time.sleep(SETTLE_SECONDS)
        sample = {
            "per_second": harvest.per_second,
            "p50_ms": harvest.p50_us / 1000,
            "p99_ms": harvest.p99_us / 1000,
            "errors": harvest.errors,
            "requests": harvest.requests,
        }
        if one.subject.process and harvest.requests:
            used = one.subject.process.usage()
            sample["cpu_us"] = (used.cpu_seconds - before) * 1e6 / harvest.requests
            sample["memory_mb"] = used.resident_kb / 1024
        series[one.name].append(sample)
        lab.progress.say(f"{scenario}, round {number + 1}: {one.name} {_told(sample, 'requests')}", steps=1)
    return series


def streams(lab: Lab, scenario: str, entered: Sequence[Contender], upstream: Upstream, load: Load) -> Series:
    """Time events: the upstream's counter and the system's CPU are read together, while all streams are open."""
    scripts = {
        one.name: prepare(lab.folder / "run" / "requests" / scenario / one.name, one.subject.address, load)
        for one in entered
    }
    series: dict[str, list[Sample]] = {one.name: [] for one in entered}
    for number, one in interleaved(lab.rounds, entered):
        whole = max(2, round(lab.seconds))
        with loading(lab.wrk, scripts[one.name], one.subject.address, load, whole) as process:
            time.sleep(RAMP_SECONDS)
            cpu, written, began = _cpu(one.subject.process), upstream.events_written(), time.monotonic()
            time.sleep(whole - RAMP_SECONDS - STREAM_TAIL_SECONDS)
            spent, relayed = _cpu(one.subject.process) - cpu, upstream.events_written() - written
            seconds = time.monotonic() - began
            memory = one.subject.process.usage().resident_kb if one.subject.process else 0
            harvest = result(process, whole)
        sample = {
            "events_per_second": relayed / seconds,
            "errors": harvest.errors,
            "streams": harvest.requests,
        }
        if harvest.bytes_read < LEAST_RELAYED * EVENT_BYTES * sample["events_per_second"] * harvest.micros / 1e6:
            sample["errors"] += 1  # the upstream's events did not reach the client
        if one.subject.process and relayed:
            sample |= {"cpu_us": spent * 1e6 / relayed, "memory_mb": memory / 1024}
        series[one.name].append(sample)
        lab.progress.say(f"{scenario}, round {number + 1}: {one.name} {_told(sample, 'events')}", steps=1)
        time.sleep(SETTLE_SECONDS)
    return series


def _cpu(process: Process | None) -> float:
    return process.usage().cpu_seconds if process else 0.0


def _told(sample: Sample, what: str) -> str:
    rate = sample.get("per_second", sample.get("events_per_second", 0))
    cpu = f", {sample['cpu_us']:.1f} us of CPU each" if "cpu_us" in sample else ""
    errors = f", {sample['errors']:.0f} ERRORS" if sample["errors"] else ""
    return f"{rate:,.0f} {what}/s{cpu}{errors}"
