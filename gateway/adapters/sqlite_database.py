"""What is particular to SQLite: a file, held by one process through a lock beside it, and its pragmas."""

import fcntl
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, RowMapping, Select, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from gateway.adapters.sql_schema import SchemaName
from gateway.core.errors import PinionError, SetupFault


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


def sqlite_file(url: str) -> Path:
    """Give the file of a URL: `sqlite:///FILE`, relative to the working folder, or `sqlite:////FILE`.

    Raises:
        SetupFault: the URL names no file.
    """
    rest = url.removeprefix("sqlite://")
    name = rest.removeprefix("/")
    if name in ("", ":memory:") or name == rest:
        raise SetupFault(f"{url} names no file; use sqlite:///FILE, as in sqlite:///pinion.db")
    return Path(name)


class SqliteDatabase:
    """One SQLite file, held by this process alone until `release`.

    Every commit to a store is synced to the disk, and its whole file is checked first; a commit to a ledger survives
    the process's end but perhaps not the machine's.
    """

    version_table = "alembic_version"
    is_shared = False
    patience: float | None = None

    def __init__(self, url: str, schema: SchemaName) -> None:
        """Take the file.

        Raises:
            SetupFault: the URL names no file, its folder takes none, or another gateway has it.
        """
        self._path = sqlite_file(url)
        self._care = _CARE[schema]
        self._lock = _lock(self._path)
        self.name = str(self._path)
        self.url = URL.create("sqlite", database=str(self._path.resolve()))
        self.options: Mapping[str, Any] = {"connect_args": {"timeout": self._care.busy_seconds}}

    def attach(self, engine: Engine) -> None:
        """Set up each connection: in a rollback journal, as write-ahead logging can corrupt a file before 3.51.3."""
        pragmas = {
            "journal_mode": "DELETE",
            "synchronous": self._care.synchronous,
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
            connection.exec_driver_sql("BEGIN")  # what it has begun to read, nobody changes: that is one state, too

        event.listen(engine, "connect", connected)
        event.listen(engine, "begin", began)

    def prepare(self, connection: Connection) -> None:
        """Refuse a store with damaged pages before anything is read from it as the truth."""
        if self._care.is_checked and connection.execute(text("PRAGMA quick_check(1)")).scalar_one() != "ok":
            raise SetupFault(f"{self.name} is damaged; restore a backup, or move it away to start with an empty one")

    def answers(
        self, connection: Connection, questions: Mapping[str, Select[Any]]
    ) -> Mapping[str, Sequence[RowMapping]]:
        """Give the rows that answer each question."""
        return {name: connection.execute(question).mappings().all() for name, question in questions.items()}

    def now(self, _connection: Connection) -> float:
        """Give this machine's time: whoever has the file is on it."""
        return time.time()

    def trouble(self, _error: Exception, reason: str) -> PinionError:
        """Say why the file cannot be opened."""
        if self._path.is_dir():
            return SetupFault(f"{self.name} is a folder; name a file in it")
        return SetupFault(f"{self.name} cannot be opened: {reason}; move it away, or restore a backup")

    def release(self) -> None:
        """Let another gateway have the file."""
        os.close(self._lock)


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
