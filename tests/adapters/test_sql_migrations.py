"""Bringing a schema to its newest version; what is refused is tested with the engine that opens the database."""

import importlib.util
import json
from contextlib import closing
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import column, create_engine, insert, table, text

import gateway.adapters
from gateway.adapters.sql_engine import NEWEST, Database
from gateway.adapters.sql_feedback import SqlFeedback
from gateway.adapters.sql_migrations import newest
from gateway.adapters.sql_records import SqlRecords
from gateway.adapters.sql_store import SqlStore
from gateway.core.plan import Plan
from gateway.core.rollout import RolloutState
from tests.adapters.ledger_records import record
from tests.adapters.test_sql_feedback import SAID

FIRST = Path(gateway.adapters.__file__).parent / "migrations" / "store" / "0001_first.py"


@pytest.mark.parametrize("schema", ["store", "ledger"])
def test_the_engine_knows_the_last_migration(schema):
    """It looks for that name alone, so a new migration must be named there."""
    assert newest(schema) == NEWEST[schema]


def test_a_new_store_is_brought_to_the_newest_version(place):
    """And opened again, it is left as it is."""
    for _ in range(2):
        with closing(Database.open(place.url, "store")):
            pass
    assert [NEWEST["store"]] == place.versions()


def test_a_new_ledger_is_brought_to_the_newest_version(ledger_place):
    """Its version stands apart from a store's in the same database."""
    for _ in range(2):
        with closing(Database.open(ledger_place.url, "ledger")):
            pass
    assert [NEWEST["ledger"]] == ledger_place.versions()


def make_first_version(place):
    """Make a store as the first version of Pinion did, with a route whose rollout is running."""
    spec = importlib.util.spec_from_file_location("first_migration", FIRST)
    first = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(first)
    engine = create_engine(place.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        moving = {"state": "running", "step": 0, "actor": "ada", "reason": "new", "started_at": 2.0, "updated_at": 3.0}
        values = {**moving, "plan": json.dumps(Plan.default().to_json())}
        for statement in (
            f"CREATE TABLE {place.version_table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            "UPDATE epoch SET epoch = 7",
            "INSERT INTO rollouts (id, route, stable, candidate, attempt, plan, state, step, actor, reason, started_at,"
            " updated_at) VALUES ('r1', 'support', '1.0.0', '1.1.0', 1, :plan, :state, :step, :actor, :reason,"
            " :started_at, :updated_at)",
            "INSERT INTO rollout_events (at, rollout_id, route, verb, state, step, actor, reason, started_at,"
            " updated_at) VALUES (2.0, 'r1', 'support', 'start', :state, :step, :actor, :reason, :started_at, 2.5)",
            "INSERT INTO routes (name, stable, serve_line, rollout_id, attempts, out)"
            " VALUES ('support', '1.0.0', '1.1.0', 'r1', '[]', '{}')",
        ):
            connection.execute(text(statement), values)
    engine.dispose()
    place.add_version("store_0001")


@pytest.mark.anyio
async def test_a_store_of_the_first_version_is_read_well(place):
    """Its rollouts entered their step when they last changed, nothing was stable before, and records begin at 1."""
    make_first_version(place)
    store = await SqlStore.open(place.url)
    recorded = await store.recorded()
    (event,) = await store.history("support", 10)
    await store.close()
    record = recorded.routes["support"]
    assert (7, 1, (), ()) == (recorded.epoch, record.revision, record.former, recorded.experiments)
    assert (RolloutState.running, 3.0, ()) == (record.rollout.state, record.rollout.entered_at, record.rollout.holds)
    assert (2.5, ()) == (event.rollout.entered_at, event.rollout.holds)


NEWER = ("split", "revision", "prompt_digest")
"""What a record of the first version did not say."""


def make_first_ledger(place, written):
    """Make a ledger as the first version of Pinion did, with one record."""
    path = FIRST.parents[1] / "ledger" / "0001_first.py"
    spec = importlib.util.spec_from_file_location("first_ledger", path)
    first = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(first)
    engine = create_engine(place.url.replace("postgresql:", "postgresql+psycopg:"))
    values = {name: getattr(written, name) for name in written.__slots__ if name not in NEWER}
    values["attempts"] = json.dumps(
        [[tried.release, tried.track, tried.outcome, tried.status] for tried in written.attempts]
    )
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        connection.execute(text(f"CREATE TABLE {place.version_table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(insert(table("requests", *map(column, values))), values)
    engine.dispose()
    place.add_version("ledger_0001")


def test_a_ledger_of_the_first_version_keeps_its_records(ledger_place):
    """What decided them is not known, and feedback can be said of them."""
    make_first_ledger(ledger_place, record(1))
    with closing(Database.open(ledger_place.url, "ledger")) as database:
        assert [record(1)] == SqlRecords(database).requests(["req-1"])
        SqlFeedback(database).write([SAID])
        assert record(1) == SqlRecords(database).newest_of_unit("helpdesk", "0f", "support")
