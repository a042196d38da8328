"""What applications have used, added up by windows."""

from contextlib import closing

import pytest
from sqlalchemy import text

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_records import SqlRecords
from gateway.adapters.sql_use import app_use
from gateway.core.errors import StoreFault
from gateway.core.limit import AppUse
from tests.adapters.ledger_records import record

UNKNOWN = {"input_tokens": None, "output_tokens": None, "cost_nano_usd": None}


@pytest.fixture
def written(tmp_path):
    """Write records to an empty ledger; gives what is to be asked."""
    with closing(Database.open(f"sqlite:///{tmp_path}/a.db", "ledger")) as database:

        def write(*each):
            SqlRecords(database).write([record(number, **changes) for number, changes in enumerate(each)])
            return database

        yield write


def test_use_is_added_up_by_application_and_window(written):
    """Requests, tokens and dollars from a time up to another; mirrored ones and those of others do not count."""
    database = written(
        {"at": 1_019.9},
        {"at": 1_020.0},
        {"at": 1_079.5, "input_tokens": 7, "output_tokens": None, "cost_nano_usd": None},
        {"at": 1_080.0},
        {"at": 1_090.0},
        {"at": 1_030.0, "app": "other"},
        {"at": 1_030.0, "app": "stranger"},
        {"at": 1_030.0, "shadow_of": "req-0"},
    )
    assert (
        AppUse("helpdesk", 1_020.0, 2, 1_107, 2, 0, 3_500_000, 1, 1),
        AppUse("other", 1_020.0, 1, 1_100, 1, 0, 3_500_000, 1, 0),
        AppUse("helpdesk", 1_080.0, 1, 1_100, 1, 0, 3_500_000, 1, 0),
    ) == app_use(database, ["helpdesk", "other"], 1_020.0, 1_090.0, 60.0)


@pytest.mark.parametrize(
    ("changes", "may_have_used"),
    [
        ({"outcome": "ok"}, 1),
        ({"outcome": "slow"}, 1),
        ({"outcome": "cancelled", "status": 0}, 1),
        ({"outcome": "failed", "status": 200}, 1),
        ({"outcome": "failed", "status": 502}, 0),
        ({"outcome": "client_fault", "status": 400}, 0),
        ({"outcome": "rate_limited", "status": 429}, 0),
        ({"outcome": "gateway_fault", "status": 503}, 0),
        ({"outcome": "ok", "endpoint": "count_tokens"}, 0),
    ],
)
def test_answers_that_did_not_tell_are_counted(written, changes, may_have_used):
    """Where a provider may have worked on them; the record itself says the same."""
    told = {**UNKNOWN, "endpoint": "chat", **changes}
    (use,) = app_use(written({"at": 5.0, **told}), ["helpdesk"], 0.0, 60.0, 60.0)
    expected = AppUse("helpdesk", 0.0, 1, 0, 0, may_have_used, 0, 0, may_have_used)
    assert (expected, bool(may_have_used)) == (use, record(1, **told).may_have_used)


def test_counting_tokens_uses_none(written):
    """What a provider counted for nothing is a request, and no use."""
    database = written({"at": 5.0, "endpoint": "count_tokens", "output_tokens": None, "cost_nano_usd": 0})
    assert (AppUse("helpdesk", 0.0, 1),) == app_use(database, ["helpdesk"], 0.0, 60.0, 60.0)


def test_an_empty_ledger_knows_of_no_use(written):
    """No window of zeros."""
    assert () == app_use(written(), ["helpdesk"], 0.0, 60.0, 60.0)


def test_a_ledger_that_cannot_be_read_is_a_fault_of_the_store(written):
    """As every other question's."""
    database = written()
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE requests"))
    with pytest.raises(StoreFault, match="cannot be read"):
        app_use(database, ["helpdesk"], 0.0, 60.0, 60.0)
