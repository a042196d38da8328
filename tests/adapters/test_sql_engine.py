"""Opening a SQL database by its URL, its schema, and transactions, on both engines."""

import logging
import time
from contextlib import closing

import pytest
from sqlalchemy import select, text

from gateway.adapters.sql_engine import FORMS, Database, insert_if_new, insert_or_replace, is_outage, scheme_of
from gateway.adapters.sql_schema import kept_evidence, served_versions
from gateway.core.errors import SetupFault, StoreFault


def refusal(place, schema="store"):
    """The one line with which a database is refused."""
    with pytest.raises(SetupFault) as caught:
        Database.open(place.url, schema)
    assert 1 == len(caught.value.message.splitlines())
    return caught.value.message


def write_version(database, name, at=0.0):
    """Write one row."""
    row = {"kind": "model", "name": name, "version": "1", "digest": "d", "at": at}
    with database.transaction() as connection:
        connection.execute(insert_if_new(served_versions), [row])


def rows(database, question):
    """What a question answers."""
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(text(question))]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://user:s3cret@host/db", "mysql is not supported"),
        ("postgres://user:s3cret@host/db", "postgres is not supported"),
        ("postgresql+psycopg2://user:s3cret@host/db", "postgresql+psycopg2 is not supported"),
        ("pinion.db", "the store's address is not a URL"),
        ("", "the store's address is not a URL"),
        ("://x", "the store's address is not a URL"),
        ("user:s3cret@host://db", "the store's address is not a URL"),
    ],
)
def test_other_urls_are_refused_with_what_to_use(url, problem):
    """The message names the scheme and both forms, never the credentials of a URL."""
    for open_it in (scheme_of, lambda url: Database.open(url, "store"), lambda url: Database.awaited(url, "ledger")):
        with pytest.raises(SetupFault) as caught:
            open_it(url)
        assert f"{problem}; use {FORMS}" == caught.value.message


def test_a_database_is_opened_again_with_what_it_held(place):
    """Migrations run once; what was written stays; no password is in the name."""
    with closing(Database.open(place.url, "store")) as database:
        write_version(database, "gpt")
        assert f"Database('{place.name}')" == repr(database)
    with closing(Database.open(place.url, "store")) as database:
        assert [("gpt",)] == rows(database, "SELECT name FROM served_versions")


def test_opening_leaves_logging_as_it_is(place):
    """Migrations configure no logging and switch no logger off."""
    loggers = {name: logging.getLogger(name).disabled for name in list(logging.root.manager.loggerDict)}
    before = (logging.root.level, list(logging.root.handlers))
    Database.open(place.url, "store").close()
    assert before == (logging.root.level, list(logging.root.handlers))
    assert loggers == {name: logging.getLogger(name).disabled for name in loggers}


def test_a_newer_schema_is_refused(place):
    """An older Pinion does not touch what a newer one made."""
    Database.open(place.url, "store").close()
    place.set_version("store_9999")
    expected = f"{place.name} is no store of this version of Pinion but 'store_9999'; run the one that made it"
    assert expected == refusal(place)


def test_a_schema_with_two_versions_is_refused(place):
    """What Alembic itself cannot make sense of is one line, too."""
    Database.open(place.url, "store").close()
    place.add_version("store_0000")
    assert "cannot be opened" in refusal(place)


def test_a_transaction_is_all_or_nothing(place):
    """An exception within it takes back what it wrote, and passes."""

    def interrupted(database):
        with database.transaction() as connection:
            connection.execute(text("UPDATE epoch SET epoch = 9"))
            raise InterruptedError

    with closing(Database.open(place.url, "store")) as database:
        with pytest.raises(InterruptedError):
            interrupted(database)
        assert [(0,)] == rows(database, "SELECT epoch FROM epoch")


