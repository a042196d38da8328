"""A database of either engine, for tests that look at it from outside, and a store in it. Names in its SQL are ours."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from psycopg import sql

from gateway.adapters.sql_store import SqlStore
from tests.postgres_server import PostgresServer


class _Versioned:
    """What says of itself which version it is of."""

    version_table: str
    execute: Callable[[str], list[tuple]]

    def versions(self) -> list[str]:
        """What the schema says of its version."""
        return [version for (version,) in self.execute(f"SELECT version_num FROM {self.version_table}")]  # noqa: S608

    def set_version(self, version: str) -> None:
        """Let the schema say that another Pinion made it."""
        self.execute(f"UPDATE {self.version_table} SET version_num = '{version}'")  # noqa: S608

    def add_version(self, version: str) -> None:
        """Let the schema say that it has another version, too."""
        self.execute(f"INSERT INTO {self.version_table} VALUES ('{version}')")  # noqa: S608


class SqlitePlace(_Versioned):
    """A SQLite file that is not there yet."""

    engine = "sqlite"
    version_table = "alembic_version"
    outage = "database is locked"
    out_of_range = "too large"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.name = str(path)

    def execute(self, statement: str) -> list[tuple]:
        """Do something in the database, and commit it; give the rows."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody else can use the database: another program holds it."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield


class PostgresPlace(_Versioned):
    """An empty database on a PostgreSQL server."""

    engine = "postgresql"
    outage = "not currently accepting connections"
    out_of_range = "out of range"

    def __init__(self, server: PostgresServer, schema: str = "store") -> None:
        self._server = server
        self.url = server.new_database()
        self.name = self.url.replace(urlsplit(self.url).password or "", "***")
        self.version_table = f"pinion_{schema}_version"

    def execute(self, statement: str | sql.Composable) -> list[tuple]:
        """Do something in the database, and commit it; give the rows."""
        return self._server.execute(statement, self._database)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody can use the database: its connections are cut, and new ones are refused."""
        database = sql.Identifier(self._database)
        self._server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database))
        cut = sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}")
        self._server.execute(cut.format(sql.Literal(self._database)))
        try:
            yield
        finally:
            self._server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database))

    def limit_connections(self, limit: int) -> None:
        """Let no more than so many connect at once; the server's owner is not counted."""
        limited = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            sql.Identifier(self._database), sql.Literal(limit)
        )
        self._server.execute(limited)

    def as_guest(self, password: str) -> str:
        """Make a user who owns the database and is not the server's owner; give the URL."""
        user = f"{self._database}_guest"
        names = {"user": sql.Identifier(user), "database": sql.Identifier(self._database)}
        self._server.execute(sql.SQL("CREATE ROLE {user} LOGIN PASSWORD {password}").format(**names, password=password))
        self._server.execute(sql.SQL("ALTER DATABASE {database} OWNER TO {user}").format(**names))
        self.execute(sql.SQL("ALTER SCHEMA public OWNER TO {user}").format(**names))
        return self._server.url(self._database, user=user, password=password)

    @property
    def _database(self) -> str:
        return urlsplit(self.url).path.removeprefix("/")


Place = SqlitePlace | PostgresPlace


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[SqlStore]:
    """A store at a place, closed at the end."""
    store = await SqlStore.open(place.url)
    try:
        yield store
    finally:
        await store.close()
