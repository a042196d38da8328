"""Who signs, what, and by which policy, for tests of approvals."""

from gateway.core.access import roles_of
from gateway.core.approval import Subject, opened
from gateway.core.approval_policy import ApprovalPolicy, Gate
from gateway.core.operator import Operator

POLICY = ApprovalPolicy(
    "production", {"engineering": 1, "risk": 1}, max_age=1000.0, deadline=100.0, gates=(Gate("rollback_plan"),)
)
SUBJECT = Subject(
    "release", "production", "desk", "1.1.0", "a" * 64, {"release": "r" * 64, "card": None}, frozenset({"grace"})
)


def person(name, *signs_for, roles=(), by="", **more):
    """An operator who came with a token of their own."""
    held = roles_of(roles, is_person=more.get("is_person", True), signs=bool(signs_for))
    return Operator(name, held, signs_for=frozenset(signs_for), by=by or f"sha256:{name}", **more)


ADA = person("ada", roles=["author"])
ENG, RISK = person("eng", "engineering"), person("risk", "risk")
BOTH = person("both", "engineering", "risk")


def asked(subject=SUBJECT, policy=POLICY, who=ADA, now=10.0, **more):
    """A request that was just made."""
    return opened(subject, policy, who, new_id="q1", now=now, **more)
