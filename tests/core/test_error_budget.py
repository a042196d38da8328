"""The error budget against a plain list of what happened, and what its readings let a rollout do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.error_budget import BudgetCount, BudgetReading, ErrorBudget, Slo, Span

SLO = Slo(0.99)
NOON = 1_790_000_000.0
HOUR = 3_600.0
DAY = 86_400.0
SHORT = HOUR / 12


def reading(
    long: tuple[int, int] = (0, 0),
    short: tuple[int, int] | None = None,
    period: tuple[int, int] = (100_000, 0),
    canary: tuple[int, int] = (0, 0),
    **limits: float,
) -> BudgetReading:
    """A reading of (requests, bad) at 99 percent; the short window is as bad as the long one unless it is given."""
    short = long if short is None else short
    return BudgetReading(
        Slo(0.99, **limits), BudgetCount(*long), BudgetCount(*short), BudgetCount(*period), BudgetCount(*canary)
    )


def fed(budget: ErrorBudget, at: float, requests: int, bad: int) -> None:
    """Count requests at one moment."""
    for number in range(requests):
        budget.add(at, bad=number < bad)


def test_a_fresh_budget_is_whole_and_burns_nothing():
    """Without requests no rate is known, and nothing stands in a rollout's way."""
    found = ErrorBudget(SLO).reading(NOON)
    assert (None, None, 1.0, 0.0) == (found.long_burn, found.short_burn, found.remaining, found.canary_used)
    assert (False, False, True) == (found.must_hold, found.must_stop, found.may_advance)


def test_rates_are_those_of_the_workbook():
    """Burn is the error rate over the budget; what remains is the period's budget in requests less its errors."""
    found = reading(long=(1_000, 144), short=(100, 2), period=(10_000, 75), canary=(1_000, 40))
    assert pytest.approx(14.4) == found.long_burn
    assert pytest.approx(2.0) == found.short_burn
    assert pytest.approx(0.25) == found.remaining
    assert pytest.approx(0.3) == found.canary_used
    assert pytest.approx(-1.0) == reading(period=(1_000, 20)).remaining


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [
        ((100, 3), (100, 3), True),
        ((1_000, 30), (100, 2), False),
        ((1_000, 29), (100, 50), False),
        ((1_000, 500), (0, 0), False),
        ((10, 2), (10, 2), False),
        ((10, 3), (1, 1), True),
    ],
)
def test_a_rollout_holds_when_both_windows_burn(long, short, expected):
    """A limit met exactly counts; the short window ends it, and one or two errors are not enough."""
    assert expected is reading(long, short).must_hold


@pytest.mark.parametrize(
    ("period", "canary", "expected"),
    [
        ((10_000, 30), (1_000, 30), True),
        ((10_000, 29), (1_000, 29), False),
        ((100, 4), (4, 4), False),
        ((100, 5), (5, 5), True),
        ((0, 0), (5, 5), True),
        ((10_000, 50), (5_000, 50), False),
    ],
)
def test_a_rollout_stops_when_its_canary_has_used_its_share(period, canary, expected):
    """A fifth of the budget beyond its own part, and five errors; attempts whose clients left have a budget, too."""
    assert expected is reading(period=period, canary=canary).must_stop


@pytest.mark.parametrize(
    ("period", "expected"),
    [((1_000, 8), True), ((1_000, 9), False), ((10, 2), True), ((10, 3), False), ((0, 0), True)],
)
def test_a_rollout_advances_while_enough_remains(period, expected):
    """A fifth of the budget, or next to no errors."""
    assert expected is reading(period=period).may_advance


def test_limits_are_those_of_the_objective():
    """A route may be stricter or laxer."""
    assert not reading((100, 5), pause_at=6.0).must_hold
    assert not reading(period=(1_000, 5), canary=(10, 5), canary_share=0.6).must_stop
    assert not reading(period=(1_000, 5), min_remaining=0.6).may_advance


def test_a_reading_is_told_as_json():
    """Counts and rates, and what they mean."""
    told = json.loads(json.dumps(reading((100, 3), (0, 0), (1_000, 3), (100, 4)).describe()))
    assert {
        "success": 0.99,
        "period_seconds": 2_419_200.0,
        "window_seconds": 3_600.0,
        "pause_at": 3.0,
        "canary_share": 0.2,
        "min_remaining": 0.2,
        "requests": 1_000,
        "bad": 3,
        "remaining": 0.7,
        "window_requests": 100,
        "window_bad": 3,
        "long_burn": 3.0,
        "short_burn": None,
        "canary_requests": 100,
        "canary_bad": 4,
        "canary_used": 0.3,
        "must_hold": False,
        "must_stop": False,
        "may_advance": True,
    } == told
    assert None is reading().describe()["long_burn"]


