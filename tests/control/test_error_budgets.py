"""The live error budgets: what a settled request counts as, and whose budget it is."""

import dataclasses

import pytest

from gateway.control.error_budgets import ErrorBudgets
from gateway.core.error_budget import BudgetCount, Slo, Span
from gateway.core.outcome import Outcome
from gateway.core.record import Tried
from tests.adapters.ledger_records import record
from tests.proxy import playbook

SLO = Slo(0.99)
NOW = 1_790_000_000.0
STABLE = Tried("1.0.0", "stable", "ok", 200)
FAILED = Tried("1.1.0", "canary", "failed", 503)


class Table:
    """A table of budgets over the route `desk`."""

    def __init__(self, **changes) -> None:
        self.live = playbook.Play(route=playbook.route(canary_ppm=50_000, **changes)).snapshots.current
        self.budgets = ErrorBudgets(lambda: self.live)

    def change(self, **changes) -> None:
        """Serve the route with changes."""
        changed = dataclasses.replace(self.live.routes["desk"], **changes)
        self.live = dataclasses.replace(self.live, routes={"desk": changed})

    def hear(self, outcome: Outcome = Outcome.ok, attempts: tuple[Tried, ...] = (STABLE,), **changes) -> None:
        """One settled request."""
        said = {"route": "desk", "at": NOW, "outcome": outcome.value, "attempts": attempts, **changes}
        self.budgets.hear(record(1, **said))

    @property
    def reading(self):
        return self.budgets.reading("desk", NOW)


@pytest.fixture
def table() -> Table:
    return Table(slo=SLO)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.ok, BudgetCount(1, 0)),
        (Outcome.slow, BudgetCount(1, 0)),
        (Outcome.failed, BudgetCount(1, 1)),
        (Outcome.gateway_fault, BudgetCount(1, 1)),
        (Outcome.client_fault, BudgetCount()),
        (Outcome.cancelled, BudgetCount()),
        (Outcome.rate_limited, BudgetCount()),
    ],
)
def test_an_outcome_is_good_bad_or_neither(table, outcome, expected):
    """What the application's own doing is, or the provider's limit, says nothing of the route."""
    table.hear(outcome)
    assert (expected, expected) == (table.reading.period, table.reading.short)


def test_mirrored_requests_do_not_count(table):
    """Nobody waits for their answers."""
    table.hear(Outcome.failed, shadow_of="req-0")
    assert BudgetCount() == table.reading.period


def test_a_route_without_an_objective_has_no_budget():
    """Nothing is kept, read or told of it, nor of a route that there is not."""
    table = Table()
    table.hear(Outcome.failed)
    table.hear(Outcome.failed, route="nowhere")
    table.budgets.begin_canary("desk")
    table.budgets.restore(SLO.period_span, [("desk", NOW, 1, 1), ("nowhere", NOW, 1, 1)])
    assert (None, None, ()) == (table.reading, table.budgets.describe("nowhere", NOW), table.budgets.spans())
    assert "<ErrorBudgets of 0 routes>" == repr(table.budgets)


def test_a_canary_is_charged_though_another_release_answered(table):
    """The application saw a good answer; the canary's attempt had failed."""
    table.hear(Outcome.ok, (FAILED, Tried("1.0.0", "fallback", "ok", 200)))
    assert (BudgetCount(1, 0), 1) == (table.reading.period, table.reading.canary.bad)


@pytest.mark.parametrize(
    "attempts",
    [
        (),
        (STABLE, FAILED),
        (dataclasses.replace(FAILED, track="forced"),),
        (dataclasses.replace(FAILED, outcome="client_fault"),),
        (dataclasses.replace(FAILED, release="0.9.0"),),
    ],
)
def test_only_the_canarys_own_failures_are_charged_to_it(table, attempts):
    """Its first attempts at what was assigned to it; a request of an earlier canary that ends late is not its."""
    table.hear(Outcome.failed, attempts)
    assert (1, 0) == (table.reading.period.bad, table.reading.canary.bad)


def test_without_a_canary_none_is_charged(table):
    """What ends after the rollout did counts for the route alone."""
    table.change(canary=None)
    table.hear(Outcome.failed, (FAILED,))
    assert (1, 0) == (table.reading.period.bad, table.reading.canary.bad)


def test_a_new_canary_begins_anew(table):
    """The route's own counts stay."""
    table.hear(Outcome.failed, (FAILED,))
    table.budgets.begin_canary("desk")
    assert (1, 0) == (table.reading.period.bad, table.reading.canary.bad)


def test_a_changed_objective_takes_over_the_counts(table):
    """Of whatever span; one that is removed and stated again finds them."""
    table.hear(Outcome.failed)
    table.change(slo=Slo(0.9, period=7 * 86_400.0))
    assert pytest.approx(-9.0) == table.reading.remaining
    table.change(slo=None)
    assert table.reading is None
    table.change(slo=Slo(0.99))
    assert pytest.approx(-99.0) == table.reading.remaining


def test_an_equal_objective_of_a_new_snapshot_changes_nothing(table):
    """A reload compiles it anew."""
    table.hear(Outcome.failed)
    table.change(slo=Slo(0.99))
    assert (BudgetCount(1, 1), BudgetCount(1, 1)) == (table.reading.period, table.reading.long)


def test_a_budget_is_told(table):
    """As its reading tells it."""
    table.hear(Outcome.failed)
    assert table.reading.describe() == table.budgets.describe("desk", NOW)
    assert "<ErrorBudgets of 1 routes>" == repr(table.budgets)


def test_the_past_is_restored_by_spans(table):
    """Each span that some route counts is named once, and filled with the ledger's counts of it."""
    window, period = table.budgets.spans()
    assert (Span(3_600.0, 60.0), Span(2_419_200.0, 3_600.0)) == (window, period)
    table.budgets.restore(window, [("desk", NOW - 120, 9, 1)])
    table.budgets.restore(period, iter([("desk", NOW - 7_200, 90, 10), ("gone", NOW - 7_200, 90, 10)]))
    assert (BudgetCount(10, 1), BudgetCount(100, 10)) == (table.reading.short, table.reading.period)
