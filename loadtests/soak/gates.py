"""What a soak is held to: each gate with what is wanted, what was measured, and what that means."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gateway.adapters.redis_fleet import CONNECTIONS
from loadtests.soak.findings import Findings, Load
from loadtests.soak.requests_file import Ended
from loadtests.soak.slope import slope
from loadtests.soak.workers import EXACT

Verdict = Literal["ok", "short", "undecided"]

MEMORY_PER_HOUR = 2.0
"""MB that a worker's memory may grow in an hour."""

AGAIN_PERCENT = 3.0
"""How much more memory a worker may have under the second load than under the first."""

DRIFT_PERCENT = 10.0
"""How much the p99 of the last third of the first load may be over that of its first third."""

WARM_UP = 1 / 3
"""The part of the first load whose memory is not judged, at most WARM_UP_SECONDS."""

WARM_UP_SECONDS = 1800.0

LEAST_SECONDS = 1200.0
"""Memory and latencies of less than this are told and not judged: both may move for that long and then stand still."""

LEAST_REQUESTS = 1000
"""Requests of a third without which its p99 is not judged."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate as it was met."""

    name: str
    wanted: str
    measured: str
    verdict: Verdict

    def as_json(self) -> dict[str, Any]:
        """Give it as an object."""
        return asdict(self)


def gates(found: Findings) -> list[Gate]:
    """Judge a soak."""
    return [
        *streams(found.ended),
        requests(found.ended),
        ledger(found),
        _exact("audit trail", "whole", found.audit),
        reloads(found),
        *(memory(found.loads[0], worker) for worker in found.workers),
        *baselines(found),
        *again(found),
        *drift(found),
        *restart(found),
        _exact("end of the gateway", "exit code 0", f"exit code {found.exit_code}"),
    ]


def _exact(name: str, wanted: str, measured: str) -> Gate:
    return Gate(name, wanted, measured, "ok" if measured == wanted else "short")


def _none(name: str, count: int, of: str) -> Gate:
    return Gate(name, "0", f"{count:,} of {of}", "short" if count else "ok")


def streams(ended: Sequence[Ended]) -> list[Gate]:
    """No event of a stream that went its whole way may be lost, reordered or doubled, and none may be cut."""
    whole_way = [one for one in ended if one.kind in ("stream", "short")]
    events = sum(one.got for one in whole_way)
    lost, reordered, duplicated = (
        sum(getattr(one, name) for one in whole_way) for name in ("missing", "reordered", "duplicated")
    )
    cut = [one for one in whole_way if one.ending != "succeeded"]
    wrong = f"{lost:,} lost, {reordered:,} reordered, {duplicated:,} duplicated of {events:,}"
    return [
        Gate("events", "0 lost, reordered, duplicated", wrong, "short" if lost or reordered or duplicated else "ok"),
        _none("streams cut", len(cut), f"{len(whole_way):,}{_reasons(cut)}"),
    ]


EXPECTED = {
    "stream": {"succeeded"},
    "short": {"succeeded"},
    "whole": {"succeeded"},
    "cancel": {"cancelled"},
    "reset": {"failed"},
    "refusal": {"refused"},
}
"""How each kind of request is to end."""


def requests(ended: Sequence[Ended]) -> Gate:
    """Every request is to end as its kind does, whatever is away."""
    wrong = [one for one in ended if one.ending not in EXPECTED[one.kind]]
    return _none("requests that ended otherwise", len(wrong), f"{len(ended):,}{_reasons(wrong)}")


def _reasons(ended: Iterable[Ended]) -> str:
    told: dict[str, int] = {}
    for one in ended:
        reason = f"{one.kind}: {one.why or one.ending}"
        told[reason] = told.get(reason, 0) + 1
    return "".join(f"; {count:,} {reason}" for reason, count in sorted(told.items()))


def ledger(found: Findings) -> Gate:
    """Each request is to be in the ledger once, as it ended, by its id."""
    return Gate("ledger", "each request, once", found.account.told(), "short" if found.account.count else "ok")


def reloads(found: Findings) -> Gate:
    """Every reload is to be taken; one that met an absent store is rejected at first, and tried again."""
    accepted, rejected = found.reloads
    told = f"{accepted:,} taken, {rejected:,} only later"
    return Gate("reloads", f"all {found.written:,}", told, "ok" if accepted >= found.written else "short")


