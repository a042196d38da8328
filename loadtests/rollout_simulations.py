"""Simulated rollouts through the real breakers, judging and evidence, for `rollout_figures.py`. Seeded throughout.

No rule is written here: requests, their units and outcomes are drawn, the clock is moved by hand, and what the gateway
makes of them is counted.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist, median, quantiles
from typing import Any
from unittest import mock

import numpy as np
import yaml

from gateway.control import judging
from gateway.control.rollouts import Word
from gateway.core.effect import effect_of, moments_of
from gateway.core.evidence import Evidence
from gateway.core.judgement import breaches
from gateway.core.observation import Answer
from gateway.core.outcome import Outcome
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.record import Record, Tried
from tests.control import serving_world

SAMPLE_PLAN = Path(__file__).resolve().parent.parent / "policies" / "plans.yaml"
STABLE, CANDIDATE = "1.0.0", "1.1.0"
FAILS = 0.005
"""The failing share of stable, and of a candidate that is no worse."""

MEDIAN_SECONDS, SIGMA = 2.0, 0.7
"""Of answers, lognormal: 2.4 % of them take more than 8 s, on both sides."""

USERS, TAIL = 1500, 1.2
"""Clustered traffic: so many users, and the Pareto law of their use."""

CROWDS = {"independent requests": None, "uneven users": 0.5, "very uneven users": 0.1}
"""How alike the requests of a user are: the first parameter of the Beta law of users' own failing shares. With mean
m it correlates two requests of a user by m / (m + it): of 5 %, 0.09 and 0.33. The last is that of the evidence's own
tests."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, what came out, what is required of it, and whether that was met (None: nothing)."""

    group: str
    what: str
    value: float
    shown: str
    required: str = ""
    met: bool | None = None
    is_timing: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """How many runs each figure rests on, and how many rollouts are judged at once."""

    detections: int
    rollouts: int
    alarms: int
    experiments: int
    slow: int
    watched: int
    seconds: int


FULL = Scale(detections=200, rollouts=500, alarms=1000, experiments=1000, slow=300, watched=1000, seconds=40)
QUICK = Scale(detections=20, rollouts=6, alarms=40, experiments=20, slow=12, watched=100, seconds=6)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of a route in sequence: failing shares, the canary's share, requests a second, and whose they are.

    Without `uneven` each request is a unit of its own; see `CROWDS`.
    """

    canary_fails: float = FAILS
    weight: float = 0.05
    pace: float = 20.0
    uneven: float | None = None
    stable_fails: float = FAILS


Request = tuple[int, bool, bool, float]
"""A unit's hash, whether it is the canary's, whether it fails, and the seconds of its answer."""


def sample_plan() -> dict[str, Any]:
    """Give the plan that the sample policies declare."""
    plan: dict[str, Any] = yaml.safe_load(SAMPLE_PLAN.read_text(encoding="utf-8"))
    return plan


def sample_level() -> dict[str, Any]:
    """Give the error level of each guardrail of the sample plan, and by how many looks it is shared."""
    steps = (Step(percent_ppm=1),) * len(sample_plan()["steps"])
    plain = ({name: value for name, value in each.items() if name != "over"} for each in sample_plan()["guardrails"])
    guardrails = tuple(Criterion(**each) for each in plain)
    plan = Plan(None, steps, guardrails)
    return {"alpha": plan.alpha_each, "looks": plan.looks}


def sample_keys(percent: float, *, signals: bool) -> str:
    """Write the sample plan's keys with as many steps, of which none ends: the first at `percent`."""
    plan = sample_plan()
    steps = [{"percent": percent + number, "hold": "30d"} for number in range(len(plan["steps"]))]
    names = ("guardrails", "signals") if signals else ("guardrails",)
    return json.dumps({"steps": steps, **{name: plan[name] for name in names}})


def requests(traffic: Traffic, seed: int, most: int) -> Iterator[Request]:
    """Draw requests; independent ones are a unit each, clustered ones those of users who stay on their side."""
    rng = np.random.default_rng(seed)
    fails = np.array([traffic.stable_fails, traffic.canary_fails])
    if traffic.uneven is not None:
        use = rng.pareto(TAIL, USERS) + 0.05
        hashes, canary = rng.integers(0, 1 << 63, USERS), (rng.random(USERS) < traffic.weight).astype(int)
        failing = rng.beta(traffic.uneven, traffic.uneven / fails[canary] - traffic.uneven)
        users = rng.choice(USERS, most, p=use / use.sum())
        units, sides, shares = hashes[users], canary[users], failing[users]
    else:
        units, sides = rng.integers(0, 1 << 63, most), (rng.random(most) < traffic.weight).astype(int)
        shares = fails[sides]
    failed = rng.random(most) < shares
    seconds = rng.lognormal(math.log(MEDIAN_SECONDS), SIGMA, most)
    columns = units.tolist(), sides.astype(bool).tolist(), failed.tolist(), seconds.tolist()
    return zip(*columns, strict=True)


