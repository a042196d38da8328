"""The `serve:` lines of this gateway's files, beside what others have made of theirs.

Replicas read a change of the policies one after another, and one that is restarted may have yesterday's. So a line
counts once: when it changes here, or is new to all. Else the record, which others have moved on, stays as it is.
"""

import math
from collections.abc import Container, Iterable, Mapping

from gateway.control.judge_lease import SECONDS, JudgeLease
from gateway.control.policies import RoutePolicy
from gateway.core.errors import Problem
from gateway.core.ports import Clock
from gateway.core.route_record import RouteRecord, ServeLine

SETTLED_SECONDS = SECONDS * 1.5
"""After how long a gateway that has just started knows whether another one lives: a lease outlasts its holder."""


class ServeLines:
    """What each route's line was when it was last held against the record, and which of them the record has left."""

    def __init__(self, lease: JudgeLease, clock: Clock) -> None:
        self._lease = lease
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._left: dict[str, Problem] = {}
        self._settled = math.inf

    def __repr__(self) -> str:
        return f"<ServeLines {len(self._seen)}, {len(self._left)} of them left behind>"

    @property
    def left_behind(self) -> tuple[Problem, ...]:
        """The lines that the record has gone on from, and what may be done."""
        return tuple(self._left.values())

    def line(self, route: RoutePolicy, *, leads: bool) -> ServeLine:
        """Give a route's line beside what it was when it was last held against the record."""
        return ServeLine(route.serve, self._seen.get(route.name), leads)

    async def leads(self, routes: Iterable[RoutePolicy], records: Mapping[str, RouteRecord]) -> bool:
        """Say whether this gateway leads. It is only asked where a line depends on it."""
        for route in routes:
            record = records.get(route.name)
            if record is None or record.is_asked(self.line(route, leads=False)):
                continue
            if record.is_asked(self.line(route, leads=True)):
                return await self._lease.is_ours()
        return False

    def note(self, routes: Iterable[RoutePolicy], records: Mapping[str, RouteRecord], held: Container[str]) -> None:
        """Remember the lines that have been held against `records`; those of routes that are `held` back have not."""
        now = self._clock.monotonic()
        self._settled = min(self._settled, now + SETTLED_SECONDS)
        self._left = {}
        for route in routes:
            if route.name in held:
                continue
            self._seen[route.name] = route.serve
            line = records[route.name].serve_line
            if line != route.serve:
                self._left[route.name] = _left(route, line)

    async def count_after_all(self) -> bool:
        """Say whether lines that counted for nothing at the start count now, since no other gateway was there.

        Those are forgotten, so that the files may be taken anew.
        """
        if not self._left or self._clock.monotonic() > self._settled or not await self._lease.is_ours():
            return False
        self._settled = -math.inf
        for name in self._left:
            self._seen.pop(name, None)
        return True


def _left(route: RoutePolicy, line: str) -> Problem:
    return Problem(
        route.where.file,
        route.where.line,
        f"route {route.name} asks for {route.serve} here, and other gateways have gone on to {line}: that stays",
        "give every gateway the same files; `pinion rollout rollback` or `undo` goes back",
    )
