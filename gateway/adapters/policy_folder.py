"""The policy folder: its files as text, and a watch that says when they have changed.

The watch polls a listing instead of asking the kernel: a listing sees an atomic rename, a write in place, the
swap of a symlink on the way (a mounted volume's `..data`, or the folder itself) and a change on a network
mount all alike, and goes on when the folder is replaced or missing for a while.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from gateway.core.errors import PolicyFault, Problem

MAX_FILE_BYTES = 1 << 20
MAX_FILES = 2_000
MAX_FOLDER_DEPTH = 16
SUFFIXES = (".yaml", ".prompt", ".card.md", ".dsse.json", ".pub.pem")

POLL_SECONDS = 0.1
QUIET_SECONDS = 0.2
REST = 50
"""The watch rests this many times as long as a listing took, so that it costs a core 2 % at most."""

State = tuple[int, ...]
"""Device, inode, size, and the times of change of content and of anything, in nanoseconds."""

Fingerprint = frozenset[tuple[str, State | str]]
"""What tells two states of some files apart: each name with its state, or with the reason why it has none."""


def read_folder(folder: Path) -> dict[str, str]:
    """Read every policy file below a folder, known by the `SUFFIXES` of their names: relative name, with `/`, to text.

    Symlinks are followed; names that start with a dot are passed over (a mounted volume and editors keep
    their own there); a file that has several names is read once, under the first in order.

    Raises:
        PolicyFault: the folder or a file cannot be read, or there is too much of it; every problem at once,
            each with the relative name as its file.
    """
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    read: set[State | str] = set()
    for name, (path, state) in sorted(_listing(folder).items()):
        if state[:2] in read:
            continue
        if len(texts) == MAX_FILES:
            problems.append(Problem(name, 1, f"the folder holds more than {MAX_FILES} files", "remove some"))
            break
        try:
            texts[name] = _read(path, state)
            read.add(state[:2])
        except _Unreadable as error:
            problems.append(Problem(name or ".", 1, str(error), "correct this, or move it out of the policies"))
    if problems:
        raise PolicyFault(sorted(problems))
    return texts


def read_file(path: Path) -> str:
    """Read the text of one file that a policy folder may hold.

    Raises:
        PolicyFault: it cannot be read, or there is too much of it.
    """
    try:
        return _read(path, _look(path))
    except _Unreadable as error:
        raise PolicyFault([Problem(str(path), 1, str(error), "correct this, or name another file")]) from error


def located(folder: str, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Name the files of problems as they are seen from outside the folder."""
    return tuple(replace(problem, file=str(Path(folder, problem.file))) for problem in problems)


class _Unreadable(Exception):
    """Why a file's text cannot be had."""


def _reason(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or type(error).__name__}"


def _read(path: Path, state: State | str) -> str:
    """Read a listed file's text. Not even a pipe that took the file's name meanwhile makes this wait."""
    if isinstance(state, str):
        raise _Unreadable(state)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _Unreadable(_reason(error)) from error
    if len(content) > MAX_FILE_BYTES:
        raise _Unreadable(f"the file is over {MAX_FILE_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable(f"the file is not UTF-8 (on line {line})") from error


def _listing(folder: Path) -> dict[str, tuple[Path, State | str]]:
    """List the policy files below a folder by relative name, each with its state or why it has none.

    The folder's own name is empty, and listed only when it cannot be read. A folder is entered once, so that
    symlinks cannot make a loop.
    """
    listed: dict[str, tuple[Path, State | str]] = {}
    entered: set[State] = set()
    waiting = [("", folder, 0)]
    while waiting:
        name, place, depth = waiting.pop()
        try:
            identity = _state_of(place.stat())[:2]
            below = [] if identity in entered else sorted(place.iterdir(), reverse=True)
        except OSError as error:
            listed[name] = (place, _reason(error))
            continue
        entered.add(identity)
        if depth > MAX_FOLDER_DEPTH:
            listed[name] = (place, f"folders nest deeper than {MAX_FOLDER_DEPTH}")
            continue
        for path in below:
            inner = f"{name}/{path.name}".removeprefix("/")
            if path.name.startswith("."):
                continue
            if path.name.endswith(SUFFIXES):
                listed[inner] = (path, _look(path))
            elif os.path.isdir(path):  # noqa: PTH112  (false, where Path's own raises for what may not be looked at)
                waiting.append((inner, path, depth + 1))
    return listed


def _state_of(about: os.stat_result) -> State:
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def _look(path: Path) -> State | str:
    try:
        about = path.stat()
    except OSError as error:
        return _reason(error)
    return _state_of(about) if stat.S_ISREG(about.st_mode) else "it is not a regular file"


def fingerprint_of_folder(folder: Path) -> Fingerprint:
    """Take the fingerprint of a folder's policy files as they are now."""
    return frozenset((name, state) for name, (_, state) in _listing(folder).items())


def fingerprint_of_files(paths: Iterable[Path]) -> Fingerprint:
    """Take the fingerprint of single files as they are now."""
    return frozenset((str(path), _look(path)) for path in paths)


class Settling:
    """Says when what is looked at has changed and then stayed the same for a while."""

    def __init__(self, first: Fingerprint, quiet: float = QUIET_SECONDS) -> None:
        """`quiet` is how many seconds without a change make a change settled."""
        self._seen = first
        self._quiet = quiet
        self._changed_at: float | None = None

    def look(self, fingerprint: Fingerprint, now: float) -> bool:
        """Take a look at `now` (monotonic seconds); true once for each change that has settled."""
        if fingerprint != self._seen:
            self._seen = fingerprint
            self._changed_at = now
            return False
        settled = self._changed_at is not None and now - self._changed_at >= self._quiet
        if settled:
            self._changed_at = None
        return settled


class FolderWatch:
    """A thread that calls `on_change` once a change of the folder, or of another watched file, has settled.

    What it compares with is the state when the watch was made, so make it before the first reading: no change
    is lost in between. `on_change` is called on the watch's thread, one call at a time, and must not raise.
    """

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        """`folder` need not exist yet, and may be a symlink that is swapped."""
        self._folder = folder
        self._on_change = on_change
        self._policies = Settling(fingerprint_of_folder(folder))
        self._others: tuple[tuple[Path, ...], Settling] = ((), Settling(frozenset()))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy-folder-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; waits for a call of `on_change` that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def watch_also(self, paths: Iterable[Path]) -> None:
        """Watch these files too (credentials, say), in place of those named before.

        Name them before they are read, so that no change is lost in between; naming is itself no change.
        """
        others = tuple(paths)
        self._others = (others, Settling(fingerprint_of_files(others)))

    def _run(self) -> None:
        pause = POLL_SECONDS
        while not self._stopping.wait(pause):
            began = time.monotonic()
            settled = self._look(began)
            pause = max(POLL_SECONDS, REST * (time.monotonic() - began))
            if settled:
                self._on_change()

    def _look(self, now: float) -> bool:
        others, settling = self._others
        files = settling.look(fingerprint_of_files(others), now)
        return self._policies.look(fingerprint_of_folder(self._folder), now) or files
