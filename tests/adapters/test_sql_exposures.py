"""An experiment's requests in the ledger's database."""

from contextlib import closing
from dataclasses import replace

import pytest

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_exposures import PAGE, WINDOW, SqlExposures, _decided
from gateway.adapters.sql_feedback import SqlFeedback
from gateway.adapters.sql_records import SqlRecords
from gateway.adapters.sql_schema import feedback, requests
from gateway.core.arm_units import ArmUnits, Wanted
from gateway.core.experiment_metrics import METRICS
from gateway.core.record import Tried
from tests.adapters.ledger_records import record
from tests.adapters.test_sql_feedback import SAID

UNIT = "0" * 32
WANTED = Wanted("support", "length", (*METRICS, "feedback.resolved"), over=1.0)
ARM_OK = (Tried("1.0.0", "arm", "ok", 200),)


def exposed(number, **changes):
    """A good request of an arm."""
    given = {"unit_digest": UNIT, "split": "length/control", "track": "arm", "attempts": ARM_OK}
    return record(number, **{**given, **changes})


def units_of(database, wanted=WANTED):
    """Everything added up, window by window."""
    units, kept = ArmUnits(wanted.metrics), SqlExposures(database)
    for table, add in ((requests, kept.add_units), (feedback, kept.add_feedback)):
        start, last = kept.bounds(wanted.since, table)
        for after in range(start, last, WINDOW):
            add(wanted, after, units)
    return units


def ratios(units, arm="control"):
    """Each metric's numerator and denominator for the only unit of an arm."""
    (only,) = units.of(arm)
    return {
        metric: (pytest.approx(only.sums[2 * place]), only.sums[2 * place + 1])
        for place, metric in enumerate(units.metrics)
    }


def test_each_metric_is_a_sum_and_what_it_is_divided_by(database):
    """What an arm did not answer itself counts against it and shows nothing else."""
    SqlRecords(database).write(
        [
            exposed(1),
            exposed(
                2, stream=False, first_token_seconds=None, cost_nano_usd=None, input_tokens=None, schema_valid=False
            ),
            exposed(3, outcome="slow", seconds=9.0, schema_valid=None),
            exposed(
                4,
                track="fallback",
                attempts=(Tried("1.1.0", "arm", "failed", 500), Tried("1.0.0", "fallback", "ok", 200)),
            ),
            exposed(5, outcome="failed", attempts=(Tried("1.1.0", "arm", "failed", 0),)),
            exposed(6, outcome="cancelled", attempts=(Tried("1.1.0", "arm", "cancelled", 200),)),
            exposed(7, endpoint="count_tokens"),
            exposed(8, track="fallback", attempts=(Tried("1.0.0", "fallback", "ok", 200),)),
            exposed(9, attempts=(Tried("1.0.0", "arm", "failed", 500), Tried("1.0.0", "arm", "ok", 200))),
        ]
    )
    units = units_of(database)
    assert [(9, 2)] == [(unit.requests, unit.elsewhere) for unit in units.of("control")]
    assert {
        "cost_per_request": (3 * 0.0035, 3),
        "error_rate": (3, 7),
        "first_token_seconds": (3 * 0.25, 3),
        "schema_valid": (2, 3),
        "seconds": (3 * 1.5 + 9, 4),
        "slow_rate": (1, 4),
        "tokens_per_request": (3 * 1100, 3),
        "feedback.resolved": (0, 0),
    } == ratios(units)


def test_only_the_experiments_own_requests_count(database):
    """Not another route's, another experiment's, a rollout's, one without a unit, or one out of its time."""
    SqlRecords(database).write(
        [
            exposed(10),
            exposed(11, unit_digest="1" * 32, split="length/treatment"),
            exposed(12, route="drafts"),
            exposed(13, split="length2/control"),
            exposed(14, split="le_gth/control"),
            exposed(15, split="rollout-1"),
            exposed(16, split=None),
            exposed(17, unit_digest=None),
            exposed(9),
            exposed(20),
        ]
    )
    units = units_of(database, replace(WANTED, since=10.0, until=20.0))
    assert ([1], [1]) == tuple([unit.requests for unit in units.of(arm)] for arm in ("control", "treatment"))
    underscore = units_of(database, replace(WANTED, experiment="le_gth"))
    assert 1 == len(underscore)


