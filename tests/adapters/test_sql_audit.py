"""The audit trail in the store: one chain, whatever happens to its writers, and nothing recorded without it."""

import asyncio
import base64
import json
import resource
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event

import gateway
from gateway.adapters.sql_audit import append, pseudonym_in
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_epoch import wait_for_writers
from gateway.adapters.sql_store import SqlStore
from gateway.core.audit import GENESIS, Origin, Target, TreeHead
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import Overtaken, StoreFault
from gateway.core.plan import Plan
from gateway.core.recorded import ArmOut, ExperimentStart, RolloutEvent, RouteMove, ServedVersion
from gateway.core.rollout import rollback
from gateway.core.route_record import RouteRecord, ServeLine, reconcile
from tests.adapters.audit_trails import act, verdict_at, verdict_of, write
from tests.adapters.databases import PostgresPlace

pytestmark = pytest.mark.anyio

WRITER = Path(__file__).with_name("audit_trails.py")
ROOT = Path(gateway.__file__).parent.parent


@asynccontextmanager
async def opened(place):
    """A store at a place, closed at the end."""
    store = await SqlStore.open(place.url)
    try:
        yield store
    finally:
        await store.close()


async def told_by(store):
    """Everything that a store's trail tells, in order, as the values of its entries."""
    return [json.loads(told.entry.raw) for told in await store.trail.entries(0, 1000)]


def started(route="desk"):
    """The record of a route whose rollout has started, and its event."""
    asked = {"route": route, "rollout_from": None, "plan": Plan.default(), "now": 5.0, "new_id": f"{route}-1"}
    before = reconcile(None, line=ServeLine("1.0.0"), **asked).record
    after = reconcile(before, line=ServeLine("1.1.0"), **asked)
    return after.record, tuple(RolloutEvent(5.0, *told) for told in after.events)


async def test_a_new_store_has_no_trail(place):
    """Its chain begins with the first entry."""
    async with opened(place) as store:
        assert (None, ()) == (await store.trail.head(), await store.trail.entries(0, 10))
        await store.audit([])
        assert await store.trail.head() is None
        await store.audit([act()])
        (told,) = await store.trail.entries(0, 10)
        head = await store.trail.head()
        value = json.loads(told.entry.raw)
        assert (1, GENESIS, head.chain) == (value["seq"], value["prev"], value["chain"])
        assert TreeHead(value["chain"], 1, told.entry.hash) == head


async def test_hashes_are_read_alone(place):
    """In order, so many numbers at a time."""
    async with opened(place) as store:
        assert () == await store.trail.hashes(0, 10)
        await store.audit([act(number) for number in range(5)])
        hashes = tuple(told.entry.hash for told in await store.trail.entries(0, 10))
        assert (hashes, hashes[1:3], ()) == tuple(
            [await store.trail.hashes(*asked) for asked in ((0, 10), (1, 2), (5, 9))]
        )


async def test_names_and_reasons_are_beside_the_entries(place):
    """The same name has the same pseudonym, each reason a salt of its own, and both are given with the entry."""
    async with opened(place) as store:
        await store.audit([act(1), act(2), act(3, actor="bob", reason="")])
        first, second, third = await store.trail.entries(0, 10)
        assert ["ada", "ada", "bob"] == [told.actor.text for told in (first, second, third)]
        assert ["why", "why", None] == [told.reason and told.reason.text for told in (first, second, third)]
        assert first.actor.digest == second.actor.digest == pseudonym_in(first.entry.raw)
        assert first.reason.digest != second.reason.digest
        assert b'"ada"' not in first.entry.raw
        assert (second, third) == await store.trail.entries(1, 2)
        assert (third,) == await store.trail.entries(2, 1)


async def test_every_write_leaves_its_entries(place):
    """Moves, experiments, arms and versions, each once: what was known already is no new act."""
    record, events = started()
    arm = ArmOut("desk", "length", "1.1.0", "breaker", 4.0, {"failed": 3})
    experiment = ExperimentStart("desk", "length", 4.0, (("a", "1.0.0", 500_000),))
    version = ServedVersion("model", "gpt-4o", "2024-08-06", "d1")
    by = Origin("person", "operator", "token", "req-1", "ab" * 32)
    async with opened(place) as store:
        await store.record_routes([RouteMove(RouteRecord("new", "1.0.0", "1.0.0"))], acts=[act(action="policy.accept")])
        await store.record_routes([RouteMove(record, events, origin=by)])
        for _ in range(2):
            await store.record_experiment(experiment)
            await store.record_arm_out(arm)
            await store.record_served([version, replace(version, version="2"), version])
        told = await told_by(store)
        assert [
            "policy.accept",
            "route.deploy",
            "rollout.start",
            "experiment.start",
            "experiment.arm_out",
            "version.serve",
            "version.serve",
        ] == [each["action"] for each in told]
        start = told[2]
        assert {"kind": "person", "role_used": "operator", "auth": "token"} == {
            name: held for name, held in start["actor"].items() if name != "id"
        }
        assert ("req-1", "ab" * 32, "allowed") == (start["request_id"], start["policy_revision"], start["outcome"])
        assert (await verdict_of(store.trail)).is_whole


