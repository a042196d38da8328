"""A plan: the steps of a rollout, and what breaches roll it back or hold it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from gateway.core.bucket import BUCKETS


@dataclass(frozen=True, slots=True)
class Step:
    """One weight of the candidate, or one mirrored share of stable's requests, with the gates to leave it by.

    Exactly one of `percent_ppm` and `shadow_ppm` is set, both in parts per million. `hold` and `bake` are
    seconds, `guardrails` this step's own beside the plan's.
    """

    percent_ppm: int | None = None
    shadow_ppm: int | None = None
    hold: float | None = None
    min_requests: int | None = None
    approval: bool = False
    bake: float | None = None
    guardrails: tuple["Criterion", ...] = ()

    def __post_init__(self) -> None:
        if (self.percent_ppm is None) == (self.shadow_ppm is None):
            raise ValueError("a step has either a percent or a shadow share; write one of them")


@dataclass(frozen=True, slots=True)
class Criterion:
    """A limit on a metric, as a guardrail or as a signal.

    `max` and `min` are absolute, `max_delta` and `max_ratio` relative to stable; `over` is what makes an
    answer slow, in seconds.
    """

    metric: str
    over: float | None = None
    max_delta: float | None = None
    max_ratio: float | None = None
    max: float | None = None
    min: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, with guardrails and signals for all of them. `name` is None for a plan in place."""

    name: str | None
    steps: tuple[Step, ...]
    guardrails: tuple[Criterion, ...] = ()
    signals: tuple[Criterion, ...] = ()

    def __post_init__(self) -> None:
        if self.percent_step_after(None) is None:
            raise ValueError("a plan needs a step with a percent; without one the candidate would never serve")

    @classmethod
    def default(cls) -> Self:
        """Give the plan of a route that names none: one step to 100 percent."""
        return cls(None, (Step(percent_ppm=BUCKETS),))

    def percent_step_after(self, index: int | None) -> int | None:
        """Give the index of the next step with a percent after `index` (None: the first); None after the last.

        Steps of mirroring alone are passed over, since they give the candidate no weight.
        """
        later = range(0 if index is None else index + 1, len(self.steps))
        return next((at for at in later if self.steps[at].percent_ppm is not None), None)

    def to_json(self) -> dict[str, Any]:
        """Write the plan as a JSON object, for the record of a rollout."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        steps = (Step(**{**step, "guardrails": _criteria(step["guardrails"])}) for step in value["steps"])
        return cls(value["name"], tuple(steps), _criteria(value["guardrails"]), _criteria(value["signals"]))


def _criteria(values: list[Mapping[str, Any]]) -> tuple[Criterion, ...]:
    return tuple(Criterion(**value) for value in values)
