"""A SQL database: opening it, holding it alone, keeping its schema, and what is particular to its engine.

The engine is SQLite now. All that another engine would do otherwise stands here: the address, the lock, the pragmas
and inserting what may be there already.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import URL, ClauseElement, Connection, Engine, Table, create_engine, event, inspect, text
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from gateway.core.errors import SetupFault, StoreFault

SchemaName = Literal["store", "ledger"]


@dataclass(frozen=True, slots=True)
class _Care:
    """What a database is worth: how it is synced, how long it waits for another program's lock, if it is checked."""

    synchronous: str
    busy_seconds: float
    is_checked: bool


_CARE: Mapping[SchemaName, _Care] = {
    "store": _Care("FULL", busy_seconds=2.0, is_checked=True),
    "ledger": _Care("NORMAL", busy_seconds=0.2, is_checked=False),  # it tries again by itself, and may be large
}
NEWEST: Mapping[SchemaName, str] = {"store": "store_0001", "ledger": "ledger_0001"}
"""The newest version of each schema, as its last migration is called."""

_FOREIGN = (SQLAlchemyError, sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError)
"""What a statement, or a row that is not what Pinion wrote, may raise."""


def sqlite_file(url: str) -> Path:
    """Give the file of a store's URL: `sqlite:///FILE`, relative to the working folder, or `sqlite:////FILE`.

    Raises:
        SetupFault: the URL names something else.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite":
        known = scheme.isalnum() and scheme != url
        subject = f"{scheme} is not supported yet" if known else "the store's address is not a URL"
        raise SetupFault(f"{subject}; use sqlite:///FILE")
    name = rest.removeprefix("/")
    if name in ("", ":memory:") or name == rest:
        raise SetupFault(f"{url} names no file; use sqlite:///FILE, as in sqlite:///pinion.db")
    return Path(name)


def insert_if_new(table: Table) -> Insert:
    """Make an insert that leaves a row alone whose key is there already."""
    return insert(table).on_conflict_do_nothing()


class Database:
    """One SQLite file with its schema, held by this process alone. All of it is for one thread."""

    def __init__(self, path: Path, engine: Engine, lock: int) -> None:
        """Made by `open`."""
        self.path = path
        self._engine = engine
        self._lock = lock

    def __repr__(self) -> str:
        return f"Database({str(self.path)!r})"

    @classmethod
    def open(cls, url: str, schema: SchemaName) -> Self:
        """Open the database of a URL, making or migrating it as needed.

        Every commit to a store is synced to the disk, and its whole file is checked first; a commit to a ledger
        survives the process's end but perhaps not the machine's.

        Raises:
            SetupFault: one line, on what is wrong with the URL, the folder or the file, or that another gateway
                has the file.
        """
        path = sqlite_file(url)
        lock = _lock(path)
        care = _CARE[schema]
        engine = _engine(path, care)
        try:
            with engine.begin() as connection:
                if care.is_checked:
                    _check(connection, path)
                _migrate(connection, schema, path)
        except (SQLAlchemyError, sqlite3.Error) as error:
            _release(engine, lock)
            raise SetupFault(_trouble(path, error)) from error
        except SetupFault:
            _release(engine, lock)
            raise
        return cls(path, engine, lock)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection within a transaction, which is committed at the end, or rolled back on an exception.

        Raises:
            StoreFault: the database cannot be read or written; nothing was.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except _FOREIGN as error:
            raise StoreFault(f"{self.path} cannot be read or written: {_reason(error)}") from error

    def written(self, statement: ClauseElement, columns: Sequence[str]) -> str:
        """Give a statement as its driver takes it, with a place for each of `columns`, in that order."""
        compiled = statement.compile(dialect=self._engine.dialect, column_keys=list(columns))
        return str(compiled)

    def close(self) -> None:
        """Close the file and let another gateway have it."""
        _release(self._engine, self._lock)


def _lock(path: Path) -> int:
    """Take the lock file beside a database for the life of this process; give its descriptor.

    The real path counts, so that a symbolic link is no way around. The file stays when the lock is let go: removing it
    would let two processes each lock a file of that name.
    """
    beside = path.resolve().with_name(f"{path.resolve().name}.lock")
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SetupFault(f"{beside}: {error.strerror}; the store's folder must exist and be writable") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise SetupFault(
            f"{path} is in use by another gateway; one process per SQLite file, use PostgreSQL for more"
        ) from error
    return descriptor


def _engine(path: Path, care: _Care) -> Engine:
    """One connection, in a rollback journal: write-ahead logging can corrupt a file before SQLite 3.51.3."""
    url = URL.create("sqlite", database=str(path.resolve()))
    engine = create_engine(url, pool_size=1, max_overflow=0, connect_args={"timeout": care.busy_seconds})
    pragmas = {
        "journal_mode": "DELETE",
        "synchronous": care.synchronous,
        "foreign_keys": "ON",
        "mmap_size": "0",
    }

    def connected(connection: DBAPIConnection, _record: object) -> None:
        connection.isolation_level = None  # the driver would not begin a transaction before DDL; `began` does
        cursor = connection.cursor()
        for name, value in pragmas.items():
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    def began(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine


def _release(engine: Engine, lock: int) -> None:
    engine.dispose()
    os.close(lock)


def _check(connection: Connection, path: Path) -> None:
    """Refuse a file with damaged pages before anything is read from it as the truth."""
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise SetupFault(f"{path} is damaged; restore a backup, or move it away to start with an empty one")


def _migrate(connection: Connection, schema: SchemaName, path: Path) -> None:
    """Bring the schema to the newest version, within the connection's transaction; mostly it is there already."""
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if found == [NEWEST[schema]]:
            return
    from gateway.adapters import sql_migrations  # noqa: PLC0415 - Alembic takes a tenth of the start

    sql_migrations.migrate(connection, schema, path)


def _trouble(path: Path, error: Exception) -> str:
    if path.is_dir():
        return f"{path} is a folder; name a file in it"
    return f"{path} cannot be opened: {_reason(error)}; move it away, or restore a backup"


def _reason(error: Exception) -> str:
    """The first line of what the engine itself said."""
    origin = getattr(error, "orig", None) or error
    return next(iter(str(origin).splitlines()), type(origin).__name__)
