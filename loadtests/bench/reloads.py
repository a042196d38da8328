"""Pinion with 1,000 routes: how soon it is ready, what it weighs then, and what a reload does to requests."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from loadtests.bench.governed import start_gateway, start_rollouts, write_policies, write_route
from loadtests.bench.lab import Lab, check
from loadtests.bench.latencies import REQUESTS_PER_SECOND, WARM_SECONDS, sample_of
from loadtests.bench.open_loop import Pace, run
from loadtests.bench.peers import PINION
from loadtests.bench.rounds import Sample, Series, interleaved, median_of
from loadtests.bench.scenarios import ROUTES
from loadtests.bench.setups import Setup, Subject
from loadtests.bench.upstreams import json_upstream

SETTLE_SECONDS = 1
"""After the ready line, until memory is read."""

CHANGE_SECONDS = 0.3
"""When within a round the file is written."""

SHORTEST_SECONDS = 3
"""The shortest round of reloads."""

STARTS = 2
"""A round lasts as long as this many starts: a reload under load has to begin and end in it."""

KINDS = ("quiet", "reload")


def thousand(lab: Lab) -> dict[str, Series]:
    """Start Pinion on 1,000 routes again and again, then reload them under 1,000 requests a second."""
    room = lab.room("thousand")
    with json_upstream(lab.nginx, room / "upstream") as upstream:
        setup = Setup(room / "pinion", upstream.url, routes=ROUTES)
        write_policies(setup.folder / "policies", setup)
        with _gateway(lab, setup) as (subject, admin):
            first = _sample(subject)
            lab.progress.say(f"first start on {ROUTES} routes: {first['seconds']:.2f} s; starting their rollouts")
            start_rollouts(admin, ROUTES)
        started = starts(lab, setup, first)
        ready = median_of(started, PINION.name, "seconds") or 0
        seconds = max(SHORTEST_SECONDS, lab.seconds, STARTS * ready + 1)
        return {"start": started, "reload": reloads(lab, setup, seconds)}


def starts(lab: Lab, setup: Setup, first: Sample) -> Series:
    """Start on a store that knows every route and its rollout; `first` was a start on an empty one."""
    again: list[Sample] = []
    for number in range(lab.rounds):
        with _gateway(lab, setup) as (subject, _):
            time.sleep(SETTLE_SECONDS)
            sample = _sample(subject)
        again.append(sample)
        told = f"{sample['seconds']:.2f} s, {sample['memory_mb']:.0f} MB"
        lab.progress.say(f"start, round {number + 1}: {told}", steps=1)
    return {PINION.name: again, f"{PINION.name}, empty store": [first]}


def reloads(lab: Lab, setup: Setup, seconds: float) -> Series:
    """Ask at a fixed pace for some seconds, in turn without and with a changed policy file in the round."""
    series: dict[str, list[Sample]] = {kind: [] for kind in KINDS}
    with _gateway(lab, setup) as (subject, _):
        pace = Pace(REQUESTS_PER_SECOND, seconds)
        run(subject.address, Pace(pace.per_second, WARM_SECONDS))
        for number, kind in interleaved(lab.rounds, KINDS):
            sample = _round(setup, subject, pace, number if kind == "reload" else None)
            if kind == "reload" and "seconds" not in sample:
                lab.faults["thousand/reload"] = f"a reload did not end within a round of {seconds:.1f} s"
            series[kind].append(sample)
            told = f"p99 {sample['p99_ms']:.2f} ms, longest gap {sample['gap_ms']:.1f} ms"
            lab.progress.say(f"reload, round {number + 1}, {kind}: {told}, {sample['errors']:.0f} errors", steps=1)
    return series


def _round(setup: Setup, subject: Subject, pace: Pace, change: int | None) -> Sample:
    moments: list[float] = []

    def write() -> None:
        moments.append(time.time())
        write_route(setup.folder / "policies", 0, owner=f"team-{change}")

    accepted = reload_times(setup.folder / "log")
    timings = run(subject.address, pace, [] if change is None else [(CHANGE_SECONDS, write)])
    sample = sample_of(timings)
    if change is None:
        return sample
    new = reload_times(setup.folder / "log")[len(accepted) :]
    if not new:  # a reload that has not ended within the round is not what was to be measured
        return {**sample, "errors": sample["errors"] + 1}
    seconds = new[-1] - moments[0]
    return {
        **sample,
        "seconds": seconds,
        "during_p99_ms": timings.percentile(99, CHANGE_SECONDS, CHANGE_SECONDS + seconds),
    }


def reload_times(log: Path) -> list[float]:
    """Give when the gateway's log says that a reload was accepted, as seconds since the epoch."""
    times = []
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"reload_accepted"' in line:
                stamp = json.loads(line)["timestamp"]
                times.append(datetime.fromisoformat(stamp).timestamp())
    return times


@contextmanager
def _gateway(lab: Lab, setup: Setup) -> Iterator[tuple[Subject, int]]:
    subject, admin = start_gateway(lab.found[PINION.name], setup)
    try:
        check(subject.name, subject.address, stream=False)
        yield subject, admin
    finally:
        if subject.process:
            subject.process.stop()


def _sample(subject: Subject) -> Sample:
    memory = subject.process.usage().resident_kb / 1024 if subject.process else 0.0
    return {"seconds": subject.seconds_to_ready, "memory_mb": memory, "errors": 0}
