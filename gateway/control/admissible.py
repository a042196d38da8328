"""Which releases of a policy set may serve, by approvals and exceptions, and what it lacks."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.control.admitted import wanted_of
from gateway.control.policies import Policies, RoutePolicy
from gateway.control.policy_approvals import ungoverned
from gateway.control.subjects import Considered, policy_changes
from gateway.core.admission import Admission, Admitted, Governance, GovernanceMove, admitted
from gateway.core.approval import Subject
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.errors import Problem
from gateway.core.route_record import RouteRecord
from gateway.core.standing import Key


@dataclass(frozen=True, slots=True)
class Lack:
    """What a set would have begin without an approval; where it says so, and what to do."""

    subject: Subject
    problem: Problem


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a policy set by approvals.

    `lacks` keep it from being taken, or what they name from serving where it is taken all the same; `problems` always
    keep it out. `warnings` tell of what goes on serving though it could not begin to.
    """

    considered: Considered
    move: GovernanceMove
    lacks: tuple[Lack, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def held(self) -> frozenset[str]:
        """The routes that would serve a release which they may not yet: nothing is begun there."""
        routes = self.considered.policies.routes
        lacking = {(each.subject.name, each.subject.version) for each in self.lacks if each.subject.kind == "release"}
        return frozenset(name for name, route in routes.items() if (name, route.serve) in lacking)


def judge(
    considered: Considered,
    governance: Governance,
    records: Mapping[str, RouteRecord],
    before: Policies,
    served: Container[Key],
    now: float,
) -> Judged:
    """Hold a policy set against what is approved at wall time `now`; `considered.in_force` is as the store has it.

    `before` is the set that serves, where it is another: what it has serve already is nothing new. `served` has served.
    """
    policies, environment = considered.policies, considered.environment
    in_force, lacks = _in_force(considered, governance, now)
    after = replace(considered, in_force=in_force)
    admissions: list[Admission] = []
    warnings: list[Problem] = []
    for name, route in policies.routes.items():
        wanted = {version: place for place, version in reversed(list(_wanted(route, records.get(name))))}
        governing = after.governing(route)
        for version in route.releases:
            subject = after.subject(route, version)
            has_served = ("release", name, version) in served
            found = admitted(governance, subject, after.behaviour(subject), governing, now, has_served=has_served)
            is_new = version in wanted and _is_new(route, version, records.get(name), before)
            is_idle = version not in wanted and found.ground == "ungoverned"  # so that no policy finds it serving
            if found.admission is not None and not is_idle and not (found.ground == "stands" and is_new):
                admissions.append(found.admission)
            if version in wanted and route.releases[version].retired is None and found.why_not is not None:
                said = _lack(route, version, wanted[version], found, environment, is_new=is_new)
                if found.ground == "stands" and not is_new:
                    warnings.append(said)
                else:
                    lacks.append(Lack(subject, said))
    known = {each.place: each for each in governance.admissions}
    changed = tuple(each for each in admissions if known.get(each.place) != each)
    is_other = {each.digest for each in in_force} != {each.digest for each in governance.policies}
    move = GovernanceMove(
        changed, in_force if is_other else None, frozenset(each.digest for each in governance.policies)
    )
    problems = (*_escaped(after, governance), *_of_tiers(after))
    return Judged(after, move, tuple(lacks), problems, tuple(warnings))


def _of_tiers(considered: Considered) -> list[Problem]:
    in_force = {each.name: each for each in considered.in_force}
    return ungoverned(considered.policies.routes, in_force, considered.environment)


def _in_force(
    considered: Considered, governance: Governance, now: float
) -> tuple[tuple[ApprovalPolicy, ...], list[Lack]]:
    """Give the approval policies that are in force with a set, and which of its changes of them lack an approval."""
    policies = considered.policies
    made = {each.name: each for each in governance.policies}
    lacks = []
    for subject in policy_changes(governance.policies, policies, considered.environment):
        if governance.approval_of(subject, now) is None:
            lacks.append(Lack(subject, _policy_lack(subject, policies)))
        elif subject.name in policies.approval_policies:
            made[subject.name] = policies.approval_policies[subject.name]
        else:
            del made[subject.name]
    new = {name: each for name, each in policies.approval_policies.items() if name not in made}
    taken = {subject.name for subject in policy_changes(governance.policies, policies, considered.environment)}
    made |= {name: each for name, each in new.items() if name not in taken}
    return tuple(made[name] for name in sorted(made)), lacks


def _wanted(route: RoutePolicy, record: RouteRecord | None) -> Iterator[tuple[str, str]]:
    """Give every place that would have a release serve: by the file, and by what is recorded."""
    yield from wanted_of(route)
    if record is not None:
        if record.stable in route.releases:
            yield "stable", record.stable
        rollout = record.rollout
        if rollout is not None and rollout.is_open and rollout.candidate in route.releases:
            yield "its rollout", rollout.candidate


def _is_new(route: RoutePolicy, version: str, record: RouteRecord | None, before: Policies) -> bool:
    """Say whether a set would have a release begin what it does not do yet."""
    if version == route.serve and (record is None or version not in (record.serve_line, record.stable)):
        return True
    known = before.routes.get(route.name)
    if known is None or (record is not None and version == record.stable):
        return False
    return version not in {named for _, named in wanted_of(known)}


def _lack(route: RoutePolicy, version: str, place: str, found: Admitted, environment: str, *, is_new: bool) -> Problem:
    goes_on = found.ground == "stands" and not is_new
    what = "goes on serving" if goes_on else "may not begin to serve"
    said = f"route {route.name}: {place} names {version}, which {what} in {environment}: {found.why_not}"
    return Problem(route.where.file, route.where.line, said, f"pinion release request {route.name}/{version}")


def _policy_lack(subject: Subject, policies: Policies) -> Problem:
    where = policies.approval_places.get(subject.name)
    verb = "remove" if where is None else "change"
    said = f"the set would {verb} approval policy {subject.name}, which is in force, and that is not approved"
    first = min((route.where.file for route in policies.routes.values()), default="policies")
    file, line = (first, 1) if where is None else (where.file, where.line)
    return Problem(file, line, said, f"put it back, or pinion release request --policy {subject.name}")


def _escaped(considered: Considered, governance: Governance) -> Iterator[Problem]:
    """Find routes that would escape a policy which has governed them, by another risk tier."""
    unchanged = {each.name: each for each in considered.in_force if each in governance.policies}
    for admission in governance.admissions:
        route = considered.policies.routes.get(admission.route)
        if route is None or admission.environment != considered.environment or admission.release not in route.releases:
            continue
        for name in sorted(admission.policies & unchanged.keys()):
            if not unchanged[name].applies(route.name, considered.environment, route.risk_tier):
                now = f"route {route.name} is of risk_tier {route.risk_tier} now"
                said = f"{now}, where approval policy {name} governs it no more"
                remedy = "put the tier back, or have a change of the policy approved"
                yield Problem(route.where.file, route.where.line, said, remedy)
