"""A real gateway for end-to-end tests: `pinion serve` as a process, before a simulated provider in this one."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx2

from gateway.simulator.server import Running, running

TLS = ssl.create_default_context()
"""One for all requests: to make one, as each would for itself, takes longer than the request."""

SERVE = ("-m", "gateway", "serve")

START_SECONDS = 90.0
STOP_SECONDS = 60.0

READY = re.compile(
    r"pinion (?P<version>\S+) ready(?P<dev> \(dev\))?: (?P<routes>\d+) routes"
    r" on (?P<url>https?://\S+), operations on (?P<admin_url>http://\S+?)(?:, \d+ workers)?"
)

SIMULATOR = "SIMULATOR_URL"
"""Stands for the simulator's URL in policy files."""

PROVIDERS = f"""
kind: provider
name: openai
dialect: openai
base_url: {SIMULATOR}/v1
credential: {{env: OPENAI_API_KEY}}
---
kind: provider
name: anthropic
dialect: anthropic
base_url: {SIMULATOR}
credential: {{env: ANTHROPIC_API_KEY}}
"""

STEADY = """
kind: route
name: support
releases: {"1.0.0": {model: openai/gpt-4o-2024-08-06}}
serve: "1.0.0"
---
kind: route
name: drafts
releases: {"1.0.0": {model: anthropic/claude-sonnet-4-5-20250929}}
serve: "1.0.0"
"""

SAMPLE: Mapping[str, str] = {"providers.yaml": PROVIDERS, "routes.yaml": STEADY}
"""Two routes that serve one release each: `support` on the OpenAI wire, `drafts` on Anthropic's."""

CREDENTIALS: Mapping[str, str] = {"OPENAI_API_KEY": "sk-upstream-openai", "ANTHROPIC_API_KEY": "sk-upstream-anthropic"}


def wait_until(predicate: Callable[[], Any], within: float = 60.0) -> Any:
    """Ask again and again until the answer is true, and give it.

    Raises:
        TimeoutError: it is not within `within` seconds.
    """
    until = time.monotonic() + within
    while not (answer := predicate()):
        if time.monotonic() > until:
            raise TimeoutError(f"{getattr(predicate, '__name__', predicate)} stays false after {within} s")
        time.sleep(0.02)
    return answer


@dataclass
class GatewayProcess:
    """A running `pinion serve`.

    `log` grows with its standard error, line by line, `said` with its standard output; `policies` is its folder.
    """

    process: subprocess.Popen[str]
    policies: Path
    store: str
    url: str = ""
    admin_url: str = ""
    token: str | None = None
    simulator: Running | None = None
    log: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The structured log so far, as objects: all events, or those of one name."""
        read = [json.loads(line) for line in list(self.log) if line.startswith("{")]
        return [event for event in read if name in (None, event.get("event"))]

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """What the operations API answers below `/admin/v1/`, with the operator token where there is one.

        Raises:
            httpx2.HTTPStatusError: it refuses.
        """
        headers = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        url = f"{self.admin_url}/admin/v1/{path}"
        return httpx2.request(method, url, headers=headers, timeout=10, verify=TLS, **options).raise_for_status().json()

    def status(self) -> dict[str, Any]:
        """What `/admin/v1/status` answers."""
        return self.ask("GET", "status")

    def route(self, name: str) -> dict[str, Any]:
        """One route of the status."""
        return next(route for route in self.status()["routes"] if route["route"] == name)

    def act(self, verb: str, route: str, **wanted: Any) -> dict[str, Any]:
        """Carry out a verb on a route's rollout and give the answer."""
        return self.ask("POST", f"rollouts/{route}/{verb}", json=wanted)

    def metrics(self) -> str:
        """What `/metrics` answers, as text."""
        return httpx2.get(f"{self.admin_url}/metrics", timeout=60, verify=TLS).raise_for_status().text

    def write(self, **files: str) -> None:
        """Write policy files, each `name=text` to NAME.yaml, in one move each, as editors do."""
        write_policies(self.policies, {f"{name}.yaml": text for name, text in files.items()}, self.simulator)

    def stop(self, within: float = STOP_SECONDS) -> int:
        """Have it drain, and give its exit code once all it said is collected. Stopped already, the same.

        Raises:
            TimeoutError: it has not ended within `within` seconds; it is killed.
        """
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.ended(within)
        finally:
            for thread in self.threads:
                thread.join(5)

    def ended(self, within: float = STOP_SECONDS) -> int:
        """The exit code, once the process has ended.

        Raises:
            TimeoutError: it has not within `within` seconds; it is killed, and what it was doing is told.
        """
        return ended(self.process, self.log, within)


