"""The ledger: a queue, a thread and a database."""

import asyncio
import threading
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from gateway.adapters import sql_ledger
from gateway.adapters.sql_ledger import BATCH, RETRY_SECONDS, SWEEP_SECONDS, WARNING_SECONDS, SqlLedger, ledger_url
from gateway.core.arm_units import Wanted
from gateway.core.dependent import Traffic
from gateway.core.errors import SetupFault, StoreFault
from gateway.core.limit import AppUse
from tests.adapters.clock_and_journal import Clock, Journal
from tests.adapters.databases import Place, PostgresPlace, SqlitePlace
from tests.adapters.ledger_records import record
from tests.adapters.test_sql_feedback import SAID

pytestmark = pytest.mark.anyio

DAY = 86_400.0


@dataclass
class World:
    """A ledger with everything around it."""

    place: Place
    ledger: SqlLedger
    clock: Clock
    journal: Journal
    dropped: list


@asynccontextmanager
async def opened(place, capacity=10_000):
    """A ledger at a place that keeps records for a day, closed at the end."""
    clock, journal, dropped = Clock(), Journal(), []
    ledger = await SqlLedger.open(
        place.url,
        meters_dropped=dropped.append,
        journal=journal,
        clock=clock,
        retention_seconds=DAY,
        capacity=capacity,
    )
    try:
        yield World(place, ledger, clock, journal, dropped)
    finally:
        await ledger.close()


@pytest.fixture
async def world(ledger_place):
    """An empty ledger."""
    async with opened(ledger_place) as world:
        yield world


def rows(place):
    """How many records the database holds."""
    return place.execute("SELECT count(*) FROM requests")[0][0]


async def until(condition):
    """Wait for a condition."""
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("waited half a minute in vain")


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("sqlite:///pinion.db", "sqlite:///pinion-ledger.db"),
        ("sqlite:////var/lib/pinion/store.sqlite3", "sqlite:////var/lib/pinion/store-ledger.sqlite3"),
        ("sqlite:///data/pinion", "sqlite:///data/pinion-ledger"),
        ("postgresql://user:pw@host/db?sslmode=require", "postgresql://user:pw@host/db?sslmode=require"),
    ],
)
def test_the_ledger_lies_beside_the_store(store, expected):
    """Its file is named after the store's, in the same folder; a PostgreSQL database holds both."""
    assert expected == ledger_url(store)


def test_a_store_that_has_no_place_has_no_ledger():
    """Other stores are refused as the store itself refuses them."""
    with pytest.raises(SetupFault, match="mysql is not supported"):
        ledger_url("mysql://host/db")


async def test_a_record_is_found_at_once(world):
    """A question is answered after what was there before it, so a record is found that was only just queued."""
    world.ledger.append(record(1))
    assert record(1) == await world.ledger.find("req-1")
    assert None is await world.ledger.find("req-2")
    assert (("helpdesk", "support", "resp_1", "1.0.0"),) == await world.ledger.responses(10)
    assert (("support", 0.0, 1, 0),) == await world.ledger.outcome_counts(0.0, 60.0)


async def test_the_use_of_applications_counts_what_was_only_just_queued(world):
    """By application and window, the same on either engine, late within a second and after 2038, too."""
    for number, at in enumerate((59.9, 60.0, 119.6, 4e9 + 40.6)):
        world.ledger.append(record(number, at=at))
    one = AppUse("helpdesk", 0.0, 1, 1_100, 1, 0, 3_500_000, 1, 0)
    two = AppUse("helpdesk", 60.0, 2, 2_200, 2, 0, 7_000_000, 2, 0)
    late = replace(one, start=4e9 + 20)
    assert (one, two, late) == tuple(await world.ledger.app_use(["helpdesk", "other"], 0.0, 5e9, 60.0))


async def test_traffic_counts_what_was_only_just_queued(world):
    """By application and release, of the routes that are asked for, since a time."""
    for number in range(1, 4):
        world.ledger.append(record(number))
    world.ledger.append(record(4, route="desk"))
    assert (Traffic("helpdesk", "support", "1.0.0", 2, 3.0),) == await world.ledger.traffic(["support"], 2.0)
    assert () == await world.ledger.traffic(["none"], 0.0)


