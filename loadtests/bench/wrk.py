"""wrk, the closed-loop load generator: its script, its run on the load's core, and what it found."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench.installs import Found
from loadtests.bench.processes import LOAD_CORE
from loadtests.bench.questions import question, users
from loadtests.bench.setups import Address

MARK = "FOUND "
"""What the line with the figures begins with."""

TIMEOUT_SECONDS = 10
"""When wrk counts an answer as timed out."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many connections ask at once, with bodies of how many bytes, and whether for streams."""

    connections: int = 64
    body: int = 1024
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Harvest:
    """What one run brought in: finished requests, microseconds taken, latencies in microseconds, and what failed."""

    requests: int
    micros: int
    p50_us: int
    p99_us: int
    bytes_read: int
    not_2xx: int
    socket_errors: int
    timeouts: int

    @property
    def per_second(self) -> float:
        """Finished requests a second."""
        return self.requests / (self.micros / 1e6) if self.micros else 0.0

    @property
    def errors(self) -> int:
        """Everything that was not an answer with status 200 to 299."""
        return self.not_2xx + self.socket_errors + self.timeouts


class LoadFault(Exception):
    """A load generator that did not do its work."""


def script(requests: Path, count: int) -> str:
    """Write the Lua script: requests come prepared from a file, so that wrk's own share of the core stays small."""
    return f"""\
local prepared = {{}}
local at = 0

function init()
  local file = assert(io.open("{requests}", "rb"))
  for number = 1, {count} do
    local size = tonumber(file:read("*l"))
    prepared[number] = file:read(size)
  end
  file:close()
end

function request()
  at = at % {count} + 1
  return prepared[at]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{MARK}{{"requests":%d,"micros":%d,"p50_us":%d,"p99_us":%d,"bytes_read":%.0f,' ..
    '"not_2xx":%d,"socket_errors":%d,"timeouts":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), summary.bytes,
    failed.status, failed.connect + failed.read + failed.write, failed.timeout))
end
"""


def prepare(folder: Path, address: Address, load: Load) -> Path:
    """Write requests and script for one target below a folder; give the script's path."""
    folder.mkdir(parents=True, exist_ok=True)
    count = users(address, load.body)
    requests, lua = folder / "requests", folder / "load.lua"
    with requests.open("wb") as file:
        for number in range(count):
            asked = question(number, address, load.body, stream=load.stream)
            file.write(b"%d\n%b" % (len(asked), asked))
    lua.write_text(script(requests, count), encoding="utf-8")
    return lua


@contextlib.contextmanager
def loading(wrk: Found, lua: Path, address: Address, load: Load, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Run wrk while the block runs; `result` waits for what it found."""
    command = [
        *("taskset", "-c", str(LOAD_CORE), str(wrk.program), "--threads", "1", "--connections", str(load.connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(lua)),
        f"http://127.0.0.1:{address.port}",
    ]
    environment = {**os.environ, **wrk.environment}
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def result(process: subprocess.Popen[str], seconds: float) -> Harvest:
    """Wait for a run that takes about `seconds` and give what it found.

    Raises:
        LoadFault: It said nothing of use, or did not end.
    """
    try:
        told, _ = process.communicate(timeout=seconds + TIMEOUT_SECONDS + 10)
    except subprocess.TimeoutExpired as exc:
        raise LoadFault("wrk did not end in time") from exc
    return parse(told)


def parse(told: str) -> Harvest:
    """Read the line with the figures out of all that wrk printed.

    Raises:
        LoadFault: There is none.
    """
    for line in told.splitlines():
        if line.startswith(MARK):
            return Harvest(**json.loads(line.removeprefix(MARK)))
    raise LoadFault(f"wrk gave no figures: {' '.join(told.split())[:300]}")
