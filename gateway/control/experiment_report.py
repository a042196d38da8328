"""An experiment's report: what its units show, as one JSON-able value of a shape that does not change."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.control.experiment_arms import are_comparable, arms_of
from gateway.control.experiment_verdict import Compared, Verdict, broken, day, verdict_of
from gateway.control.policies import ArmPolicy, ExperimentPolicy
from gateway.core.arm_units import ArmUnits, Wanted
from gateway.core.effect import LEAST_UNITS, Effect, effect_of, moments_of
from gateway.core.experiment_metrics import better
from gateway.core.moments import Moments
from gateway.core.recorded import ArmOut, ExperimentStart
from gateway.core.split_check import BROKEN_P, split_p

UNBELIEVED = ("split_broken", "changed")
"""The verdicts beside which no effect is one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A route's experiment as it stands at wall time `now`: as declared, when it began, and what was taken out."""

    route: str
    policy: ExperimentPolicy
    start: ExperimentStart | None
    out: tuple[ArmOut, ...]
    now: float

    @property
    def ends_at(self) -> float | None:
        """When its planned duration is over; None where it has none, or its start is not known."""
        return None if self.start is None or self.policy.seconds is None else self.start.at + self.policy.seconds

    @property
    def out_at(self) -> float | None:
        """When the first arm was taken out, if that was before its end."""
        first = min((arm.at for arm in self.out), default=math.inf)
        ends = math.inf if self.ends_at is None else self.ends_at
        return first if first < min(ends, self.now) else None

    @property
    def ended_at(self) -> float | None:
        """When it came to its planned end, if it did."""
        over = self.out_at is None and self.ends_at is not None and self.now >= self.ends_at
        return self.ends_at if over else None

    @property
    def until(self) -> float | None:
        """Where what is counted ends. Units that come after an arm is out, or after the end, have met no fair split."""
        return self.out_at if self.out_at is not None else self.ended_at

    @property
    def is_changed(self) -> bool:
        """Whether its units cannot be compared with those of the arms that it began with."""
        return self.start is not None and not are_comparable(self.start.arms, arms_of(self.policy))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Its metrics, the primary one first."""
        primary = () if self.policy.primary is None else (self.policy.primary,)
        return primary + self.policy.secondary

    @property
    def others(self) -> tuple[ArmPolicy, ...]:
        """The arms that are compared with the control."""
        return tuple(arm for arm in self.policy.arms if arm.name != self.policy.control)

    def wanted(self, since: float = 0.0, until: float | None = None) -> Wanted:
        """Say what is wanted of the ledger."""
        began = 0.0 if self.start is None else self.start.at
        return Wanted(self.route, self.policy.name, self.metrics, max(began, since), until, self.policy.over)

    def alpha_of(self, metric: str) -> float:
        """Give a metric's error level, shared out equally (Bonferroni) over comparisons, and over secondary metrics."""
        metrics = 1 if metric == self.policy.primary else len(self.policy.secondary)
        return self.policy.alpha / (metrics * max(1, len(self.others)))

    def why_out(self, arm: ArmPolicy) -> str | None:
        """Say why an arm was taken out."""
        return next((gone.reason for gone in self.out if gone.release == arm.release), None)


def report_of(standing: Standing, units: ArmUnits) -> dict[str, Any]:
    """Tell what an experiment's units show."""
    policy = standing.policy
    ratio = _ratio_of(standing, units)
    sides = {
        metric: {arm.name: moments_of(metric, units.ratios(arm.name, metric)) for arm in policy.arms}
        for metric in standing.metrics
    }
    effects = {metric: _effects(standing, metric, sides[metric]) for metric in standing.metrics}
    verdict = _verdict(standing, ratio, sides, effects)
    return {
        "route": standing.route,
        "experiment": policy.name,
        "state": _state_of(standing),
        "started_at": None if standing.start is None else standing.start.at,
        "ends_at": standing.ends_at,
        "until": standing.until,
        "at": standing.now,
        "control": policy.control,
        "primary": policy.primary,
        "alpha": policy.alpha,
        "interval": "fixed" if standing.ended_at is not None else "always_valid",
        "least_units": LEAST_UNITS,
        "one_in": units.one_in,
        "units_in_two_arms": units.torn,
        "arms": [_arm(standing, arm, units) for arm in policy.arms],
        "sample_ratio": _told_ratio(standing, ratio),
        "metrics": [
            _metric(standing, metric, sides[metric], effects[metric], is_believed=verdict.code not in UNBELIEVED)
            for metric in standing.metrics
        ],
        "verdict": {"code": verdict.code, "text": verdict.text},
    }


def _state_of(standing: Standing) -> str:
    if standing.out_at is not None:
        return "taken_out"
    return "running" if standing.ended_at is None else "ended"


@dataclass(frozen=True, slots=True)
class _Ratio:
    """The units of the arms beside the shares that they should be, and how probable such units are."""

    expected: tuple[float, ...]
    units: tuple[int, ...]
    p: float