def test_feedback_is_added_to_its_unit(database):
    """Numbers of the names that are asked for; texts, other names and other experiments are passed over."""
    SqlRecords(database).write([exposed(1), exposed(2)])
    kept = SqlFeedback(database)
    said = replace(SAID, unit_digest=UNIT)
    for more in (
        {"request_id": "req-1", "value": 1.0},
        {"request_id": "req-2", "value": 0.5},
        {"request_id": "req-1", "name": "seconds", "value": 9.0},
        {"request_id": "req-3", "value": None, "text": "yes"},
        {"request_id": "req-4", "split": "rollout-1"},
        {"request_id": "req-5", "unit_digest": None},
    ):
        kept.write([replace(said, **more)])
    assert (1.5, 2.0) == ratios(units_of(database))["feedback.resolved"]
    assert (3.0, 2.0) == ratios(units_of(database))["seconds"]


@pytest.mark.untraced
def test_windows_follow_one_another(database):
    """However the ids lie, each request counts once, and time finds where to begin."""
    numbers = range(1, 2 * PAGE + 10)
    SqlRecords(database).write([exposed(number) for number in numbers])
    kept = SqlExposures(database)
    assert (0, len(numbers)) == kept.bounds(0.0)
    assert (len(numbers), len(numbers)) == kept.bounds(1e9)
    pages = [kept.page(WANTED, after) for after in range(0, len(numbers), PAGE)]
    assert [PAGE, PAGE, 9] == [len(page) for page in pages]
    assert list(numbers) == [exposure.position for page in pages for exposure in page]
    assert [len(numbers)] == [unit.requests for unit in units_of(database).of("control")]


@pytest.mark.untraced
def test_a_backlog_that_was_written_late_is_in_the_report(database):
    """A gateway that was cut off writes the earliest requests last, after any number of others'."""
    others, since = range(10_100), 1000.0
    writing = SqlRecords(database)
    writing.write([exposed(0, at=1.0)])
    writing.write([exposed(number + 1, at=since + 60 + number) for number in others])
    writing.write([exposed(99_999, at=since)])
    kept = SqlExposures(database)
    assert (1, len(others) + 2) == kept.bounds(since)
    assert (7, len(others) + 2) == kept.bounds(since, after=7)
    assert [len(others) + 1] == [
        unit.requests for unit in units_of(database, replace(WANTED, since=since)).of("control")
    ]


def test_an_exposure_is_the_request_with_what_was_said_of_it(database):
    """By name: the number or the text."""
    SqlRecords(database).write([exposed(1), exposed(2)])
    kept = SqlFeedback(database)
    kept.write([replace(SAID, request_id="req-1")])
    kept.write([replace(SAID, request_id="req-1", name="category", value=None, text="billing")])
    first, second = SqlExposures(database).page(WANTED, 0)
    assert (exposed(1), {"resolved": 1.0, "category": "billing"}) == (first.record, first.feedback)
    assert (exposed(2), {}) == (second.record, second.feedback)


def test_a_window_is_searched_by_its_ids(tmp_path):
    """Whatever else is asked of its rows."""
    with closing(Database.open(f"sqlite:///{tmp_path}/a.db", "ledger")) as database:
        plan = plan_of_a_window(database)
    assert "SEARCH requests USING INTEGER PRIMARY KEY" in plan[0][3]


def plan_of_a_window(database):
    """How the engine means to find a window's rows."""
    conditions = requests.select().where(*_decided(requests, WANTED, 0, WINDOW))
    with database.transaction() as connection:
        query = str(conditions.compile(connection, compile_kwargs={"literal_binds": True}))
        return connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all()
