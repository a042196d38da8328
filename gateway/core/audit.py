"""The audit trail: what somebody did or was refused, as entries that are chained and never change.

The law:

1. An entry is one line of canonical JSON (RFC 8785). The very bytes that are hashed are what is stored.
2. Its hash is SHA-256(0x00 || bytes), the leaf hash of RFC 6962, and each entry names the hash of the one before it.
3. The order is that of `seq`, without a gap from 1. The time is a text that is recorded, whatever the clock said.
4. Nothing in the bytes tells who a person is or what they wrote: a name and a reason stand there as salted digests,
   whose salts and texts are kept apart and can be erased. The chain verifies without them.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785

from gateway.core.checkpoint import Checkpoint
from gateway.core.merkle import leaf_hash
from gateway.core.text import storable

ActorKind = Literal["person", "service", "gateway", "policy"]
Outcome = Literal["allowed", "denied", "failed"]

VERSION = 1
"""The format of an entry."""

GENESIS = "0" * 64
"""What the first entry names as the one before it."""

SALT_BYTES = 32

LATEST = 253_402_300_799.0
"""The last second of the year 9999."""

MOST_TEXT = 300
MOST_DETAILS = 32
MOST_REASON = 4_000
"""How many characters a name, a value or a reason keeps, and how many details an act: an act must be recorded."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an act was on: `route` `support`, or `model` `gpt-4o` at a version with its digest."""

    kind: str
    id: str
    version: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """How an act came: what its actor is, in which role, how they were identified, and in which request.

    `policy_revision` is the digest of the policy set that it was done under.
    """

    kind: ActorKind = "gateway"
    role: str = "gateway"
    auth: str = "process"
    request_id: str | None = None
    policy_revision: str | None = None


BY_GATEWAY = Origin()
"""What Pinion does by itself."""

BY_POLICY = Origin("policy", "policy", "files")
"""What a changed policy file means."""


@dataclass(frozen=True, slots=True)
class By:
    """Who acts, by name, and how their act came. By default it is Pinion itself."""

    actor: str = "gateway"
    origin: Origin = BY_GATEWAY


ITSELF = By()


@dataclass(frozen=True, slots=True)
class AuditAct:
    """What `actor` did, or was refused, at wall time `at`. `action` is dotted, as in `rollout.promote`.

    `reason` is in their own words. `details` holds digests and numbers, as texts; nothing personal.
    """

    at: float
    actor: str
    action: str
    target: Target
    origin: Origin = BY_GATEWAY
    outcome: Outcome = "allowed"
    reason: str = field(default="", repr=False)
    before_digest: str | None = None
    after_digest: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry goes: the chain, its number there from 1, and the hash of the entry before it."""

    chain: str
    seq: int
    prev: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored: its number, the bytes that are hashed, and their hash as 64 hexadecimal digits."""

    seq: int
    raw: bytes
    hash: str


@dataclass(frozen=True, slots=True)
class Salted:
    """A text that stands in an entry as a digest alone, with its salt; the repr shows neither."""

    salt: bytes = field(repr=False)
    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        """HMAC-SHA-256 of the text under its salt, as 64 hexadecimal digits."""
        return hmac.digest(self.salt, self.text.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class ToldEntry:
    """An entry with the name and the reason that it has as digests; None where there is none, or it is erased."""

    entry: Entry
    actor: Salted | None = None
    reason: Salted | None = None


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How far a chain has come: the number of its entries, and the Merkle root over them in hexadecimal digits.

    `checkpoint` is the signed one of the greatest size.
    """

    chain: str
    size: int
    root: str
    checkpoint: Checkpoint | None = None


def entry_of(act: AuditAct, place: Place, actor: str, reason: str | None) -> Entry:
    """Write an act as the entry at a place, given the digests that stand for its actor and its reason."""
    origin, target = act.origin, act.target
    value: dict[str, Any] = {
        "v": VERSION,
        "chain": place.chain,
        "seq": place.seq,
        "ts": moment_text(act.at),
        "actor": {"id": actor, "kind": origin.kind, "role_used": _short(origin.role), "auth": _short(origin.auth)},
        "action": _short(act.action),
        "target": {
            "kind": _short(target.kind),
            "id": _short(target.id),
            "version": _short_or_none(target.version),
            "digest": _short_or_none(target.digest),
        },
        "outcome": act.outcome,
        "reason": reason,
        "before_digest": act.before_digest,
        "after_digest": act.after_digest,
        "request_id": _short_or_none(origin.request_id),
        "policy_revision": origin.policy_revision,
        "details": {_short(name): _short(str(held)) for name, held in list(act.details.items())[:MOST_DETAILS]},
        "prev": place.prev,
    }
    raw = rfc8785.dumps(value)
    return Entry(place.seq, raw, leaf_hash(raw).hex())


def reason_of_act(act: AuditAct) -> str:
    """Give an act's reason as it is kept: storable, and not endless."""
    return storable(act.reason[:MOST_REASON])


def name_of_actor(act: AuditAct) -> str:
    """Give the name of who acted as it is kept."""
    return _short(act.actor)


def moment_text(seconds: float) -> str:
    """Write wall seconds as RFC 3339 in UTC with milliseconds, as in `2026-11-25T08:30:00.125Z`.

    What no year of four digits holds becomes the nearest that one does: an act is recorded whatever a clock says.
    """
    at = datetime.fromtimestamp(min(max(seconds, 0.0), LATEST), UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def digest_of_texts(*texts: str) -> str:
    """Digest texts in their order, each with its length: what was refused is known again without being kept."""
    hashed = hashlib.sha256()
    for text in texts:
        raw = storable(text).encode()
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.hexdigest()


def _short(text: str) -> str:
    return storable(text[:MOST_TEXT])


def _short_or_none(text: str | None) -> str | None:
    return None if text is None else _short(text)
