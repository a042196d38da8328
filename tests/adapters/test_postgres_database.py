"""What is particular to PostgreSQL: its address, its deadlines, and what a server refuses."""

import socket
import time
from contextlib import ExitStack, closing

import pytest
from psycopg import sql
from sqlalchemy import literal, select, text

from gateway.adapters.postgres_database import PostgresDatabase
from gateway.adapters.sql_engine import Database, insert_if_new
from gateway.adapters.sql_schema import served_versions
from gateway.core.errors import SetupFault, StoreFault
from tests.adapters.databases import PostgresPlace
from tests.postgres_server import PASSWORD, USER


@pytest.fixture
def place(postgres):
    """An empty database."""
    return PostgresPlace(postgres)


def refusal(url, fault=SetupFault):
    """The one line with which a database is refused; it never holds the password."""
    with pytest.raises(fault) as caught:
        Database.open(url, "store")
    assert type(caught.value) is fault
    assert 1 == len(caught.value.message.splitlines())
    assert not any(secret in caught.value.message for secret in (PASSWORD, "s3cret"))
    return caught.value.message


def setting(database, name):
    """A setting of the server within a transaction."""
    with database.transaction() as connection:
        return connection.execute(text(f"SHOW {name}")).scalar_one()


def test_a_name_has_no_password():
    """Nor any parameter, which may be another secret; the driver is not named, either."""
    database = PostgresDatabase("postgresql://user:s3%40cret@host:5432/db?sslpassword=s3cret", "store")
    assert "postgresql://user:***@host:5432/db" == database.name
    assert "s3@cret" == database.url.password
    assert "postgresql://host/db" == PostgresDatabase("postgresql://host/db", "store").name
    assert "postgresql://user@/db" == PostgresDatabase("postgresql://user@/db?host=/run/postgresql", "store").name


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (
            "postgresql://user:s3cret/host/db",
            "cannot be read; write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        ("postgresql://user:s3cret@host:s3cret/db", "cannot be read"),
        ("postgresql://user:pass@s3cret@host/db", "has an @ too many; write one in a password as %40"),
        ("postgresql://user:s3cret@host", "postgresql://user:***@host names no database; use postgresql://USER"),
        ("postgresql://user:s3cret@host/?password=s3cret", "postgresql://user:***@host/ names no database"),
    ],
)
def test_an_address_that_is_none_is_refused(url, problem):
    """What is said repeats nothing that may be a password."""
    assert problem in refusal(url)


def test_every_statement_has_a_deadline(place):
    """At the server, for statements and for locks; longer ones for the ledger, which need not wait for the disk."""
    expected = {
        "store": {"statement_timeout": "2s", "lock_timeout": "2s", "synchronous_commit": "on"},
        "ledger": {"statement_timeout": "5s", "lock_timeout": "5s", "synchronous_commit": "off"},
    }
    for schema, settings in expected.items():
        with closing(Database.open(place.url, schema)) as database:
            assert settings == {name: setting(database, name) for name in settings}
            assert "pinion" == setting(database, "application_name")


def test_the_addresss_own_parameters_win(place):
    """What it says of the connection is what counts."""
    with closing(Database.open(f"{place.url}?application_name=mine", "store")) as database:
        assert "mine" == setting(database, "application_name")


def test_a_statement_that_takes_too_long_is_a_fault(place):
    """The server ends it, and the connection is used again."""
    with closing(Database.open(place.url, "store")) as database:
        fault = pytest.raises(StoreFault, match="canceling statement due to statement timeout")
        with fault, database.transaction() as connection:
            connection.execute(text("SELECT pg_sleep(30)"))
        assert "2s" == setting(database, "statement_timeout")


def test_a_lock_that_another_holds_is_a_fault(place):
    """Somebody in the tables holds nobody up for long."""
    with closing(Database.open(place.url, "store")) as one, closing(Database.open(place.url, "store")) as other:
        began = time.monotonic()
        with one.transaction() as holding:
            holding.execute(text("LOCK TABLE epoch"))
            with pytest.raises(StoreFault, match="timeout"), other.transaction() as waiting:
                waiting.execute(text("UPDATE epoch SET epoch = 1"))
        assert time.monotonic() - began < 4


