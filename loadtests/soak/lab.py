"""The processes of a soak: databases, provider, gateway, generator; started here, ended by their own handles."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from loadtests.soak.plan import Pace, Plan
from loadtests.soak.reconciliation import Row
from tests.gateway_process import READY, inherited
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parent.parent.parent

KEY = "pin_soak"
START_SECONDS = 120
END_SECONDS = 60

SHARED = """\
kind: app
name: soak
keys: [{{sha256: {digest}}}]
---
kind: provider
name: numbered
dialect: openai
base_url: http://127.0.0.1:{port}/v1
max_connections: {connections}
timeouts: {{connect: 30s, first_byte: 60s, idle: 60s, total: 30m}}
---
kind: provider
name: breaking
dialect: openai
base_url: http://127.0.0.1:{port}/v1
timeouts: {{connect: 30s, first_byte: 60s, idle: 60s, total: 30m}}
---
kind: route
name: desk
releases: {{"1.0.0": {{model: numbered/atlas-large-2026-03-15}}}}
serve: "1.0.0"
---
kind: route
name: flaky
releases: {{"1.0.0": {{model: breaking/atlas-small-2026-03-15}}}}
serve: "1.0.0"
"""

SPARE = """\
kind: route
name: spare-{half}-{number}
releases: {{"1.0.0": {{model: numbered/atlas-large-2026-03-15}}}}
serve: "1.0.0"
"""

SPARES = 20
"""Routes that are there in every other policy set alone."""


class Failed(Exception):
    """A process of the soak that did not do what it was there for, with what it said last."""


def until(predicate: Callable[[], Any], within: float, what: str) -> Any:
    """Ask again and again until the answer is true, and give it.

    Raises:
        Failed: it is not within so many seconds.
    """
    end = time.monotonic() + within
    while not (answer := predicate()):
        if time.monotonic() > end:
            raise Failed(f"{what} within {within:.0f} s")
        time.sleep(0.02)
    return answer


def write_policies(folder: Path, port: int, version: int) -> None:
    """Write the policy set A or B, by turns: other routes beside the two, and another limit of connections."""
    half = "ab"[version % 2]
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    files = {
        "shared.yaml": SHARED.format(digest=digest, port=port, connections=5000 + version % 2),
        "spares.yaml": "---\n".join(SPARE.format(half=half, number=number) for number in range(SPARES)),
    }
    for name, text in files.items():
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)


@dataclass(slots=True)
class Generator:
    """The clients' process. `told` is what it said last, `lag` all that it said of its own lateness."""

    process: subprocess.Popen[str]
    told: dict[str, Any] = field(default_factory=dict)
    lag: list[float] = field(default_factory=list)
    number: int = 0

    def hear(self) -> None:
        """Take in what it tells, until it ends; in a thread of its own."""
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        for line in self.process.stdout:
            told = json.loads(line)
            self.lag.append(told["lag"])
            self.told, self.number = told, self.number + 1

    def say(self, **words: Any) -> None:
        """Tell it something.

        Raises:
            Failed: it has ended.
        """
        if self.process.stdin is None or self.process.poll() is not None:
            raise Failed(f"the generator has ended with {self.process.poll()}")
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def load(self, pace: Pace | None) -> None:
        """Have it load at a pace, or start nothing more."""
        self.say(pace=None if pace is None else pace.as_json())

    def drained(self) -> bool:
        """Whether it has nothing under way, as it says after its next two words."""
        return not self.told.get("open", 1)


