"""The ledger, in SQL: a row for each request, written in batches beside the serving loop.

`append` puts a record into a bounded queue and returns. One thread has the database: it writes what has gathered,
answers questions, each after writing what was there before it, and forgets what is old.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Self

from sqlalchemy import Table

from gateway.adapters.sql_engine import Database, is_outage, scheme_of
from gateway.adapters.sql_exposures import PAGE, WINDOW, SqlExposures
from gateway.adapters.sql_feedback import SqlFeedback
from gateway.adapters.sql_figures import SqlFigures
from gateway.adapters.sql_outcomes import outcome_counts
from gateway.adapters.sql_records import SqlRecords, forget
from gateway.adapters.sql_schema import feedback, requests
from gateway.adapters.sql_traffic import WINDOW as TRAFFIC_WINDOW
from gateway.adapters.sql_traffic import Counted, add_traffic
from gateway.adapters.sql_use import app_use
from gateway.adapters.sqlite_database import sqlite_file
from gateway.core.arm_units import ArmUnits, Wanted
from gateway.core.dependent import Traffic
from gateway.core.errors import StoreFault
from gateway.core.feedback import Exposure, ExposurePage, Feedback
from gateway.core.limit import AppUse
from gateway.core.ports import Clock, Journal
from gateway.core.record import Record
from gateway.core.release_figures import ReleaseFigures

BATCH = 2_500
"""Records in one transaction. Larger ones cost less each, and hold the database for longer."""

PACE_SECONDS = 0.1
"""How often what has gathered is written: as many transactions a second at any load."""

RETRY_SECONDS = 1.0
SWEEP_SECONDS = 60.0
WARNING_SECONDS = 10.0

MOST_WAITING = 1_000
"""How many questions may wait, and how much feedback."""

ANSWER_SECONDS = 10.0
"""How long a question waits for its answer."""

SCAN_SECONDS = 60.0
"""How long one waits that goes through a month of records, as a gateway starts."""

_Asked = tuple[Any, Future[Any]]
"""What the thread is to answer (a question, a request's id, or feedback to be written), and where."""


def ledger_url(store_url: str) -> str:
    """Give the URL of a store's ledger: `pinion-ledger.db` beside `pinion.db`, or in the same PostgreSQL database.

    Raises:
        SetupFault: the store's URL names no database.
    """
    if scheme_of(store_url) == "postgresql":
        return store_url
    store = sqlite_file(store_url)
    return f"sqlite:///{store.with_name(f'{store.stem}-ledger{store.suffix}')}"


class SqlLedger:
    """The port `Ledger`, over one database and one thread of its own.

    While the database cannot be written (a full disk, another program's lock) records wait and are tried again every
    second; a record that it will never take is dropped alone. What is dropped, for that or for want of room, is
    counted, and said in the journal every ten seconds at most.
    """

    def __init__(
        self,
        database: Database,
        *,
        meters_dropped: Callable[[int], None],
        journal: Journal,
        clock: Clock,
        retention_seconds: float,
        capacity: int,
    ) -> None:
        """Made by `open`."""
        self._database = database
        self._records = SqlRecords(database)
        self._feedback = SqlFeedback(database)
        self._exposures = SqlExposures(database)
        self._figures = SqlFigures(database)
        self._losses = _Losses(meters_dropped, journal, clock)
        self._journal = journal
        self._clock = clock
        self._retention_seconds = retention_seconds
        self._capacity = capacity
        self._queue: deque[Record] = deque()
        self._batch: list[Record] = []
        self._questions: deque[_Asked] = deque()
        self._sought: deque[_Asked] = deque()
        self._said: deque[_Asked] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._outage = False
        self._next_write = clock.monotonic()
        self._next_sweep = clock.monotonic() + SWEEP_SECONDS
        self._thread = threading.Thread(target=self._run, name="pinion-ledger", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        waiting = len(self._queue) + len(self._batch)
        return f"SqlLedger({self._database.name!r}, {waiting} waiting, {self._losses.count} dropped)"

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        meters_dropped: Callable[[int], None],
        journal: Journal,
        clock: Clock,
        retention_seconds: float,
        capacity: int = 10_000,
    ) -> Self:
        """Open the ledger of a URL (`sqlite:///FILE` or `postgresql://...`), making or migrating it as needed.

        A server that is away is no reason not to open it: records wait as in any outage.

        `meters_dropped` is told how many records were lost, in the caller's thread of `append` or in the ledger's.
        Records older than `retention_seconds` are deleted. `capacity` is how many may wait to be written.

        Raises:
            SetupFault: it cannot be opened, or another gateway has it.
        """
        database = await asyncio.to_thread(_open, url)
        return cls(
            database,
            meters_dropped=meters_dropped,
            journal=journal,
            clock=clock,
            retention_seconds=retention_seconds,
            capacity=capacity,
        )

    def append(self, record: Record) -> None:
        """Take a record, never waiting; what there is no room for is dropped and counted."""
        if self._closing or len(self._queue) + len(self._batch) >= self._capacity:
            self._losses.add(1, "it is closed" if self._closing else "there was no room")
            return
        self._queue.append(record)
        if len(self._queue) % BATCH == 0:
            self._wake.set()

    async def find(self, request_id: str) -> Record | None:
        """Give the record of a request, written or still waiting."""
        found: Record | None = await self._wait_in(self._sought, request_id)
        return found

    async def responses(self, limit: int) -> Sequence[tuple[str, str, str, str]]:
        """Give the newest (application, route, response id, release version) of responses, the newest last."""
        newest: Sequence[tuple[str, str, str, str]] = await self._ask(lambda: self._records.responses(limit))
        return newest

    async def outcome_counts(self, since: float, slot_seconds: float) -> Sequence[tuple[str, float, int, int]]:
        """Give (route, slot's start, good requests, bad ones) since a wall time, the oldest first."""
        counts: Sequence[tuple[str, float, int, int]] = await self._ask(
            lambda: outcome_counts(self._database, since, slot_seconds), SCAN_SECONDS
        )
        return counts

    async def app_use(self, apps: Sequence[str], since: float, until: float, per: float) -> Sequence[AppUse]:
        """Add up what applications have used between two wall times, by windows of `per` seconds; copies apart."""
        use: Sequence[AppUse] = await self._ask(lambda: app_use(self._database, apps, since, until, per), SCAN_SECONDS)
        return use

    async def assess(self, said: Feedback) -> bool:
        """Write feedback on a request, in place of what was said of it by the same name; say whether nothing was."""
        is_new: bool = await self._wait_in(self._said, said)
        return is_new

    async def newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        """Give the newest request of an application's unit, written or still waiting; copies apart."""
        newest: Record | None = await self._ask(lambda: self._newest_of_unit(app, unit_digest, route))
        return newest

    async def arm_units(self, wanted: Wanted) -> ArmUnits:
        """Add up an experiment's requests and feedback by unit."""
        units = ArmUnits(wanted.metrics)
        start, last = await self._ask(lambda: self._bounds(wanted.since, requests))
        for after in range(start, last, WINDOW):
            await self._ask(partial(self._exposures.add_units, wanted, after, units))
        start, last = await self._ask(lambda: self._bounds(wanted.since, feedback))
        for after in range(start, last, WINDOW):
            await self._ask(partial(self._exposures.add_feedback, wanted, after, units))
        return units

    async def traffic(self, routes: Sequence[str], since: float) -> Sequence[Traffic]:
        """Count the requests to some routes since a wall time, by application and release; copies apart."""
        counted: Counted = {}
        start, last = await self._ask(lambda: self._bounds(since, requests))
        for after in range(start, last, TRAFFIC_WINDOW):
            await self._ask(partial(add_traffic, self._database, routes, since, after, counted))
        return tuple(counted.values())

    async def exposures(self, wanted: Wanted, after: int) -> ExposurePage:
        """Give some of an experiment's requests, in the order of the ledger, from after a position (0: the first)."""
        start, last = await self._ask(lambda: self._bounds(wanted.since, requests, after))
        found: Sequence[Exposure] = await self._ask(lambda: self._exposures.page(wanted, start))
        return ExposurePage(found, start + PAGE if start + PAGE < last else None)

    async def figures_of(self, route: str, release: str, since: float) -> ReleaseFigures:
        """Add up what a release of a route has shown since a wall time; copies apart."""
        figures = ReleaseFigures()
        start, last = await self._ask(lambda: self._bounds(since, requests))
        for after in range(start, last, WINDOW):
            await self._ask(partial(self._figures.add, route, release, since, after, figures))
        return figures

    async def close(self) -> None:
        """Write what waits and let go of the file. What cannot be written by then is dropped and counted."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    async def _ask(self, question: Callable[[], Any], seconds: float | None = None) -> Any:
        return await self._wait_in(self._questions, question, seconds)

    async def _wait_in(self, line: deque[_Asked], what: Any, seconds: float | None = None) -> Any:
        """Wait for the thread's answer, for a while. What is given up the thread passes over, unless it has begun."""
        if self._closing:
            raise StoreFault(f"{self._database.name} is closed")
        if len(line) >= MOST_WAITING:
            raise StoreFault(f"the ledger is busy: {MOST_WAITING:,} questions wait already; ask again later")
        seconds = ANSWER_SECONDS if seconds is None else seconds
        answer: Future[Any] = Future()
        line.append((what, answer))
        self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(answer)
        except TimeoutError as error:
            raise StoreFault(f"the ledger is busy: it has not answered within {seconds:g} s") from error

    def _run(self) -> None:
        """The ledger's thread, from here on."""
        while not self._closing:
            self._wake.wait(PACE_SECONDS)
            self._wake.clear()
            now = self._clock.monotonic()
            if now >= self._next_write:
                self._write_waiting(now)
            self._answer()
            if now >= self._next_sweep and not self._outage:
                self._sweep(now)
            self._losses.say(now)
        self._finish()

    def _finish(self) -> None:
        self._write_waiting(self._clock.monotonic())
        self._answer()
        self._losses.add(len(self._batch) + len(self._queue), "they could not be written before the end")
        self._losses.say(float("inf"))
        self._database.close()

    def _write_waiting(self, now: float) -> None:
        """Write what waits now, in batches; what comes meanwhile is for the next turn."""
        for _ in range(1 + len(self._queue) // BATCH):
            while self._queue and len(self._batch) < BATCH:
                self._batch.append(self._queue.popleft())
            if self._batch and not self._write_batch():
                self._next_write = now + RETRY_SECONDS
                return

    def _write_batch(self) -> bool:
        """Write the batch, or keep it and say False when the database cannot be written at all."""
        try:
            self._records.write(self._batch)
        except StoreFault as fault:
            if is_outage(fault):
                self._note(outage=True, reason=fault.message)
                return False
            self._write_one_by_one()
        self._batch = []
        self._note(outage=False)
        return True

    def _write_one_by_one(self) -> None:
        """Some record of the batch is not one that the database takes: find it, so that the others are kept."""
        for record in self._batch:
            try:
                self._records.write([record])
            except StoreFault as fault:
                self._losses.add(1, fault.message)

    def _note(self, *, outage: bool, **fields: Any) -> None:
        """Tell the journal once when an outage begins and once when it ends."""
        if outage is not self._outage:
            self._outage = outage
            name = "ledger cannot be written" if outage else "ledger is written again"
            self._journal.event(name, level="warning", **fields)

    def _bounds(self, since: float, table: Table, after: int = 0) -> tuple[int, int]:
        """Write what came since the last turn, then say between which ids the wanted rows lie."""
        now = self._clock.monotonic()
        if now >= self._next_write:
            self._write_waiting(now)
        return self._exposures.bounds(since, table, after)

    def _newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        waiting = (*self._batch, *tuple(self._queue))
        for record in reversed(waiting):
            is_theirs = record.app == app and record.unit_digest == unit_digest and record.shadow_of is None
            if is_theirs and route in (None, record.route):
                return record
        return self._records.newest_of_unit(app, unit_digest, route)

    def _answer(self) -> None:
        """Answer what waits now; what is asked meanwhile is for the next turn, after the records that came."""
        self._answer_sought(_wanted(self._sought))
        said = _wanted(self._said)
        if said:
            _settle_together(said, self._feedback.write)
        for _ in range(len(self._questions)):
            question, answer = self._questions.popleft()
            if answer.set_running_or_notify_cancel():
                _settle(answer, question)

    def _answer_sought(self, sought: Sequence[_Asked]) -> None:
        """Find requests, in one transaction; those that are not written yet need none."""
        if not sought:
            return
        waiting = {record.request_id: record for record in (*self._batch, *tuple(self._queue))}
        others = []
        for request_id, answer in sought:
            if request_id in waiting:
                answer.set_result(waiting[request_id])
            else:
                others.append((request_id, answer))
        if others:
            _settle_together(others, self._records.requests)

    def _sweep(self, now: float) -> None:
        """Delete a few records that are too old; more at the next turn, if there are."""
        try:
            before = self._clock.wall() - self._retention_seconds
            forgotten = max(forget(self._database, table, before, BATCH) for table in (requests, feedback))
        except StoreFault as fault:
            forgotten = 0
            self._journal.event("ledger cannot forget", level="warning", reason=fault.message)
        if forgotten < BATCH:
            self._next_sweep = now + SWEEP_SECONDS


def _wanted(line: deque[_Asked]) -> list[_Asked]:
    """Take out what waits in a line now; what nobody waits for any more is passed over."""
    waiting = [line.popleft() for _ in range(len(line))]
    return [asked for asked in waiting if asked[1].set_running_or_notify_cancel()]


def _settle(answer: Future[Any], question: Callable[[], Any]) -> None:
    try:
        answer.set_result(question())
    except StoreFault as fault:
        answer.set_exception(fault)


def _settle_together(asked: Sequence[_Asked], act: Callable[[Sequence[Any]], Sequence[Any]]) -> None:
    """Answer several in one transaction, or each in its own where one is not what the database takes."""
    try:
        given = act([what for what, _ in asked])
    except StoreFault as fault:
        if len(asked) == 1 or is_outage(fault):
            for _, answer in asked:
                answer.set_exception(fault)
        else:
            for each in asked:
                _settle_together([each], act)
    else:
        for (_, answer), what in zip(asked, given, strict=True):
            answer.set_result(what)


def _open(url: str) -> Database:
    try:
        return Database.open(url, "ledger")
    except StoreFault:
        return Database.awaited(url, "ledger")


class _Losses:
    """How many records were lost: counted at once, said in the journal at most every ten seconds."""

    def __init__(self, meters_dropped: Callable[[int], None], journal: Journal, clock: Clock) -> None:
        self.count = 0
        self._meters_dropped = meters_dropped
        self._journal = journal
        self._said = 0
        self._reason = ""
        self._next_word = clock.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int, reason: str) -> None:
        """Count lost records; from any thread."""
        if count:
            with self._lock:
                self.count += count
                self._reason = reason
            self._meters_dropped(count)

    def say(self, now: float) -> None:
        """Tell the journal, if there is something new and it was not told a moment ago; in the ledger's thread."""
        lost = self.count - self._said
        if lost and now >= self._next_word:
            self._said += lost
            self._next_word = now + WARNING_SECONDS
            self._journal.event("records dropped", level="warning", count=lost, reason=self._reason)