def test_a_connection_that_was_cut_is_replaced(place):
    """The next transaction has a new one, and fails only if it cannot."""
    with closing(Database.open(place.url, "store")) as database:
        with database.transaction() as connection:
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        place.execute(f"SELECT pg_terminate_backend({backend}, 5000)")
        with database.transaction() as connection:
            assert backend != connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


def test_a_connection_that_is_cut_within_a_transaction_is_a_fault(place):
    """What was half done is not done again by itself; the next transaction works."""
    with closing(Database.open(place.url, "store")) as database:
        fault = pytest.raises(StoreFault, match="terminating connection")
        with fault, database.transaction() as connection:
            connection.execute(text("UPDATE epoch SET epoch = 7"))
            backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            place.execute(f"SELECT pg_terminate_backend({backend}, 5000)")
            connection.execute(text("UPDATE epoch SET epoch = 8"))
        with database.transaction() as connection:
            assert 0 == connection.execute(text("SELECT epoch FROM epoch")).scalar_one()


def test_store_and_ledger_share_a_database(place):
    """With other programs' tables, too, even one that Alembic keeps its version in elsewhere."""
    place.execute("CREATE TABLE customers (id int)")
    place.execute("CREATE TABLE alembic_version (version_num text)")
    place.execute("INSERT INTO alembic_version VALUES ('somebody_elses')")
    for _ in range(2):
        with closing(Database.open(place.url, "store")), closing(Database.open(place.url, "ledger")):
            pass
    assert [("somebody_elses",)] == place.execute("SELECT version_num FROM alembic_version")


def test_tables_of_the_same_name_are_refused(place):
    """What another program made is not taken for Pinion's."""
    place.execute("CREATE TABLE routes (id int)")
    assert f"{place.name} has a table routes that is not this store's; name another database" == refusal(place.url)
    Database.open(place.url, "ledger").close()


def test_a_snapshot_sees_one_state(place):
    """What is committed meanwhile is seen by the next one; nothing can be written in it."""
    with closing(Database.open(place.url, "store")) as database:
        with database.snapshot() as connection:
            assert 0 == connection.execute(text("SELECT epoch FROM epoch")).scalar_one()
            place.execute("UPDATE epoch SET epoch = 5")
            assert 0 == connection.execute(text("SELECT epoch FROM epoch")).scalar_one()
        fault = pytest.raises(StoreFault, match="read-only transaction")
        with fault, database.snapshot() as connection:
            assert 5 == connection.execute(text("SELECT epoch FROM epoch")).scalar_one()
            connection.execute(text("UPDATE epoch SET epoch = 6"))


def test_a_reading_takes_four_trips_however_much_is_asked(place, tmp_path):
    """To see that the connection still holds, to begin with its deadlines, to ask everything, and to end."""
    questions = {str(number): select(literal(number).label("it")) for number in range(20)}
    traced = tmp_path / "trace"
    with traced.open("wb") as trace, closing(Database.open(place.url, "store")) as database:
        with database.snapshot() as connection:
            connection.connection.driver_connection.pgconn.trace(trace.fileno())
            assert [{"it": 19}] == database.answers(connection, questions)["19"]
        before = traced.read_text().count("ReadyForQuery")
        with database.snapshot() as connection:
            database.answers(connection, questions)
        assert 4 == traced.read_text().count("ReadyForQuery") - before


def test_a_wrong_password_is_one_line(place):
    """It says what to check, and goes on saying so: another try would change nothing."""
    url = place.url.replace(PASSWORD, "s3cret")
    expected = (
        f'{place.name} cannot be opened: password authentication failed for user "{USER}"; '
        "check the user and the password in the address"
    )
    assert expected == refusal(url)


def test_a_missing_password_is_one_line(place):
    """An address without one is told from one with a wrong one."""
    expected = "fe_sendauth: no password supplied; write the password into the address, or into PGPASSWORD"
    assert expected in refusal(place.url.replace(f":{PASSWORD}", ""))


