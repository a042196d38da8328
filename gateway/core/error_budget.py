"""An error budget: what share of a route's requests may go wrong in a period, and how fast it is being used up.

The formulas are those of Google's SRE Workbook, chapter 5 ("Alerting on SLOs"), section "Multiwindow, Multi-Burn-Rate
Alerts":

    budget = 1 - success        burn = error rate / budget

A burn of 1 uses up the budget in exactly the period. Two windows must burn together: the long one says that it
matters, the short one, a twelfth of it, that it still goes on. Times are wall seconds.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WINDOWS = 12
"""How many short windows make a long one, by the Workbook's rule."""

SHORT_SLOTS = 5
PERIOD_SLOTS = 672
"""An hour each of the usual 28 days."""

LEAST_BAD_TO_HOLD = 3
"""With ten requests in the window, a single error burns a budget of 0.5 % at 20 times the sustainable rate."""

LEAST_BAD_TO_STOP = 5
"""A rollout that was stopped does not go on by itself, so chance must be less likely here than where it only waits."""

LEAST_BAD_TO_DELAY = 3
"""A route with 200 requests in the period has a budget of one error at 99.5 %: one or two of them are chance."""

# A limit that is met exactly counts as met, whatever floating point makes of 1 - 0.995.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time up to now, counted in slots: the seconds of the whole, and of one slot."""

    seconds: float
    slot: float


@dataclass(frozen=True, slots=True)
class Slo:
    """A route's objective, and what its rollouts do about it.

    `success` is the share of requests that must go well over `period` seconds, from 0.5 to under 1. A rollout holds
    while the route burns `pause_at` times the sustainable rate over `window` seconds and over a twelfth of them; it
    stops when its canary alone has used `canary_share` of the period's budget beyond what its own requests may fail,
    and advances only while `min_remaining` of the budget is left.
    """

    success: float
    period: float = 28 * 86_400.0
    pause_at: float = 3.0
    canary_share: float = 0.2
    min_remaining: float = 0.2
    window: float = 3_600.0

    @property
    def budget(self) -> float:
        """The share of requests that may go wrong."""
        return 1 - self.success

    @property
    def window_span(self) -> Span:
        """How the windows are counted."""
        return Span(self.window, self.window / (WINDOWS * SHORT_SLOTS))

    @property
    def period_span(self) -> Span:
        """How the period is counted."""
        return Span(self.period, self.period / PERIOD_SLOTS)


@dataclass(frozen=True, slots=True)
class BudgetCount:
    """How many requests ended, and how many of them went wrong."""

    requests: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class BudgetReading:
    """A budget at one moment: what is counted in each window, in the period, and of the canary since it began."""

    slo: Slo
    long: BudgetCount
    short: BudgetCount
    period: BudgetCount
    canary: BudgetCount

    @property
    def long_burn(self) -> float | None:
        """How many times the sustainable rate the long window burns; None without requests."""
        return _burn(self.long, self.slo)

    @property
    def short_burn(self) -> float | None:
        """How many times the sustainable rate the short window burns; None without requests."""
        return _burn(self.short, self.slo)

    @property
    def remaining(self) -> float:
        """The share of the period's budget that is left: 1 with none used, below 0 when more was used than there is."""
        return 1 - (_burn(self.period, self.slo) or 0.0)

    @property
    def canary_used(self) -> float:
        """The share of the period's budget that the canary has used beyond what its own requests may fail."""
        excess = self.canary.bad - self.slo.budget * self.canary.requests
        if excess <= 0:
            return 0.0
        # A bad attempt whose client left is of no counted request; it is taken for one, so that there is a budget.
        return excess / (self.slo.budget * max(self.period.requests, self.canary.bad))

    @property
    def must_hold(self) -> bool:
        """Whether a rollout must wait: both windows burn too fast, on more than a few errors."""
        burns = (self.long_burn, self.short_burn)
        fast = all(burn is not None and burn >= self.slo.pause_at - _EPSILON for burn in burns)
        return fast and self.long.bad >= LEAST_BAD_TO_HOLD

    @property
    def must_stop(self) -> bool:
        """Whether a rollout must end: its canary has used more of the budget than it may."""
        return self.canary.bad >= LEAST_BAD_TO_STOP and self.canary_used >= self.slo.canary_share - _EPSILON

    @property
    def may_advance(self) -> bool:
        """Whether enough of the budget is left to expose more requests to the canary."""
        return self.period.bad < LEAST_BAD_TO_DELAY or self.remaining >= self.slo.min_remaining - _EPSILON

    def describe(self) -> dict[str, Any]:
        """Give the objective, the counts, the rates and what they mean, as JSON for people; times in seconds."""
        return {
            "success": self.slo.success,
            "period_seconds": self.slo.period,
            "window_seconds": self.slo.window,
            "pause_at": self.slo.pause_at,
            "canary_share": self.slo.canary_share,
            "min_remaining": self.slo.min_remaining,
            "requests": self.period.requests,
            "bad": self.period.bad,
            "remaining": round(self.remaining, 6),
            "window_requests": self.long.requests,
            "window_bad": self.long.bad,
            "long_burn": None if self.long_burn is None else round(self.long_burn, 6),
            "short_burn": None if self.short_burn is None else round(self.short_burn, 6),
            "canary_requests": self.canary.requests,
            "canary_bad": self.canary.bad,
            "canary_used": round(self.canary_used, 6),
            "must_hold": self.must_hold,
            "must_stop": self.must_stop,
            "may_advance": self.may_advance,
        }


