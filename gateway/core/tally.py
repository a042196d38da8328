"""A tally: what one side of a comparison, a release, has shown in one step."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from gateway.core.digest import hash_of
from gateway.core.metric import FEEDBACK, is_feedback
from gateway.core.moments import Moments
from gateway.core.observation import Answer
from gateway.core.outcome import JUDGED, Outcome
from gateway.core.sketch import Sketch
from gateway.core.unit_cells import UnitCells

MOST_FEEDBACK_NAMES = 20


class Share:
    """How many outcomes there were, and how many of them were bad."""

    __slots__ = ("bad", "n")

    def __init__(self, bad: int = 0, n: int = 0) -> None:
        self.bad = bad
        self.n = n

    def add(self, *, bad: bool) -> None:
        """Count one outcome."""
        self.bad += bad
        self.n += 1

    def merge(self, other: "Share") -> None:
        """Take all outcomes that another has taken."""
        self.bad += other.bad
        self.n += other.n


class Tally:
    """Counts a side's outcomes, in memory that does not grow with them.

    `counts`, the sketches and `newest_at` are of all outcomes. What is judged counts at most 5 outcomes of a unit
    (`UnitCells`): the shares, and the means of cost and tokens. Of feedback at most 5 values of a unit count for each
    name, of at most 20 names and those that are asked for.

    Attributes:
        counts: how many outcomes there were, by name.
        errors: the judged outcomes (ok, slow, failed) and the failed ones among them.
        slow: for each threshold in seconds the answers, and the slower ones among them.
        schema: the answers that were checked against a schema, and the invalid ones among them.
        cost, cost_unknown: US dollars of the answers whose cost is known, and how many others there were.
        tokens: input and output tokens of an answer together.
        seconds, first_token_seconds: how long answers took.
        feedback: the values of each name.
        cells: which outcomes of a unit still count, and how many units there were.
        feedback_cells: which values of feedback still count, by unit and name together.
        newest_at: wall seconds of the newest outcome, None before the first.
    """

    __slots__ = (
        "cells",
        "cost",
        "cost_unknown",
        "counts",
        "errors",
        "feedback",
        "feedback_cells",
        "first_token_seconds",
        "newest_at",
        "schema",
        "seconds",
        "slow",
        "tokens",
    )

    def __init__(self, overs: Iterable[float] = (), names: Iterable[str] = ()) -> None:
        self.counts = {outcome.value: 0 for outcome in Outcome}
        self.errors = Share()
        self.slow = {over: Share() for over in overs}
        self.schema = Share()
        self.cost = Moments()
        self.cost_unknown = 0
        self.tokens = Moments()
        self.seconds = Sketch()
        self.first_token_seconds = Sketch()
        self.feedback = {name: Moments() for name in names}
        self.cells = UnitCells()
        self.feedback_cells = UnitCells()
        self.newest_at: float | None = None

    def add(self, outcome: str, unit: int, at: float, answer: Answer | None) -> None:
        """Take one outcome of a unit: its name, the unit's hash, wall seconds, and the side's answer if it was good."""
        self.counts[outcome] += 1
        self.newest_at = at if self.newest_at is None else max(self.newest_at, at)
        if answer is not None:
            self.seconds.add(answer.seconds)
            if answer.first_token_seconds is not None:
                self.first_token_seconds.add(answer.first_token_seconds)
        if outcome in JUDGED and self.cells.take(unit):
            self.errors.add(bad=outcome == Outcome.failed)
            if answer is not None:
                self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        for over, share in self.slow.items():
            # Asked this way round, so that what is not a number is slow.
            share.add(bad=not answer.pace <= over)
        if answer.schema_valid is not None:
            self.schema.add(bad=not answer.schema_valid)
        if answer.cost is not None and answer.cost >= 0:
            self.cost.add(answer.cost)
        else:
            self.cost_unknown += 1
        if answer.tokens is not None:
            self.tokens.add(answer.tokens)

    def count(self, outcome: str, count: int) -> None:
        """Take outcomes of which nothing is known but that they were: they count, and are not judged."""
        self.counts[outcome] += count

    def add_feedback(self, name: str, value: float, unit: int) -> None:
        """Take one finite value of a unit's feedback, unless its name is one too many or the unit has said enough."""
        if name not in self.feedback:
            if len(self.feedback) >= MOST_FEEDBACK_NAMES:
                return
            self.feedback[name] = Moments()
        if self.feedback_cells.take(hash_of(f"{unit} {name}")):
            self.feedback[name].add(value)

    @property
    def judged(self) -> int:
        """How many outcomes are judged."""
        return self.errors.n

    @property
    def failed(self) -> int:
        """How many of the judged outcomes failed."""
        return self.errors.bad

    @property
    def units(self) -> int:
        """How many distinct units had a judged outcome: about, and never more than there were outcomes."""
        return min(self.cells.units, sum(self.counts.values()))

    def share(self, metric: str, over: float | None = None) -> Share | None:
        """Give the share of bad outcomes that a metric is about, `over` in seconds; None for a metric of a mean."""
        if metric == "error_rate":
            return self.errors
        if metric == "schema_valid":
            return self.schema
        if metric == "slow_rate":
            return (self.slow.get(over) if over is not None else None) or Share()
        return None

    def mean(self, metric: str) -> Moments:
        """Give the numbers that a metric of a mean is about; none for a metric that nobody knows."""
        if metric == "cost_per_request":
            return self.cost
        if metric == "tokens_per_request":
            return self.tokens
        name = metric.removeprefix(FEEDBACK)
        return self.feedback[name] if is_feedback(metric) and name in self.feedback else Moments()

    def merge(self, other: "Tally") -> None:
        """Take all that another has taken. Thresholds and names that only the other has come with it."""
        for name, count in other.counts.items():
            self.counts[name] += count
        for over, share in other.slow.items():
            self.slow.setdefault(over, Share()).merge(share)
        for name, moments in other.feedback.items():
            if name in self.feedback or len(self.feedback) < MOST_FEEDBACK_NAMES:
                self.feedback.setdefault(name, Moments()).merge(moments)
        self.errors.merge(other.errors)
        self.schema.merge(other.schema)
        self.cost.merge(other.cost)
        self.cost_unknown += other.cost_unknown
        self.tokens.merge(other.tokens)
        self.seconds.merge(other.seconds)
        self.first_token_seconds.merge(other.first_token_seconds)
        self.cells.merge(other.cells)
        self.feedback_cells.merge(other.feedback_cells)
        times = [at for at in (self.newest_at, other.newest_at) if at is not None]
        self.newest_at = max(times, default=None)

    def to_json(self) -> dict[str, Any]:
        """Write the tally as a JSON object, of some 35 KB at most."""
        return {
            "counts": dict(self.counts),
            "errors": [self.errors.bad, self.errors.n],
            "slow": [[over, share.bad, share.n] for over, share in self.slow.items()],
            "schema": [self.schema.bad, self.schema.n],
            "cost": self.cost.to_json(),
            "cost_unknown": self.cost_unknown,
            "tokens": self.tokens.to_json(),
            "seconds": self.seconds.to_json(),
            "first_token_seconds": self.first_token_seconds.to_json(),
            "feedback": {name: moments.to_json() for name, moments in self.feedback.items()},
            "cells": self.cells.to_json(),
            "feedback_cells": {**self.feedback_cells.to_json(), "distinct": None},  # nobody asks how many there were
            "newest_at": self.newest_at,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        tally = cls()
        tally.counts.update(value["counts"])
        tally.errors = Share(*value["errors"])
        tally.slow = {over: Share(bad, n) for over, bad, n in value["slow"]}
        tally.schema = Share(*value["schema"])
        tally.cost = Moments.from_json(value["cost"])
        tally.cost_unknown = value["cost_unknown"]
        tally.tokens = Moments.from_json(value["tokens"])
        tally.seconds = Sketch.from_json(value["seconds"])
        tally.first_token_seconds = Sketch.from_json(value["first_token_seconds"])
        tally.feedback = {name: Moments.from_json(moments) for name, moments in value["feedback"].items()}
        tally.cells = UnitCells.from_json(value["cells"])
        tally.feedback_cells = UnitCells.from_json(value["feedback_cells"])
        tally.newest_at = value["newest_at"]
        return tally