def record_of(request: Request, at: float, epoch: int, route: str = "desk") -> Record:
    """Give the record that a request leaves: what the canary fails, stable answers."""
    unit, is_canary, failed, seconds = request
    release, track = (CANDIDATE, "canary") if is_canary else (STABLE, "stable")
    tried: tuple[Tried, ...] = (Tried(release, track, "failed" if failed else "ok", 503 if failed else 200),)
    outcome = "failed" if failed and not is_canary else "ok"
    if failed and is_canary:
        release, track = STABLE, "fallback"
        tried = (*tried, Tried(STABLE, "fallback", "ok", 200))
    status = 503 if outcome == "failed" else 200
    who = ("req", at, "app", route, release, track, "", 5, f"{unit:016x}" + "0" * 16)
    how = (outcome, status, seconds, None, 0.001, 1000, 100, None, 3_500_000 + unit % 1_000_000, "exact")
    told = (False, "", None, None, None, None, "chat", False, 0)
    return Record(*who, *how, *told, tried, epoch, split="rollout")


class Desk:
    """A route under a rollout, in a world of its own: each request is permitted, reported and heard, as in life."""

    def __init__(self, process: serving_world.Process, pace: float) -> None:
        self._process = process
        self._route = process.desk
        self._epoch = process.live.current.epoch
        self._step = 1 / pace
        self._judged_at = process.clock.now

    @property
    def rule(self) -> str | None:
        """The rule that took the canary out; None while it serves."""
        rollbacks = self._process.meters.rollbacks
        return rollbacks[0][1] if rollbacks else None

    async def take(self, request: Request) -> None:
        """Answer one request, and judge where a second is over."""
        process, clock = self._process, self._process.clock
        clock.now += self._step
        release = self._route.releases[CANDIDATE if request[1] else STABLE]
        permit = process.breakers.permit(self._route, release, clock.now)
        if permit is not None:
            outcome = Outcome.failed if request[2] else Outcome.ok
            process.breakers.report(self._route, release, permit, outcome, clock.now)
            process.judging.hear(record_of(request, clock.wall(), self._epoch))
        while clock.now - self._judged_at >= 1 and self.rule is None:
            self._judged_at += 1
            await process.judging.judge()


@dataclass(frozen=True, slots=True)
class End:
    """How a simulated rollout ended: by which rule (None: it did not), and the canary's requests and failures."""

    rule: str | None
    requests: int
    failures: int


@mock.patch.object(judging, "KEEP_SECONDS", math.inf)
async def rollout(traffic: Traffic, seed: int, most: int, most_canary: int) -> End:
    """Run one rollout until it is rolled back, or so many requests have come.

    Its evidence is not written down: that decides nothing, and takes as long as the requests.
    """
    keys = sample_keys(100 * traffic.weight, signals=False)
    policies = serving_world.files(
        serving_world.route(serve=CANDIDATE, more=f'rollout: {{from: "{STABLE}", {keys[1:]}')
    )
    canary = failures = 0
    async with serving_world.serving(policies) as process:
        await process.rollouts.start("desk", Word("figures", "simulated"))
        desk = Desk(process, traffic.pace)
        for request in requests(traffic, seed, most):
            await desk.take(request)
            canary += request[1]
            failures += request[1] and request[2]
            if desk.rule is not None or canary >= most_canary:
                break
        return End(desk.rule, canary, failures)


