"""What an experiment has shown, in one sentence for people and one word for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from gateway.core.effect import LEAST_UNITS, Effect
from gateway.core.experiment_metrics import better, shown, shown_span

Code = Literal[
    "better",
    "worse",
    "no_difference",
    "not_enough_units",
    "split_broken",
    "changed",
    "taken_out",
    "no_primary",
    "nothing_to_compare",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word and the sentence."""

    code: Code
    text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """An arm beside the control in the primary metric: their values, and units with a value, the control's first."""

    arm: str
    control: str
    values: tuple[float | None, float | None]
    units: tuple[int, int]
    effect: Effect | None


def verdict_of(metric: str, compared: Sequence[Compared], ended_at: float | None) -> Verdict:
    """Say what the primary metric shows of each arm; `ended_at` is when the planned duration was over, if it is."""
    verdicts = [_verdict(metric, one, ended=ended_at is not None) for one in compared]
    text = "; ".join(verdict.text for verdict in verdicts)
    if ended_at is not None:
        text = f"the experiment ended on {day(ended_at)}: {text}"
    codes = [verdict.code for verdict in verdicts]
    order: tuple[Code, ...] = ("better", "worse", "not_enough_units")
    return Verdict(next((code for code in order if code in codes), "no_difference"), text)


def broken(p: float, counts: Sequence[tuple[str, int, float]]) -> Verdict:
    """Say that the split is broken; `counts` holds each arm's name, units and expected share."""
    total = sum(units for _, units, _ in counts) or 1
    told = ", ".join(f"{arm} has {units / total:.1%} of the units, not {share:.1%}" for arm, units, share in counts)
    return Verdict(
        "split_broken",
        f"the split is broken: {told} (p = {p:.1g}); something loses or adds units on one side, so no difference can"
        " be believed",
    )


def _verdict(metric: str, one: Compared, *, ended: bool) -> Verdict:
    control, value = one.values
    effect = one.effect
    if effect is None or control is None or value is None:
        had = min(one.units)
        return Verdict("not_enough_units", f"not enough units to compare {one.arm} ({had} of {LEAST_UNITS})")
    interval = effect.interval
    difference, span = shown_span(metric, interval.low, interval.estimate, interval.high)
    told = f"{difference} ({100 * (1 - effect.alpha):.4g}% interval {span})"
    measured = f"{metric} is {shown(metric, value)} with {one.arm} and {shown(metric, control)} with {one.control}"
    if not effect.is_shown:
        said = "no difference was shown" if ended else "no difference has been shown yet"
        return Verdict("no_difference", f"{said}: {measured}, {told}")
    code: Code = "better" if effect.is_better(better(metric)) else "worse"
    return Verdict(code, f"{one.arm} is {code}: {measured}, {told}")


def day(seconds: float) -> str:
    """Write wall seconds as the minute in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
