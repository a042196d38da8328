"""What the system lets this process have."""

import contextlib
import resource

MANY = 1 << 20
"""Stands for a limit that is none."""


def descriptors() -> int:
    """How many descriptors the process may open, from now on as many as it may give itself leave for.

    Most systems begin at 1,024, for the sake of programs that use `select`, and allow a thousand times as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system may have a lower limit that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (MANY if hard == resource.RLIM_INFINITY else hard, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MANY if soft == resource.RLIM_INFINITY else soft
