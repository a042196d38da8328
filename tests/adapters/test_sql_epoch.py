"""The store's epoch, on both engines: read, raised, and a row that writers wait for."""

from contextlib import closing

import pytest
from sqlalchemy import text

from gateway.adapters import sql_epoch
from gateway.adapters.sql_engine import Database
from gateway.core.errors import Overtaken, StoreFault
from tests.adapters.databases import PostgresPlace


@pytest.fixture
def database(place):
    """An empty store's database."""
    with closing(Database.open(place.url, "store")) as database:
        yield database


def test_an_epoch_is_raised_by_one(database):
    """Who raises it is given the new one, and so is who reads it afterwards."""
    for expected in (1, 2):
        with database.transaction() as connection:
            assert expected - 1 == sql_epoch.current(connection)
            assert expected == sql_epoch.raised(connection)
        with database.snapshot() as connection:
            assert expected == sql_epoch.current(connection)


def raise_and_take_back(database):
    """A change that comes too late."""
    with database.transaction() as connection:
        assert 1 == sql_epoch.raised(connection)
        raise Overtaken("somebody else was first")


def test_a_change_that_is_taken_back_raises_none(database):
    """The epoch is the next one's."""
    with pytest.raises(Overtaken):
        raise_and_take_back(database)
    with database.transaction() as connection:
        assert 1 == sql_epoch.raised(connection)


def test_waiting_for_writers_raises_none(database):
    """What is added beside the record is no change of it."""
    with database.transaction() as connection:
        sql_epoch.wait_for_writers(connection)
    with database.snapshot() as connection:
        assert 0 == sql_epoch.current(connection)


def raise_impatiently(database):
    """A change that waits for no other for long."""
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 50"))
        sql_epoch.raised(connection)


@pytest.mark.parametrize("act", [sql_epoch.raised, sql_epoch.wait_for_writers])
def test_another_writer_waits(postgres, act):
    """Until the first one's transaction is over, or for as long as a lock is waited for."""
    place = PostgresPlace(postgres)
    with closing(Database.open(place.url, "store")) as first, closing(Database.open(place.url, "store")) as second:
        with first.transaction() as connection:
            act(connection)
            with pytest.raises(StoreFault, match="lock timeout"):
                raise_impatiently(second)
        with second.transaction() as other:
            sql_epoch.raised(other)
