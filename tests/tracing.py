"""The tracer of coverage: it follows this process, and of those that tests start the few that ask for it.

Most processes run lines that tests run in this one, too. To follow all of them took a tenth of the tests' time.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_FOR_PROCESSES: dict[str, str] = {}
"""What the environment of a process has that is followed."""


def let_processes_go() -> None:
    """Have processes that are started from now on go without the tracer, but for those that have `traced()`."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        _FOR_PROCESSES[name] = os.environ.pop(name)


def traced() -> dict[str, str]:
    """More environment for a process whose lines are to be traced, where this process's are."""
    return dict(_FOR_PROCESSES)


@contextmanager
def untraced() -> Iterator[None]:
    """Have this thread, and those that it starts, go without the tracer for a while.

    The marker no_cover of pytest-cov would save nothing: it pauses the measure of a worker, which then goes on with the
    other one that `patch = ["subprocess"]` has begun in it, and threads that run already would be lost to it for good.
    """
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(None)
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        threading.settrace(of_threads)
