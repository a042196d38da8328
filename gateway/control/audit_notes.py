"""Acts that change nothing, for the audit trail: denials, and policy sets that were not taken.

Whoever cannot even say who they are can cause these, so at most so many a minute are written and the others counted:
nobody fills the disk with them. While the store is away they wait, as many as there is room for.
"""

from collections import deque

from gateway.core.audit import AuditAct, Target
from gateway.core.errors import StoreFault
from gateway.core.ports import Clock, Journal, Store
from gateway.core.route_record import GATEWAY

MOST_A_MINUTE = 60
MOST_WAITING = 300
MINUTE = 60.0


class AuditNotes:
    """A short queue of acts with a limit a minute. `write` is called every second."""

    def __init__(self, store: Store, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._waiting: deque[AuditAct] = deque()
        self._minute = clock.monotonic()
        self._taken = 0
        self._suppressed = 0
        self._is_delayed = False

    def __repr__(self) -> str:
        return f"<AuditNotes {len(self._waiting)} waiting, {self._suppressed} suppressed>"

    def note(self, act: AuditAct) -> None:
        """Have an act written soon, or counted where there are too many. Returns at once."""
        self._turn()
        if self._taken >= MOST_A_MINUTE or len(self._waiting) >= MOST_WAITING:
            self._suppressed += 1
            return
        self._taken += 1
        self._waiting.append(act)

    async def write(self) -> None:
        """Write what waits. While the store is away it goes on waiting."""
        self._turn()
        acts = tuple(self._waiting)
        if not acts:
            return
        try:
            await self._store.audit(acts)
        except StoreFault as fault:
            if not self._is_delayed:
                self._journal.event("audit_delayed", level="error", waiting=len(acts), message=fault.message)
            self._is_delayed = True
            return
        self._is_delayed = False
        for _ in acts:
            self._waiting.popleft()

    def _turn(self) -> None:
        """Begin a new minute where the last is over, with the number of those that had no room in it."""
        now = self._clock.monotonic()
        if now - self._minute < MINUTE:
            return
        self._minute, self._taken = now, 0
        if self._suppressed and len(self._waiting) < MOST_WAITING:
            self._waiting.append(self._count())

    def _count(self) -> AuditAct:
        """Tell how many acts were not written, which begins anew."""
        suppressed, self._suppressed = self._suppressed, 0
        return AuditAct(
            self._clock.wall(),
            GATEWAY,
            "audit.suppressed",
            Target("audit", "notes"),
            details={"acts": str(suppressed)},
        )