async def detection(scale: Scale, say: Say) -> list[Figure]:
    """How soon a failing candidate is out, the breaker's rules and the guardrails acting together."""
    found: list[Figure] = []
    traffics = [Traffic(weight=0.05), Traffic(weight=0.5), Traffic(weight=0.5, pace=1.0), Traffic(pace=200.0)]
    for base in traffics:
        where = f"{base.weight:.0%} canary, {base.pace:g}/s"
        say(f"a failing candidate: {where}")
        all_ = [await rollout(replace(base, canary_fails=1.0), seed, 2000, 100) for seed in range(scale.detections)]
        worst = max(end.failures for end in all_)
        met = {end.failures for end in all_} == {3}
        found.append(Figure("detection", f"fails all: finished failures, {where}", worst, f"{worst}", "3", met))
        fifth = [await rollout(replace(base, canary_fails=0.2), seed, 20_000, 1000) for seed in range(scale.detections)]
        found.append(_out(fifth, f"fails 1 in 5: canary requests, {where}", 25))
    for one_in in (10, 20):
        for weight in (0.05, 0.5):
            where = f"{weight:.0%} canary, 20/s"
            say(f"a candidate failing 1 in {one_in}: {where}")
            worse = Traffic(1 / one_in, weight)
            ends = [await rollout(worse, seed, 40_000, 2000) for seed in range(scale.detections)]
            found.append(_out(ends, f"fails 1 in {one_in}: canary requests, {where}", None))
    return found


def _out(ends: Sequence[End], what: str, most: float | None) -> Figure:
    middle, far = median(end.requests for end in ends), quantiles((end.requests for end in ends), n=20)[-1]
    rules = Counter(end.rule or "none" for end in ends)
    told = ", ".join(f"{rule} {count / len(ends):.0%}" for rule, count in rules.most_common())
    shown = f"median {middle:g}, p95 {far:.0f} ({told})"
    if most is None:
        return Figure("detection", what, middle, shown)
    return Figure("detection", what, middle, shown, f"median <= {most:g}", middle <= most)


async def false_rollbacks(scale: Scale, say: Say) -> list[Figure]:
    """How many rollouts of a candidate that is no worse are rolled back, by either."""
    found = []
    for weight, most in ((0.05, 4000), (0.5, 8000)):
        for crowd in ("independent requests", "very uneven users"):
            where = f"{crowd}, {weight:.0%} canary of {most:,}"
            say(f"a sound candidate: {where}")
            traffic = Traffic(weight=weight, uneven=CROWDS[crowd])
            ends = [await rollout(traffic, 10_000 + seed, most, most) for seed in range(scale.rollouts)]
            rules = Counter(end.rule for end in ends if end.rule is not None)
            share = rules.total() / len(ends)
            told = ", ".join(f"{rule} {count}" for rule, count in rules.most_common()) or "none"
            shown = f"{share:.1%} of {len(ends)} ({told})"
            found.append(Figure("false rollbacks", where, share, shown, "<= 2 %", share <= 0.02))
    return found


def most_alarms(runs: int, alpha: float = 0.05) -> float:
    """Give alpha and two standard errors of a share of so many runs."""
    return alpha + 2 * math.sqrt(alpha * (1 - alpha) / runs)


def _alarm(runs: int, alarms: int, group: str, what: str) -> Figure:
    share, most = alarms / runs, most_alarms(runs)
    return Figure(group, what, share, f"{share:.1%} of {runs}", f"<= {most:.1%}", share <= most)


def guardrail_alarms(scale: Scale, say: Say) -> list[Figure]:
    """A/A: how often the harshest guardrail, at 5 % and looked at every 20 requests, alarms for nothing."""
    found = []
    for weight, most in ((0.5, 4000), (0.05, 6000)):
        for crowd, uneven in CROWDS.items():
            where = f"{crowd}, {weight:.0%} canary of {most:,}, {most // 20} looks"
            say(f"guardrails between equals: {where}")
            traffic = Traffic(0.05, weight, uneven=uneven, stable_fails=0.05)
            alarms = sum(guardrail_alarms_once(traffic, 20_000 + seed, most) for seed in range(scale.alarms))
            found.append(_alarm(scale.alarms, alarms, "guardrails A/A", where))
    return found


def guardrail_alarms_once(traffic: Traffic, seed: int, most: int) -> bool:
    """Say whether a guardrail at alpha 5 % ever alarms between two releases that fail alike."""
    criterion = Criterion("error_rate", max_delta=0.0)
    evidence = Evidence([criterion], stable=STABLE, candidate=CANDIDATE, track="canary", alpha=0.05)
    sides = evidence.stable, evidence.candidate
    for number, (unit, is_canary, failed, _) in enumerate(requests(traffic, seed, most), 1):
        sides[is_canary].add(Outcome.failed if failed else Outcome.ok, unit, 0.0, None)
        if number % 20 == 0:
            evidence.look()
            if breaches(evidence, (criterion,)):
                return True
    return False


