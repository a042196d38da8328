"""The last known record of the store, in a file of its own, for a start while the store is away."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from gateway.adapters.store_rows import recorded_from, rows_of
from gateway.core.ports import Journal
from gateway.core.recorded import Recorded

FORMAT = 4

_DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a file may raise that is not what Pinion wrote."""


class NoCopy:
    """The port `RecordedCopy` where the store itself is a file on this machine: keeps nothing."""

    def keep(self, recorded: Recorded) -> None:
        """Keep nothing."""

    def read(self) -> Recorded | None:
        """Give nothing."""
        return None


class RecordedCopyFile:
    """The port `RecordedCopy`, over a file that is replaced as a whole, so that a crash leaves the old or the new one.

    Both calls wait for the disk: make them beside the serving loop. They may come from several threads.
    """

    def __init__(self, path: Path, journal: Journal, store: str) -> None:
        """`path` is the file; its folder must be there by the time something is kept. `store` names what it is of."""
        self._path = path
        self._store = store
        self._journal = journal
        self._kept_epoch: int | None = None
        self._is_failing = False
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"RecordedCopyFile({str(self._path)!r})"

    def keep(self, recorded: Recorded) -> None:
        """Keep a record in place of the one before, unless it is of the same epoch."""
        with self._one_at_a_time:
            if recorded.epoch == self._kept_epoch:
                return
            try:
                _replace(self._path, _written(recorded, self._store))
            except (OSError, *_DAMAGE) as error:
                if not self._is_failing:  # it is tried again every second, and said once
                    self._say("store copy cannot be kept", error)
                self._is_failing = True
            else:
                self._kept_epoch, self._is_failing = recorded.epoch, False

    def read(self) -> Recorded | None:
        """Give the record kept, or None where there is none that can be read."""
        try:
            return _read(self._path.read_bytes(), self._store)
        except FileNotFoundError:
            return None
        except (OSError, *_DAMAGE) as error:
            self._say("store copy cannot be read", error)
            return None

    def _say(self, event: str, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        self._journal.event(event, level="warning", file=str(self._path), reason=reason)


def _written(recorded: Recorded, store: str) -> bytes:
    content = {"store": store, "epoch": recorded.epoch, **rows_of(recorded)}
    return json.dumps({"format": FORMAT, "digest": _digest(content), "recorded": content}).encode()


def _read(raw: bytes, store: str) -> Recorded:
    document = json.loads(raw)
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}, not {FORMAT}")
    content = document["recorded"]
    if document["digest"] != _digest(content):
        raise ValueError("its digest is not that of its content")
    if content["store"] != store:
        raise ValueError(f"it is a copy of {content['store']}")
    return recorded_from(content["epoch"], content)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place, on the disk before it has its name."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # of a process that was killed while writing
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