class ErrorBudget:
    """The error budget of one route, in constant memory.

    Times are wall seconds, of a clock that may be moved, and the budget keeps a time of its own, which never goes back:

    * A clock that goes back by more than a slot of the window was set: from then on the difference is added, so that
      what is known keeps its age and what comes is the newest. Less than that is the disorder of close events, and
      counts as now.
    * A clock that goes forward cannot be told from silence, and ages what is known: an hour empties an hour's window,
      which then burns nothing, and takes an hour off the period.
    """

    def __init__(self, slo: Slo) -> None:
        self._slo = slo
        self._window = _Ring(slo.window_span)
        self._period = _Ring(slo.period_span)
        self._canary = BudgetCount()
        self._latest = 0.0
        self._ahead = 0.0
        self._heard_from = math.inf

    def __repr__(self) -> str:
        return f"<ErrorBudget of {self._slo.success:g}, {self._period.bad} bad of {self._period.requests}>"

    @property
    def slo(self) -> Slo:
        """The objective that it is held against."""
        return self._slo

    def add(self, at: float, *, bad: bool) -> None:
        """Count one request that ended at `at`."""
        self._heard_from = min(self._heard_from, at)
        now = self._time(at)
        self._window.add(now, 1, int(bad))
        self._period.add(now, 1, int(bad))

    def restore(self, span: Span, start: float, good: int, bad: int) -> None:
        """Count requests of the past that ended in the slot from `start`, in what is counted by this span.

        A slot that reaches past the first request that was added is passed over: it may hold that request, and none
        counts twice.
        """
        if start + span.slot > self._heard_from:
            return
        start += self._ahead
        for ring in (self._window, self._period):
            if ring.span == span:
                ring.add(start, good + bad, bad)
                self._latest = max(self._latest, start)

    def begin_canary(self) -> None:
        """Start the count of a new canary."""
        self._canary = BudgetCount()

    def add_canary(self, *, bad: bool) -> None:
        """Count one attempt of the canary."""
        self._canary = BudgetCount(self._canary.requests + 1, self._canary.bad + bad)

    def change(self, slo: Slo) -> None:
        """Hold what is counted against another objective.

        Slots of another length are filled from the old ones, each at its start, so that some may leave up to an old
        slot too early. What is older than the old window or period is not known, and stays out of a longer one.
        """
        self._slo = slo
        if slo.window_span != self._window.span:
            self._window = self._window.cut(slo.window_span)
        if slo.period_span != self._period.span:
            self._period = self._period.cut(slo.period_span)

    def reading(self, now: float) -> BudgetReading:
        """Read the budget."""
        now = self._time(now)
        self._window.expire(now)
        self._period.expire(now)
        return BudgetReading(
            slo=self._slo,
            long=self._window.newest(WINDOWS * SHORT_SLOTS),
            short=self._window.newest(SHORT_SLOTS),
            period=BudgetCount(self._period.requests, self._period.bad),
            canary=self._canary,
        )

    def _time(self, wall: float) -> float:
        """Give the budget's own time at a wall time."""
        now = wall + self._ahead
        if now < self._latest - self._window.span.slot:
            self._ahead = self._latest - wall
        self._latest = max(self._latest, now)
        return self._latest


class _Ring:
    """Counts of one span, in slots. What is older leaves by whole slots, so up to one slot too early."""

    __slots__ = ("_bad", "_newest", "_requests", "_width", "bad", "requests", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        size = round(span.seconds / span.slot)
        self._width = span.slot
        self._requests = [0] * size
        self._bad = [0] * size
        self._newest = 0
        self.requests = 0
        self.bad = 0

    def add(self, at: float, requests: int, bad: int) -> None:
        """Count requests at a time; those from before the span are passed over."""
        index, size = int(at / self._width), len(self._bad)
        if index > self._newest:
            self.expire(at)
        if index > self._newest - size:
            self._requests[index % size] += requests
            self._bad[index % size] += bad
            self.requests += requests
            self.bad += bad

    def expire(self, now: float) -> None:
        """Forget what is older than the span."""
        newest, size = int(now / self._width), len(self._bad)
        for index in range(max(self._newest + 1, newest - size + 1), newest + 1):
            self.requests -= self._requests[index % size]
            self.bad -= self._bad[index % size]
            self._requests[index % size] = self._bad[index % size] = 0
        self._newest = max(self._newest, newest)

    def newest(self, slots: int) -> BudgetCount:
        """Sum up the newest slots."""
        places = [index % len(self._bad) for index in range(self._newest - slots + 1, self._newest + 1)]
        return BudgetCount(sum(self._requests[place] for place in places), sum(self._bad[place] for place in places))

    def cut(self, span: Span) -> "_Ring":
        """Make a ring of another span of what this one holds."""
        ring = _Ring(span)
        for start, requests, bad in self._slots():
            ring.add(start, requests, bad)
        return ring

    def _slots(self) -> Iterator[tuple[float, int, int]]:
        """Give the start and counts of each slot, the oldest first."""
        size = len(self._bad)
        for index in range(self._newest - size + 1, self._newest + 1):
            yield index * self._width, self._requests[index % size], self._bad[index % size]


def _burn(tally: BudgetCount, slo: Slo) -> float | None:
    """Give error rate / (1 - success), or None without requests."""
    return tally.bad / tally.requests / slo.budget if tally.requests else None
