"""What runs beside the requests, again and again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from gateway.core.ports import Journal

HINT_SECONDS = 0.1
"""How far apart two times are at least, however often somebody asks for one sooner."""


async def told(journal: Journal, coroutine: Coroutine[Any, Any, None]) -> None:
    """Have something carried out that is to last as long as the process; that it failed instead is told."""
    try:
        await coroutine
    except Exception as error:
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        journal.event("task_ended", level="critical", task=name, message=f"{type(error).__name__}: {error}")
        raise


async def every(
    journal: Journal,
    seconds: float,
    act: Callable[[], Awaitable[None]],
    sooner: asyncio.Event | None = None,
) -> None:
    """Do something again and again, `sooner` when told. What one time met must not keep the next from coming."""
    while True:
        if sooner is None:
            await asyncio.sleep(seconds)
        else:
            await asyncio.sleep(HINT_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds - HINT_SECONDS):
                    await sooner.wait()
            sooner.clear()
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - without these no deadline, guardrail or rollback of others holds
            name = getattr(act, "__name__", repr(act)).strip("_")
            journal.event("task_failed", level="error", task=name, message=f"{type(error).__name__}: {error}")
