"""Approvals: a request, the sign-offs that persons give it, and what comes of it.

The law: a sign-off is a person's own word on exactly what they saw. Who made it, or asked for it, does not sign it; one
person counts once; and what has changed since is signed by nobody.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from gateway.core.access import PERSONAL
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.errors import NotPermitted, VerbRefused
from gateway.core.operator import Operator

RequestKind = Literal["release", "approval_policy"]

REMOVED = "removed"
"""The version of an approval policy that is there no more."""


class RequestState(StrEnum):
    """What has become of a request."""

    open = "open"
    approved = "approved"
    rejected = "rejected"
    withdrawn = "withdrawn"
    expired = "expired"
    dismissed = "dismissed"


MOVES: Mapping[tuple[RequestState, str], RequestState] = {
    (RequestState.open, "approve"): RequestState.approved,
    (RequestState.open, "reject"): RequestState.rejected,
    (RequestState.open, "withdraw"): RequestState.withdrawn,
    (RequestState.open, "expire"): RequestState.expired,
    (RequestState.open, "dismiss"): RequestState.dismissed,
}
"""The one table: what is not open any more never opens again."""

REVIEWS: Mapping[str, str] = {"approve": "approve", "reject": "reject"} | dict.fromkeys(
    ("withdraw", "expire", "dismiss"), "withdraw"
)
"""What the end of a request means for the review of its release, by verb."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be signed: a release in an environment, or a change of an approval policy.

    `digest` covers `parts`, which are digests by name; a part that is None does not exist. `version` is a release's, or
    the digest that an approval policy would have. `authors` made some of it, as far as that is known.
    """

    kind: RequestKind
    environment: str
    name: str
    version: str
    digest: str
    parts: Mapping[str, str | None] = field(repr=False)
    authors: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What it is, whatever it holds."""
        return self.kind, self.environment, self.name, self.version

    def __str__(self) -> str:
        if self.kind == "release":
            return f"{self.name}/{self.version}"
        return f"approval policy {self.name} ({self.version[:12]})"


@dataclass(frozen=True, slots=True)
class SignOff:
    """A person's word for a function, on what `digest` covers. `identified` tells the token that it was given with."""

    person: str
    role: str
    digest: str
    at: float
    comment: str = ""
    identified: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for approval, with the sign-offs so far. Times are wall seconds.

    `policy` is what was in force when it was made, `digest` what is to be signed. `excluded` may not sign.
    """

    id: str
    kind: RequestKind
    environment: str
    name: str
    version: str
    digest: str
    parts: Mapping[str, str | None] = field(repr=False)
    policy: ApprovalPolicy
    requester: str
    requested_at: float
    deadline: float
    excluded: frozenset[str] = frozenset()
    identified: str = ""
    reason: str = ""
    rollback_plan: str = ""
    state: RequestState = RequestState.open
    ended_at: float | None = None
    ended_by: str | None = None
    ended_reason: str = ""
    reminded_at: float | None = None
    sign_offs: tuple[SignOff, ...] = ()
    revision: int = 1

    @property
    def is_open(self) -> bool:
        """Whether it may still be signed."""
        return self.state is RequestState.open

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What it is about, whatever that holds."""
        return self.kind, self.environment, self.name, self.version

    @property
    def missing(self) -> dict[str, int]:
        """How many sign-offs are still needed, by function."""
        given = [each.role for each in self.sign_offs]
        left = {role: count - given.count(role) for role, count in self.policy.requires.items()}
        return {role: count for role, count in left.items() if count > 0}

    def __str__(self) -> str:
        subject = f"{self.name}/{self.version}" if self.kind == "release" else f"approval policy {self.name}"
        return f"request {self.id} for {subject}"

    def why_not_signed_by(self, who: Operator) -> str | None:
        """Say why somebody may not sign it at all; None where they may."""
        if why := why_no_person(who):
            return why
        if who.name == self.requester or (self.identified and _token(who) == self.identified):
            return f"{who.name} asked for it; somebody else must sign"
        if who.name in self.excluded:
            return f"{who.name} is an author of it; somebody else must sign"
        if any(
            each.person == who.name or (each.identified and each.identified == _token(who)) for each in self.sign_offs
        ):
            return f"{who.name} has signed it already; one person counts once"
        if not who.signs_for & self.policy.requires.keys():
            return f"{who.name} signs for {_listed(who.signs_for)}, and it takes {_listed(self.policy.requires)}"
        return None


@dataclass(frozen=True, slots=True)
class Approval:
    """What was approved, by which request, at wall time `at`; it admits nothing new from `until` on, if that is set."""

    id: str
    kind: RequestKind
    environment: str
    name: str
    version: str
    digest: str
    at: float
    until: float | None = None

    def is_good_for(self, subject: Subject, now: float) -> bool:
        """Say whether it lets exactly this begin to serve at wall time `now`."""
        is_same = (self.kind, self.environment, self.name, self.version, self.digest) == (
            *subject.place,
            subject.digest,
        )
        return is_same and (self.until is None or now < self.until)


def why_no_person(who: Operator) -> str | None:
    """Say why somebody is no identified person, whose word could count; None where they are one.

    Whoever is on the machine, a service, and a token that another issued prove no person.
    """
    if not who.is_person:
        return f"{who.name} is no person, and this is a person's word"
    if who.identified not in ("declared", "oidc"):
        return (
            f"{who.name} is not identified as a person; declare operators, and come with a token of your own or by the "
            "identity provider"
        )
    return None