def experiment_alarms(scale: Scale, say: Say) -> list[Figure]:
    """A/A: how often an experiment between equals ever shows a difference, looked at again and again."""
    found = []
    for weight, users, looks, each in ((0.5, 1000, 100, 50), (0.05, 5000, 28, 500)):
        where = f"very uneven users, {weight:.0%} arm of {looks * each:,}"
        say(f"experiments between equals: {where}")
        shown = [experiment_once(weight, users, looks, each, seed) for seed in range(scale.experiments)]
        ever, at_end = (sum(column) for column in zip(*shown, strict=True))
        runs = scale.experiments
        found.append(_alarm(runs, ever, "experiments A/A", f"{where}: any of {looks} looks, always valid"))
        found.append(_alarm(runs, at_end, "experiments A/A", f"{where}: one look at the planned end"))
    return found


def experiment_once(weight: float, users: int, looks: int, each: int, seed: int) -> tuple[bool, bool]:
    """Run one experiment on `error_rate`; say whether it ever showed a difference, and whether its end did."""
    rng = np.random.default_rng(30_000 + seed)
    use = rng.pareto(TAIL, users) + 0.05
    arms = (rng.random(users) < weight).tolist()
    drawn = rng.choice(users, looks * each, p=use / use.sum())
    uneven = CROWDS["very uneven users"]
    failed = (rng.random(looks * each) < rng.beta(uneven, uneven * 19, users)[drawn]).tolist()
    sides: tuple[dict[int, list[float]], ...] = ({}, {})
    ever, events = False, list(zip(drawn.tolist(), failed, strict=True))
    for look in range(looks):
        for user, bad in events[look * each : (look + 1) * each]:
            sums = sides[arms[user]].setdefault(user, [0.0, 0.0])
            sums[0] += bad
            sums[1] += 1
        ever = ever or _is_shown(sides, final=False)
    return ever, _is_shown(sides, final=True)


def _is_shown(sides: Sequence[dict[int, list[float]]], *, final: bool) -> bool:
    control, arm = (moments_of("error_rate", ((x, d) for x, d in side.values())) for side in sides)
    effect = effect_of("error_rate", control, arm, alpha=0.05, final=final)
    return effect is not None and effect.is_shown


DELTAS = (0.0, 0.01, 0.03)
MOST_SLOW = 600


def slow_candidates(scale: Scale, say: Say) -> list[Figure]:
    """How soon a candidate that takes 30 % longer is found, with stable's p95 as what is slow."""
    found, level = [], sample_level()
    for sigma in (0.5, 0.8):
        say(f"a candidate 30 % slower, sigma {sigma:g}")
        share = 1 - NormalDist().cdf(NormalDist().inv_cdf(0.95) - math.log(1.3) / sigma)
        runs = [slow_once(sigma, level, seed) for seed in range(scale.slow)]
        for place, delta in enumerate(DELTAS):
            met = [run[place] for run in runs if run[place] is not None]
            power = len(met) / len(runs)
            middle = median(run[place] if run[place] is not None else math.inf for run in runs)
            what = f"sigma {sigma:g} (slow: stable 5.0 %, candidate {share:.1%}), max_delta {delta:g}"
            shown = f"{power:.1%} of {len(runs)} within {MOST_SLOW} canary requests, median {middle:g}"
            is_required = delta == 0.03
            required, is_met = (">= 75 %", power >= 0.75) if is_required else ("", None)
            found.append(Figure("30 % slower", what, power, shown, required, is_met))
    return found


def slow_once(sigma: float, level: dict[str, Any], seed: int) -> list[int | None]:
    """Give for each max_delta the canary's requests until the guardrail was breached; None where it was not."""
    rng = np.random.default_rng(40_000 + seed)
    over = math.exp(NormalDist().inv_cdf(0.95) * sigma)
    criteria = [Criterion("slow_rate", over=over, max_delta=delta) for delta in DELTAS]
    evidence = Evidence(criteria, stable=STABLE, candidate=CANDIDATE, track="canary", **level)
    met: dict[Criterion, int] = {}
    canary = 0
    while canary < MOST_SLOW and len(met) < len(criteria):
        for is_canary, seconds in zip(rng.random(20) < 0.05, rng.lognormal(0.0, sigma, 20).tolist(), strict=True):
            taken = seconds * 1.3 if is_canary else seconds
            side = evidence.candidate if is_canary else evidence.stable
            side.add(Outcome.ok, int(rng.integers(0, 1 << 63)), 0.0, Answer(taken, taken))
            canary += bool(is_canary)
        evidence.look()
        for finding in breaches(evidence, [each for each in criteria if each not in met]):
            met[finding.criterion] = canary
    return [met.get(each) for each in criteria]