def memory(load: Load, worker: int) -> Gate:
    """A worker's memory may not grow by more than 2 MB an hour, once it is warm."""
    name, wanted = f"memory of worker {worker}", f"at most {MEMORY_PER_HOUR:g} MB/h more"
    warm = load.began + min(WARM_UP_SECONDS, load.seconds * WARM_UP)
    looks = [look for look in load.looks if look.worker == worker and look.at >= warm]
    fitted = slope([look.at for look in looks], [look.rss_kb for look in looks])
    if fitted is None:
        return Gate(name, wanted, f"{len(looks)} samples", "undecided")
    seconds = looks[-1].at - looks[0].at
    told = f"{fitted.per_hour:+.2f} MB/h ({fitted.low:+.2f} to {fitted.high:+.2f}) over {seconds / 60:.0f} min"
    verdict: Verdict = "undecided"
    if seconds >= LEAST_SECONDS:
        if fitted.high <= MEMORY_PER_HOUR:
            verdict = "ok"
        elif fitted.low > MEMORY_PER_HOUR:
            verdict = "short"
    return Gate(name, wanted, told, verdict)


def baselines(found: Findings) -> Iterable[Gate]:
    """Descriptors, tasks, connections and requests are to be exactly what they were; Redis' pool keeps to its limit."""
    for number, drained in enumerate(found.drained, 1):
        wrong = [
            f"worker {worker}: {name} {before[name]} became {after[name]}"
            for worker, (before, after) in enumerate(zip(found.baseline, drained, strict=True))
            for name in EXACT
            if before[name] != after[name]
        ]
        wrong += [
            f"worker {worker}: {after['redis']} connections to Redis, whose pool has {CONNECTIONS}"
            for worker, after in enumerate(drained)
            if after["redis"] > CONNECTIONS
        ]
        measured = "; ".join(wrong) or " and ".join(_held(each) for each in drained)
        yield Gate(f"left after load {number}", "what was before", measured, "short" if wrong else "ok")


def _held(held: Mapping[str, int]) -> str:
    return f"{held['descriptors']} descriptors, {held['tasks']} tasks, {held['busy'] + held['idle']} connections"


def again(found: Findings) -> Iterable[Gate]:
    """The second load is to need no more memory than the first."""
    if len(found.loads) < 2:
        return
    first, second = found.loads
    for worker in found.workers:
        before, after = (_settled_kb(load, worker) for load in (first, second))
        more = (after / before - 1) * 100 if before else 0.0
        good: Verdict = "ok" if before and more <= AGAIN_PERCENT else "short"
        verdict: Verdict = "undecided" if good == "short" and first.seconds < LEAST_SECONDS else good
        told = f"{more:+.1f} % ({before / 1024:.1f}, then {after / 1024:.1f} MB)"
        yield Gate(f"second load of worker {worker}", f"at most {AGAIN_PERCENT:g} % more memory", told, verdict)


def _settled_kb(load: Load, worker: int) -> float:
    """The memory of a load's last third."""
    begin = load.began + load.seconds * 2 / 3
    looks = [look.rss_kb for look in load.looks if look.worker == worker and look.at >= begin]
    return statistics.median(looks) if looks else 0.0


def drift(found: Findings) -> Iterable[Gate]:
    """Whole answers and first contents of short streams are to come as soon in the end as in the beginning."""
    load = found.loads[0]
    for kind, what in (("whole", "whole answers"), ("short", "first contents")):
        thirds: list[list[tuple[float, float]]] = [[], [], []]
        for one in found.ended:
            place = (one.begun - load.began) / load.seconds * 3
            if one.kind == kind and one.ending == "succeeded" and 0 <= place < 3:
                thirds[int(place)].append((one.begun, one.seconds if kind == "whole" else one.first_seconds))
        before, after = p99_ms(thirds[0]), p99_ms(thirds[2])
        more = (after / before - 1) * 100 if before else 0.0
        good: Verdict = "ok" if before and more < DRIFT_PERCENT else "short"
        enough = load.seconds >= LEAST_SECONDS and min(map(len, thirds)) >= LEAST_REQUESTS
        told = f"{more:+.1f} % ({before:.1f}, then {after:.1f} ms)"
        yield Gate(f"p99 of {what}", f"less than {DRIFT_PERCENT:g} % more", told, good if enough else "undecided")


def p99_ms(timed: Sequence[tuple[float, float]]) -> float:
    """Give the median over minutes of each minute's p99, so that one bad minute of the machine is not the figure."""
    minutes: dict[int, list[float]] = {}
    for moment, seconds in timed:
        minutes.setdefault(int(moment // 60), []).append(seconds)
    found = [sorted(each)[int(len(each) * 0.99)] * 1000 for each in minutes.values()]
    return statistics.median(found) if found else 0.0


def restart(found: Findings) -> Iterable[Gate]:
    """Workers that are replaced under load are to be new processes, within the time that draining may take."""
    if found.replaced is None:
        return
    told = f"{found.replaced.new} of {len(found.workers)} in {found.replaced.seconds:.0f} s"
    good = found.replaced.new == len(found.workers) and found.replaced.seconds <= found.replaced.allowed
    wanted = f"all within {found.replaced.allowed:.0f} s"
    yield Gate("workers replaced under load", wanted, told, "ok" if good else "short")
