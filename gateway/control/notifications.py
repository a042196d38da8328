"""Notifications: what people must hear of, to each target in order, however long that is away.

The outbox is the audit trail, which has an entry for each change as soon as there is the change, and a cursor for each
target, which moves once something has arrived. So what was acknowledged is sent whatever dies in between; it may be
sent twice, under the same id.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from gateway.core.audit import ToldEntry
from gateway.core.delivery import Cursor, DeliveryResult, is_given_up, pause_after
from gateway.core.errors import DeliveryFault, StoreFault
from gateway.core.notification import Message, notification_of
from gateway.core.ports import Clock, Journal, Meters, Store
from gateway.core.trail_ports import AuditTrail, Cursors, NotificationTarget

AT_ONCE = 200
"""How many entries are read at once."""

LEASE_SECONDS = 20.0
"""For how long one gateway alone sends to a target, from its latest message on: longer than one may take."""

LAST_SECONDS = 2.0
"""How long the last notifications of a process may take; what has not arrived is sent by the next one."""

GONE = 410
"""The answer of a receiver that wants no more."""


@dataclass(frozen=True, slots=True)
class Means:
    """What sending needs. `jitter` gives numbers from 0 to 1 that nobody can foresee."""

    trail: AuditTrail
    cursors: Cursors
    store: Store
    meters: Meters
    journal: Journal
    clock: Clock
    jitter: Callable[[], float]


class Outbox:
    """What one target has not got yet."""

    def __init__(self, target: NotificationTarget, means: Means) -> None:
        self.target = target
        self.waiting = 0
        self.fault: str | None = None
        self.is_stopped = False
        self._means = means
        self._known: Cursor | None = None
        self._counted_from = self._counted_to = -1
        self._tries = 0
        self._not_before = 0.0
        for result in get_args(DeliveryResult):
            means.meters.notified(target.host, result, 0)

    def __repr__(self) -> str:
        return f"<Outbox {self.target.host}, {self.waiting} waiting>"

    async def begin(self) -> None:
        """Have the store know the target: what happens from now on is for it. While the store is away, later."""
        with contextlib.suppress(StoreFault):
            self._known = await self._means.cursors.cursor(self.target.key)

    async def keep(self) -> None:
        """Send what is new, and what has not arrived once it is time again. Called every second."""
        if self.is_stopped:
            return
        with contextlib.suppress(StoreFault):  # whoever follows the store says so
            await self._keep()

    async def _keep(self) -> None:
        head = await self._means.trail.head()
        size = 0 if head is None else head.size
        if self._known is not None and size <= self._known.seq:
            return
        cursor = self._known = await self._means.cursors.cursor(self.target.key)
        if size <= cursor.seq or not await self._is_ours():
            self.waiting = 0
            return
        await self._count(cursor)
        if self._means.clock.monotonic() >= self._not_before:
            await self._send(cursor)

    async def _is_ours(self) -> bool:
        """Say whether it is this gateway that sends, for a while from now on."""
        return await self._means.store.take_lease(f"notify {self.target.key}", LEASE_SECONDS)

    async def _count(self, cursor: Cursor) -> None:
        """Count what waits; what was counted before is not read again, unless another gateway has sent of it."""
        if cursor.seq != self._counted_from:
            self._counted_from = self._counted_to = cursor.seq
            self.waiting = 0
        while told := await self._means.trail.entries(self._counted_to, AT_ONCE):
            self._counted_to = told[-1].entry.seq
            self.waiting += sum(notification_of(each) is not None for each in told)

    async def _send(self, cursor: Cursor) -> None:
        """Send what comes after a cursor, until all has arrived or something does not."""
        at: Cursor | None = cursor
        while at is not None and (told := await self._means.trail.entries(at.seq, AT_ONCE)):
            at = await self._send_page(told, at)

    async def _send_page(self, told: Sequence[ToldEntry], cursor: Cursor) -> Cursor | None:
        """Send what some entries tell; give the cursor after them, or None where nothing more is to be sent now."""
        for each in told:
            message = notification_of(each)
            if message is not None:
                passed = await self._passed(message, each.entry.seq, cursor)
                if passed is None:
                    return None
                cursor = passed
        last = told[-1].entry.seq
        return cursor if cursor.seq == last else await self._moved(cursor, replace(cursor, seq=last))

    async def _passed(self, message: Message, seq: int, before: Cursor) -> Cursor | None:
        """Post the message of an entry; give the cursor after it, or None where nothing more is to be sent now."""
        if not await self._is_ours():
            return None
        try:
            await self.target.post(message)
        except DeliveryFault as fault:
            return await self._failed(message, seq, before, fault)
        self._tries, self.fault = 0, None
        return await self._done(before, Cursor(before.target, seq), "delivered")

    async def _failed(self, message: Message, seq: int, before: Cursor, fault: DeliveryFault) -> Cursor | None:
        means, now = self._means, self._means.clock.wall()
        self._tries += 1
        self.fault = fault.message
        means.meters.notified(self.target.host, "failed")
        told = {"target": self.target.host, "type": message.type, "id": message.id, "message": fault.message}
        if fault.answered == GONE:
            self.is_stopped = True
            means.journal.event("notification_target_gone", level="error", **told)
            return None
        failing = before
        if before.failing_since is None:
            failing = replace(before, failing_since=now)
            await means.cursors.move(before, failing)
        since = now if failing.failing_since is None else failing.failing_since
        if is_given_up(now, message.happened, since, self._tries):
            means.journal.event("notification_given_up", level="error", **told)
            return await self._done(failing, replace(failing, seq=seq), "given_up")
        means.journal.event("notification_failed", level="error", **told)
        self._not_before = means.clock.monotonic() + pause_after(self._tries, means.jitter())
        return None

    async def _done(self, before: Cursor, after: Cursor, result: DeliveryResult) -> Cursor | None:
        self._means.meters.notified(self.target.host, result)
        self.waiting = max(0, self.waiting - 1)
        return await self._moved(before, after)

    async def _moved(self, before: Cursor, after: Cursor) -> Cursor | None:
        """Write how far the target has come; None where another gateway has moved it."""
        if not await self._means.cursors.move(before, after):
            self._known = None
            return None
        self._known, self._counted_from = after, after.seq
        return after


class Notifications:
    """Every target, each with an outbox of its own: none of them waits for another."""

    def __init__(self, targets: Iterable[NotificationTarget], means: Means) -> None:
        self.outboxes = [Outbox(target, means) for target in targets]

    def __repr__(self) -> str:
        return f"<Notifications to {len(self.outboxes)} targets>"

    async def begin(self) -> None:
        """Have the store know each target, before anything happens that is for it."""
        for outbox in self.outboxes:
            await outbox.begin()

    async def finish(self) -> None:
        """Give what is new a moment to arrive."""
        sending = [asyncio.ensure_future(outbox.keep()) for outbox in self.outboxes]
        if sending:
            _, late = await asyncio.wait(sending, timeout=LAST_SECONDS)
            for each in late:
                each.cancel()
            await asyncio.wait(sending)

    def waiting(self) -> Mapping[str, int]:
        """Give how many have not arrived, by host."""
        waiting: dict[str, int] = {}
        for outbox in self.outboxes:
            waiting[outbox.target.host] = waiting.get(outbox.target.host, 0) + outbox.waiting
        return waiting

    def status(self) -> Sequence[Mapping[str, Any]]:
        """Tell each target as JSON."""
        return [
            {"target": each.target.host, "waiting": each.waiting, "stopped": each.is_stopped, "fault": each.fault}
            for each in self.outboxes
        ]
