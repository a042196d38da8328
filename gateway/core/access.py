"""Who may do what: roles, permissions, the one table that joins them, and which roles no one holds together.

The law: what the table does not give is refused.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Permission = Literal[
    "status.read",
    "explain.read",
    "experiment.read",
    "exposures.export",
    "audit.read",
    "audit.export",
    "audit.forget",
    "policy.reload",
    "policy.plan",
    "rollout.act",
    "rollout.stop",
    "registry.read",
    "registry.register",
    "registry.retire",
    "evaluation.record",
    "release.request",
    "release.sign",
    "release.revoke",
    "release.exception",
    "card.read",
    "compliance.export",
    "access.review",
    "key.issue",
    "key.revoke",
    "operator.token",
]
"""What an operator may do. `rollout.stop` is a rollback alone: more may take a release out than give it traffic."""

PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

Role = Literal["viewer", "auditor", "author", "evaluator", "operator", "admin", "approver", "service", "local"]
"""What an operator is. The last three are implied: who signs for something is an approver, what is no person is a
service, and `local` is whoever is on the machine of a gateway that declares no operator."""

GRANTED: tuple[Role, ...] = ("viewer", "auditor", "author", "evaluator", "operator", "admin")
"""The roles that a policy file gives."""

_READS: frozenset[Permission] = frozenset(
    {"status.read", "explain.read", "experiment.read", "registry.read", "card.read"}
)

PERSONAL: frozenset[Permission] = frozenset({"release.sign", "release.exception"})
"""What a person answers for by name: no service may, nor anybody by a token that somebody else has issued."""

PERMITTED: Mapping[Role, frozenset[Permission]] = {
    "viewer": _READS,
    "auditor": _READS
    | {"exposures.export", "audit.read", "audit.export", "policy.plan", "compliance.export", "access.review"},
    "author": _READS | {"policy.plan", "registry.register", "release.request", "rollout.stop"},
    "evaluator": _READS | {"exposures.export", "evaluation.record"},
    "operator": _READS
    | {
        "exposures.export",
        "policy.reload",
        "policy.plan",
        "rollout.act",
        "rollout.stop",
        "registry.retire",
        "release.request",
        "release.revoke",
        "release.exception",
        "access.review",
        "key.revoke",
    },
    "admin": _READS
    | {
        "audit.read",
        "audit.forget",
        "policy.reload",
        "policy.plan",
        "rollout.stop",
        "release.revoke",
        "access.review",
        "key.issue",
        "key.revoke",
        "operator.token",
    },
    "approver": _READS | {"audit.read", "policy.plan", "rollout.stop", "release.sign", "release.revoke"},
    "service": frozenset(),
    "local": frozenset(PERMISSIONS) - {"release.sign"},
}
"""The one table. A service has what its other roles give."""

CONFLICTS: tuple[tuple[Role, Role, str], ...] = (
    ("service", "approver", "a sign-off is a person's word"),
    ("admin", "approver", "who gives out access does not sign what it gives access to"),
    ("auditor", "approver", "who audits writes nothing"),
    ("auditor", "author", "who audits writes nothing"),
    ("auditor", "evaluator", "who audits writes nothing"),
    ("auditor", "operator", "who audits writes nothing"),
    ("auditor", "admin", "who audits writes nothing"),
)
"""The conflict matrix: pairs of roles that nobody holds together, and why."""


def roles_of(granted: Iterable[Role], *, is_person: bool, signs: bool) -> frozenset[Role]:
    """Give all roles of an operator: those granted, and those implied."""
    implied: set[Role] = set()
    if signs:
        implied.add("approver")
    if not is_person:
        implied.add("service")
    return frozenset(granted) | implied


def permitted(roles: Iterable[Role]) -> frozenset[Permission]:
    """Give what roles together permit; of what is personal a service has nothing."""
    held = frozenset(roles)
    given = frozenset[Permission]().union(*(PERMITTED[role] for role in held))
    return given - PERSONAL if "service" in held else given


def conflicts(roles: Iterable[Role]) -> list[tuple[Role, Role, str]]:
    """Give the pairs of roles among these that nobody may hold together, and why."""
    held = frozenset(roles)
    return [pair for pair in CONFLICTS if pair[0] in held and pair[1] in held]