def ended(process: subprocess.Popen[str], heard: Sequence[str], within: float) -> int:
    """Give a process's exit code once it has ended; `heard` grows with what it says.

    Raises:
        TimeoutError: it has not ended within `within` seconds. It is killed with SIGABRT, on which a Python that runs
            with PYTHONFAULTHANDLER says where each of its threads is.
    """
    try:
        return process.wait(within)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()
        time.sleep(0.2)
        raise TimeoutError(f"the process did not end within {within} s:\n{''.join(heard)}") from None


def write_policies(folder: Path, files: Mapping[str, str], simulator: Running | None = None) -> None:
    """Write policy files into a folder, with the simulator's URL where its stand-in is; each appears whole."""
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.new")
        new.write_text(text if simulator is None else text.replace(SIMULATOR, simulator.url), encoding="utf-8")
        new.replace(target)


@contextmanager
def running_gateway(
    tmp_path: Path,
    files: Mapping[str, str] | None = None,
    *args: str,
    env: Mapping[str, str] | None = None,
    simulator: Running | None = None,
    behaviour: Mapping[str, Any] | None = None,
    program: Sequence[str] = SERVE,
) -> Iterator[GatewayProcess]:
    """Run a gateway on policy files for the length of a `with` block.

    `files` (name to text, `SAMPLE` if left out) are written to tmp_path/policies; called again in the same `tmp_path`,
    the gateway finds its store again. `args` are more options of `pinion serve`, `env` more of its environment; the
    credentials that `SAMPLE` names are there. A simulator with `behaviour` is started unless one is given. `program` is
    as of `started`.

    Raises:
        RuntimeError: the gateway ends, or says something else, instead of being ready.
    """
    folder = tmp_path / "policies"
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        provider = simulator or stack.enter_context(running(behaviour=behaviour))
        write_policies(folder, SAMPLE if files is None else files, provider)
        store = f"sqlite:///{tmp_path / 'pinion.db'}"
        found = started(folder, store, *args, env=env, program=program)
        found.simulator = provider
        try:
            yield found
        finally:
            found.stop()


def started(
    policies: Path,
    store: str,
    *args: str,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = SERVE,
) -> GatewayProcess:
    """Start a gateway on free ports and wait until it is ready. It is the caller's to stop.

    `program` is what of Python it is: `pinion serve`, or another that takes the same options.

    Raises:
        RuntimeError: it ends, or says something else.
    """
    free = ["--port", "0", "--admin-port", "0", "--drain-delay", "0s"]
    command = [sys.executable, *program, "--policies", str(policies), "--store", store, *free, *args]
    process = subprocess.Popen(
        command,
        env={**inherited(), **CREDENTIALS, "PYTHONFAULTHANDLER": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    found = GatewayProcess(process, policies, store, token=(env or {}).get("PINION_ADMIN_TOKEN"))
    found.threads = [_collected(process.stdout, found.said), _collected(process.stderr, found.log)]
    try:
        ready = _ready(found)
    except BaseException:
        process.kill()
        found.stop()
        raise
    found.url, found.admin_url = ready["url"], ready["admin_url"]
    return found


def _ready(found: GatewayProcess) -> re.Match[str]:
    """Wait for the line that tells where the gateway is."""
    wait_until(lambda: found.said or found.process.poll() is not None, START_SECONDS)
    if found.said and (line := READY.fullmatch(found.said[0].rstrip("\n"))):
        return line
    raise RuntimeError(f"the gateway is not ready but said {found.said} and logged:\n{''.join(found.log)}")


def inherited() -> dict[str, str]:
    """This environment without what would configure a gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PINION_")}


def _collected(stream: IO[str] | None, lines: list[str]) -> threading.Thread:
    """Collect a stream's lines in a thread, until it ends."""

    def collect() -> None:
        with stream:
            for line in stream:
                lines.append(line)  # noqa: PERF402 - each line as soon as it comes, for who looks meanwhile

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    return thread
