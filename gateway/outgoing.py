"""What leaves a gateway by itself, joined: checkpoints of the audit trail to anchors, notifications to their targets.

Beside `wiring`, which runs both: the only other place that joins ports to adapters.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gateway.adapters import ed25519_keys
from gateway.adapters.anchors import anchors_of
from gateway.adapters.sql_store import SqlStore
from gateway.adapters.webhook_targets import targets_of
from gateway.control.checkpoints import Checkpoints, Signer
from gateway.control.notifications import Means, Notifications
from gateway.core.checkpoint import VerifierKey
from gateway.core.ports import Clock, Journal, Meters
from gateway.settings import Settings


class Outgoing:
    """Where a gateway sends to by itself, as its settings say."""

    def __init__(self, settings: Settings, clock: Clock, is_allowed: Callable[[str], bool]) -> None:
        """`is_allowed` says which IP addresses are called.

        Raises:
            SetupFault: a target of notifications, or their secret, cannot be used.
        """
        self._settings = settings
        self._clock = clock
        self._is_allowed = is_allowed
        self._targets = targets_of(settings.notify, settings.notify_secret, clock, is_allowed)
        self._checkpoints: Checkpoints | None = None
        self._notifications: Notifications | None = None
        self.verifier: VerifierKey | None = None
        """The key that checks what is signed here, where the trail is."""

    async def open(self, store: SqlStore, meters: Meters, journal: Journal) -> None:
        """Join it to a store. A target of notifications that is new hears of what happens from here on.

        Raises:
            SetupFault: the key or an anchor cannot be used.
        """
        settings, clock = self._settings, self._clock
        if settings.audit_key is not None:
            key = ed25519_keys.read_key(settings.audit_key)
            anchors = anchors_of(settings.audit_anchor, settings.audit_webhook_secret, clock, self._is_allowed)
            signer, every = Signer(key.verifier, partial(ed25519_keys.sign, key)), settings.audit_every
            self._checkpoints = Checkpoints(store.trail, signer, anchors, journal, clock, every=every)
            self.verifier = key.verifier
        jitter = secrets.SystemRandom().random
        means = Means(store.trail, store.cursors, store, meters, journal, clock, jitter)
        self._notifications = Notifications(self._targets, means)
        await self._notifications.begin()

    def tasks(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Give what runs for as long as the process lives."""
        for anchoring in self._checkpoints.anchors if self._checkpoints else ():
            yield anchoring.run()

    def acts(self) -> Iterator[Callable[[], Awaitable[None]]]:
        """Give what is to be done every second, each beside the others."""
        if self._checkpoints:
            yield self._checkpoints.keep
        for outbox in self._notifications.outboxes if self._notifications else ():
            yield outbox.keep

    async def finish(self) -> None:
        """Sign and send what is new, for a moment."""
        last = [each.finish() for each in (self._checkpoints, self._notifications) if each is not None]
        await asyncio.gather(*last)

    def waiting(self) -> Mapping[str, int]:
        """Give how many notifications have not arrived, by host."""
        return self._notifications.waiting() if self._notifications else {}

    def unanchored(self) -> Mapping[str, int]:
        """Give how many checkpoints have not arrived, by anchor."""
        anchorings = self._checkpoints.anchors if self._checkpoints else ()
        return {each.anchor.name: len(each) for each in anchorings}

    def status(self) -> Sequence[Mapping[str, Any]]:
        """Tell each target of notifications as JSON."""
        return self._notifications.status() if self._notifications else ()
