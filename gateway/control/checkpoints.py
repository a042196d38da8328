"""Checkpoints of the audit trail: signed now and then, and sent to places outside, without holding anybody up."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.core.checkpoint import Checkpoint, Sign, VerifierKey, signed_checkpoint
from gateway.core.errors import AnchorFault, StoreFault
from gateway.core.ports import Clock, Journal
from gateway.core.trail_ports import Anchor, AuditTrail

EVERY_SECONDS = 60.0
"""When something new is signed at the latest."""

MOST_WAITING = 100
"""How many checkpoints wait for an anchor that is away; the oldest go first, since later ones stand for them, too."""

LAST_SECONDS = 2.0
"""How long the last checkpoint of a process may take to reach its anchors."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0


class Anchoring:
    """One anchor with the checkpoints that it has not got yet, and a task that sends them."""

    def __init__(self, anchor: Anchor, journal: Journal) -> None:
        self.anchor = anchor
        self._journal = journal
        self._waiting: deque[Checkpoint] = deque(maxlen=MOST_WAITING)
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __repr__(self) -> str:
        return f"<Anchoring {self.anchor.name}, {len(self._waiting)} waiting>"

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, checkpoint: Checkpoint) -> None:
        """Have a checkpoint sent. Returns at once."""
        self._waiting.append(checkpoint)
        self._idle.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Send for as long as the process lives; what does not arrive is sent again, after longer and longer pauses."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._wanted.wait()
            checkpoint = self._waiting[0]
            try:
                await self.anchor.send(checkpoint)
            except AnchorFault as fault:
                told = {"anchor": self.anchor.name, "size": checkpoint.size, "message": fault.message}
                self._journal.event("anchor_failed", level="error", **told)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            self._sent(checkpoint)

    def _sent(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint out that has arrived; it may have made way for newer ones meanwhile."""
        if self._waiting and self._waiting[0] is checkpoint:
            self._waiting.popleft()
        if not self._waiting:
            self._wanted.clear()
            self._idle.set()

    async def settled(self, within: float) -> bool:
        """Wait at most `within` seconds; say whether everything has arrived."""
        try:
            async with asyncio.timeout(within):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the key that checks it, and what signs a message."""

    verifier: VerifierKey
    sign: Sign


class Checkpoints:
    """Signs the trail: after every so many entries, and every minute in which there are new ones."""

    def __init__(
        self,
        trail: AuditTrail,
        signer: Signer,
        anchors: Iterable[Anchor],
        journal: Journal,
        clock: Clock,
        *,
        every: int,
    ) -> None:
        """`every` is how many entries a checkpoint is for."""
        self._trail = trail
        self._signer = signer
        self._clock = clock
        self._every = every
        self._new_since: float | None = None
        self._is_first = True
        self.anchors = [Anchoring(anchor, journal) for anchor in anchors]

    def __repr__(self) -> str:
        return f"<Checkpoints by {self._signer.verifier.name}, {len(self.anchors)} anchors>"

    async def keep(self) -> None:
        """Sign where it is time. Called every second; while the store is away there is nothing to sign."""
        try:
            await self._keep(is_last=False)
        except StoreFault:
            return  # whoever follows the store says so

    async def finish(self) -> None:
        """Sign what is new, and give it a moment to arrive."""
        try:
            await self._keep(is_last=True)
        except StoreFault:
            return
        await asyncio.gather(*(anchoring.settled(LAST_SECONDS) for anchoring in self.anchors))

    async def _keep(self, *, is_last: bool) -> None:
        head = await self._trail.head()
        if head is None:
            return
        latest = head.checkpoint
        if self._is_first and latest is not None and latest.origin == self._signer.verifier.name:
            self._send(latest)  # an earlier process may not have come to it
        self._is_first = False
        signed = 0 if latest is None else latest.size
        if head.size <= signed:
            self._new_since = None
            return
        now = self._clock.monotonic()
        self._new_since = now if self._new_since is None else self._new_since
        if head.size - signed < self._every and now - self._new_since < EVERY_SECONDS and not is_last:
            return
        self._new_since, by = None, self._signer
        made = signed_checkpoint(by.verifier.name, head.size, head.root, by.verifier, by.sign)
        if await self._trail.keep_checkpoint(made):
            self._send(made)

    def _send(self, checkpoint: Checkpoint) -> None:
        for anchoring in self.anchors:
            anchoring.add(checkpoint)
