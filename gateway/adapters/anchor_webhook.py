"""An anchor that is a webhook: each checkpoint is posted, signed, to the public internet alone."""

from datetime import UTC, datetime

from gateway.adapters.signed_post import Named, SignedPost
from gateway.core.checkpoint import Checkpoint
from gateway.core.errors import AnchorFault, DeliveryFault
from gateway.core.notification import Message
from gateway.core.ports import Clock

NAMED = Named("--audit-anchor", "PINION_AUDIT_WEBHOOK_SECRET")


class WebhookAnchor:
    """The port `Anchor` over one URL. What it sends is signed with a secret that both sides have."""

    def __init__(self, to: SignedPost, clock: Clock) -> None:
        self._to = to
        self._clock = clock
        self.name = to.name

    def __repr__(self) -> str:
        return f"WebhookAnchor({self.name!r})"

    async def send(self, checkpoint: Checkpoint) -> None:
        """Send a checkpoint; a repeated one has the id that it had, so that the receiver can tell."""
        at = datetime.fromtimestamp(self._clock.wall(), UTC)
        data = {"origin": checkpoint.origin, "size": checkpoint.size, "note": checkpoint.note}
        message = f"audit_{checkpoint.size}_{checkpoint.root[:16]}"
        try:
            await self._to.post(Message(message, "audit.checkpoint", at.isoformat(), data))
        except DeliveryFault as fault:
            raise AnchorFault(fault.message) from fault
