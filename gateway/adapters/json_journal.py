"""The structured log: one JSON object a line, written beside the serving loop."""

import logging
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from gateway.adapters.log_values import rendered

_BATCH = 1_000
_STOP = b""
_TAKEN = frozenset({"event", "timestamp", "self"})


class JsonJournal:
    """The port `Journal`, over structlog: JSON lines with `timestamp`, `level`, `event` and the fields.

    The caller pays for rendering; a thread writes. Lines wait in a bounded queue: one for which there is no room, or
    which the stream refuses, is dropped and counted, and a line that says how many are missing follows.
    """

    def __init__(self, stream: BinaryIO | None = None, capacity: int = 10_000) -> None:
        """`stream` takes bytes, standard error if left out; `capacity` is in lines."""
        self._stream = sys.stderr.buffer if stream is None else stream
        self._queue: queue.Queue[bytes] = queue.Queue(capacity)
        self._missing = 0
        self._lock = threading.Lock()
        self._closed = False
        self._logger = _logger(self._put)
        self._thread = threading.Thread(target=self._run, name="pinion-journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"JsonJournal({self._queue.qsize()} lines waiting, {self._missing} missing)"

    def event(self, name: str, /, *, level: str = "info", **fields: Any) -> None:
        """Write an event, never waiting. `level` is info, warning or error; anything else is an error.

        A field with a name that the line itself uses (`event`, `timestamp`) gets an underscore behind it.
        """
        renamed = {f"{key}_" if key in _TAKEN else key: value for key, value in fields.items()}
        match level:
            case "info":
                self._logger.info(name, **renamed)
            case "warning":
                self._logger.warning(name, **renamed)
            case _:
                self._logger.error(name, **renamed)

    def close(self, patience: float = 2.0) -> None:
        """Write what waits, giving a stream that takes nothing `patience` seconds. Events after that are lost."""
        if self._closed:
            return
        self._closed = True
        try:
            self._queue.put(_STOP, timeout=patience)
        except queue.Full:
            return  # the stream hangs; the thread is a daemon and ends with the process
        self._thread.join(patience)

    def _put(self, line: bytes) -> None:
        if self._closed:
            return
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._miss(1)

    def _miss(self, count: int) -> None:
        with self._lock:  # the callers and the thread both count
            self._missing += count

    def _run(self) -> None:
        running = True
        while running:
            lines = [self._queue.get()]
            while len(lines) < _BATCH and not self._queue.empty():
                lines.append(self._queue.get_nowait())
            running = lines[-1] != _STOP
            self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        with self._lock:
            missing, self._missing = self._missing, 0
        lost = missing + sum(line != _STOP for line in lines)
        if missing:
            _logger(lines.append).warning("log lines dropped", count=missing)
        try:
            self._stream.write(b"".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # a broken pipe, a full disk, a closed file
            self._miss(lost)


class _Lines:
    """Where structlog's chain ends: a line, whatever its level, goes to one function."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self.info = self.warning = self.error = put


def _logger(put: Callable[[bytes], None]) -> FilteringBoundLogger:
    """A structlog logger of our own making, which other settings of structlog in the process do not touch."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _Lines(put),
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper("iso"), _line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        context_class=dict,
    )
    return logger


def _line(_logger: WrappedLogger, _level: str, fields: EventDict) -> bytes:
    """The last processor of the chain: the line's own fields first, then the event's."""
    head = {"timestamp": fields.pop("timestamp"), "level": fields.pop("level"), "event": fields.pop("event")}
    return rendered({**head, **fields})