def test_a_failing_statement_is_a_fault_of_the_store(place):
    """The engine's own exceptions do not leave this module; their cause is kept, and the database goes on."""
    with closing(Database.open(place.url, "store")) as database:
        with pytest.raises(StoreFault, match=r"cannot be read or written: .*no_such_table") as caught:
            rows(database, "SELECT 1 FROM no_such_table")
        assert caught.value.__cause__ is not None
        assert [(1,)] == rows(database, "SELECT 1")


def test_a_row_that_is_there_is_left_alone(place):
    """The insert passes over a key that exists."""
    with closing(Database.open(place.url, "store")) as database:
        write_version(database, "gpt", at=1.0)
        write_version(database, "gpt", at=2.0)
        assert [(1.0,)] == rows(database, "SELECT at FROM served_versions")


def test_a_row_that_is_there_is_replaced(place):
    """The insert takes the place of the row with its primary key, of as many as there are."""
    with closing(Database.open(place.url, "store")) as database:
        for step in (1, 2):
            kept = [
                {"rollout_id": name, "step": step, "elapsed": 0.5, "at": 1.0, "evidence": {"of": step}} for name in "ab"
            ]
            with database.transaction() as connection:
                connection.execute(insert_or_replace(kept_evidence), kept)
        assert [("a", 2), ("b", 2)] == rows(database, "SELECT rollout_id, step FROM kept_evidence ORDER BY rollout_id")


def test_a_snapshot_is_read_within_a_transaction(place):
    """What is read there is what was written before."""
    with closing(Database.open(place.url, "store")) as database:
        write_version(database, "gpt")
        with database.snapshot() as connection:
            assert "gpt" == connection.execute(text("SELECT name FROM served_versions")).scalar_one()


def test_several_questions_are_answered_at_once(place):
    """Each by its name, in its order, with the values in it as they are; one without a row by none."""
    kind, name = served_versions.c.kind, served_versions.c.name
    questions = {
        "all": select(name).order_by(name.desc()),
        "one": select(kind, name).where(name == "100 % of 'x'; :y"),
        "none": select(name).where(name == "z"),
    }
    with closing(Database.open(place.url, "store")) as database:
        write_version(database, "a")
        write_version(database, "100 % of 'x'; :y")
        with database.snapshot() as connection:
            answers = database.answers(connection, questions)
            answers = {asked: [dict(row) for row in rows] for asked, rows in answers.items()}
    odd = "100 % of 'x'; :y"
    assert {"all": [{"name": "a"}, {"name": odd}], "one": [{"kind": "model", "name": odd}], "none": []} == answers


def test_an_outage_is_told_from_a_row_that_is_not_taken(place):
    """A database that is away says nothing of what should be written; a number beyond 64 bits does."""
    with closing(Database.open(place.url, "ledger")) as database:
        with pytest.raises(StoreFault) as caught, database.transaction() as connection:
            connection.exec_driver_sql(database.written(text("SELECT :number + 0"), ["number"]), ("x" * 2 + "\ud800",))
        assert not is_outage(caught.value)
        with place.away(), pytest.raises(StoreFault) as caught:
            write_version(database, "gpt")
        assert is_outage(caught.value)


def test_an_awaited_database_is_opened_by_its_first_transaction(place):
    """Its tables are made then."""
    with closing(Database.awaited(place.url, "store")) as database:
        assert [(0,)] == rows(database, "SELECT epoch FROM epoch")


def test_an_awaited_database_that_is_another_is_an_outage(place):
    """What would have been refused at the start is a fault of every transaction, with nothing lost for it."""
    Database.open(place.url, "store").close()
    place.set_version("store_9999")
    with closing(Database.awaited(place.url, "store")) as database, pytest.raises(StoreFault) as caught:
        write_version(database, "gpt")
    assert is_outage(caught.value)


def test_a_database_says_what_time_it_is(place):
    """Within a transaction time goes on; it is about what this machine's clock says, on which the server runs."""
    with closing(Database.open(place.url, "store")) as database, database.transaction() as connection:
        first, second = database.now(connection), database.now(connection)
    assert first <= second
    assert abs(time.time() - first) < 3600
