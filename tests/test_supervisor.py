"""The supervisor, by workers that are small programs: they note what they are told, and do as the test has it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.core.errors import SetupFault
from gateway.settings import Settings
from gateway.supervisor import Supervisor, check_workers
from tests.gateway_process import wait_until

pytestmark = pytest.mark.anyio

STORE = "postgresql://pinion@db/pinion"

WORKER = """
import os, signal, sys, time
from pathlib import Path
from gateway.adapters.worker_place import WorkerPlace

folder, place = Path(sys.argv[1]), WorkerPlace.of(os.environ)

def note(text):
    with (folder / "notes").open("a") as notes:
        notes.write(f"{place.index} {text}\\n")

note(f"pid {os.getpid()}")
if (folder / f"broken-{place.index}").exists():
    sys.exit(1)
while (folder / "slow").exists():
    time.sleep(0.01)
place.ready("pinion ready")
for line in place.line.makefile():
    word = line.strip()
    note(word)
    if word != "reload" and not (folder / "stubborn").exists():
        sys.exit(0)
"""


@dataclass
class Watched:
    """A running supervisor, what it has said, and what its workers have noted in a folder."""

    supervisor: Supervisor
    folder: Path
    said: list[str] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    def notes(self) -> list[str]:
        """Every note so far, each with its worker's index."""
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def pids(self, index: int) -> list[int]:
        """The processes of a worker, in the order in which they were started."""
        return [int(note.split()[2]) for note in self.notes() if note.startswith(f"{index} pid ")]

    async def until(self, predicate) -> None:
        """Wait until something is so."""
        await asyncio.to_thread(wait_until, predicate)

    async def ready(self) -> None:
        """Wait until all are ready."""
        await self.until(lambda: self.said)

    async def ended(self) -> None:
        """Wait until it has ended."""
        await asyncio.wait_for(self.running, 60)


@asynccontextmanager
async def supervised(folder: Path, count: int = 2, program=None, **given) -> AsyncIterator[Watched]:
    """A supervisor of small programs, stopped at the end."""
    settings = Settings(port=0, admin_port=0, store=STORE)
    program = program or [sys.executable, "-c", WORKER, str(folder)]
    watched = Watched(Supervisor(settings, count, program, **given), folder)
    watched.running = asyncio.ensure_future(watched.supervisor.run(watched.said.append))
    try:
        yield watched
    finally:
        if not watched.running.done():
            watched.supervisor.stop()
            await watched.ended()