def opened(
    subject: Subject,
    policy: ApprovalPolicy,
    who: Operator,
    *,
    new_id: str,
    now: float,
    reason: str = "",
    rollback_plan: str = "",
) -> Request:
    """Make a request for approval. Whoever makes it stands for the author of what files declare, and signs nothing.

    Raises:
        NotPermitted: `who` is no identified person.
    """
    if why := why_no_person(who):
        raise NotPermitted(why)
    return Request(
        id=new_id,
        kind=subject.kind,
        environment=subject.environment,
        name=subject.name,
        version=subject.version,
        digest=subject.digest,
        parts=dict(subject.parts),
        policy=policy,
        requester=who.name,
        requested_at=now,
        deadline=now + policy.deadline,
        excluded=subject.authors,
        identified=_token(who),
        reason=reason,
        rollback_plan=rollback_plan,
    )


def signed(
    request: Request, who: Operator, *, role: str | None, digest: str | None, now: float, comment: str = ""
) -> Request:
    """Give a request with somebody's sign-off. `digest` is what they have reviewed, where they say so.

    Without a role it is for the one of theirs that is still missing.

    Raises:
        NotPermitted: they may not sign it.
        VerbRefused: it takes no sign-off any more, or not for that function, or they have reviewed something else.
    """
    _expect_open(request, "sign")
    if now >= request.deadline:
        raise VerbRefused(f"the {request}, is past its deadline; request it anew")
    if why := request.why_not_signed_by(who):
        raise NotPermitted(f"{who.name} may not sign the {request}: {why}" if not why.startswith(who.name) else why)
    if digest is not None and not (len(digest) >= 12 and request.digest.startswith(digest)):
        raise VerbRefused(
            f"what was reviewed has the digest {digest[:12]}, and the {request}, is for {request.digest[:12]}; "
            "review it again"
        )
    theirs = sorted(who.signs_for & (request.missing or request.policy.requires).keys())
    if role is not None and role not in who.signs_for:
        raise NotPermitted(f"{who.name} does not sign for {role}, but for {_listed(who.signs_for)}")
    if role is not None and role not in request.policy.requires:
        raise VerbRefused(f"the {request}, takes no sign-off of {role}, but of {_listed(request.policy.requires)}")
    if role is None and len(theirs) != 1:
        which = _listed(theirs) if theirs else "none that is missing"
        raise VerbRefused(
            f"{who.name} signs for {which}; name one with --role"
            if theirs
            else f"every sign-off that {who.name} could give is there"
        )
    given = SignOff(who.name, role or theirs[0], request.digest, now, comment, _token(who))
    return replace(request, sign_offs=(*request.sign_offs, given), revision=request.revision + 1)


def approved(request: Request, now: float) -> tuple[Request, Approval]:
    """End a request that has all its sign-offs, and give the approval that it is.

    Raises:
        VerbRefused: a sign-off is missing.
    """
    if request.missing:
        raise VerbRefused(f"the {request}, lacks {said_missing(request.missing)}")
    last = request.sign_offs[-1].person if request.sign_offs else request.requester
    after = replace(ended(request, "approve", last, "", now), revision=request.revision)
    until = None if request.policy.max_age is None else now + request.policy.max_age
    return after, Approval(request.id, request.kind, *request.place[1:], request.digest, now, until)


def ended(request: Request, verb: str, actor: str, reason: str, now: float) -> Request:
    """End a request by a verb: approve, reject, withdraw, expire or dismiss.

    Raises:
        VerbRefused: it has ended already.
    """
    _expect_open(request, verb)
    return replace(
        request,
        state=MOVES[request.state, verb],
        ended_at=now,
        ended_by=actor,
        ended_reason=reason,
        revision=request.revision + 1,
    )


def lapsed(request: Request, operators: Mapping[str, Operator]) -> Iterator[SignOff]:
    """Give the sign-offs of persons who could not give them any more: not declared, or not for that function."""
    for each in request.sign_offs:
        who = operators.get(each.person)
        if who is None or each.role not in who.signs_for:
            yield each


def said_lapsed(sign_offs: Iterable[SignOff]) -> str:
    """Say whose word counts no more, as in `eng signs for engineering no more`."""
    return ", ".join(f"{each.person} signs for {each.role} no more" for each in sign_offs)


def said_missing(missing: Mapping[str, int]) -> str:
    """Say which sign-offs are missing, as in `1 of engineering, 2 of security`."""
    return ", ".join(f"{count} of {role}" for role, count in sorted(missing.items()))


def said_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Name the parts of a subject that differ, as people know them."""
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return ", ".join(name.replace("_", " ") for name in names) or "nothing"


def who_can(policy: ApprovalPolicy, operators: Collection[Operator]) -> Iterator[tuple[str, int]]:
    """Give for each function that a policy asks for how many persons sign for it."""
    for role in policy.requires:
        yield role, sum(role in who.signs_for and PERSONAL & who.permissions != frozenset() for who in operators)


def _token(who: Operator) -> str:
    """Tell the token by which somebody is known; an identity provider tells its subjects apart by name."""
    return who.by if who.identified == "declared" else ""


def _expect_open(request: Request, verb: str) -> None:
    if (request.state, verb) not in MOVES and not (verb == "sign" and request.is_open):
        raise VerbRefused(f"the {request}, is {request.state.value} and does not take {verb}; request it anew")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