def _ratio_of(standing: Standing, units: ArmUnits) -> _Ratio | None:
    """Check the split, unless the arms have changed: then their shares say nothing of the units."""
    arms = standing.policy.arms
    total = sum(arm.ppm for arm in arms)
    if standing.is_changed or not total:
        return None
    expected = tuple(arm.ppm / total for arm in arms)
    counts = tuple(sum(1 for _ in units.of(arm.name)) for arm in arms)
    return _Ratio(expected, counts, split_p(expected, counts))


def _effects(standing: Standing, metric: str, sides: Mapping[str, Moments]) -> dict[str, Effect | None]:
    control, final = sides[standing.policy.control], standing.ended_at is not None
    alpha = standing.alpha_of(metric)
    return {arm.name: effect_of(metric, control, sides[arm.name], alpha=alpha, final=final) for arm in standing.others}


def _verdict(
    standing: Standing,
    ratio: _Ratio | None,
    sides: Mapping[str, Mapping[str, Moments]],
    effects: Mapping[str, Mapping[str, Effect | None]],
) -> Verdict:
    """Decide what may be said at all, then say it."""
    primary = standing.policy.primary
    if not standing.others:
        return Verdict("nothing_to_compare", "the experiment has one arm; add another to compare it with")
    if standing.is_changed:
        said = (
            "the arms' releases or shares are not those that the experiment began with, so its units cannot be compared"
        )
        return Verdict("changed", f"{said}; give the changed experiment a name of its own")
    if ratio is not None and ratio.p < BROKEN_P:
        arms = [arm.name for arm in standing.policy.arms]
        return broken(ratio.p, list(zip(arms, ratio.units, ratio.expected, strict=True)))
    if standing.out_at is not None:
        gone = ", ".join(arm.name for arm in standing.policy.arms if standing.why_out(arm) is not None)
        why = "; ".join(dict.fromkeys(arm.reason for arm in standing.out))
        return Verdict("taken_out", f"{gone} was taken out on {day(standing.out_at)}: {why}")
    if primary is None:
        return Verdict("no_primary", "the experiment names no primary metric, so nothing decides; add `primary:`")
    return verdict_of(primary, _compared(standing, sides[primary], effects[primary]), standing.ended_at)


def _compared(standing: Standing, sides: Mapping[str, Moments], effects: Mapping[str, Effect | None]) -> list[Compared]:
    name = standing.policy.control
    control = sides[name]
    return [
        Compared(arm, name, (_value(control), _value(sides[arm])), (control.n, sides[arm].n), effect)
        for arm, effect in effects.items()
    ]


def _arm(standing: Standing, arm: ArmPolicy, units: ArmUnits) -> dict[str, Any]:
    rows = list(units.of(arm.name))
    return {
        "arm": arm.name,
        "release": arm.release,
        "share_ppm": arm.ppm,
        "units": len(rows),
        "requests": sum(row.requests for row in rows),
        "answered_elsewhere": sum(row.elsewhere for row in rows),
        "out": standing.why_out(arm),
    }


def _told_ratio(standing: Standing, ratio: _Ratio | None) -> dict[str, Any]:
    if ratio is None:
        return {"p": None, "broken": False, "expected": None}
    names = [arm.name for arm in standing.policy.arms]
    expected = dict(zip(names, ratio.expected, strict=True))
    return {"p": ratio.p, "broken": ratio.p < BROKEN_P, "expected": expected}


def _metric(
    standing: Standing,
    metric: str,
    sides: Mapping[str, Moments],
    effects: Mapping[str, Effect | None],
    *,
    is_believed: bool,
) -> dict[str, Any]:
    control = _value(sides[standing.policy.control])
    return {
        "metric": metric,
        "role": "primary" if metric == standing.policy.primary else "secondary",
        "better": better(metric),
        "over": standing.policy.over if metric == "slow_rate" else None,
        "alpha": standing.alpha_of(metric),
        "arms": [{"arm": arm, "value": _value(side), "units": side.n} for arm, side in sides.items()],
        "effects": [_effect(metric, arm, control, effect, is_believed=is_believed) for arm, effect in effects.items()],
    }


def _effect(
    metric: str, arm: str, control: float | None, effect: Effect | None, *, is_believed: bool
) -> dict[str, Any]:
    if effect is None:
        shown = "not_enough_units"
        return {"arm": arm, "estimate": None, "low": None, "high": None, "relative": None, "p": None, "shown": shown}
    interval = effect.interval
    shown = "no_difference"
    if effect.is_shown:
        shown = "better" if effect.is_better(better(metric)) else "worse"
    return {
        "arm": arm,
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "relative": interval.estimate / abs(control) if control else None,
        "p": effect.p,
        "shown": shown if is_believed else "not_believed",
    }


def _value(side: Moments) -> float | None:
    return side.mean if side.n else None
