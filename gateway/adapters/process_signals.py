"""Signals to this process, on its event loop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping


@contextlib.contextmanager
def heeded(acts: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Act on signals for the length of a `with` block, on the loop that runs; then they do what they do anyway."""
    loop = asyncio.get_running_loop()
    for number, act in acts.items():
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in acts:
            loop.remove_signal_handler(number)
