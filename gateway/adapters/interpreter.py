"""The interpreter, as a process that serves wants it."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold collections off in a `with` block that imports modules, and leave what it has made out of them for good.

    Next to nothing that a module makes is garbage, and to look through all of it again and again, in the end once more,
    took a seventh of the start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # the first collection would go through everything
        gc.enable()


def settle_interpreter() -> None:
    """The one place that tunes the interpreter.

    What the start has made lives as long as the process, so it is taken out of collections, and those come less often:
    a full one would pause every request that is under way. None is made before: it would take a tenth of a second, to
    find two megabytes, most of them classes that a decorator has made anew. A young one comes often enough that what
    statements of the database leave in cycles does not add up: 20,000 objects of it were four megabytes, and came after
    hundreds of reloads. And the threads that write the log and the ledger, or read policy files, give way to the
    serving loop within half a millisecond instead of five.
    """
    gc.freeze()
    gc.set_threshold(5_000, 200, 100)
    sys.setswitchinterval(0.0005)
