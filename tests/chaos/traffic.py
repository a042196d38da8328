"""The ledger of a chaos run's applications: what was sent, answered, refused and cut, request by request."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.chaos.client import Plan
from tests.gateway_process import inherited, wait_until

ROOT = Path(__file__).parents[2]
FAILED = frozenset(("unreachable", "unanswered", "cut", "stalled", "error"))
"""How a request ends that nobody has given a whole answer, nor refused."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One request as it ended. `at` is when it was sent, in wall seconds; `first` and `seconds` are durations.

    `ending` is `whole`, `refused` (a whole answer with another status than 200), or one of `FAILED`: no connection, no
    byte, cut short, nobody answers, or an error told in the stream.
    """

    at: float
    target: int
    route: str
    stream: bool
    status: int
    release: str
    retry_after: bool
    first: float
    seconds: float
    ending: str
    said: str

    @property
    def ended(self) -> float:
        """When it ended, in wall seconds."""
        return self.at + self.seconds


def percentile(values: Iterable[float], percent: float) -> float:
    """Give a percentile; 0 without any."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * percent / 100))] if found else 0.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """Requests that have ended."""

    requests: Sequence[Ended]

    def where(self, wanted: Callable[[Ended], bool]) -> "Ledger":
        """Those of them."""
        return Ledger([each for each in self.requests if wanted(each)])

    def sent(self, begin: float, end: float = float("inf")) -> "Ledger":
        """Those that were sent between two moments of the wall clock."""
        return self.where(lambda each: begin <= each.at < end)

    def count(self, *endings: str) -> int:
        """How many ended so."""
        return sum(each.ending in endings for each in self.requests)

    @property
    def failed(self) -> int:
        """How many were neither answered whole nor refused."""
        return self.count(*FAILED)

    @property
    def not_whole(self) -> int:
        """How many were not answered as they should be."""
        return len(self.requests) - self.count("whole")

    def p99_ms(self) -> float:
        """The 99th percentile of the time to the first byte of a body, in milliseconds."""
        return percentile((each.first for each in self.requests), 99) * 1000

    def told(self) -> str:
        """In words: how many there were, and how those ended that were not answered whole."""
        endings = Counter(
            f"{each.ending} {each.status}" if each.ending == "refused" else each.ending for each in self.requests
        )
        others = ", ".join(f"{count} {name}" for name, count in sorted(endings.items()) if name != "whole")
        return f"{len(self.requests)} requests, {others or '0 failed'}"


class Traffic:
    """A client process that sends by a plan for the length of a `with` block; what has ended is in `ledger`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._ended: list[Ended] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.chaos.client", json.dumps(asdict(self.plan))]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=inherited(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self._thread = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._thread.start()
        wait_until(lambda: self._ended or self._process.poll() is not None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(self.plan.patience + 30)
        self._thread.join(10)

    @property
    def ledger(self) -> Ledger:
        """What has ended so far."""
        return Ledger(list(self._ended))

    def since(self, moment: float) -> Ledger:
        """What was sent since a moment of the wall clock and has ended."""
        return self.ledger.sent(moment)

    def flow(self, seconds: float) -> Ledger:
        """Let it go on for so long; give what was sent in that time and has ended."""
        began = time.time()
        time.sleep(seconds)
        return self.since(began)

    def _read(self, process: subprocess.Popen[str]) -> None:
        with process.stdout as lines:
            for line in lines:
                self._ended.append(Ended(**json.loads(line)))
