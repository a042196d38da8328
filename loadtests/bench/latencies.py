"""Scenarios at a fixed pace: what a system adds to the latency of asking the upstream directly."""

from collections.abc import Sequence

from loadtests.bench.closed_loop import Contender, contenders
from loadtests.bench.lab import Lab
from loadtests.bench.open_loop import Pace, Timings, run
from loadtests.bench.rounds import Sample, Series, interleaved
from loadtests.bench.scenarios import FAST
from loadtests.bench.setups import Address, Subject
from loadtests.bench.upstreams import Upstream, event_upstream, json_upstream

REQUESTS_PER_SECOND = 1000
STREAMS_PER_SECOND = 50

WARM_SECONDS = 0.5

DIRECT = "direct"
"""The contender that is the upstream itself."""


def paced(lab: Lab) -> dict[str, Series]:
    """Time 1,000 requests a second, through each system and directly."""
    room = lab.room("paced")
    pace = Pace(REQUESTS_PER_SECOND, lab.seconds)
    with json_upstream(lab.nginx, room / "upstream") as upstream, lab.subjects(room, upstream, FAST) as fast:
        return {"paced": timed(lab, "paced", [direct(upstream), *contenders(fast)], pace)}


def first_token(lab: Lab) -> dict[str, Series]:
    """Time the first event of 50 new streams a second, through each system and directly."""
    room = lab.room("first-token")
    pace = Pace(STREAMS_PER_SECOND, lab.seconds, stream=True)
    with (
        event_upstream(room / "upstream") as upstream,
        lab.subjects(room, upstream, FAST, streams=True) as fast,
    ):
        return {"first-token": timed(lab, "first-token", [direct(upstream), *contenders(fast)], pace)}


def direct(upstream: Upstream) -> Contender:
    """Enter the upstream itself."""
    return Contender(DIRECT, Subject(DIRECT, Address(upstream.port), None))


def timed(lab: Lab, scenario: str, entered: Sequence[Contender], pace: Pace) -> Series:
    """Ask every contender in turn, at one pace; give latencies in ms and what each adds to the direct one."""
    for one in entered:
        run(one.subject.address, Pace(pace.per_second, WARM_SECONDS, pace.body, pace.stream))
    series: dict[str, list[Sample]] = {one.name: [] for one in entered}
    for number, one in interleaved(lab.rounds, entered):
        sample = sample_of(run(one.subject.address, pace))
        series[one.name].append(sample)
        told = f"p50 {sample['p50_ms']:.2f} ms, p99 {sample['p99_ms']:.2f} ms, {sample['errors']:.0f} errors"
        lab.progress.say(f"{scenario}, round {number + 1}: {one.name} {told}", steps=1)
    return with_added(series)


def sample_of(timings: Timings) -> dict[str, float]:
    """Sum up one run."""
    return {
        "p50_ms": timings.percentile(50),
        "p99_ms": timings.percentile(99),
        "gap_ms": timings.longest_gap_ms(),
        "requests": len(timings.latency_ms),
        "errors": timings.errors,
    }


def with_added(series: Series) -> dict[str, list[Sample]]:
    """Add to each sample what it has more than the direct one of its round."""
    return {
        name: [
            {
                **sample,
                "added_p50_ms": sample["p50_ms"] - beside["p50_ms"],
                "added_p99_ms": sample["p99_ms"] - beside["p99_ms"],
            }
            for sample, beside in zip(samples, series[DIRECT], strict=True)
        ]
        for name, samples in series.items()
    }
