"""Targets of notifications: URLs that each message is posted to, signed."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway.adapters.signed_post import Named, SignedPost
from gateway.core.address import is_public
from gateway.core.notification import Message
from gateway.core.ports import Clock

NAMED = Named("--notify", "PINION_NOTIFY_SECRET")


class WebhookTarget:
    """The port `NotificationTarget` over one URL."""

    def __init__(self, url: str, to: SignedPost) -> None:
        self._to = to
        self.host = to.host
        self.key = sha256(url.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"WebhookTarget({self.host!r})"

    async def post(self, message: Message) -> None:
        """Post a message, or raise DeliveryFault where it was not taken as far as is known."""
        await self._to.post(message)


def targets_of(
    urls: Sequence[str], secrets: str | None, clock: Clock, is_allowed: Callable[[str], bool] = is_public
) -> list[WebhookTarget]:
    """Make the targets that are named, each once.

    Raises:
        SetupFault: a URL or the secret cannot be used.
    """
    return [
        WebhookTarget(url, SignedPost(url, secrets, clock, NAMED, is_allowed=is_allowed)) for url in dict.fromkeys(urls)
    ]
