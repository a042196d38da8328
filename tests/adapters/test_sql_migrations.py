"""Bringing a schema to its newest version; what is refused is tested with the engine that opens the file."""

import sqlite3
from contextlib import closing

import pytest

from gateway.adapters.sql_engine import NEWEST, Database
from gateway.adapters.sql_migrations import newest


@pytest.mark.parametrize("schema", ["store", "ledger"])
def test_the_engine_knows_the_last_migration(schema):
    """It looks for that name alone, so a new migration must be named there."""
    assert newest(schema) == NEWEST[schema]


@pytest.mark.parametrize("schema", ["store", "ledger"])
def test_a_new_file_is_brought_to_the_newest_version(schema, tmp_path):
    """And opened again, it is left as it is."""
    url = f"sqlite:///{tmp_path}/a.db"
    for _ in range(2):
        with closing(Database.open(url, schema)):
            pass
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert [(NEWEST[schema],)] == connection.execute("SELECT version_num FROM alembic_version").fetchall()
