"""Admission: on whose word a release may serve in an environment, and what the store holds of approvals.

The law: where a policy governs a release, it serves nobody without an admission, and an admission rests on an approval
or an exception of exactly what is admitted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from gateway.core.approval import Approval, Request, Subject
from gateway.core.approval_policy import ApprovalPolicy, combined
from gateway.core.standing import Standing

ExceptionKind = Literal["exception", "emergency", "overdue"]
"""What lets a release serve without an approval; `overdue` is an emergency whose review has not come in time."""

EXCEPTION_KINDS: tuple[ExceptionKind, ...] = get_args(ExceptionKind)

Word = Literal["approval", "exception", "emergency"]
"""By what a release was admitted."""


@dataclass(frozen=True, slots=True)
class Excepted:
    """An exception: a release may serve without an approval until wall time `until`, on its owner's word.

    One made in an emergency must be reviewed by `review_by`; `reviewed_at` says when an approval did so, `overdue_at`
    when it was told that none had. `ended_at` is when it was ended, before its time or at it.
    """

    id: str
    environment: str
    name: str
    version: str
    digest: str
    owner: str
    reason: str
    at: float
    until: float
    is_emergency: bool = False
    review_by: float | None = None
    reviewed_at: float | None = None
    ended_at: float | None = None
    overdue_at: float | None = None

    def joined(self, other: "Excepted") -> "Excepted":
        """Give it with what another state of the same tells, too; what was first stays."""
        return replace(
            self,
            reviewed_at=other.reviewed_at if self.reviewed_at is None else self.reviewed_at,
            ended_at=other.ended_at if self.ended_at is None else self.ended_at,
            overdue_at=other.overdue_at if self.overdue_at is None else self.overdue_at,
        )

    def lasts(self, now: float) -> bool:
        """Say whether it admits anything at wall time `now`."""
        return self.ended_at is None and now < self.until

    def is_overdue(self, now: float) -> bool:
        """Say whether the review that an emergency asks for has not come in time."""
        return self.review_by is not None and self.reviewed_at is None and now >= self.review_by

    def kind(self, now: float) -> ExceptionKind:
        """Say what it is at wall time `now`."""
        if self.is_overdue(now):
            return "overdue"
        return "emergency" if self.is_emergency else "exception"

    def is_good_for(self, subject: Subject, now: float) -> bool:
        """Say whether it lets exactly this begin to serve at wall time `now`."""
        mine = "release", self.environment, self.name, self.version, self.digest
        return mine == (*subject.place, subject.digest) and self.lasts(now)


@dataclass(frozen=True, slots=True)
class Admission:
    """A release that may serve: by an approval, by an exception, or since nothing governed it.

    `digest` is that of what was signed. `behaviour` tells the part of it that answers depend on: the release's digest,
    and that of its route behind a plus where a policy governs that. `policies` are those that govern the release now.
    """

    environment: str
    route: str
    release: str
    digest: str
    behaviour: str
    at: float
    approval_id: str | None = None
    exception_id: str | None = None
    ungoverned: bool = False
    policies: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[str, str, str]:
        """What it admits where."""
        return self.environment, self.route, self.release


@dataclass(frozen=True, slots=True)
class Governance:
    """What the store holds of approvals: the policies in force, open requests, approvals, exceptions, admissions."""

    policies: tuple[ApprovalPolicy, ...] = ()
    requests: tuple[Request, ...] = ()
    approvals: tuple[Approval, ...] = ()
    exceptions: tuple[Excepted, ...] = ()
    admissions: tuple[Admission, ...] = ()
    _by_place: Mapping[tuple[str, str, str], Admission] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_place", {each.place: each for each in self.admissions})

    def admission_of(self, place: tuple[str, str, str]) -> Admission | None:
        """Give the admission of a release to an environment: (environment, route, release)."""
        return self._by_place.get(place)

    def admits(self, place: tuple[str, str, str], now: float, *, has_served: bool) -> bool:
        """Say whether a release may serve at wall time `now`; `has_served` whether requests could meet it already."""
        found = self.admission_of(place)
        return found is not None and stands(self, found, now, has_served=has_served)

    def over(self, route: str, environment: str, risk_tier: str) -> tuple[ApprovalPolicy, ...]:
        """Give the policies in force that govern the releases of a route."""
        return tuple(each for each in self.policies if each.applies(route, environment, risk_tier))

    def policy_for(self, route: str, environment: str, risk_tier: str) -> ApprovalPolicy | None:
        """Give what they ask together; None where none governs."""
        return combined(self.over(route, environment, risk_tier))

    def approval_of(self, subject: Subject, now: float) -> Approval | None:
        """Give the latest approval that lets a subject begin at wall time `now`."""
        good = [each for each in self.approvals if each.is_good_for(subject, now)]
        return max(good, key=lambda each: each.at, default=None)

    def exception_of(self, subject: Subject, now: float) -> Excepted | None:
        """Give the exception that lets a subject begin at wall time `now`, the longest of several."""
        good = [each for each in self.exceptions if each.is_good_for(subject, now)]
        return max(good, key=lambda each: each.until, default=None)

    def lasting(self, environment: str, now: float) -> list[Excepted]:
        """Give the exceptions that last in an environment at wall time `now`."""
        return [each for each in self.exceptions if each.environment == environment and each.lasts(now)]

    def word_of(self, admitted_by: str) -> Word:
        """Say what an id is of that a release was admitted by."""
        made = next((each for each in self.exceptions if each.id == admitted_by), None)
        if made is None:
            return "approval"
        return "emergency" if made.is_emergency else "exception"

    def open_request(self, place: tuple[str, str, str, str]) -> Request | None:
        """Give the open request for something."""
        return next((each for each in self.requests if each.is_open and each.place == place), None)

    def moved(self, move: "GovernanceMove") -> "Governance":
        """Give it after a move: further admissions in place of those of the same releases, perhaps other policies."""
        known = {**self._by_place, **{each.place: each for each in move.admissions}}
        policies = self.policies if move.policies is None else move.policies
        return replace(self, admissions=tuple(known.values()), policies=policies)

    def with_request(self, move: "RequestMove") -> "Governance":
        """Give it after a request has moved: it is held while it is open, and so is what follows from it."""
        others = tuple(each for each in self.requests if each.id != move.request.id)
        requests = (*others, move.request) if move.request.is_open else others
        approvals = self.approvals if move.approval is None else (*self.approvals, move.approval)
        return replace(self, requests=requests, approvals=approvals).with_exceptions(move.reviewed)

    def with_exceptions(self, changed: Iterable[Excepted]) -> "Governance":
        """Give it with exceptions as they stand now."""
        known = {each.id: each for each in self.exceptions} | {each.id: each for each in changed}
        return replace(self, exceptions=tuple(known.values()))

    def without_admissions(self, route: str, release: str) -> "Governance":
        """Give it without the admissions of a release that was revoked or rejected."""
        left = tuple(each for each in self.admissions if (each.route, each.release) != (route, release))
        return replace(self, admissions=left)


@dataclass(frozen=True, slots=True)
class RequestMove:
    """A request for approval as it stands now, and what follows from it.

    An approval, where its release's review comes to, and the emergencies that it reviews.
    """

    request: Request
    approval: Approval | None = None
    standing: Standing | None = None
    reviewed: tuple[Excepted, ...] = ()


@dataclass(frozen=True, slots=True)
class GovernanceMove:
    """Admissions to be written, and the approval policies that are in force from now on; None leaves them.

    `after` are the digests of the policies that this rests on.
    """

    admissions: tuple[Admission, ...] = ()
    policies: tuple[ApprovalPolicy, ...] | None = None
    after: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.admissions) or self.policies is not None


Ground = Literal["approval", "exception", "ungoverned", "stands"]
"""Why a release may serve; `stands` is an admission from before, which nothing new may rest on."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whether a subject may serve, and by what; `why_not` says what is missing where it may not, or no longer anew."""

    admission: Admission | None
    ground: Ground | None
    why_not: str | None = None


