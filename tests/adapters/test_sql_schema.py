"""The tables of the store and of the ledger."""

from dataclasses import fields

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import LEDGER, STORE, requests
from gateway.core.record import Record


@pytest.mark.parametrize(("name", "metadata"), [("store", STORE), ("ledger", LEDGER)])
def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path, name, metadata):
    """A change to a table without a migration, or the other way round, shows as a difference."""
    Database.open(f"sqlite:///{tmp_path}/a.db", name).close()
    engine = create_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [] == compare_metadata(context, metadata)
    engine.dispose()


@pytest.mark.parametrize("metadata", [STORE, LEDGER])
def test_the_tables_are_ones_that_postgresql_takes(metadata):
    """Every type and constraint has a PostgreSQL form, so that it can follow."""
    for table in metadata.sorted_tables:
        assert f"CREATE TABLE {table.name}" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_the_ledger_has_a_column_for_each_field_of_a_record():
    """A field that is added to a record needs its column."""
    assert ["id", *(field.name for field in fields(Record))] == requests.c.keys()
