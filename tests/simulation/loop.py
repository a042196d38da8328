"""An event loop whose time is made up: it never waits, and what one process does can be stopped, or lost, as a whole.

Sleeps, timeouts and locks of the real code work unchanged. Where nothing is due, time jumps to what is due next.
"""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

_OWNER: contextvars.ContextVar["Owner | None"] = contextvars.ContextVar("owner", default=None)


class Owner:
    """A process: all that it has under way runs, stands still as by SIGSTOP, or is gone as by SIGKILL."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_paused = False
        self.is_dead = False
        self.late: list[_Call] = []
        self.context = contextvars.copy_context()
        self.context.run(_OWNER.set, self)

    def __repr__(self) -> str:
        return f"<Owner {self.name}>"


class _Call:
    """A callback of an owner, which looks at how its owner is before it runs."""

    __slots__ = ("args", "callback", "context", "handle", "loop", "owner")

    def __init__(self, loop: "VirtualLoop", owner: Owner | None, callback: Callable, args: tuple, context: Any) -> None:
        self.loop, self.owner, self.callback, self.args, self.context = loop, owner, callback, args, context
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        owner = self.owner
        if owner is not None and not self.loop.is_over:
            if owner.is_dead:
                return
            if owner.is_paused:
                owner.late.append(self)
                return
            if self.handle is not None and self.handle.cancelled():
                return  # while it waited for its owner to go on
        self.callback(*self.args)
        self.loop.after(owner)


class _Jump:
    """In place of a selector: to wait is to move the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list:
        if timeout is None:
            raise RuntimeError("nothing is due, ever: the simulation has come to a standstill")
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. `after` is called after each callback, with its owner; `spend` gives how long work in threads takes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.is_over = False
        self.after: Callable[[Owner | None], None] = lambda _owner: None
        self.spend: Callable[[], float] = lambda: 0.0
        self.made: list[asyncio.Task] = []
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        self.set_task_factory(self._task)

    def _task(self, loop, coro, context=None) -> asyncio.Task:
        task = asyncio.Task(coro, loop=loop, context=context)
        self.made.append(task)  # so that what was lost stays as it was, and no collector runs its ends
        return task

    def time(self) -> float:
        return self.now

    def call_soon(self, callback, *args, context=None) -> asyncio.Handle:
        call = self._call(callback, args, context)
        call.handle = super().call_soon(call, context=call.context)
        return call.handle

    def call_soon_threadsafe(self, callback, *args, context=None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None) -> asyncio.TimerHandle:
        call = self._call(callback, args, context)
        call.handle = super().call_at(when, call, context=call.context)
        return call.handle

    def run_in_executor(self, _executor, func, *args) -> asyncio.Future:
        """Do a thread's work at once; that it is done is known a while later."""
        future = self.create_future()
        try:
            found = func(*args)
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            self.call_later(self.spend(), _settle, future, None, error)
        else:
            self.call_later(self.spend(), _settle, future, found, None)
        return future

    def outside(self, act: Callable, *args: Any) -> Any:
        """Do something in nobody's name: it happens whether or not who asked for it still runs."""
        return contextvars.Context().run(act, *args)

    def resume(self, owner: Owner) -> None:
        """Let a process that stood still go on: with what came due meanwhile, in its order."""
        owner.is_paused = False
        late, owner.late = owner.late, []
        for call in late:
            super().call_soon(call, context=call.context)

    def finish(self) -> None:
        """End whatever is left, of the lost too, and close."""
        self.is_over = True
        self.set_exception_handler(lambda _loop, _context: None)
        left = [task for task in self.made if not task.done()]
        for task in left:
            task.cancel()
        if left:
            self.run_until_complete(asyncio.wait(left, timeout=60.0))
        for task in left:
            if not task.done():  # it never began: its process was lost first
                task._log_destroy_pending = False
                task.get_coro().close()
        self.made.clear()
        self.close()

    def _call(self, callback, args, context) -> _Call:
        context = contextvars.copy_context() if context is None else context
        return _Call(self, context.get(_OWNER), callback, args, context)

    def _process_events(self, event_list) -> None: ...

    def _write_to_self(self) -> None: ...


def _settle(future: asyncio.Future, found: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(found)
    else:
        future.set_exception(error)