EVENTS = st.lists(st.tuples(st.floats(0, 4_000), st.booleans()), max_size=60)


@given(EVENTS, st.sampled_from([SLO, Slo(0.9, period=HOUR), Slo(0.9, period=2 * HOUR, window=60.0)]))
def test_each_window_counts_what_is_within_it(events: list[tuple[float, bool]], slo: Slo):
    """Everything younger than a window less one slot counts, and nothing older than the window."""
    budget, now, seen = ErrorBudget(slo), NOON, []
    for pause, bad in events:
        now += pause
        budget.add(now, bad=bad)
        seen.append((now, bad))
        found = budget.reading(now)
        slot = slo.window_span.slot
        windows = [
            (found.long, slo.window, slot),
            (found.short, slo.window / 12, slot),
            (found.period, slo.period, slo.period_span.slot),
        ]
        for tally, seconds, width in windows:
            surely = [bad for at, bad in seen if at > now - seconds + width]
            perhaps = [bad for at, bad in seen if at > now - seconds - 1e-6]
            assert len(surely) <= tally.requests <= len(perhaps)
            assert sum(surely) <= tally.bad <= sum(perhaps)


JUMPS = st.lists(st.tuples(st.floats(-1e10, 1e10) | st.floats(-7_200, 7_200), st.booleans(), st.booleans()))


@given(JUMPS)
def test_no_clock_makes_it_crash_or_count_twice(jumps: list[tuple[float, bool, bool]]):
    """Wherever the clock goes, no count is below zero or over what was added, and the windows are within another."""
    budget, added, failed = ErrorBudget(SLO), 0, 0
    for jump, reads_first, bad in jumps:
        if reads_first:
            budget.reading(NOON + jump)
        budget.add(NOON + jump, bad=bad)
        added, failed = added + 1, failed + bad
        found = budget.reading(NOON + jump)
        assert 1 <= found.short.requests <= found.long.requests <= found.period.requests <= added
        assert 0 <= found.short.bad <= found.long.bad <= found.period.bad <= failed
        assert bad <= found.short.bad


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_moved_by_an_hour_neither_erases_the_period_nor_alarms(jump: float):
    """There and back again: every request still counts, and errors that are over do not come back."""
    budget = ErrorBudget(SLO)
    for minute in range(240):
        fed(budget, NOON + 60 * minute, requests=10, bad=5 if minute < 120 else 0)
    now = NOON + 60 * 240
    for moved in (jump, 0.0):
        for minute in range(30):
            fed(budget, now + moved + 60 * minute, requests=10, bad=0)
            found = budget.reading(now + moved + 60 * minute)
            assert not found.must_hold
            assert 600 == found.period.bad
            assert found.long.bad == 0
        now += 60 * 30
    assert 3_000 == budget.reading(now).period.requests


def test_errors_before_a_clock_went_back_end_as_if_it_had_not():
    """The short window forgets them after as long as ever, in the time that passes from then on."""
    budget = ErrorBudget(SLO)
    fed(budget, NOON, requests=100, bad=50)
    assert budget.reading(NOON - HOUR).must_hold
    assert budget.reading(NOON - HOUR + SHORT / 2).must_hold
    fed(budget, NOON - HOUR + SHORT + 60, requests=1, bad=0)
    found = budget.reading(NOON - HOUR + SHORT + 60)
    assert (False, BudgetCount(101, 50), BudgetCount(1, 0)) == (found.must_hold, found.long, found.short)


def test_close_events_in_disorder_do_not_make_time_pass():
    """A thousand steps of a few seconds to and fro are no hour."""
    budget = ErrorBudget(SLO)
    fed(budget, NOON, requests=1, bad=1)
    for number in range(1_000):
        budget.add(NOON + 5.0 * (number % 2), bad=False)
    assert BudgetCount(1_001, 1) == budget.reading(NOON).short


def test_the_period_is_longer_than_the_window():
    """Errors of last week have used budget and burn nothing; those of last month are forgotten."""
    budget = ErrorBudget(SLO)
    fed(budget, NOON, requests=1_000, bad=8)
    found = budget.reading(NOON + 7 * DAY)
    assert (None, 8, False, True) == (found.long_burn, found.period.bad, found.must_hold, found.may_advance)
    assert 1.0 == budget.reading(NOON + 28 * DAY).remaining


