"""The database of a simulation: the store's real schema and statements, on SQLite in memory, with its own clock."""

import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, event

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import leases
from gateway.adapters.sql_store import SqlStore
from gateway.adapters.sqlite_database import SqliteDatabase
from gateway.core.recorded import Recorded


class MemoryPlace:
    """One SQLite database in memory that several gateways share, as they do a server, with a clock of its own."""

    name = "the simulated store"
    version_table = "alembic_version"
    is_shared = True
    patience: float | None = None

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.url = URL.create("sqlite")
        self.raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.options = {"poolclass": QueuePool, "creator": lambda: self.raw}

    def attach(self, engine: Engine) -> None:
        """As on a file, a transaction begins when it is asked to."""
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def prepare(self, connection: Connection) -> None: ...

    answers = SqliteDatabase.answers

    def now(self, _connection: Connection) -> float:
        return self._now()

    def trouble(self, error: Exception, _reason: str) -> Exception:
        return error

    def release(self) -> None: ...


class SimulatedStore(SqlStore):
    """The real store of one gateway, which acts in the caller's own thread, at once."""

    def __init__(self, database: Database, seen: dict[str, Any]) -> None:
        """`seen` is what was read since the last write, by whatever gateway: it is the same for all of them."""
        super().__init__(database, None)
        self._seen = seen

    async def epoch(self) -> int:
        """Read the epoch, once after each write."""
        if "epoch" not in self._seen:
            self._seen["epoch"] = await super().epoch()
        return self._seen["epoch"]

    async def recorded(self) -> Recorded:
        """Read everything, once after each write."""
        if "recorded" not in self._seen:
            self._seen["recorded"] = await super().recorded()
        return self._seen["recorded"]

    async def _write(self, act, longer=0.0):
        self._seen.clear()
        return await super()._write(act, longer)

    async def _add(self, act):
        self._seen.clear()
        return await super()._add(act)

    async def _run(self, transaction, act, longer=0.0, *, patiently=False):
        del longer, patiently
        with transaction() as connection:
            return act(connection)

    @property
    def holder(self) -> str:
        """As what this gateway holds leases."""
        return self._holder


class Server:
    """The one server of this process, which begins each simulation with an empty store."""

    def __init__(self) -> None:
        self._now: Callable[[], float] = lambda: 0.0
        self._place = MemoryPlace(self._time)
        self.database = Database(self._place, "store")
        self.database.prepare()
        self._empty = self._place.raw.serialize()

    def _time(self) -> float:
        return self._now()

    def begin(self, now: Callable[[], float]) -> Database:
        """Forget everything; `now` is the server's clock from now on."""
        self._now = now
        self._place.raw.deserialize(self._empty)
        return self.database


@cache
def server() -> Server:
    """Give the server; what it has learned of statements serves every simulation."""
    return Server()


def done(coroutine):
    """Carry out what never waits, and give what it gives."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a simulated store does not wait")


def holder_of_lease(database: Database, name: str) -> str | None:
    """Say who has a lease, by the store itself."""
    with database.snapshot() as connection:
        row = connection.execute(leases.select().where(leases.c.name == name)).mappings().one_or_none()
    return None if row is None else row["holder"]