async def test_records_are_written_without_being_asked_for(world):
    """The thread writes what has gathered, many batches of it."""
    for number in range(3 * BATCH + 1):
        world.ledger.append(record(number))
    await until(lambda: rows(world.place) == 3 * BATCH + 1)
    assert f"SqlLedger('{world.place.name}', 0 waiting, 0 dropped)" == repr(world.ledger)


@asynccontextmanager
async def busy(ledger):
    """A ledger whose thread is at a question."""
    begun, end = threading.Event(), threading.Event()

    def question():
        begun.set()
        return end.wait(30)

    asked = asyncio.create_task(ledger._ask(question))
    await until(begun.is_set)
    try:
        yield
    finally:
        end.set()
        assert await asked


async def test_questions_without_end_do_not_keep_records_from_being_written(world):
    """Each turn answers what waited when it began."""

    def again():
        world.ledger._questions.append((again, Future()))
        world.ledger._wake.set()

    again()
    world.ledger.append(record(1))
    await until(lambda: rows(world.place) == 1)


@pytest.mark.untraced
async def test_much_feedback_beside_a_stream_of_records(world):
    """Nothing is dropped, everything is written, and the first word of each request alone is new."""
    for number in range(64):
        world.ledger.append(record(number))

    async def say(number):
        news = []
        for turn in range(5):
            found = await world.ledger.find(f"req-{number}")
            news.append(await world.ledger.assess(replace(SAID, request_id=found.request_id, value=float(turn))))
            for more in range(10):
                world.ledger.append(record(1_000 * (turn + 1) + 10 * number + more))
        return news

    news = await asyncio.gather(*(say(number) for number in range(64)))
    assert [[True, False, False, False, False]] * 64 == news
    await until(lambda: rows(world.place) == 64 + 64 * 5 * 10)
    assert [(64, 4.0)] == world.place.execute("SELECT count(*), min(value) FROM feedback")
    assert [] == world.dropped


async def test_what_cannot_be_written_or_looked_for_is_refused_alone(world):
    """The others of its turn are not held up."""
    world.ledger.append(record(1))
    await until(lambda: rows(world.place) == 1)
    async with busy(world.ledger):
        calls = [world.ledger.assess(replace(SAID, request_id=f"req-{n}", comment=c)) for n, c in enumerate("a\ud800b")]
        calls += [world.ledger.find(request_id) for request_id in ("req-1", "\ud800", "req-2")]
        asked = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0)
    first, poison, last, found, unfindable, unknown = await asked
    assert (True, True, record(1), None) == (first, last, found, unknown)
    assert isinstance(poison, StoreFault)
    assert isinstance(unfindable, StoreFault)


async def test_feedback_in_an_outage_is_refused(world):
    """The application is asked to send it again."""
    with world.place.away(), pytest.raises(StoreFault, match=world.place.outage):
        await world.ledger.assess(SAID)
    assert await world.ledger.assess(SAID)


async def test_no_more_may_wait_than_there_is_room_for(world, monkeypatch):
    """The rest is refused at once."""
    monkeypatch.setattr(sql_ledger, "MOST_WAITING", 2)
    async with busy(world.ledger):
        waiting = asyncio.gather(world.ledger.find("req-1"), world.ledger.find("req-2"), world.ledger.assess(SAID))
        await asyncio.sleep(0)
        with pytest.raises(StoreFault, match="the ledger is busy: 2 questions wait already"):
            await world.ledger.find("req-3")
    assert [None, None, True] == await waiting


async def test_what_is_not_answered_in_time_is_given_up(world, monkeypatch):
    """It is told, and is not done later."""
    done = []
    async with busy(world.ledger):
        monkeypatch.setattr(sql_ledger, "ANSWER_SECONDS", 0.01)
        calls = (world.ledger._ask(lambda: done.append(1)), world.ledger.assess(SAID))
        faults = await asyncio.gather(*calls, return_exceptions=True)
        monkeypatch.undo()
    assert ["the ledger is busy: it has not answered within 0.01 s"] * 2 == [fault.message for fault in faults]
    assert None is await world.ledger.find("req-1")
    assert ([], [(0,)]) == (done, world.place.execute("SELECT count(*) FROM feedback"))


