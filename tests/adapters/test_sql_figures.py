"""What the ledger's database holds of one release, on either engine."""

import pytest

from gateway.adapters.sql_exposures import WINDOW
from gateway.adapters.sql_figures import SqlFigures
from gateway.adapters.sql_records import SqlRecords
from gateway.core.record import Tried
from gateway.core.release_figures import ReleaseFigures
from tests.adapters.ledger_records import record

OK = (Tried("1.0.0", "stable", "ok", 200),)


def served(number, **changes):
    """A good request of release 1.0.0."""
    return record(number, **{"attempts": OK, **changes})


def figures_of(database, release="1.0.0", since=0.0, after=0):
    """The figures of one window."""
    figures = ReleaseFigures()
    SqlFigures(database).add("support", release, since, after, figures)
    return figures


def test_the_requests_of_a_release_are_added_up(database):
    """Other routes, releases, times and copies apart; unknown costs and tokens are counted as unknown."""
    SqlRecords(database).write(
        [
            served(1, at=1.0),
            served(10),
            served(11, seconds=3.0, first_token_seconds=None, cost_nano_usd=None),
            served(12, outcome="slow", seconds=9.0, input_tokens=None),
            served(13, endpoint="count_tokens"),
            served(14, outcome="cancelled"),
            served(15, route="other"),
            served(16, release="1.1.0"),
            served(17, shadow_of="req-1"),
        ]
    )
    figures = figures_of(database, since=5.0)
    assert (5, 3, 4, 0) == (figures.requests, figures.answered, figures.good, figures.failed)
    assert (2, 7_000_000) == (figures.cost_known, figures.cost_nano_usd)
    assert (2, 2000, 200) == (figures.tokens_known, figures.input_tokens, figures.output_tokens)
    assert (3, 2) == (figures.seconds.count, figures.first_token_seconds.count)
    assert pytest.approx(3.0, rel=0.02) == figures.seconds.quantile(0.5)


def test_failures_count_wherever_the_request_ended(database):
    """With the release, with another that came to its aid, or nowhere; each failed attempt once."""
    rescued = (Tried("1.0.0", "canary", "failed", 500), Tried("1.1.0", "fallback", "ok", 200))
    excused = (Tried("1.0.0", "canary", "failed", 500, True), Tried("1.1.0", "stable", "failed", 500))
    SqlRecords(database).write(
        [
            served(1),
            served(2, release="1.1.0", attempts=rescued),
            served(3, outcome="failed", attempts=(Tried("1.0.0", "stable", "failed", 500),) * 2),
            served(4, release="1.1.0", outcome="failed", attempts=excused),
            served(5, release="11000", outcome="failed", attempts=(Tried("11000", "stable", "failed", 500),)),
            served(6, shadow_of="req-1", outcome="failed", attempts=(Tried("1.0.0", "shadow", "failed", 500),)),
        ]
    )
    assert (2, 1, 3) == ((found := figures_of(database)).requests, found.good, found.failed)
    assert 1 == figures_of(database, "1.1.0").failed


def test_a_version_is_taken_as_it_is_written(database):
    """Its underscore stands for itself alone."""
    failed = (Tried("1x0", "stable", "failed", 500),)
    SqlRecords(database).write([served(1, release="1x0", outcome="failed", attempts=failed)])
    assert (0, 1) == (figures_of(database, "1_0").failed, figures_of(database, "1x0").failed)


def test_a_window_is_so_many_ids(database):
    """What comes after it is for the next one."""
    SqlRecords(database).write([served(number) for number in range(3)])
    assert [3, 1, 0] == [figures_of(database, after=after).requests for after in (0, 2, WINDOW)]
