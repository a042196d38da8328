"""Keys of applications and tokens of operators: their form, and what is recorded of those that were issued.

A key is a prefix that says whose it is, an id that may be shown and logged, and a secret with its checksum:
`pin_3fK9aQ0z_<32 random characters><6 that check them>`. The alphabet is base 62, so the secret has 190 bits; the
checksum is the CRC-32 of id and secret, by which a scanner for leaked secrets tells a key from a look-alike
without asking anyone. Keys for a policy file have no id: `pin_`, 40 random characters and the 6 of their CRC-32.
"""

import hashlib
import re
import string
import zlib
from dataclasses import dataclass, field, replace
from typing import Literal, Self

KeyKind = Literal["app", "operator"]

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 8
SECRET_LENGTH = 32
UNNAMED_LENGTH = 40
CHECKSUM_LENGTH = 6

PREFIXES: dict[KeyKind, str] = {"app": "pin", "operator": "pio"}

_NAMED = re.compile(
    rf"(?P<prefix>pin|pio)_(?P<drawn>(?P<id>[0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}})"
    rf"(?P<check>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


def named_key(kind: KeyKind, key_id: str, secret: str) -> str:
    """Put a key together of an id and a secret, so many random characters of base 62 as their lengths say."""
    drawn = f"{key_id}_{secret}"
    return f"{PREFIXES[kind]}_{drawn}{checksum(drawn)}"


def unnamed_key(drawn: str) -> str:
    """Put an application's key together of 40 random characters, 238 bits; it has no id to be shown."""
    return f"pin_{drawn}{checksum(drawn)}"


def checksum(drawn: str) -> str:
    """Give the CRC-32 of what was drawn, as 6 digits of base62, the highest first."""
    rest = zlib.crc32(drawn.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def id_of(text: str, kind: KeyKind) -> str | None:
    """Give the id of a key of this kind; None where the text is none, or its checksum is not that of a key."""
    found = _NAMED.fullmatch(text)
    if found is None or found["prefix"] != PREFIXES[kind] or found["check"] != checksum(found["drawn"]):
        return None
    return found["id"]


def digest_of(key: str) -> str:
    """Give the SHA-256 by which a key is known, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def name_of_digest(sha256: str) -> str:
    """Name a key that has no id, in a policy file, by the first 8 digits of its digest."""
    return f"sha256:{sha256[:8].lower()}"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """What is recorded of an issued key; times in wall seconds. The key itself is kept nowhere.

    `owner` names the application or the operator, `created_by` the operator who had it issued, `replaced_by` the key
    that a rotation put in its place.
    """

    id: str
    kind: KeyKind
    owner: str
    sha256: str = field(repr=False)
    created_at: float
    created_by: str
    expires_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None
    replaced_by: str | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256, as a look-up has it."""
        return bytes.fromhex(self.sha256)

    def is_good(self, now: float) -> bool:
        """Say whether it is in force at a wall time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def revoked(self, now: float, actor: str) -> Self:
        """Give it as revoked; the first revocation stands."""
        return self if self.revoked_at is not None else replace(self, revoked_at=now, revoked_by=actor)

    def replaced(self, by: str, until: float) -> Self:
        """Give it as replaced by another key, in force until a wall time, and not longer than it was anyway."""
        ends = until if self.expires_at is None else min(until, self.expires_at)
        return replace(self, replaced_by=by, expires_at=ends)

    def merged(self, other: Self) -> Self:
        """Join what two gateways know of one key: neither a revocation nor an earlier end is ever taken back."""
        revoked = self if other.revoked_at is None else other if self.revoked_at is None else _earlier(self, other)
        ends = [each.expires_at for each in (self, other) if each.expires_at is not None]
        return replace(
            self,
            expires_at=min(ends, default=None),
            revoked_at=revoked.revoked_at,
            revoked_by=revoked.revoked_by,
            replaced_by=self.replaced_by or other.replaced_by,
        )


def _earlier(one: IssuedKey, other: IssuedKey) -> IssuedKey:
    return min(one, other, key=lambda key: key.revoked_at or 0.0)
