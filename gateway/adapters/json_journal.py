"""The structured log: one JSON object a line, written beside the serving loop."""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from select import PIPE_BUF
from typing import Any, BinaryIO

import orjson

from gateway.adapters.log_values import rendered
from gateway.core.record import Record

PACE_SECONDS = 0.05
"""How long lines gather before they are written together: a thread woken for each would take the loop's time."""

_LEVELS = frozenset(("info", "warning", "error"))
_Event = tuple[int, str, str, dict[str, Any]] | tuple[int, Record, str]
"""What waits to be written: the time in billionths of a second, then name, level and fields, or record and message."""

_TAKEN = frozenset(("event", "timestamp", "level", "self"))


class JsonJournal:
    """The port `Journal`: JSON lines with `timestamp`, `level`, `event` and the fields.

    A thread renders and writes, many at a time. Events wait in a bounded queue: one for which there is no room, or
    which the stream refuses, is dropped and counted, and a line that says how many are missing follows.
    """

    def __init__(self, stream: BinaryIO | None = None, capacity: int = 10_000) -> None:
        """`stream` takes bytes, standard error if left out; `capacity` is in lines."""
        self._stream = sys.stderr.buffer if stream is None else stream
        self._capacity = capacity
        self._events: deque[_Event] = deque()
        self._missing = 0
        self._lock = threading.Lock()
        self._waiting = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pinion-journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"JsonJournal({len(self._events)} lines waiting, {self._missing} missing)"

    def event(self, name: str, /, *, level: str = "info", **fields: Any) -> None:
        """Write an event, never waiting. `level` is info, warning or error; anything else is an error.

        A field with a name that the line itself uses (`event`, `timestamp`) gets an underscore behind it.
        """
        self._put((time.time_ns(), name, level if level in _LEVELS else "error", fields))

    def request(self, record: Record, message: str) -> None:
        """Write how a request ended, never waiting."""
        self._put((time.time_ns(), record, message))

    def close(self, patience: float = 2.0) -> None:
        """Write what waits, giving a stream that takes nothing `patience` seconds. Events after that are lost."""
        self._closing.set()
        self._waiting.set()
        self._thread.join(patience)  # where the stream hangs, the thread is a daemon and ends with the process

    def _put(self, event: "_Event") -> None:
        if self._closing.is_set():
            return
        if len(self._events) >= self._capacity:
            self._miss(1)
            return
        self._events.append(event)
        if not self._waiting.is_set():
            self._waiting.set()

    def _miss(self, count: int) -> None:
        with self._lock:  # the callers and the thread both count
            self._missing += count

    def _run(self) -> None:
        while not self._closing.is_set():
            self._waiting.wait()
            self._closing.wait(PACE_SECONDS)
            self._waiting.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        lines = [_rendered(self._events.popleft()) for _ in range(len(self._events))]
        with self._lock:
            missing, self._missing = self._missing, 0
        lost = missing + len(lines)
        if missing:
            lines.append(_line(time.time_ns(), "log lines dropped", "warning", {"count": missing}))
        for together in _pieces(lines):
            try:
                self._stream.write(b"".join(together))
                self._stream.flush()
            except (OSError, ValueError):  # a broken pipe, a full disk, a closed file
                self._miss(lost)
                return
            lost -= len(together)


def _pieces(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Lines in pieces of what a pipe takes as a whole, so that those of workers, who share one, stay apart."""
    together: list[bytes] = []
    size = 0
    for line in lines:
        if together and size + len(line) > PIPE_BUF:
            yield together
            together, size = [], 0
        together.append(line)
        size += len(line)
    if together:
        yield together


def _rendered(event: _Event) -> bytes:
    """An event as a line."""
    if len(event) == 4:
        return _line(*event)
    at, record, message = event
    if message:
        return _line(at, "request", "info", {**record.summary(), "message": message})
    fields = {"timestamp": _timestamp(at), "level": "info", "event": "request", **record.summary()}
    try:
        return orjson.dumps(fields) + b"\n"  # names of the registry, ids, digests, numbers: nothing to be looked for
    except orjson.JSONEncodeError:
        return rendered(fields)


def _line(at: int, name: str, level: str, fields: dict[str, Any]) -> bytes:
    """The line's own fields first, then the event's; `at` is in billionths of a second since the epoch."""
    if not _TAKEN.isdisjoint(fields):
        fields = {f"{key}_" if key in _TAKEN else key: value for key, value in fields.items()}
    return rendered({"timestamp": _timestamp(at), "level": level, "event": name, **fields})


def _timestamp(at: int) -> str:
    """A time as ISO 8601, in UTC and microseconds."""
    seconds, nanos = divmod(at, 1_000_000_000)
    return f"{_second(seconds)}.{nanos // 1000:06d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    """A second since the epoch, written out; many lines fall into the same one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
