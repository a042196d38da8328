"""An operator: who asks or acts at the operations API, and what they may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.core.access import PERSONAL, Permission, Role, permitted

Identified = Literal["declared", "issued", "oidc", "local", "admin_token"]
"""How an operator was known: by a token whose digest a policy file holds, by one that was issued, by an identity
provider, as whoever is on the machine, or by PINION_ADMIN_TOKEN."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as it was identified.

    `signs_for` are the functions whose sign-off is theirs to give. `by` is the id of the token, or the issuer of the
    identity provider. A token that was `issued` by somebody else may have been in that one's hands.
    """

    name: str
    roles: frozenset[Role]
    is_person: bool = True
    signs_for: frozenset[str] = frozenset()
    owner: str | None = None
    contact: str | None = None
    identified: Identified = "declared"
    by: str = ""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What this operator may do, identified as it is."""
        given = permitted(self.roles)
        return given - PERSONAL if self.identified == "issued" else given

    def may(self, permission: Permission) -> bool:
        """Say whether this operator may do something."""
        return permission in self.permissions


LOCAL = Operator("local", frozenset({"local"}), identified="local")
"""Whoever is on the machine, where no operator is declared."""

TOKEN_HOLDER = Operator("operator", frozenset({"local"}), is_person=False, identified="admin_token")
"""Who has PINION_ADMIN_TOKEN, where no operator is declared."""

BREAK_GLASS = Operator("operator", frozenset({"admin"}), is_person=False, identified="admin_token")
"""Who has PINION_ADMIN_TOKEN, where operators are declared."""

RESERVED_NAMES = frozenset({"local", "operator", "policy", "gateway"})
"""Names that acts are recorded under already, and no operator may have."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of a snapshot.

    `by_name` holds all that are declared, `by_token` those with a token by its SHA-256 digest, `by_subject` those that
    an identity provider knows, by issuer and subject; the latter two say how the operator was identified.
    """

    by_name: Mapping[str, Operator] = field(default_factory=dict)
    by_token: Mapping[bytes, Operator] = field(default_factory=dict, repr=False)
    by_subject: Mapping[tuple[str, str], Operator] = field(default_factory=dict)
