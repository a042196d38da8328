"""A plan: the steps of a rollout, and what breaches roll it back or hold it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from gateway.core.bucket import BUCKETS

Strategy = Literal["canary", "blue_green"]
"""Step by step, or warmed up by copies and then switched at once."""

WARM_UP_PPM = 100_000
WARM_UP_SECONDS = 60.0
BAKE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of the candidate, or one mirrored share of stable's requests, with the gates to leave it by.

    Exactly one of `percent_ppm` and `shadow_ppm` is set, both in parts per million. `hold` and `bake` are
    seconds, `min_requests` and `min_units` the candidate's, `guardrails` this step's own beside the plan's.
    """

    percent_ppm: int | None = None
    shadow_ppm: int | None = None
    hold: float | None = None
    min_requests: int | None = None
    min_units: int | None = None
    approval: bool = False
    bake: float | None = None
    guardrails: tuple["Criterion", ...] = ()

    def __post_init__(self) -> None:
        if (self.percent_ppm is None) == (self.shadow_ppm is None):
            raise ValueError("a step has either a percent or a shadow share; write one of them")

    @property
    def seconds(self) -> float:
        """How long the step lasts at least: its hold, or its bake where that is longer."""
        return max(self.hold or 0.0, self.bake or 0.0)


@dataclass(frozen=True, slots=True)
class Criterion:
    """A limit on a metric, as a guardrail or as a signal.

    `max` and `min` are absolute, `max_delta` (how much worse) and `max_ratio` relative to stable; `over` is what makes
    an answer slow, in seconds.
    """

    metric: str
    over: float | None = None
    max_delta: float | None = None
    max_ratio: float | None = None
    max: float | None = None
    min: float | None = None

    @property
    def limits(self) -> int:
        """How many limits it states; each is tested by itself."""
        return sum(limit is not None for limit in (self.max_delta, self.max_ratio, self.max, self.min))


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, with guardrails and signals for all of them. `name` is None for a plan in place.

    `alpha` is the chance, over the whole rollout, of rolling back a candidate that is no worse than stable. For
    `rollback_window` seconds after completion the guardrails go on watching. `on_inconclusive` says what a step does
    whose time and sample are complete and whose guardrails are neither breached nor kept; `on_no_data` what one does
    whose candidate has answered nothing for `no_data_after` seconds.
    """

    name: str | None
    steps: tuple[Step, ...]
    guardrails: tuple[Criterion, ...] = ()
    signals: tuple[Criterion, ...] = ()
    strategy: Strategy = "canary"
    alpha: float = 0.05
    rollback_window: float = 86_400.0
    on_inconclusive: Literal["hold", "promote", "rollback"] = "hold"
    on_no_data: Literal["hold", "rollback"] = "hold"
    no_data_after: float = 3600.0

    def __post_init__(self) -> None:
        if all(step.percent_ppm is None for step in self.steps):
            raise ValueError("a plan needs a step with a percent; without one the candidate would never serve")

    @classmethod
    def default(cls) -> Self:
        """Give the plan of a route that names none: one step to 100 percent."""
        return cls(None, (Step(percent_ppm=BUCKETS),))

    def step_after(self, index: int | None) -> int | None:
        """Give the index of the step after `index` (None: the first); None after the last."""
        following = 0 if index is None else index + 1
        return following if following < len(self.steps) else None

    def guardrails_of(self, index: int) -> tuple[Criterion, ...]:
        """Give the guardrails that hold in a step: the plan's and its own."""
        return (*self.guardrails, *self.steps[index].guardrails)

    @property
    def alpha_each(self) -> float:
        """The error level of each limit over the whole rollout: the plan's, shared out equally (Bonferroni)."""
        every = {*self.guardrails, *(guardrail for step in self.steps for guardrail in step.guardrails)}
        return self.alpha / max(1, sum(guardrail.limits for guardrail in every))

    @property
    def looks(self) -> int:
        """How many stretches of evidence a rollout has: its steps, and the watch after them."""
        return len(self.steps) + 1

    def to_json(self) -> dict[str, Any]:
        """Write the plan as a JSON object, for the record of a rollout."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, in this version or an earlier one."""
        steps = tuple(Step(**{**step, "guardrails": _criteria(step["guardrails"])}) for step in value["steps"])
        criteria = {name: _criteria(value[name]) for name in ("guardrails", "signals")}
        return cls(**{**value, **criteria, "steps": steps})


def blue_green_steps(bake: float = BAKE_SECONDS) -> tuple[Step, ...]:
    """Give the steps of a blue-green rollout that states none: a minute of copies to warm up, then the switch."""
    return (
        Step(shadow_ppm=WARM_UP_PPM, hold=WARM_UP_SECONDS),
        Step(percent_ppm=BUCKETS, bake=bake),
    )


def _criteria(values: list[Mapping[str, Any]]) -> tuple[Criterion, ...]:
    return tuple(Criterion(**value) for value in values)