async def test_what_is_overtaken_or_refused_leaves_no_entry(place):
    """The entry is in the transaction of the change: neither is there without the other."""
    record, events = started()
    unwritable = replace(events[0].rollout, evidence={"cannot": object()})
    async with opened(place) as store:
        with pytest.raises(Overtaken):
            await store.record_routes([RouteMove(record, events, after=7)], acts=[act()])
        with pytest.raises(StoreFault):
            await store.record_routes([RouteMove(record, (RolloutEvent(1.0, "start", unwritable),))])
        assert await store.trail.head() is None


async def test_an_entry_alone_raises_no_epoch(place):
    """Nothing that a snapshot depends on has changed."""
    async with opened(place) as store:
        await store.audit([act()])
        await store.trail.keep_checkpoint(Checkpoint("log", 1, "00", "note"))
        assert 0 == await store.epoch()


TRIGGERS = {
    "sqlite": ["CREATE TRIGGER full BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'no space left'); END"],
    "postgresql": [
        "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space left'; END $$",
        "CREATE TRIGGER full_ BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION full_()",
    ],
}


@pytest.mark.parametrize("table", ["audit_entries", "audit_actors", "audit_texts", "audit_tree"])
async def test_where_the_entry_cannot_be_written_the_change_does_not_happen(place, table):
    """Whichever part of the trail there is no room for."""
    record, events = started()
    async with opened(place) as store:
        for statement in TRIGGERS[place.engine]:
            place.execute(statement.format(table))
        with pytest.raises(StoreFault, match="no space left"):
            await store.record_routes([RouteMove(record, events)])
        recorded = await store.recorded()
        assert (0, {}) == (recorded.epoch, recorded.routes)
        assert () == await store.history("desk", 10)


def test_on_a_full_disk_the_change_does_not_happen(tmp_path):
    """A file that can grow no further: the acknowledged writes are there with their entries, and no others."""
    script = (
        "import asyncio, resource, sys\n"
        "from gateway.adapters.sql_store import SqlStore\n"
        "from gateway.core.errors import StoreFault\n"
        "from gateway.core.ports import RouteMove\n"
        "from gateway.core.route_record import RouteRecord\n"
        "async def main():\n"
        "    store = await SqlStore.open(sys.argv[1])\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "    for number in range(10_000):\n"
        "        try:\n"
        "            await store.record_routes([RouteMove(RouteRecord(f'route-{number}', '1', '1'))])\n"
        "        except StoreFault as fault:\n"
        "            print(number, fault)\n"
        "            return\n"
        "asyncio.run(main())\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    url = f"sqlite:///{tmp_path}/a.db"
    command = [sys.executable, "-c", script, url]
    said = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True).stdout
    acknowledged = int(said.split()[0])

    async def check():
        store = await SqlStore.open(url)
        recorded, verdict = await store.recorded(), await verdict_of(store.trail, most=1000)
        await store.close()
        return len(recorded.routes), verdict

    routes, verdict = asyncio.run(check())
    assert acknowledged == routes == verdict.entries > 10
    assert verdict.is_whole


async def test_a_clock_that_goes_back_changes_nothing(place):
    """The time is what was recorded, the order is that of the numbers."""
    async with opened(place) as store:
        for at in (7200.0, 3600.0, 3600.5):
            await store.audit([replace(act(), at=at)])
        told = await told_by(store)
        assert ["02:00:00.000", "01:00:00.000", "01:00:00.500"] == [each["ts"][11:23] for each in told]
        assert (await verdict_of(store.trail)).is_whole


