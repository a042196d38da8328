"""What the simulated provider received: a bounded record of requests, and counters."""

import base64
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.simulator.connection import Request


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, and how its answer went.

    `body` is as sent, still compressed if it was. `started` and `finished` are Unix seconds; `finished` and
    `seconds` are None while the answer is under way. `aborted` says that the client went away before the
    answer was complete, `cut` that a fault closed the connection; `status` is None when no head was sent.
    """

    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    started: float
    model: str | None = None
    stream: bool = False
    status: int | None = None
    finished: float | None = None
    seconds: float | None = None
    aborted: bool = False
    cut: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header with this name, in any case."""
        return next((value for one, value in self.headers if one == name.lower()), None)

    def json(self) -> Any:
        """The body read as JSON."""
        return orjson.loads(self.body)

    def as_json(self) -> dict[str, Any]:
        """This record as a JSON object; a body that is no UTF-8 is under `body_base64` instead of `body`."""
        body: dict[str, Any]
        try:
            body = {"body": self.body.decode()}
        except UnicodeDecodeError:
            body = {"body_base64": base64.b64encode(self.body).decode()}
        return {
            "number": self.number,
            "method": self.method,
            "path": self.target,
            "headers": [list(one) for one in self.headers],
            **body,
            "connection": self.connection,
            "model": self.model,
            "stream": self.stream,
            "status": self.status,
            "started": self.started,
            "finished": self.finished,
            "seconds": self.seconds,
            "aborted": self.aborted,
            "cut": self.cut,
        }


class Journal:
    """The last requests, oldest dropped first, safe to read from other threads."""

    def __init__(self, most_requests: int = 10_000, most_bytes: int = 64 * 2**20) -> None:
        """`most_bytes` bounds the bodies that are kept; the newest is kept whatever its size."""
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._records: OrderedDict[int, Received] = OrderedDict()
        self._bytes = 0
        self._number = 0
        self._open: dict[int, float] = {}
        self._streams: set[int] = set()
        self._reset()

    def begin(self, request: Request) -> int:
        """Note a request that came; returns its number."""
        with self._changed:
            self._number += 1
            self._add(
                Received(
                    number=self._number,
                    method=request.method,
                    target=request.target,
                    headers=request.headers,
                    body=request.body,
                    connection=request.connection,
                    started=time.time(),
                )
            )
            self._open[self._number] = time.monotonic()
            self._paths[request.path] += 1
            self._changed.notify_all()
            return self._number

    def understood(self, number: int, model: str | None, *, stream: bool) -> None:
        """Note the upstream model that the request names, and whether it asks for a stream."""
        with self._changed:
            self._models[model or "-"] += 1
            if stream:
                self._streams.add(number)
            self._change(number, model=model, stream=stream)

    def end(self, number: int, status: int | None, *, aborted: bool = False, cut: bool = False) -> None:
        """Note that the answer is over, and how."""
        with self._changed:
            started = self._open.pop(number, None)
            if started is None:
                return
            self._streams.discard(number)
            self._statuses[str(status or "-")] += 1
            self._aborted += aborted
            self._change(
                number,
                status=status,
                finished=time.time(),
                seconds=time.monotonic() - started,
                aborted=aborted,
                cut=cut,
            )

    def requests(self, last: int | None = None) -> list[Received]:
        """The last requests, in the order in which they came; all that are kept without `last`."""
        with self._changed:
            records = list(self._records.values())
        return records if last is None else records[max(0, len(records) - last) :]

    def stats(self) -> dict[str, Any]:
        """The counters since the start or the last clearing, and what is open now."""
        with self._changed:
            return {
                "requests": sum(self._paths.values()),
                "open": len(self._open),
                "open_streams": len(self._streams),
                "aborted": self._aborted,
                "by_path": dict(self._paths),
                "by_status": dict(self._statuses),
                "by_model": dict(self._models),
            }

    def clear(self) -> None:
        """Forget the finished requests and the counters; open requests stay open but leave the list."""
        with self._changed:
            self._records.clear()
            self._bytes = 0
            self._reset()

    def wait(self, condition: Callable[[Sequence[Received]], bool], timeout: float) -> list[Received]:
        """Wait until the requests meet the condition; returns them.

        Raises:
            TimeoutError: they did not within `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(list(self._records.values())), timeout):
                raise TimeoutError(f"the simulator's requests did not come to that within {timeout:g} s")
            return list(self._records.values())

    def _reset(self) -> None:
        self._paths: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._aborted = 0

    def _add(self, record: Received) -> None:
        self._records[record.number] = record
        self._bytes += len(record.body)
        while len(self._records) > 1 and (len(self._records) > self._most_requests or self._bytes > self._most_bytes):
            _, oldest = self._records.popitem(last=False)
            self._bytes -= len(oldest.body)

    def _change(self, number: int, **changes: Any) -> None:
        if number in self._records:
            self._records[number] = replace(self._records[number], **changes)
        self._changed.notify_all()