def test_a_canarys_errors_count_until_the_next_begins():
    """They do not age: a slow rollout is held against the same share."""
    budget = ErrorBudget(SLO)
    fed(budget, NOON, requests=1_000, bad=0)
    for _ in range(5):
        budget.add_canary(bad=True)
    assert budget.reading(NOON + DAY).must_stop
    budget.begin_canary()
    assert (BudgetCount(), False) == (budget.reading(NOON + DAY).canary, budget.reading(NOON + DAY).must_stop)


def test_the_past_is_restored_in_each_span():
    """As the ledger counted it in slots of that span; what is too old is passed over, and time goes on from there."""
    window, period = SLO.window_span, SLO.period_span
    assert (Span(3_600.0, 60.0), Span(2_419_200.0, 3_600.0)) == (window, period)
    budget = ErrorBudget(SLO)
    for hours in (1, 24, 700):
        budget.restore(period, NOON - hours * HOUR, 90, 10)
    for minutes in (2, 30, 90):
        budget.restore(window, NOON - minutes * 60, 9, 1)
    budget.restore(Span(60.0, 1.0), NOON, 9, 1)
    found = budget.reading(NOON)
    assert (BudgetCount(10, 1), BudgetCount(20, 2), BudgetCount(200, 20)) == (found.short, found.long, found.period)
    budget.add(NOON, bad=False)
    assert BudgetCount(201, 20) == budget.reading(NOON).period


def test_what_was_heard_is_not_restored_as_well():
    """A slot that may hold a request which was added live is passed over, and older ones are taken."""
    budget = ErrorBudget(SLO)
    budget.add(NOON, bad=False)
    budget.add(NOON + 60, bad=False)
    for start in (NOON - 120, NOON - 60, NOON - 59, NOON, NOON + 60):
        budget.restore(SLO.window_span, start, 9, 1)
    assert BudgetCount(22, 2) == budget.reading(NOON + 60).long


def test_a_ledger_from_a_clock_that_was_ahead_is_the_newest_past():
    """Its rows count, and the present comes after them."""
    budget = ErrorBudget(SLO)
    budget.restore(SLO.window_span, NOON + HOUR, 0, 10)
    fed(budget, NOON, requests=1, bad=0)
    assert BudgetCount(11, 10) == budget.reading(NOON).short
    assert BudgetCount(0, 0) == budget.reading(NOON + HOUR).long


def test_a_changed_limit_keeps_every_count():
    """Only what the counts are held against is another."""
    budget = ErrorBudget(SLO)
    fed(budget, NOON, requests=1_000, bad=10)
    budget.add_canary(bad=True)
    before = budget.reading(NOON)
    budget.change(Slo(0.9, pause_at=1.0))
    after = budget.reading(NOON)
    assert budget.slo == Slo(0.9, pause_at=1.0) == after.slo
    assert (before.long, before.short, before.period, before.canary) == (
        after.long,
        after.short,
        after.period,
        after.canary,
    )
    assert pytest.approx(0.9) == after.remaining


@pytest.mark.parametrize(
    ("changed", "long", "period"),
    [
        (Slo(0.99, period=7 * DAY), BudgetCount(300, 30), BudgetCount(700, 70)),
        (Slo(0.99, period=90 * DAY), BudgetCount(300, 30), BudgetCount(900, 90)),
        (Slo(0.99, window=DAY), BudgetCount(300, 30), BudgetCount(900, 90)),
        (Slo(0.99, window=300.0), BudgetCount(100, 10), BudgetCount(900, 90)),
    ],
)
def test_changed_spans_are_filled_with_what_is_known(changed, long, period):
    """A shorter one keeps its part, a longer one has the old part; requests go on being counted in it."""
    budget = ErrorBudget(SLO)
    for age in (20 * DAY, 10 * DAY, 6 * DAY, 5 * DAY, 4 * DAY, 0.9 * DAY, 3_000.0, 1_000.0, 30.0):
        fed(budget, NOON - age, requests=100, bad=10)
    budget.change(changed)
    found = budget.reading(NOON)
    assert (long, period) == (found.long, found.period)
    budget.add(NOON, bad=True)
    assert (found.long.bad + 1, found.period.bad + 1) == (
        budget.reading(NOON).long.bad,
        budget.reading(NOON).period.bad,
    )


def test_memory_does_not_grow():
    """Two months of requests take no more slots than the first second."""
    budget = ErrorBudget(SLO)
    for hour in range(1_500):
        budget.add(NOON + HOUR * hour, bad=False)
    assert (60, 672) == (len(budget._window._bad), len(budget._period._bad))
    assert 672 == budget.reading(NOON + HOUR * 1_499).period.requests
    assert "<ErrorBudget of 0.99, 0 bad of 672>" == repr(budget)