def test_a_database_that_is_not_there_is_one_line(postgres):
    """Pinion makes tables and no database."""
    expected = 'cannot be opened: database "nowhere" does not exist; create the database first, as in `createdb NAME`'
    assert expected in refusal(postgres.url("nowhere"))


def test_an_unknown_parameter_is_one_line(place):
    """What the driver does not know of the address's parameters is named."""
    assert 'invalid connection option "colour"; check the address and the database' in refusal(
        f"{place.url}?colour=red"
    )


def test_tls_that_the_server_does_not_know_is_one_line(place):
    """Asked for TLS, it is TLS or nothing."""
    expected = "server does not support SSL, but SSL was required; set the server up for TLS, or take sslmode out"
    assert expected in refusal(f"{place.url}?sslmode=require")


def test_a_user_who_may_not_make_tables_is_one_line(postgres, place):
    """The remedy is the server's owner's."""
    user = sql.Identifier(f"guest_{place.url.rpartition('_')[2]}")
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 's3cret'").format(user))
    place.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    name = user.as_string().strip('"')
    url = place.url.replace(f"{USER}:{PASSWORD}", f"{name}:s3cret")
    expected = "permission denied for schema public; let the gateway's user create tables there"
    assert expected in refusal(url)


def test_a_server_that_is_not_there_is_a_fault_that_may_pass():
    """Nothing listens: the gateway may start from its copy, so it is the store's fault and not the setup's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        message = refusal(f"postgresql://user:s3cret@127.0.0.1:{port}/db", StoreFault)
    assert message.startswith(f"postgresql://user:***@127.0.0.1:{port}/db cannot be reached: connection to server at ")
    assert message.endswith("Connection refused; see that the server runs and takes connections")


def test_a_server_that_takes_connections_and_says_nothing_is_given_up():
    """Connecting has its deadline whoever listens."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        url = f"postgresql://user:s3cret@127.0.0.1:{silent.getsockname()[1]}/db"
        assert "cannot be reached: connection timeout expired" in refusal(url, StoreFault)
        assert time.monotonic() - began < 4


def test_a_server_with_no_connection_to_spare_is_a_fault_that_may_pass(postgres):
    """As many gateways as it can take, and one more."""
    place = PostgresPlace(postgres)
    place.limit_connections(2)
    user = place.as_guest("s3cret")
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(closing(Database.open(user, "store")))
        assert "cannot be reached: too many connections" in refusal(user, StoreFault)


def test_a_server_that_takes_no_writes_is_a_fault_that_may_pass(place):
    """A standby is promoted in time."""
    assert "cannot execute CREATE TABLE in a read-only transaction" in refusal(
        f"{place.url}?options=-c%20default_transaction_read_only%3Don", StoreFault
    )


@pytest.mark.parametrize(("number", "is_refused"), [(120022, True), (90624, True), (130000, False), (180004, False)])
def test_an_old_server_is_refused(number, is_refused):
    """From version 13 on; older ones are named."""
    database = PostgresDatabase("postgresql://host/db", "store")
    if is_refused:
        expected = f"postgresql://host/db is PostgreSQL {number // 10_000}"
        with pytest.raises(SetupFault, match=expected + r"\.\d+; Pinion needs 13 or newer"):
            database.check_version(number)
    else:
        database.check_version(number)


def test_a_statement_is_written_as_the_driver_takes_it(place):
    """Places are positional, and rows are written with them."""
    columns = ["kind", "name", "version", "digest", "at"]
    with closing(Database.open(place.url, "store")) as database:
        statement = database.written(insert_if_new(served_versions), columns)
        assert statement.endswith("(%s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s) ON CONFLICT DO NOTHING")
        with database.transaction() as connection:
            connection.exec_driver_sql(statement, ("model", "100 %s", "1", "d", 0.5))
    assert [("100 %s", 0.5)] == place.execute("SELECT name, at FROM served_versions")
