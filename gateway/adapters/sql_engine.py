"""A SQL database: opening it by its URL, keeping its schema, transactions. What one engine does otherwise is apart.

SQLite is in `sqlite_database`, PostgreSQL in `postgres_database`; SQL itself is written once, for both.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, Self

from sqlalchemy import (
    URL,
    ClauseElement,
    Connection,
    Engine,
    Insert,
    Select,
    String,
    Table,
    column,
    create_engine,
    inspect,
    select,
    table,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import SyntaxExtension
from sqlalchemy.sql.compiler import SQLCompiler

from gateway.adapters.sql_schema import SchemaName
from gateway.adapters.sqlite_database import SqliteDatabase
from gateway.core.digest import finite
from gateway.core.errors import PinionError, SetupFault, StoreFault

NEWEST: Mapping[SchemaName, str] = {"store": "store_0009", "ledger": "ledger_0004"}
"""The newest version of each schema, as its last migration is called."""

FORMS = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
OPENING_SECONDS = 30.0
"""How long a statement may take while a database is opened: a migration, or waiting for another process's."""

_ENGINES = (SQLAlchemyError, sqlite3.Error)
_FOREIGN = (*_ENGINES, ArithmeticError, LookupError, TypeError, ValueError)
"""What a statement, or a row that is not what Pinion wrote, may raise."""


Answers = Mapping[str, Sequence[Mapping[Any, Any]]]
"""Rows by the names of their columns, for each question by its name."""


class _Place(Protocol):
    """Where a database is, and what is particular to its engine."""

    name: str
    """What messages call it, without a password."""

    url: URL
    options: Mapping[str, Any]
    """What SQLAlchemy is told of the engine."""

    version_table: str
    is_shared: bool
    """Whether other programs' tables may be there, too."""

    patience: float | None
    """After how many seconds a caller of a transaction gives up, whatever the engine does; None where it says so."""

    def attach(self, engine: Engine) -> None:
        """Set up the connections and transactions to come.

        Those with the option `sees_one_state` are for reading, and see one state throughout.
        """
        ...

    def prepare(self, connection: Connection) -> None:
        """Look at the database before its schema is."""
        ...

    def answers(self, connection: Connection, questions: Mapping[str, Select[Any]]) -> Answers:
        """Give the rows that answer each question."""
        ...

    def now(self, connection: Connection) -> float:
        """Give the database's own time, in seconds since the epoch: the same for all who ask."""
        ...

    def trouble(self, error: Exception, reason: str) -> PinionError:
        """Say why it cannot be opened."""
        ...

    def release(self) -> None:
        """Let go of the place."""
        ...