def admitted(
    governance: Governance,
    subject: Subject,
    behaviour: str,
    policies: tuple[ApprovalPolicy, ...],
    now: float,
    *,
    has_served: bool,
) -> Admitted:
    """Decide whether a release may serve at wall time `now`, given the policies that govern it.

    What serves already goes on when its approval has merely aged, or what is known beside its behaviour has changed.
    `has_served` says whether requests could meet it already.
    """
    names = frozenset(each.name for each in policies)
    made = Admission(subject.environment, subject.name, subject.version, subject.digest, behaviour, now, policies=names)
    before = governance.admission_of(made.place)
    if not policies:
        return Admitted(_kept(before, replace(made, ungoverned=True)), "ungoverned")
    approval = governance.approval_of(subject, now)
    if approval is not None:
        return Admitted(_kept(before, replace(made, approval_id=approval.id)), "approval")
    exception = governance.exception_of(subject, now)
    if exception is not None:
        return Admitted(_kept(before, replace(made, exception_id=exception.id)), "exception")
    why_not = _why_not(governance, subject, now)
    holds = before is not None and stands(governance, before, now, has_served=has_served)
    if before is not None and holds and _behaves(before, behaviour, names):
        return Admitted(replace(before, behaviour=behaviour, policies=names), "stands", why_not)
    return Admitted(None, None, why_not)


def stands(governance: Governance, admission: Admission, now: float, *, has_served: bool) -> bool:
    """Say whether an admission holds at wall time `now`, where a policy governs the release by now.

    One by an exception ends with it. One from before any policy holds for what has served by then, and for nothing
    that was merely declared to.
    """
    if admission.ungoverned:
        return has_served
    if admission.exception_id is None:
        return True
    return any(each.id == admission.exception_id and each.lasts(now) for each in governance.exceptions)


def _behaves(before: Admission, behaviour: str, policies: frozenset[str]) -> bool:
    """Say whether a release behaves as it did when it was admitted.

    Where other policies govern it now, they find its route as it is, though none may have looked at that before.
    """
    release, _, _ = behaviour.partition("+")
    return before.behaviour == behaviour or (before.policies != policies and before.behaviour == release)


def _kept(before: Admission | None, made: Admission) -> Admission:
    """Give the admission from before where the new one would say the same."""
    return before if before is not None and replace(made, at=before.at) == before else made


def _why_not(governance: Governance, subject: Subject, now: float) -> str:
    """Say what keeps a governed subject from beginning to serve."""
    mine = [
        each for each in governance.approvals if (each.kind, each.environment, each.name, each.version) == subject.place
    ]
    if any(each.digest == subject.digest for each in mine):
        return "its approval is too old"
    waiting = governance.open_request(subject.place)
    if waiting is not None and waiting.digest == subject.digest:
        return "its approval is requested, and not given yet"
    ran_out = [each for each in governance.exceptions if (each.name, each.version) == (subject.name, subject.version)]
    if mine:
        return "what was approved has changed since"
    if any(each.environment == subject.environment and not each.lasts(now) for each in ran_out):
        return "its exception has ended"
    return "it is not approved"