async def test_feedback_ages_like_records(world):
    """It is kept as long as they are, and forgotten with them."""
    for number in (1, 2):
        world.ledger.append(record(number, at=DAY + number, unit_digest="0a", split="length/control", track="arm"))
    await world.ledger.assess(replace(SAID, request_id="req-1", unit_digest="0a", at=10.0))
    await world.ledger.assess(replace(SAID, request_id="req-2", unit_digest="0a", at=DAY))
    assert "req-2" == (await world.ledger.newest_of_unit("helpdesk", "0a", None)).request_id
    wanted = Wanted("support", "length", ("seconds", "feedback.resolved"))
    assert [2.0] == [unit.sums[2] for unit in (await world.ledger.arm_units(wanted)).of("control")]
    world.clock.now = DAY + SWEEP_SECONDS
    world.ledger._wake.set()
    for _ in range(500):
        page = await world.ledger.exposures(wanted, 0)
        if [one.feedback for one in page.exposures] == [{}, {"resolved": 1.0}]:
            break
        await asyncio.sleep(0.01)
    assert ([{}, {"resolved": 1.0}], None) == ([one.feedback for one in page.exposures], page.after)


async def test_an_experiment_is_told_from_what_is_written_in_an_outage(world):
    """What waits is not tried before its time, and what is there is told."""
    wanted = Wanted("support", "length", ())
    world.ledger.append(record(1, unit_digest="0a", split="length/control", track="arm"))
    assert 1 == len(await world.ledger.arm_units(wanted))
    world.ledger._next_write = float("inf")
    world.ledger.append(record(2, unit_digest="0b", split="length/control", track="arm"))
    assert 1 == len(await world.ledger.arm_units(wanted))
    world.ledger._next_write = 0.0
    assert 2 == len(await world.ledger.arm_units(wanted))


async def test_closing_writes_what_waits(ledger_place):
    """A shutdown loses no record, and the file is free for the next gateway."""
    async with opened(ledger_place) as world:
        for number in range(10):
            world.ledger.append(record(number))
    assert 10 == rows(ledger_place)
    async with opened(ledger_place) as world:
        assert record(9) == await world.ledger.find("req-9")


async def test_after_closing_records_are_dropped_and_questions_refused(ledger_place):
    """What comes too late is counted; a question is a fault and does not wait for ever; closing again is nothing."""
    async with opened(ledger_place) as world:
        pass
    world.ledger.append(record(1))
    assert [1] == world.dropped
    with pytest.raises(StoreFault, match="is closed"):
        await world.ledger.find("req-1")
    await world.ledger.close()


async def test_while_the_database_is_away_records_wait_and_are_found(world):
    """An outage keeps the records, answers from memory, is told once, and ends by itself."""
    with world.place.away():
        world.ledger.append(record(1))
        await until(lambda: world.journal.named("ledger cannot be written"))
        world.ledger.append(record(2))
        assert record(1) == await world.ledger.find("req-1")
        assert record(2) == await world.ledger.find("req-2")
        assert f"SqlLedger('{world.place.name}', 2 waiting, 0 dropped)" == repr(world.ledger)
        with pytest.raises(StoreFault, match=world.place.outage):
            await world.ledger.find("req-3")
    world.clock.now += RETRY_SECONDS
    await until(lambda: world.journal.named("ledger is written again"))
    assert 2 == rows(world.place)
    assert ["ledger cannot be written", "ledger is written again"] == [name for name, *_ in world.journal.events]
    assert [] == world.dropped


async def test_an_outage_is_told_once(world):
    """Each further try that fails says nothing new."""
    with world.place.away():
        world.ledger.append(record(1))
        await until(lambda: world.journal.named("ledger cannot be written"))
        world.clock.now += RETRY_SECONDS
        with pytest.raises(StoreFault):
            await world.ledger.find("req-9")
    assert 1 == len(world.journal.named("ledger cannot be written"))


async def test_what_there_is_no_room_for_is_dropped_and_counted(ledger_place):
    """Overflow is counted at once, and told at most every ten seconds with how many it was."""
    async with opened(ledger_place, capacity=3) as world:
        with world.place.away():
            world.ledger.append(record(0))
            await until(lambda: world.journal.named("ledger cannot be written"))
            for number in range(1, 6):
                world.ledger.append(record(number))
            assert [1, 1, 1] == world.dropped
            await until(lambda: world.journal.named("records dropped"))
            world.ledger.append(record(6))
        world.clock.now += RETRY_SECONDS
        await until(lambda: rows(world.place) == 3)
        await world.ledger.find("req-0")
        assert 3 == sum(said["count"] for said in world.journal.named("records dropped"))
        world.clock.now += WARNING_SECONDS
        await until(lambda: sum(said["count"] for said in world.journal.named("records dropped")) == 4)
        assert "there was no room" == world.journal.named("records dropped")[-1]["reason"]


