"""Keys of applications and tokens of operators, issued and taken back while the gateway serves.

The law is that of all acts: a key lets nobody in before it is recorded, and a revoked one nobody from that moment on,
recorded or not.
"""

from collections.abc import Callable, Sequence

from gateway.control.live import Live
from gateway.core.api_key import ID_LENGTH, SECRET_LENGTH, IssuedKey, KeyKind, digest_of, named_key
from gateway.core.audit import BY_GATEWAY, AuditAct, By, Origin
from gateway.core.audit_acts import act_of_keys
from gateway.core.duration import format_duration
from gateway.core.errors import OperatorFault, UnknownSubject, VerbRefused
from gateway.core.fleet_message import KeyOut

MOST_IN_FORCE = 20
"""How many keys one owner may have at a time."""

SHORTEST_SECONDS = 60.0
LONGEST_SECONDS = 3650 * 86_400.0
LONGEST_OVERLAP_SECONDS = 90 * 86_400.0


class Keys:
    """Issues, rotates and revokes.

    Every act raises UnknownSubject where there is no such owner or key, and StoreFault where it must be recorded first
    and cannot.
    """

    def __init__(self, live: Live, draw: Callable[[int], str]) -> None:
        """`draw` gives so many random characters of base 62."""
        self._live = live
        self._draw = draw

    def __repr__(self) -> str:
        return f"<Keys {len(self._live.state.keys)} issued>"

    def all_of(self, kind: KeyKind, owner: str | None = None) -> tuple[IssuedKey, ...]:
        """Give the keys of a kind, of one owner or of all, the oldest first."""
        keys = self._live.state.keys.values()
        return tuple(key for key in keys if key.kind == kind and owner in (None, key.owner))

    async def issue(
        self, kind: KeyKind, owner: str, actor: str, lasts: float | None, origin: Origin = BY_GATEWAY
    ) -> tuple[IssuedKey, str]:
        """Issue a key that lasts so many seconds, None for as long as it is not revoked; give it, this once.

        Raises:
            OperatorFault: it would last too short or too long.
            VerbRefused: the owner has as many keys as one may have.
        """
        self._check_owner(kind, owner)
        made, text = self._made(kind, owner, actor, _checked_life(lasts))
        await self._record([made], act_of_keys([made], "issue", By(actor, origin), self._now()))
        self._live.world.journal.event("key_issued", key=made.id, kind=kind, owner=owner, actor=actor)
        return made, text

    async def rotate(
        self,
        owner: str,
        key_id: str | None,
        actor: str,
        overlap: float,
        lasts: float | None,
        origin: Origin = BY_GATEWAY,
    ) -> tuple[IssuedKey, IssuedKey, str]:
        """Issue an application's key in place of another, which lasts `overlap` seconds more; give both, and the key.

        `key_id` may be None where the application has one key in force. The new key lasts as long as the old one would
        have from its own beginning, unless `lasts` says otherwise.

        Raises:
            OperatorFault: the overlap or the life is too short or too long.
            VerbRefused: which key is meant is not clear, or it is not in force.
        """
        self._check_owner("app", owner)
        if not 0 <= overlap <= LONGEST_OVERLAP_SECONDS:
            raise OperatorFault(f"the overlap must be at most {format_duration(LONGEST_OVERLAP_SECONDS)}")
        old = self._meant(owner, key_id)
        if lasts is None and old.expires_at is not None and old.replaced_by is None:
            lasts = old.expires_at - old.created_at
        made, text = self._made("app", owner, actor, _checked_life(lasts))
        replaced = old.replaced(made.id, self._now() + overlap)
        await self._record([made, replaced], act_of_keys([made, replaced], "rotate", By(actor, origin), self._now()))
        self._live.world.journal.event("key_rotated", key=old.id, to=made.id, kind="app", owner=owner, actor=actor)
        return made, replaced, text

    def revoke(self, kind: KeyKind, key_id: str, actor: str, origin: Origin = BY_GATEWAY) -> IssuedKey:
        """Let nobody in by a key from now on; that is recorded right after. A revoked one stays as it was revoked."""
        key = self._live.state.keys.get(key_id)
        if key is None or key.kind != kind:
            raise UnknownSubject(
                f"no issued key {_shown(key_id)} of an {kind}; a declared one is taken out of its file"
            )
        revoked = key.revoked(self._now(), actor)
        if revoked is not key:
            self._hold([revoked])
            self._live.world.say(KeyOut(revoked.id, actor, self._now()))
            act = act_of_keys([revoked], "revoke", By(actor, origin), self._now())
            self._live.record_keys_later(f"key {key_id} revoked", [revoked], act)
            self._live.world.journal.event(
                "key_revoked", level="warning", key=key_id, kind=kind, owner=key.owner, actor=actor
            )
        return revoked

    def _now(self) -> float:
        return self._live.world.clock.wall()

    def _check_owner(self, kind: KeyKind, owner: str) -> None:
        policies = self._live.state.policies
        known = policies.callers.keys() if kind == "app" else policies.operators.by_name.keys()
        if owner not in known:
            there_is = ", ".join(sorted(known)) or "none"
            raise UnknownSubject(f"no {kind} {owner[:100]!r} is declared; there is {there_is}")

    def _made(self, kind: KeyKind, owner: str, actor: str, lasts: float | None) -> tuple[IssuedKey, str]:
        now = self._now()
        if sum(key.is_good(now) for key in self.all_of(kind, owner)) >= MOST_IN_FORCE:
            raise VerbRefused(f"{kind} {owner} has {MOST_IN_FORCE} keys in force; revoke one first")
        key_id = self._draw(ID_LENGTH)
        while key_id in self._live.state.keys:
            key_id = self._draw(ID_LENGTH)
        text = named_key(kind, key_id, self._draw(SECRET_LENGTH))
        ends = None if lasts is None else now + lasts
        return IssuedKey(key_id, kind, owner, digest_of(text), now, actor, ends), text

    def _meant(self, owner: str, key_id: str | None) -> IssuedKey:
        """Give the key in force that a rotation means."""
        now = self._now()
        good = [key for key in self.all_of("app", owner) if key.is_good(now)]
        if key_id is not None:
            found = next((key for key in good if key.id == key_id), None)
            if found is None:
                raise UnknownSubject(f"app {owner} has no issued key {_shown(key_id)} in force")
            return found
        current = [key for key in good if key.replaced_by is None]
        if len(current) != 1:
            said = ", ".join(key.id for key in current)
            raise VerbRefused(
                f"app {owner} has {len(current)} issued keys in force: {said}; name the one to replace"
                if current
                else f"app {owner} has no issued key in force; issue one"
            )
        return current[0]

    async def _record(self, keys: Sequence[IssuedKey], act: AuditAct) -> None:
        await self._live.write_keys(keys, act)
        self._hold(keys)

    def _hold(self, keys: Sequence[IssuedKey]) -> None:
        """Hold keys as they are now; what was revoked while they were being recorded stays so."""
        known = self._live.state.keys
        held = {key.id: known[key.id].merged(key) if key.id in known else key for key in keys}
        self._live.state.keys = {**known, **held}
        self._live.swap_keys()


def _checked_life(lasts: float | None) -> float | None:
    if lasts is not None and not SHORTEST_SECONDS <= lasts <= LONGEST_SECONDS:
        shortest, longest = format_duration(SHORTEST_SECONDS), format_duration(LONGEST_SECONDS)
        raise OperatorFault(f"a key lasts from {shortest} to {longest}; say another time, or none")
    return lasts


def _shown(key_id: str) -> str:
    """Show what was given as a key's id, unless it is longer than one: then it may be the key itself."""
    return repr(key_id) if len(key_id) <= ID_LENGTH else f"of such an id, which has {ID_LENGTH} characters"