REFUSED = {
    "a file": (
        {"store": "sqlite:///pinion.db"},
        "--workers 3: a SQLite file has one gateway; give the workers a database with --store postgresql://",
    ),
    "development": (
        {"dev": True},
        "--dev lets versions change, which workers do one after another; leave --workers at",
    ),
    "no ports": ({"admin_port": 65_534}, "--admin-port 65534 leaves no ports for 3 workers; choose a lower one"),
    "what one gateway refuses": ({"tls_key": Path("k")}, "--tls-cert and --tls-key belong together; give both"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_workers_cannot_share_is_refused(case):
    """In one line that says what to do."""
    given, said = REFUSED[case]
    with pytest.raises(SetupFault, match=f"^{said}") as raised:
        check_workers(Settings(**{"store": STORE, **given}), 3)
    assert "\n" not in raised.value.message


async def test_other_settings_are_accepted():
    """The last port of all, too."""
    check_workers(Settings(store=STORE, admin_port=65_533), 3)


async def test_it_announces_once_that_all_are_ready_and_drains_them(tmp_path):
    """The first is ready before the second is started; each is told to reload, and to drain."""
    async with supervised(tmp_path, 3) as watched:
        await watched.ready()
        assert ["pinion ready, 3 workers"] == watched.said
        assert watched.notes()[0].startswith("0 pid ")
        watched.supervisor.reload()
        await watched.until(lambda: {"0 reload", "1 reload", "2 reload"} <= set(watched.notes()))
        watched.supervisor.stop()
        await watched.ended()
        assert {"0 drain", "1 drain", "2 drain"} <= set(watched.notes())
        assert [1, 1, 1] == [len(watched.pids(index)) for index in range(3)]


async def test_signals_tell_it(tmp_path, capfd):
    """SIGHUP reloads, SIGUSR2 replaces, SIGTERM drains."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        os.kill(os.getpid(), signal.SIGHUP)
        await watched.until(lambda: {"0 reload", "1 reload"} <= set(watched.notes()))
        os.kill(os.getpid(), signal.SIGUSR2)
        await watched.until(lambda: {"0 retire", "1 retire"} <= set(watched.notes()))
        os.kill(os.getpid(), signal.SIGTERM)
        await watched.ended()
    assert "worker_ended" in capfd.readouterr().err


async def test_a_worker_that_dies_is_started_again_and_the_others_are_left_alone(tmp_path, capfd):
    """The log says by what it died, and when it is back; a death soon after is waited out longer."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        os.kill(watched.pids(1)[0], signal.SIGKILL)
        await watched.until(lambda: 2 == len(watched.pids(1)))
        (tmp_path / "broken-1").touch()
        os.kill(watched.pids(1)[1], signal.SIGKILL)
        await watched.until(lambda: 4 == len(watched.pids(1)))
        (tmp_path / "broken-1").unlink()
        await watched.until(lambda: watched.supervisor._posts[1].worker.state == "ready")
        assert 1 == len(watched.pids(0))
    log = capfd.readouterr().err
    assert 2 <= log.count('"signal":"SIGKILL"')
    assert '"event":"worker_ended","worker":1' in log
    assert '"exit_code":1' in log
    assert '"event":"worker_restarted","worker":1' in log


async def test_a_stop_does_not_wait_for_a_worker_to_be_started_again(tmp_path):
    """Nobody is to be started any more."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        (tmp_path / "broken-1").touch()
        os.kill(watched.pids(1)[0], signal.SIGKILL)
        await watched.until(lambda: watched.supervisor._posts[1].worker.deaths > 4)
        started = len(watched.pids(1))
        watched.supervisor.stop()
        await watched.ended()
        assert started == len(watched.pids(1))


async def test_what_keeps_all_from_starting_is_said_by_the_first(tmp_path):
    """The others are not even started, and the end says how it ended."""
    (tmp_path / "broken-0").touch()
    async with supervised(tmp_path) as watched:
        with pytest.raises(SetupFault, match=r"^worker 0 does not start: it ended with exit code 1; what it said is"):
            await watched.ended()
        assert ([], []) == (watched.said, watched.pids(1))


async def test_at_the_beginning_each_must_start(tmp_path):
    """Else those that serve drain, and nothing was announced."""
    (tmp_path / "broken-1").touch()
    async with supervised(tmp_path) as watched:
        with pytest.raises(SetupFault, match=r"^worker 1 does not start: it ended with exit code 1"):
            await watched.ended()
        assert ([], True) == (watched.said, "0 drain" in watched.notes())


async def test_a_program_that_cannot_be_run_is_a_fault(tmp_path):
    """It says why."""
    async with supervised(tmp_path, program=["/no/such/program"]) as watched:
        with pytest.raises(SetupFault, match=r"^worker 0 does not start: its process cannot be started: No such file"):
            await watched.ended()


async def test_a_stop_while_it_starts_ends_it(tmp_path):
    """There is nothing to drain yet, and nothing is announced."""
    (tmp_path / "slow").touch()
    async with supervised(tmp_path) as watched:
        await watched.until(lambda: watched.pids(0))
        watched.supervisor.stop()
        await watched.ended()
        assert ([], []) == (watched.said, watched.pids(1))


async def test_told_twice_it_hurries_and_kills_what_does_not_heed(tmp_path, capfd):
    """However often it is said then."""
    async with supervised(tmp_path, patience=0.1) as watched:
        await watched.ready()
        (tmp_path / "stubborn").touch()
        watched.supervisor.stop()
        await watched.until(lambda: {"0 drain", "1 drain"} <= set(watched.notes()))
        watched.supervisor.stop()
        watched.supervisor.stop()
        await watched.ended()
        assert {"0 hurry", "1 hurry"} <= set(watched.notes())
    assert 2 == capfd.readouterr().err.count('"signal":"SIGKILL"')


async def test_workers_are_replaced_one_after_another(tmp_path, capfd):
    """Each new one is there before the old one is told to leave; asked again meanwhile, it is done once."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        watched.supervisor.roll()
        watched.supervisor.roll()
        await watched.until(watched.supervisor._rolling.done)
        told = [note if "pid" not in note else note[:5] for note in watched.notes()[2:]]
        assert ["0 pid", "0 retire", "1 pid", "1 retire"] == told
        watched.supervisor.stop()
        await watched.ended()
        assert [2, 2] == [len(watched.pids(index)) for index in range(2)]
    assert '"event":"workers_replaced"' in capfd.readouterr().err


async def test_a_worker_that_cannot_be_replaced_goes_on(tmp_path, capfd):
    """And those behind it; the log says so."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        (tmp_path / "broken-0").touch()
        watched.supervisor.roll()
        await watched.until(watched.supervisor._rolling.done)
        watched.supervisor._program = ["/no/such/program"]
        watched.supervisor.roll()
        await watched.until(watched.supervisor._rolling.done)
        assert not any("retire" in note for note in watched.notes())
        assert [2, 1] == [len(watched.pids(index)) for index in range(2)]
    assert 2 == capfd.readouterr().err.count('"event":"workers_not_replaced","worker":0')


async def test_a_worker_that_dies_while_its_successor_starts_is_started_again_all_the_same(tmp_path):
    """There is one process in its place in the end, and one that is being started anew is not replaced."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        (tmp_path / "slow").touch()
        watched.supervisor.roll()
        await watched.until(lambda: 2 == len(watched.pids(0)))
        os.kill(watched.pids(0)[0], signal.SIGKILL)
        os.kill(watched.pids(1)[0], signal.SIGKILL)
        await watched.until(lambda: (3, 2) == (len(watched.pids(0)), len(watched.pids(1))))
        (tmp_path / "slow").unlink()
        await watched.until(watched.supervisor._rolling.done)
        await watched.until(lambda: all(post.worker.state == "ready" for post in watched.supervisor._posts))
        await watched.until(lambda: len(watched.supervisor._processes) == 2)


async def test_a_stop_while_a_successor_starts_ends_both(tmp_path, capfd):
    """Not having replaced a worker is then nobody's fault."""
    async with supervised(tmp_path) as watched:
        await watched.ready()
        (tmp_path / "slow").touch()
        watched.supervisor.roll()
        await watched.until(lambda: 2 == len(watched.pids(0)))
        watched.supervisor.stop()
        await watched.ended()
    assert "workers_not_replaced" not in capfd.readouterr().err
