"""`pinion serve` that keeps whatever only a collection would free, and says on SIGUSR2 what of Pinion's that was."""

import gc
import json
import signal
import sys
from collections import Counter

from gateway.cli import main

OURS = ("gateway", "httptools", "uvicorn", "uvloop")
"""The packages whose objects live as long as a request or a connection."""


def tell(*_: object) -> None:
    """Print how many of each type there were, as one line of JSON."""
    gc.collect()
    kinds = [type(each) for each in gc.garbage]
    named = Counter(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if kind.__module__.startswith(OURS))
    sys.stdout.write(f"{json.dumps(named)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    gc.set_debug(gc.DEBUG_SAVEALL)
    signal.signal(signal.SIGUSR2, tell)
    main(["serve", *sys.argv[1:]], prog_name="pinion")