async def test_a_person_is_forgotten_and_the_chain_verifies(place):
    """Name, reasons and what rollouts tell of both are gone; that is an entry, and who returns is another."""
    record, events = started()
    out = rollback(events[0].rollout, "ada", "my own words", 9.0)
    after = record.moved(out)
    async with opened(place) as store:
        await store.record_routes([RouteMove(record, events)])
        await store.record_routes([RouteMove(after, (RolloutEvent(9.0, "rollback", out),), record.revision, record)])
        await store.audit([act(actor="bob", reason="mine")])
        before = await store.trail.head()
        assert 0 == await store.trail.forget("eve", act())
        assert before == await store.trail.head()
        assert 1 == await store.trail.forget("ada", act(actor="bob", action="audit.forget", target=Target("actor", "")))
        _, rolled_back, by_bob, forgotten = await store.trail.entries(0, 10)
        assert (None, None) == (rolled_back.actor, rolled_back.reason)
        assert ("bob", "mine") == (by_bob.actor.text, by_bob.reason.text)
        value = json.loads(forgotten.entry.raw)
        assert pseudonym_in(rolled_back.entry.raw) == value["target"]["id"]
        assert {"texts": "1", "rollout_events": "1"} == value["details"]
        newest, _ = await store.history("desk", 10)
        recorded = (await store.recorded()).routes["desk"]
        assert 2 * [("forgotten", "forgotten")] == [
            (each.actor, each.reason) for each in (newest.rollout, recorded.rollout)
        ]
        assert {"1.1.0": "rolled back: forgotten"} == recorded.out
        assert (await verdict_of(store.trail)).is_whole
        await store.audit([act(5)])
        assert pseudonym_in((await store.trail.entries(4, 1))[0].entry.raw) != value["target"]["id"]
        for table in ("audit_entries", "audit_actors", "audit_texts", "rollouts", "rollout_events", "routes"):
            assert "my own words" not in repr(place.execute(f"SELECT * FROM {table}"))  # noqa: S608 - a name of ours


async def test_of_a_rollout_that_went_on_nothing_else_is_touched(place):
    """Who forgot a person whose rollout is no longer why a version is out leaves that reason alone."""
    record, events = started()
    out = rollback(events[0].rollout, "ada", "words", 9.0)
    async with opened(place) as store:
        moved = replace(record.moved(out), out={})
        await store.record_routes([RouteMove(moved, (RolloutEvent(9.0, "rollback", out),))])
        assert 1 == await store.trail.forget("ada", act(actor="bob"))
        assert {} == (await store.recorded()).routes["desk"].out


async def test_checkpoints_are_kept_by_size(place):
    """The first of a size stands, and the greatest is the latest."""
    first, second = (Checkpoint("log", size, "00", f"note {size}") for size in (1, 2))
    async with opened(place) as store:
        await store.audit([act(1), act(2)])
        assert [True, True, False] == [await store.trail.keep_checkpoint(each) for each in (second, first, second)]
        assert (first, second) == await store.trail.checkpoints(0, 10)
        assert (first,) == await store.trail.checkpoints(0, 1)
        assert (second,) == await store.trail.checkpoints(1, 10)
        assert second == (await store.trail.head()).checkpoint


def patient(place):
    """A writer's own connection to a store; a file's lock, which is between processes, left aside."""
    database = Database.__new__(Database)
    if isinstance(place, PostgresPlace):
        return Database.open(place.url, "store")
    engine = create_engine(place.url, connect_args={"timeout": 60}, pool_size=1, max_overflow=0)

    def connected(connection, _record):
        connection.isolation_level = None

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    database._engine, database._is_ready = engine, True
    return database


