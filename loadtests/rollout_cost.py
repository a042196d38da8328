"""What judging rollouts costs, for `rollout_figures.py`: a world of many routes, each under a rollout with evidence."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from gateway.core.evidence import Evidence
from gateway.core.plan import Criterion
from gateway.core.record import Record
from loadtests.rollout_simulations import (
    CANDIDATE,
    STABLE,
    Figure,
    Say,
    Scale,
    Traffic,
    record_of,
    requests,
    sample_keys,
)
from tests.control import serving_world

TICKS = 10
"""How often a second the gateway puts what it heard to the evidence."""

AT_ONCE = 200
"""Routes in one policy file, which may hold only so much."""

HEARD = 20_000
"""Records that the cost of one is measured by."""


@contextmanager
def settled() -> Iterator[None]:
    """Tune the interpreter as a gateway does after its start."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@dataclass(frozen=True, slots=True)
class Second:
    """What one second of judging cost: CPU seconds of the ticks together and of `judge`, and the longest stop."""

    gathered: float
    judged: float
    stopped: float


def policies(names: Sequence[str], serve: str) -> dict[str, str]:
    """Give the files of so many routes; all roll out by the sample plan's guardrails and signal."""
    keys = sample_keys(16.6, signals=True)
    documents = [serving_world.route(name, serve, more=f"rollout: {keys}") for name in names]
    pages = [documents[start : start + AT_ONCE] for start in range(0, len(documents), AT_ONCE)]
    return serving_world.files() | {f"routes-{n}.yaml": "\n---\n".join(page) for n, page in enumerate(pages)}


class House:
    """A world in which every named route is under a rollout, and its evidence grows."""

    def __init__(self, process: serving_world.Process, names: Sequence[str]) -> None:
        self.process = process
        self._names = names
        self._rng = np.random.default_rng(50_000)

    def records(self, each: int) -> list[Record]:
        """Make so many records for every route, one in six of them the canary's."""
        count = each * len(self._names)
        units = self._rng.integers(0, 1 << 63, count).tolist()
        canary = (self._rng.random(count) < 1 / 6).tolist()
        failed, seconds = (self._rng.random(count) < 0.005).tolist(), self._rng.lognormal(0.7, 0.7, count).tolist()
        at, epoch = self.process.clock.wall(), self.process.live.current.epoch
        drawn = zip(units, canary, failed, seconds, self._names * each, strict=True)
        return [record_of((unit, side, bad, took), at, epoch, name) for unit, side, bad, took, name in drawn]

    async def second(self, each: int) -> Second:
        """Let a second pass: requests are heard, gathered a tenth at a time, and all is judged."""
        judging, records = self.process.judging, self.records(each)
        tenth = -(-len(records) // TICKS)
        gathered = stopped = 0.0
        for tick in range(TICKS):
            self.process.clock.now += 1 / TICKS
            for record in records[tick * tenth : (tick + 1) * tenth]:
                judging.hear(record)
            began = time.process_time()
            judging.gather()
            taken = time.process_time() - began
            gathered, stopped = gathered + taken, max(stopped, taken)
        began = time.process_time()
        longest = await longest_stop(judging.judge)
        return Second(gathered, time.process_time() - began, max(stopped, longest))


async def longest_stop(work: Callable[[], Awaitable[None]]) -> float:
    """Do it, and give the longest time, in CPU seconds, that nothing else could run meanwhile."""
    longest, is_done = 0.0, False

    async def other() -> None:
        nonlocal longest
        before = time.process_time()
        while not is_done:
            await asyncio.sleep(0)
            now = time.process_time()
            longest, before = max(longest, now - before), now

    running = asyncio.ensure_future(other())
    await asyncio.sleep(0)
    await work()
    is_done = True
    await running
    return longest


async def cost(scale: Scale, say: Say) -> list[Figure]:
    """What a second of judging takes, and what a request's part of it is."""
    names = [f"route-{number}" for number in range(scale.watched)]
    say(f"{scale.watched} rollouts are started")
    async with serving_world.serving(policies(names, STABLE)) as process:
        await process.serving.reload(policies(names, CANDIDATE))
        house, found = House(process, names), []
        for each in (6, 1):
            say(f"{scale.watched} rollouts are judged, {each} requests each a second")
            with settled():
                seconds = [await house.second(each) for _ in range(scale.seconds)]
            found += _costs(seconds, f"{scale.watched:,} rollouts, {each} a second each", each)
        found += house_parts(house)
    say("a route without a rollout hears")
    async with serving_world.serving(serving_world.files(serving_world.route())) as quiet:
        house = House(quiet, ["desk"])
        found.append(_nanoseconds("hear, a route without a rollout", heard(house)))
    return found


def _costs(seconds: Sequence[Second], where: str, each: int) -> list[Figure]:
    judged = sorted(1000 * second.judged for second in seconds)
    gathered = [1000 * second.gathered for second in seconds]
    whole = fmean(judged) + fmean(gathered)
    stopped = 1000 * max(second.stopped for second in seconds)
    far = judged[min(len(judged) - 1, round(0.99 * len(judged)))]

    def row(what: str, milliseconds: float, shown: str, *, required: bool) -> Figure:
        limit, met = ("< 5 % of a core", milliseconds < 50) if required else ("", None)
        return Figure("judging", f"{what}, {where}", milliseconds, shown, limit, met, is_timing=True)

    called = fmean(judged)
    return [
        row(
            "judge()",
            called,
            f"{called / 10:.1f} % of a core (median {median(judged):.1f} ms, p99 {far:.1f})",
            required=True,
        ),
        row("and the records folded in", whole, f"{whole / 10:.1f} % of a core", required=each == 1),
        row("longest stop of the loop", stopped, f"{stopped:.1f} ms", required=False),
    ]


def house_parts(house: House) -> list[Figure]:
    """What one request costs a route with a rollout: to be heard, and to become evidence."""
    heard_each, took = heard(house), 1000 * written()
    began = time.perf_counter()
    house.process.judging.gather()
    folded = (time.perf_counter() - began) / HEARD
    return [
        _nanoseconds("hear, a route with a rollout", heard_each),
        _nanoseconds("a record becomes evidence", folded),
        Figure("judging", "evidence of 20,000 units becomes JSON", took, f"{took:.1f} ms", is_timing=True),
    ]


def written() -> float:
    """Give the seconds that making JSON of one rollout's evidence takes."""
    guardrails = (Criterion("error_rate", max_delta=0.02), Criterion("slow_rate", over=8.0, max_delta=0.03))
    evidence = Evidence(guardrails, stable=STABLE, candidate=CANDIDATE, track="canary", alpha=0.05, weights=(0.5, 0.5))
    for request in requests(Traffic(weight=0.5), 60_000, 20_000):
        evidence.hear(record_of(request, 1.0, 0))
    evidence.look()
    began = time.perf_counter()
    for _ in range(10):
        evidence.to_json()
    return (time.perf_counter() - began) / 10


def heard(house: House) -> float:
    """Give the seconds that hearing one record takes."""
    records = house.records(1)
    many = (records * (HEARD // len(records) + 1))[:HEARD]
    hear = house.process.judging.hear
    began = time.perf_counter()
    for record in many:
        hear(record)
    return (time.perf_counter() - began) / HEARD


def _nanoseconds(what: str, seconds: float) -> Figure:
    return Figure("judging", what, seconds * 1e9, f"{seconds * 1e9:,.0f} ns", is_timing=True)