async def test_a_record_that_cannot_be_written_is_dropped_alone(world):
    """One that the database will never take does not hold up the others of its batch."""
    with_poison = [record(1), record(2, cost_nano_usd=2**63), record(3)]
    for each in with_poison:
        world.ledger.append(each)
    assert record(3) == await world.ledger.find("req-3")
    assert record(1) == await world.ledger.find("req-1")
    assert None is await world.ledger.find("req-2")
    assert [1] == world.dropped
    await until(lambda: world.journal.named("records dropped"))
    assert world.place.out_of_range in world.journal.named("records dropped")[0]["reason"]


async def test_what_cannot_be_written_by_the_end_is_counted(ledger_place):
    """A shutdown during an outage ends, and says what it lost."""
    async with opened(ledger_place) as world:
        with world.place.away():
            world.ledger.append(record(1))
            await world.ledger.close()
    assert [1] == world.dropped
    expected = {"count": 1, "reason": "they could not be written before the end"}
    assert [expected] == world.journal.named("records dropped")


@pytest.mark.untraced
async def test_old_records_are_forgotten_in_small_steps(world):
    """Once a minute, what is older than the retention goes, a batch a turn until none is left."""
    for number in range(2 * BATCH + 10):
        world.ledger.append(record(number, at=float(number)))
    await until(lambda: rows(world.place) == 2 * BATCH + 10)
    world.clock.now = DAY + BATCH + 5.0
    await until(lambda: rows(world.place) == BATCH + 5)
    assert None is await world.ledger.find(f"req-{BATCH + 4}")
    assert record(BATCH + 5, at=float(BATCH + 5)) == await world.ledger.find(f"req-{BATCH + 5}")


async def test_forgetting_that_fails_is_told_and_tried_again(world):
    """A sweep during an outage is put off to the next minute."""
    world.ledger.append(record(1))
    await world.ledger.find("req-1")
    with world.place.away():
        world.clock.now = DAY + SWEEP_SECONDS
        await until(lambda: world.journal.named("ledger cannot forget"))
    world.clock.now += SWEEP_SECONDS
    await until(lambda: rows(world.place) == 0)


async def test_a_question_that_nobody_waits_for_is_passed_over(world):
    """A caller that gave up does not disturb the thread."""
    with world.place.away():
        world.ledger.append(record(1))
        await until(lambda: world.journal.named("ledger cannot be written"))
        first = asyncio.create_task(world.ledger.find("req-8"))
        given_up = asyncio.create_task(world.ledger.find("req-9"))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(StoreFault):
            await first
    assert record(1) == await world.ledger.find("req-1")


async def test_a_second_gateway_is_refused(tmp_path):
    """The ledger's file, too, has one gateway."""
    place = SqlitePlace(tmp_path / "a.db")
    async with opened(place):
        with pytest.raises(SetupFault, match="in use by another gateway"):
            async with opened(place):
                pass


async def test_two_gateways_share_a_ledger(postgres):
    """Both write into one database, and each finds what the other wrote."""
    place = PostgresPlace(postgres)
    async with opened(place) as one, opened(place) as other:
        for number in range(100):
            (one, other)[number % 2].ledger.append(record(number))
        await until(lambda: rows(place) == 100)
        assert record(1) == await one.ledger.find("req-1")
        assert record(0) == await other.ledger.find("req-0")


async def test_a_ledger_whose_server_is_away_takes_records_all_the_same(postgres):
    """They wait as in any outage, and are written into the tables that are made then."""
    place = PostgresPlace(postgres)
    async with AsyncExitStack() as stack:
        with place.away():
            world = await stack.enter_async_context(opened(place))
            world.ledger.append(record(1))
            await until(lambda: world.journal.named("ledger cannot be written"))
            assert record(1) == await world.ledger.find("req-1")
        world.clock.now += RETRY_SECONDS
        await until(lambda: world.journal.named("ledger is written again"))
        assert 1 == rows(place)


async def test_no_thread_is_left(ledger_place):
    """Closing ends the ledger's thread."""
    async with opened(ledger_place):
        assert "pinion-ledger" in {thread.name for thread in threading.enumerate()}
    assert "pinion-ledger" not in {thread.name for thread in threading.enumerate()}
