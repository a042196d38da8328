"""What applications were refused for want of a right, for the audit trail.

The law: nothing that an entry holds is of a request's own making. Whoever has no key can cause no more than a few kinds
of denial, and a kind is told twice a minute at most, however often it comes.
"""

import hashlib
import hmac

from gateway.control.audit_notes import NOBODY, AuditNotes
from gateway.control.live import Live
from gateway.core.api_key import IssuedKey, id_of, name_of_digest
from gateway.core.app import App
from gateway.core.audit import AuditAct, Origin, Target
from gateway.core.errors import Denied

ACTION = "app.denied"


class Denials:
    """Notes denials on a request's way: look-ups in memory, and no waiting."""

    def __init__(self, live: Live, notes: AuditNotes) -> None:
        self._live = live
        self._notes = notes

    def __repr__(self) -> str:
        return f"<Denials {self._notes!r}>"

    def deny(self, operation: str, fault: Denied, app: App | None, credential: bytes | None) -> None:
        """Note a denial of an operation, as in `POST /v1/messages`, to an application or None. Never waits.

        The log tells the first of a kind in a minute.
        """
        world, snapshot = self._live.world, self._live.current
        issued = self._issued(credential)
        why = fault.why if app is not None else self._why_nobodys(credential, issued)
        key = issued.id if issued is not None else None
        if key is None and app is not None and credential and not snapshot.open:
            key = name_of_digest(hashlib.sha256(credential).hexdigest())
        actor = app.name if app is not None else NOBODY if issued is None else issued.owner
        auth = "none" if key is None else "declared" if issued is None else "issued"
        found = {"key": key, "route": fault.route, "release": fault.release}
        named = {name: held for name, held in found.items() if held is not None}
        act = AuditAct(
            world.clock.wall(),
            actor,
            ACTION,
            Target("operation", operation),
            Origin("service", "application", auth, None, snapshot.revision or None),
            outcome="denied",
            reason=why,
            details={"status": str(fault.status), **named},
        )
        if self._notes.note(act):
            world.journal.event("app_denied", level="warning", app=actor, operation=operation, message=why, **named)

    def _issued(self, credential: bytes | None) -> IssuedKey | None:
        """Give the issued key that a credential is, in force or not. Its id is no secret, and proves nothing."""
        if not credential:
            return None
        key = self._live.state.keys.get(id_of(credential.decode(errors="replace"), "app") or "")
        is_it = key is not None and hmac.compare_digest(key.digest, hashlib.sha256(credential).digest())
        return key if is_it else None

    def _why_nobodys(self, credential: bytes | None, issued: IssuedKey | None) -> str:
        """Say why a credential lets no application in."""
        if not credential:
            return "no key"
        if issued is None:
            return "no application's key"
        if issued.revoked_at is not None:
            return "its key is revoked"
        is_good = issued.is_good(self._live.world.clock.wall())
        return "its key's application is not declared" if is_good else "its key has expired"
