"""The live error budgets of every route that states an objective: told of each settled request, read by rollouts.

They live in one table by route, apart from the snapshots that come and go. A changed objective takes over what is
counted; one that is removed and stated again finds what was counted before, as far as that is young enough.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.core.error_budget import BudgetReading, ErrorBudget, Slo, Span
from gateway.core.errors import StoreFault
from gateway.core.outcome import BAD_FOR_APPLICATIONS, GOOD, JUDGED, Outcome
from gateway.core.ports import Clock, Ledger
from gateway.core.record import Record, Tried
from gateway.core.route import Route
from gateway.core.snapshot import Snapshot

RETRY_SECONDS = 5.0
"""How often a ledger that is away is asked again, at the start, for what it knows of the error budgets."""


class ErrorBudgets:
    """Every route's error budget. `live` gives the current snapshot; times are wall seconds.

    After a restart it is filled from the ledger by `remember`, before or after the first requests. A canary's count
    is not restored: it begins anew.
    """

    def __init__(self, live: Callable[[], Snapshot]) -> None:
        self._live = live
        self._budgets: dict[str, ErrorBudget] = {}

    def __repr__(self) -> str:
        return f"<ErrorBudgets of {len(self._budgets)} routes>"

    def hear(self, record: Record) -> None:
        """Count a settled request; nothing where its route states no objective."""
        route = self._live().routes.get(record.route)
        if route is None or route.slo is None or record.shadow_of is not None:
            return
        budget = self._budget(route.name, route.slo)
        is_bad = record.outcome in BAD_FOR_APPLICATIONS
        if is_bad or record.outcome in GOOD:
            budget.add(record.at, bad=is_bad)
        first = record.attempts[0] if record.attempts else None
        if first is not None and _is_canarys(route, first) and first.outcome in JUDGED and not first.excused:
            budget.add_canary(bad=first.outcome == Outcome.failed)

    def begin_canary(self, route: str) -> None:
        """Start the count of a new canary of a route."""
        if (budget := self._find(route)) is not None:
            budget.begin_canary()

    def reading(self, route: str, now: float) -> BudgetReading | None:
        """Read a route's budget; None when it states no objective."""
        budget = self._find(route)
        return None if budget is None else budget.reading(now)

    def describe(self, route: str, now: float) -> Mapping[str, Any] | None:
        """Give a route's budget as JSON for people; None when it states no objective."""
        reading = self.reading(route, now)
        return None if reading is None else reading.describe()

    def spans(self) -> tuple[Span, ...]:
        """Give each span of the past that some route's budget covers, with the slots that it is counted in."""
        slos = [route.slo for route in self._live().routes.values() if route.slo is not None]
        return tuple(dict.fromkeys(span for slo in slos for span in (slo.window_span, slo.period_span)))

    def restore(self, span: Span, counts: Iterable[tuple[str, float, int, int]]) -> None:
        """Take in what the ledger knows of a span: route, slot's start, good and bad requests. Once for each span."""
        for route, start, good, bad in counts:
            if (budget := self._find(route)) is not None:
                budget.restore(span, start, good, bad)

    async def remember(self, ledger: Ledger, clock: Clock) -> None:
        """Learn from the ledger how much of each error budget is used; again, while it is away."""
        for span in self.spans():
            while True:
                try:
                    self.restore(span, await ledger.outcome_counts(clock.wall() - span.seconds, span.slot))
                    break
                except StoreFault:
                    await asyncio.sleep(RETRY_SECONDS)

    def _find(self, name: str) -> ErrorBudget | None:
        route = self._live().routes.get(name)
        return None if route is None or route.slo is None else self._budget(name, route.slo)

    def _budget(self, name: str, slo: Slo) -> ErrorBudget:
        """Give a route's budget, by its objective as it is now."""
        budget = self._budgets.get(name)
        if budget is None:
            budget = self._budgets[name] = ErrorBudget(slo)
        elif budget.slo is not slo and budget.slo != slo:
            budget.change(slo)
        return budget


def _is_canarys(route: Route, first: Tried) -> bool:
    """Say whether a request's first attempt was that of the route's canary, whoever answered in its place."""
    return route.canary is not None and first.track == "canary" and first.release == route.canary.release.version
