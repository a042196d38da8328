"""Acts that change nothing, for the audit trail: denials, and policy sets that were not taken.

Whoever cannot even say who they are can cause these. So equal ones of a minute are told twice at most: the first at
once, the others together at the minute's end, with their number. And each actor has so many a minute of each action,
which no other can use up; what there is no room for is counted. While the store is away they wait, as many as there is
room for.
"""

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import replace

from gateway.core.audit import AuditAct, Target
from gateway.core.errors import StoreFault
from gateway.core.ports import Clock, Journal, Store
from gateway.core.route_record import GATEWAY

NOBODY = "unknown"
"""The name that whoever was refused and could not be identified is recorded under."""

MOST_A_MINUTE = 60
MOST_WAITING = 300
"""How many different acts an actor has of each action: in a minute, and waiting while the store is away."""

MINUTE = 60.0

Room = tuple[str, str]
"""An action, and who did it."""


class AuditNotes:
    """A short queue of acts with limits a minute. `write` is called every second."""

    def __init__(self, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._waiting: deque[AuditAct] = deque()
        self._in_room: Counter[Room] = Counter()
        self._minute = clock.monotonic()
        self._taken: Counter[Room] = Counter()
        self._again: dict[Hashable, tuple[AuditAct, int]] = {}
        self._suppressed: Counter[str] = Counter()
        self._due: Counter[str] = Counter()
        self._is_delayed = False

    def __repr__(self) -> str:
        return f"<AuditNotes {len(self._waiting)} waiting, {(self._suppressed + self._due).total()} suppressed>"

    def note(self, act: AuditAct) -> bool:
        """Have an act written soon, or counted where there are too many; say whether it is the first of its kind.

        Returns at once. Acts of a kind differ in their time alone.
        """
        self._turn()
        kind, room = _kind(act), _room(act)
        if kind in self._again:
            self._again[kind] = act, self._again[kind][1] + 1
            return False
        if self._taken[room] >= MOST_A_MINUTE or self._in_room[room] >= MOST_WAITING:
            self._suppressed[act.action] += 1
            return False
        self._taken[room] += 1
        self._again[kind] = act, 0
        self._wait(act)
        return True

    async def write(self) -> None:
        """Write what waits. While the store is away it goes on waiting."""
        self._turn()
        acts, due = tuple(self._waiting), self._due.copy()
        if not acts and not due:
            return
        told = [*acts, *(self._count(action, times) for action, times in sorted(due.items()))]
        try:
            await self._store.audit(told)
        except StoreFault as fault:
            if not self._is_delayed:
                self._journal.event("audit_delayed", level="error", waiting=len(told), message=fault.message)
            self._is_delayed = True
            return
        self._is_delayed = False
        self._due -= due
        for _ in acts:
            self._in_room[_room(self._waiting.popleft())] -= 1

    async def finish(self) -> None:
        """Write what waits, and what would be told at the minute's end, before the process ends."""
        self._end_minute()
        await self.write()

    def _turn(self) -> None:
        """Begin a new minute where the last is over."""
        if self._clock.monotonic() - self._minute >= MINUTE:
            self._end_minute()

    def _end_minute(self) -> None:
        """Have what came again told, and how many had no room; all of it begins anew."""
        self._minute = self._clock.monotonic()
        for last, times in self._again.values():
            if times and self._in_room[_room(last)] < MOST_WAITING:
                self._wait(replace(last, details={**last.details, "times": str(times)}))
            elif times:
                self._suppressed[last.action] += times
        self._due += self._suppressed
        self._again, self._taken, self._suppressed = {}, Counter(), Counter()

    def _wait(self, act: AuditAct) -> None:
        self._in_room[_room(act)] += 1
        self._waiting.append(act)

    def _count(self, action: str, times: int) -> AuditAct:
        """Tell how many acts of an action were not written."""
        details = {"action": action, "acts": str(times)}
        return AuditAct(self._clock.wall(), GATEWAY, "audit.suppressed", Target("audit", "notes"), details=details)


def _room(act: AuditAct) -> Room:
    return act.action, act.actor


def _kind(act: AuditAct) -> Hashable:
    """Give what tells an act from others, its time apart."""
    return act.actor, act.action, act.target, act.origin, act.outcome, act.reason, tuple(sorted(act.details.items()))
