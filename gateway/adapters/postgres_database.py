"""What is particular to PostgreSQL: its address, its deadlines, and what to do about what a server refuses.

No wait is without end, whatever the server does: connecting, each statement and each lock have a deadline at the
server, and each wait for it has one here, for a server that says nothing at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from psycopg import Connection as DriverConnection
from psycopg import Cursor
from psycopg import OperationalError as DriverTrouble
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from sqlalchemy import URL, Connection, Dialect, Engine, Select, event, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from gateway.adapters.sql_schema import SchemaName
from gateway.core.errors import PinionError, SetupFault, StoreFault

Answer = TypeVar("Answer")

OLDEST_SERVER = 13
CONNECT_SECONDS = 2
PING_SECONDS = 1.0
GRACE_SECONDS = 0.5
"""How much longer than the server's own deadline an answer is waited for."""

STILL_SECONDS = 10.0
"""How long a gateway may stand still within a transaction, holding others up, before the server ends that."""

_WITHOUT_PARAMETERS = PGDialect_psycopg(paramstyle="named")  # type: ignore[no-untyped-call]
"""How statements are written that have no parameters: in another style a % would be doubled."""

_OPENING_LOCK = 0x70696E696F6E
"""Processes that open a database do so one after the other: the key that they lock. It spells `pinion`."""


@dataclass(frozen=True, slots=True)
class _Care:
    """What a database is worth: how long a statement may take, and if a commit waits for the server's disk."""

    statement_seconds: float
    is_synced: bool


_CARE: Mapping[SchemaName, _Care] = {
    "store": _Care(statement_seconds=2.0, is_synced=True),
    "ledger": _Care(statement_seconds=5.0, is_synced=False),
}

_VERSION_TABLES: Mapping[SchemaName, str] = {"store": "pinion_store_version", "ledger": "pinion_ledger_version"}

_KEEPALIVE: Mapping[str, Any] = {
    "application_name": "pinion",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 3000,
}
"""What the URL's own parameters may say otherwise."""

_REFUSALS: Sequence[tuple[str, str]] = (
    ("password authentication failed", "check the user and the password in the address"),
    ("no password supplied", "write the password into the address, or into PGPASSWORD"),
    ("authentication failed", "check the user in the address, and the server's pg_hba.conf"),
    (r"no pg_hba\.conf entry", "let the gateway's user in, in the server's pg_hba.conf"),
    ("permission denied for database", "let the gateway's user connect to the database"),
    ("does not support SSL", "set the server up for TLS, or take sslmode out of the address"),
    ("certificate", "check sslmode and sslrootcert in the address"),
    (r'database ".*" does not exist', "create the database first, as in `createdb NAME`"),
    (r'role ".*" does not exist', "check the user in the address, or create it"),
)
"""What a server says that another try will not change, as patterns, and what to do about it."""


class _PatientConnection(DriverConnection[Any]):
    """A connection that gives up a server which does not answer, and is closed then.

    The driver itself would wait for as long as the server's machine keeps the connection.
    """

    patience = CONNECT_SECONDS + GRACE_SECONDS

    def wait(self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None) -> Answer:
        limit = self.patience if timeout is None else min(timeout, self.patience)
        try:
            return super().wait(gen, interval, limit)
        except DriverTrouble as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.close()
            raise DriverTrouble(f"the server has not answered within {limit:g} s") from error


