"""The ports around the audit trail: where it is read, and where what it tells is sent."""

from collections.abc import Sequence
from typing import Protocol

from gateway.core.audit import AuditAct, ToldEntry, TreeHead
from gateway.core.checkpoint import Checkpoint
from gateway.core.delivery import Cursor
from gateway.core.notification import Message


class AuditTrail(Protocol):
    """The audit trail of a store, to read, to prove and to erase names from. Every method may raise StoreFault."""

    async def head(self) -> TreeHead | None:
        """Give how far the chain has come, with its latest checkpoint; None before its first entry."""
        ...

    async def entries(self, after: int, most: int) -> Sequence[ToldEntry]:
        """Give the entries of at most `most` numbers after one, in order; none where the trail ends."""
        ...

    async def hashes(self, after: int, most: int) -> Sequence[str]:
        """Give the hashes of the entries of at most `most` numbers after one, in order, in hexadecimal digits."""
        ...

    async def forget(self, name: str, act: AuditAct) -> int:
        """Erase a person's name and words, and write that it was done; give how many pseudonyms they had, perhaps 0."""
        ...

    async def keep_checkpoint(self, checkpoint: Checkpoint) -> bool:
        """Keep a signed checkpoint; say whether there was none of its size."""
        ...

    async def checkpoints(self, after: int, most: int) -> Sequence[Checkpoint]:
        """Give at most `most` checkpoints of a size beyond `after`, by size."""
        ...


class Anchor(Protocol):
    """A place outside the store that checkpoints are sent to, so that nobody can rewrite the trail unseen."""

    name: str
    """What messages call it; nothing secret."""

    async def send(self, checkpoint: Checkpoint) -> None:
        """Send a checkpoint, or raise AnchorFault where it did not arrive as far as is known."""
        ...


class Cursors(Protocol):
    """How far each target of notifications has come, in the store. Every method may raise StoreFault."""

    async def cursor(self, target: str) -> Cursor:
        """Give how far a target has come; one that is new begins at the trail's present end."""
        ...

    async def move(self, before: Cursor, after: Cursor) -> bool:
        """Write how far a target has come; say whether it was at `before` until then, else nothing is written."""
        ...


class NotificationTarget(Protocol):
    """Where notifications are posted to."""

    host: str
    """What metrics and messages call it; nothing secret."""

    key: str
    """What the store knows it by: a digest of all that it is, perhaps a secret path among it."""

    async def post(self, message: Message) -> None:
        """Post a message, or raise DeliveryFault where it was not taken as far as is known."""
        ...