@dataclass(slots=True)
class Lab:
    """All that runs. `version` is that of the policy set, `log` the gateway's."""

    folder: Path
    plan: Plan
    postgres: PostgresServer
    redis: RedisServer
    store: str
    provider_port: int
    gateway: subprocess.Popen[str]
    url: str
    admin_url: str
    generator: Generator
    version: int = 0

    @property
    def log(self) -> Path:
        """Where the gateway's log goes."""
        return self.folder / "gateway.log"

    @property
    def requests(self) -> Path:
        """Where the generator accounts for each request."""
        return self.folder / "requests.csv"

    def reload(self) -> None:
        """Rewrite the policy folder."""
        self.version += 1
        write_policies(self.folder / "policies", self.provider_port, self.version)

    def audit(self) -> str:
        """Say what `pinion audit verify` says of the trail."""
        command = [sys.executable, "-m", "gateway", "audit", "verify", "--json", "--admin-url", self.admin_url]
        done = subprocess.run(command, cwd=ROOT, env=inherited(), capture_output=True, text=True, check=False)  # noqa: S603
        try:
            return str(json.loads(done.stdout)["result"])
        except (ValueError, LookupError):
            return f"not verified: {(done.stderr or done.stdout).strip()[-200:]}"

    def end_gateway(self) -> int | None:
        """Have the gateway drain; give its exit code, or None for one that had to be killed."""
        self.gateway.send_signal(signal.SIGTERM)
        try:
            return self.gateway.wait(self.plan.drain_grace + END_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def end_generator(self) -> None:
        """Have the generator write its last line and end."""
        self.generator.say(end=True)
        self.generator.process.wait(END_SECONDS)

    def ledger(self) -> list[Row]:
        """Read every request of the ledger, once nothing writes to it any more."""
        with psycopg.connect(self.store) as connection:
            found = connection.execute("SELECT request_id, unit_digest, outcome FROM requests WHERE shadow_of IS NULL")
            return [Row(*row) for row in found]


@contextlib.contextmanager
def lab(folder: Path, plan: Plan) -> Iterator[Lab]:
    """Start everything in an empty folder; all of it has ended after the block, however that ends.

    Raises:
        Failed: something did not start.
    """
    with contextlib.ExitStack() as stack:
        postgres = PostgresServer()
        stack.callback(postgres.remove)
        postgres.start()
        redis = stack.enter_context(RedisServer())
        idle = ["-m", "loadtests.soak.upstream", "--idle", str(plan.idle)]
        provider = _started(stack, idle, folder / "provider.log")
        port = int(_line(provider, "the provider"))
        write_policies(folder / "policies", port, 0)
        store = postgres.new_database()
        gateway = _started(stack, _serve(folder, store, redis.url, plan), folder / "gateway.log")
        ready = READY.fullmatch(_line(gateway, "the gateway"))
        if ready is None:
            raise Failed(f"the gateway is not ready; see {folder / 'gateway.log'}")
        listening = ready["url"].rpartition(":")[2]
        told = ["-m", "loadtests.soak.generator", listening, KEY, str(folder / "requests.csv")]
        generator = Generator(_started(stack, told, folder / "generator.log"))
        hearing = threading.Thread(target=generator.hear, daemon=True)
        hearing.start()
        yield Lab(folder, plan, postgres, redis, store, port, gateway, ready["url"], ready["admin_url"], generator)


def _serve(folder: Path, store: str, fleet: str, plan: Plan) -> list[str]:
    return [
        *("-m", "gateway", "serve", "--policies", str(folder / "policies"), "--port", "0", "--admin-port", "0"),
        *("--store", store, "--store-copy", str(folder / "copy.json"), "--fleet", fleet),
        *("--workers", str(plan.workers), "--max-requests", "20000"),
        *("--drain-delay", "1s", "--drain-grace", f"{plan.drain_grace:.0f}s"),
    ]


def _started(stack: contextlib.ExitStack, arguments: list[str], log: Path) -> subprocess.Popen[str]:
    """Start a Python program, to be ended with the stack; what it logs goes to a file."""
    with log.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            [sys.executable, *arguments],
            cwd=ROOT,
            env=inherited(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, gently first; harmless when it has ended."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.kill(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _line(process: subprocess.Popen[str], what: str) -> str:
    """Give the first line that a process says.

    Raises:
        Failed: it says none in time.
    """
    found: list[str] = []
    stream = process.stdout
    if stream is None:
        raise Failed(f"{what} cannot be heard")
    reading = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
    reading.start()
    reading.join(START_SECONDS)
    if not found or not found[0]:
        raise Failed(f"{what} did not start; it ended with {process.poll()}")
    return found[0].rstrip("\n")
