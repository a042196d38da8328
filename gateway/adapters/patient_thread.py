"""Work that may hang for good, as on a disk that is away: given up after a while, and waited for by no exit."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class PatientThread:
    """Carries out one act at a time, each in a thread of its own that ends with the process at the latest."""

    def __init__(self, name: str, patience: float) -> None:
        """`name` is that of its threads; an act may take `patience` seconds."""
        self._name = name
        self._patience = patience
        self._last: Future[Any] | None = None

    def __repr__(self) -> str:
        return f"<PatientThread {self._name}, {self._patience:g} s>"

    async def run(self, act: Callable[[], Answer]) -> Answer:
        """Act, and give what comes of it. An act that was given up goes on for as long as it hangs; so long, no other.

        Raises:
            TimeoutError: it has not ended in time, or an earlier one still hangs; and whatever `act` raises.
        """
        if self._last is not None and not self._last.done():  # its thread may end a moment after it
            raise TimeoutError
        answer: Future[Answer] = Future()
        self._last = answer
        threading.Thread(target=_carry_out, args=(act, answer), name=self._name, daemon=True).start()
        async with asyncio.timeout(self._patience):
            return await asyncio.wrap_future(answer)


def _carry_out(act: Callable[[], Answer], answer: "Future[Answer]") -> None:
    if not answer.set_running_or_notify_cancel():  # given up before it began; from now on that takes no answer's place
        return
    try:
        answer.set_result(act())
    except Exception as error:  # noqa: BLE001 - it is whoever waits that it is raised for
        answer.set_exception(error)