class PostgresDatabase:
    """A database on a PostgreSQL server. Several processes may have it, and other programs' tables may be in it."""

    is_shared = True
    patience: float | None = 3.0

    def __init__(self, url: str, schema: SchemaName) -> None:
        """Read the address; nothing is connected to yet.

        Raises:
            SetupFault: it is no address of a PostgreSQL database.
        """
        parsed = _parsed(url)
        self._care = _CARE[schema]
        self.version_table = _VERSION_TABLES[schema]
        self.name = parsed.set(query={}).render_as_string(hide_password=True)
        self.url = parsed.set(drivername="postgresql+psycopg")
        own = {name: value for name, value in _KEEPALIVE.items() if name not in parsed.query}
        self.options: Mapping[str, Any] = {
            "connect_args": {
                **own,
                "autocommit": True,  # the driver would take a trip to begin a transaction; `began` does so itself
                "prepare_threshold": None,  # a connection pool in the way may not know prepared statements
            },
            "paramstyle": "format",
            "pool_pre_ping": True,
            "use_native_hstore": False,
        }

    def attach(self, engine: Engine) -> None:
        """Set up each connection and each transaction with its deadlines."""

        def connect(_dialect: Dialect, _record: object, arguments: list[Any], named: dict[str, Any]) -> Any:
            return _PatientConnection.connect(*arguments, **named)

        def began(connection: Connection) -> None:
            wanted = connection.get_execution_options()
            seconds = wanted.get("statement_seconds", self._care.statement_seconds)
            _driver_connection(connection).patience = seconds + GRACE_SECONDS
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" if wanted.get("sees_one_state") else "BEGIN"
            settings = [f"statement_timeout = {seconds * 1000:.0f}", f"lock_timeout = {seconds * 1000:.0f}"]
            settings.append(f"idle_in_transaction_session_timeout = {max(seconds, STILL_SECONDS) * 1000:.0f}")
            if not self._care.is_synced:
                settings.append("synchronous_commit = off")
            _in_one_trip(connection, [begin, *(f"SET LOCAL {setting}" for setting in settings)])

        def returned(connection: Any, _record: object) -> None:
            if connection is not None:
                connection.patience = PING_SECONDS

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "begin", began)
        event.listen(engine, "checkin", returned)

    def prepare(self, connection: Connection) -> None:
        """Refuse a server that is too old; wait for a process that is opening the same database."""
        self.check_version(_driver_connection(connection).info.server_version)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING_LOCK})

    def check_version(self, number: int) -> None:
        """Refuse a server of an older version than Pinion knows; `number` is as libpq gives it, 150018 for 15.18."""
        if number < OLDEST_SERVER * 10_000:
            version = f"{number // 10_000}.{number % 10_000}"
            raise SetupFault(f"{self.name} is PostgreSQL {version}; Pinion needs {OLDEST_SERVER} or newer")

    def answers(
        self, connection: Connection, questions: Mapping[str, Select[Any]]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Give the rows that answer each question; the server is asked all of them in one trip."""
        cursor = _in_one_trip(connection, [_written_out(question) for question in questions.values()])
        cursor.row_factory = dict_row
        answers = {}
        for name in questions:
            answers[name] = cursor.fetchall()
            cursor.nextset()
        cursor.close()
        return answers

    def now(self, connection: Connection) -> float:
        """Give the server's time at this moment, not at the transaction's beginning."""
        return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())

    def trouble(self, error: Exception, reason: str) -> PinionError:
        """Say why the database cannot be opened: a StoreFault where another try may succeed."""
        _, fatal, said = reason.partition("FATAL:")
        said = said.strip() if fatal else reason.removeprefix("connection failed: ")
        for sign, remedy in _REFUSALS:
            if re.search(sign, said):
                return SetupFault(f"{self.name} cannot be opened: {said}; {remedy}")
        state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
        is_standby = state.startswith("25")  # it takes no writes before it is promoted
        if isinstance(error, OperationalError) or is_standby:
            return StoreFault(f"{self.name} cannot be reached: {said}; see that the server runs and takes connections")
        if state == "42501":
            return SetupFault(f"{self.name} cannot be opened: {said}; let the gateway's user create tables there")
        return SetupFault(f"{self.name} cannot be opened: {said}; check the address and the database")

    def release(self) -> None:
        """Nothing to do: the database is not held."""


def _parsed(url: str) -> URL:
    """Take a URL apart; what is said about it repeats no part that may be the password."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise SetupFault(
            "the address of the PostgreSQL database cannot be read; write it as "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with the password percent-encoded"
        ) from error
    if "@" in (parsed.host or ""):
        raise SetupFault("the address of the PostgreSQL database has an @ too many; write one in a password as %40")
    if not parsed.database:
        raise SetupFault(
            f"{parsed.set(query={}).render_as_string(hide_password=True)} names no database; "
            "use postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    return parsed


@lru_cache(maxsize=64)
def _written_out(question: Select[Any]) -> str:
    """Give a question with its values in it: several statements in one trip can have no parameters."""
    return str(question.compile(dialect=_WITHOUT_PARAMETERS, compile_kwargs={"literal_binds": True}))


def _in_one_trip(connection: Connection, statements: Iterable[str]) -> Cursor[Any]:
    """Execute statements without parameters; the cursor has the rows of each, one set after the other."""
    done = connection.exec_driver_sql("; ".join(statements), execution_options={"no_parameters": True})
    return cast("Cursor[Any]", done.cursor)


def _driver_connection(connection: Connection) -> _PatientConnection:
    return cast("_PatientConnection", connection.connection.driver_connection)