def scheme_of(url: str) -> str:
    """Give the scheme of a database's URL: `sqlite` or `postgresql`.

    Raises:
        SetupFault: it is another one, or none.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise SetupFault(f"the store's address is not a URL; use {FORMS}")
    if scheme not in ("sqlite", "postgresql"):
        raise SetupFault(f"{scheme} is not supported; use {FORMS}")
    return scheme


def is_outage(fault: StoreFault) -> bool:
    """Whether a database could not be written at all, whatever it was; else it was what should be written."""
    cause = fault.__cause__
    return isinstance(cause, PinionError | DBAPIError) and not isinstance(cause, DataError | IntegrityError)


def insert_if_new(into: Table) -> Insert:
    """Make an insert that leaves a row alone whose key is there already."""
    return into.insert().inline().ext(_OnConflict())


def insert_or_replace(into: Table) -> Insert:
    """Make an insert that takes the place of the row with its primary key."""
    return into.insert().inline().ext(_OnConflict(into))


class Database:
    """One database with its schema. All of it is for one thread."""

    def __init__(self, place: _Place, schema: SchemaName) -> None:
        """Made by `open` or `awaited`."""
        self._place = place
        self._schema = schema
        self._is_ready = False
        self._engine = create_engine(
            place.url, pool_size=1, max_overflow=0, hide_parameters=True, json_serializer=_json, **place.options
        )
        place.attach(self._engine)

    def __repr__(self) -> str:
        return f"Database({self.name!r})"

    @property
    def name(self) -> str:
        """What messages call it: the file, or the URL without its password."""
        return self._place.name

    @property
    def is_shared(self) -> bool:
        """Whether other processes may have it, too."""
        return self._place.is_shared

    @property
    def patience(self) -> float | None:
        """After how many seconds a caller should give a transaction up; None if it ends by itself."""
        return self._place.patience

    @classmethod
    def open(cls, url: str, schema: SchemaName) -> Self:
        """Open the database of a URL, making or migrating it as needed.

        Raises:
            SetupFault: one line, on what is wrong with the URL or the database, or that another gateway has the file.
            StoreFault: the server cannot be reached now; `awaited` goes on from there.
        """
        database = cls.awaited(url, schema)
        try:
            database.prepare()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def awaited(cls, url: str, schema: SchemaName) -> Self:
        """Take the database of a URL that may be away; it is opened by its first transaction that reaches it.

        Raises:
            SetupFault: the URL itself is wrong, or another gateway has the file.
        """
        return cls(_place(url, schema), schema)

    def transaction(self) -> AbstractContextManager[Connection]:
        """Give a connection within a transaction, which is committed at the end, or rolled back on an exception.

        Raises:
            StoreFault: the database cannot be read or written; nothing was, unless its commit was not answered.
        """
        return self._begun(sees_one_state=False)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Give a connection whose queries all see one state, for reading.

        Raises:
            StoreFault: the database cannot be read.
        """
        return self._begun(sees_one_state=True)

    @contextmanager
    def _begun(self, *, sees_one_state: bool) -> Iterator[Connection]:
        if not self._is_ready:
            self._prepare_late()
        try:
            with self._engine.execution_options(sees_one_state=sees_one_state).begin() as connection:
                yield connection
        except _FOREIGN as error:
            raise StoreFault(f"{self.name} cannot be read or written: {_reason(error)}") from error

    def answers(self, connection: Connection, questions: Mapping[str, Select[Any]]) -> Answers:
        """Give the rows that answer each question, by the names of their columns; a server is asked all in one trip.

        The questions are made once and stay: what a server is sent is remembered.
        """
        return self._place.answers(connection, questions)

    def now(self, connection: Connection) -> float:
        """Give the database's own time, in seconds since the epoch, whatever the clock of this machine says."""
        return self._place.now(connection)

    def written(self, statement: ClauseElement, columns: Sequence[str]) -> str:
        """Give a statement as its driver takes it, with a place for each of `columns`, in that order."""
        compiled = statement.compile(dialect=self._engine.dialect, column_keys=list(columns))
        return str(compiled)

    def close(self) -> None:
        """Close the connection and let another gateway have the file."""
        self._engine.dispose()
        self._place.release()

    def prepare(self) -> None:
        """Make or migrate the schema; the first transaction does so where it was not done.

        Raises:
            SetupFault: one line, on what is wrong with the database.
            StoreFault: the server cannot be reached now.
        """
        try:
            patient = self._engine.execution_options(statement_seconds=OPENING_SECONDS)
            with patient.begin() as connection:
                self._place.prepare(connection)
                self._migrate(connection)
        except _ENGINES as error:
            raise self._place.trouble(error, _reason(error)) from error
        self._is_ready = True

    def _prepare_late(self) -> None:
        try:
            self.prepare()
        except SetupFault as fault:
            raise StoreFault(fault.message) from fault

    def _migrate(self, connection: Connection) -> None:
        """Bring the schema to the newest version; mostly it is there already."""
        place = self._place
        if inspect(connection).has_table(place.version_table):
            version = select(column("version_num", String)).select_from(table(place.version_table))
            found = connection.execute(version).scalars().all()
            if found == [NEWEST[self._schema]]:
                return
        from gateway.adapters import sql_migrations  # noqa: PLC0415 - Alembic takes a tenth of the start

        subject = sql_migrations.Subject(place.name, self._schema, place.version_table, place.is_shared)
        sql_migrations.migrate(connection, subject)


def _place(url: str, schema: SchemaName) -> _Place:
    if scheme_of(url) == "sqlite":
        return SqliteDatabase(url, schema)
    from gateway.adapters.postgres_database import PostgresDatabase  # noqa: PLC0415 - its driver takes a tenth, too

    return PostgresDatabase(url, schema)


class _OnConflict(SyntaxExtension, ClauseElement):
    """The end of an insert, in the words that both engines know: what to do where the row's key is there."""

    inherit_cache: bool | None = False

    def __init__(self, replaced: Table | None = None) -> None:
        self.replaced = replaced

    def apply_to_insert(self, insert_stmt: Insert) -> None:
        """Take the place after the values."""
        insert_stmt.apply_syntax_extension_point(lambda existing: [*existing, self], "post_values")


@compiles(_OnConflict)
def _compile_on_conflict(clause: _OnConflict, compiler: SQLCompiler, **_: Any) -> str:
    if clause.replaced is None:
        return "ON CONFLICT DO NOTHING"
    quoted = compiler.preparer.quote
    keys = [quoted(key.name) for key in clause.replaced.primary_key]
    others = [quoted(other.name) for other in clause.replaced.columns if not other.primary_key]
    values = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {values}"


def _json(value: Any) -> str:
    """Write JSON; a number that it has no form for, and PostgreSQL would refuse, becomes null."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(finite(value), allow_nan=False)


def _reason(error: Exception) -> str:
    """The first line of what the engine itself said."""
    origin = getattr(error, "orig", None) or error
    return next(iter(str(origin).splitlines()), type(origin).__name__)
