"""The tables of the store and of the ledger."""

from dataclasses import fields

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from gateway.adapters.approval_schema import approvals
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import LEDGER, STORE, requests
from gateway.core.record import Record
from tests.adapters.databases import PostgresPlace


def differences(place, schema, metadata):
    """How a database that the migrations made differs from what the code uses."""
    Database.open(place.url, schema).close()
    engine = create_engine(place.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        opts = {"compare_type": True, "version_table": place.version_table}
        found = compare_metadata(MigrationContext.configure(connection, opts=opts), metadata)
    engine.dispose()
    return found


def test_the_migrations_make_the_stores_tables_that_the_code_uses(place):
    """A change to a table without a migration, or the other way round, shows as a difference."""
    assert approvals.metadata is STORE
    assert [] == differences(place, "store", STORE)


def test_the_migrations_make_the_ledgers_tables_that_the_code_uses(ledger_place):
    """The ledger's, too."""
    assert [] == differences(ledger_place, "ledger", LEDGER)


def test_times_and_numbers_are_not_cut_short(postgres):
    """PostgreSQL's numbers have fewer bits where that is not asked for: times have 64, and so have rows' numbers."""
    place = PostgresPlace(postgres)
    for schema in ("store", "ledger"):
        Database.open(place.url, schema).close()
    question = "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'public' AND "
    assert [("double precision",)] == place.execute(question + "column_name IN ('at', 'updated_at', 'seconds')")
    for table, name in (("epoch", "epoch"), ("rollout_events", "sequence"), ("requests", "id"), ("feedback", "id")):
        assert [("bigint",)] == place.execute(f"{question}table_name = '{table}' AND column_name = '{name}'")


def test_the_ledger_has_a_column_for_each_field_of_a_record():
    """A field that is added to a record needs its column."""
    assert ["id", *(field.name for field in fields(Record))] == requests.c.keys()