@pytest.mark.untraced
def test_four_writers_leave_one_chain(place):
    """A thousand entries each, from threads with connections of their own: nothing forks, nothing is lost."""
    with closing(Database.open(place.url, "store")):
        pass
    faults = []

    def work(name):
        database = patient(place)
        try:
            write(database, name, 1_000, 10)
        except Exception as fault:  # noqa: BLE001 - told to the test's own thread
            faults.append(fault)
        finally:
            database._engine.dispose()

    threads = [threading.Thread(target=work, args=(f"writer-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == faults
    verdict = verdict_at(place)
    assert (4_000, ()) == (verdict.entries, verdict.findings)


@pytest.mark.untraced
def test_four_processes_leave_one_chain(postgres):
    """The same from processes, each with its own connection to a server."""
    place = PostgresPlace(postgres)
    with closing(Database.open(place.url, "store")):
        pass
    command = [sys.executable, str(WRITER), place.url]
    env = {"PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([*command, f"writer-{number}", "1000"], env=env) for number in range(4)]
    assert 4 * [0] == [writer.wait() for writer in writers]
    verdict = verdict_at(place)
    assert (4_000, ()) == (verdict.entries, verdict.findings)


def test_a_writer_killed_between_any_two_statements_leaves_a_whole_chain(place):
    """Before its first statement, before its commit, or anywhere between: what it had not committed is not there."""
    with closing(Database.open(place.url, "store")) as database:
        write(database, "first", 1)
    command = [sys.executable, str(WRITER), place.url, "killed", "1"]
    is_done = False
    for number in range(20):
        writer = subprocess.run(
            [*command, str(number)], env={"PYTHONPATH": str(ROOT)}, check=False, capture_output=True
        )
        is_done = writer.stdout == b"done\n"
        verdict = verdict_at(place)
        assert (1 + is_done, ()) == (verdict.entries, verdict.findings)
        if is_done:
            break
    assert is_done
    assert number > 5


def loosen(place):
    """What somebody would do first who tampers: take the constraints away."""
    if place.engine == "postgresql":
        for name in ("uq_audit_entries_seq", "uq_audit_entries_prev"):
            place.execute(f"ALTER TABLE audit_entries DROP CONSTRAINT {name}")
        return
    place.execute("CREATE TABLE loose AS SELECT * FROM audit_entries")
    place.execute("DROP TABLE audit_entries")
    place.execute("ALTER TABLE loose RENAME TO audit_entries")


COPY = (
    "INSERT INTO audit_entries (id, chain, seq, ts, bytes, hash, prev)"
    " SELECT id + 100, chain, seq, ts, bytes, hash, prev FROM audit_entries WHERE seq = 4"
)
TAMPERINGS = {
    "modified": (["UPDATE audit_entries SET bytes = (SELECT bytes FROM audit_entries WHERE seq = 5) WHERE seq = 4"], 4),
    "missing": (["DELETE FROM audit_entries WHERE seq = 4"], 4),
    "duplicated": ([COPY], 4),
    "truncated": (["DELETE FROM audit_entries WHERE seq > 7"], 8),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_each_tampering_is_told_by_its_name(place, kind):
    """And at its place, by the trail alone."""
    statements, seq = TAMPERINGS[kind]
    async with opened(place) as store:
        await store.audit([act(number) for number in range(10)])
        loosen(place)
        for statement in statements:
            place.execute(statement)
        (finding,) = (await verdict_of(store.trail)).findings
        expected = "duplicated" if kind == "modified" and "of entry 5" in finding.message else kind
        assert (expected, seq) == (finding.kind, finding.seq)


async def test_a_fork_is_told_by_its_name(place):
    """Two entries after one, as a second writer on the same chain would leave them."""
    async with opened(place) as store:
        await store.audit([act(number) for number in range(3)])
        tree = place.execute("SELECT chain, size, hash, edge FROM audit_tree")
        await store.audit([act(4)])
        loosen(place)
        place.execute("CREATE TABLE kept AS SELECT * FROM audit_texts")
        place.execute("DELETE FROM audit_texts")
        edge = tree[0][3] if isinstance(tree[0][3], str) else json.dumps(tree[0][3])
        place.execute(f"UPDATE audit_tree SET size = 3, hash = '{tree[0][2]}', edge = '{edge}'")  # noqa: S608
        await store.audit([act(5)])
        found = (await verdict_of(store.trail)).findings
        assert ("forked", 4) in [(finding.kind, finding.seq) for finding in found]


async def test_a_truncation_that_hides_itself_is_told_by_a_checkpoint(place):
    """Whoever cuts the end off and sets the tree back has no checkpoint from before."""
    async with opened(place) as store:
        await store.audit([act(number) for number in range(3)])
        short = place.execute("SELECT size, hash, edge FROM audit_tree")[0]
        await store.audit([act(number) for number in range(3, 6)])
        head = await store.trail.head()
        edge = short[2] if isinstance(short[2], str) else json.dumps(short[2])
        place.execute("DELETE FROM audit_entries WHERE seq > 3")
        place.execute(f"UPDATE audit_tree SET size = 3, hash = '{short[1]}', edge = '{edge}'")  # noqa: S608
        assert (await verdict_of(store.trail)).is_whole
        note = f"log\n6\n{_base64(head.root)}\n\n\u2014 log {_base64('00' * 68)}\n"
        (finding,) = (await verdict_of(store.trail, [Checkpoint("log", 6, head.root, note)])).findings
        assert ("truncated", 4) == (finding.kind, finding.seq)


def _base64(digits):
    return base64.b64encode(bytes.fromhex(digits)).decode()


async def test_the_database_refuses_a_second_entry_after_one(place):
    """Whatever a writer believes the last entry to be."""
    async with opened(place) as store:
        await store.audit([act(1), act(2)])
        first = place.execute("SELECT hash FROM audit_entries WHERE seq = 1")[0][0]
        place.execute(f"UPDATE audit_tree SET hash = '{first}'")  # noqa: S608
        with pytest.raises(StoreFault, match=r"UNIQUE|unique"):
            await store.audit([act(3)])


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b'{"actor": 3}'])
def test_bytes_of_somebody_else_name_nobody(raw):
    """An entry that Pinion did not write has no pseudonym."""
    assert pseudonym_in(raw) is None


def test_appending_costs_the_same_however_long_the_chain_is(place):
    """Only the edge of the tree is read, never the entries: as many statements at the end as at the beginning."""
    with closing(Database.open(place.url, "store")) as database:
        write(database, "ada", 1)
        statements = []
        event.listen(database._engine, "before_cursor_execute", lambda *_: statements.append(1))
        with database.transaction() as connection:
            wait_for_writers(connection)
            append(connection, [act(number) for number in range(300)])
        many = len(statements)
        write(database, "ada", 1)
        assert many == len(statements) - many
