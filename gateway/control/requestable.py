"""What may be requested: the releases of the policy sets that approvals may be about, and the changes of policies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.control.live import Live
from gateway.control.policy_schema import meant
from gateway.control.subjects import Considered, policy_changes
from gateway.core.approval import Request, Subject, said_changed
from gateway.core.approval_policy import ApprovalPolicy, Gate
from gateway.core.errors import UnknownSubject


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Everything that a reviewer needs of a subject: what asks for it now, the gates, and the request, if one is open.

    `gates` are each gate with why it does not hold, or None. `stable` is the version that serves now.
    """

    subject: Subject
    policy: ApprovalPolicy | None
    gates: tuple[tuple[Gate, str | None], ...]
    request: Request | None
    stable: str | None
    why_not: str | None


class Requestable:
    """Looks subjects up as they are now."""

    def __init__(self, live: Live, considered: Callable[[], Iterator[Considered]]) -> None:
        """`considered` gives the policy sets that requests may be about, the one that waits for approvals first."""
        self._live = live
        self._considered = considered

    def current(self, request: Request) -> Iterator[tuple[Considered, Subject]]:
        """Give what a request's subject is now, with each set that it may be about."""
        if request.kind == "approval_policy":
            yield from (each for each in self.changes() if each[1].place == request.place)
            return
        for considered in self._considered():
            route = considered.policies.routes.get(request.name)
            if route is not None and request.version in route.releases:
                yield considered, considered.subject(route, request.version)

    def changes(self) -> Iterator[tuple[Considered, Subject]]:
        """Give the changes of approval policies that each set would make."""
        in_force, environment = self._live.state.governance.policies, self._live.terms.environment
        for considered in self._considered():
            for subject in policy_changes(in_force, considered.policies, environment):
                yield considered, subject

    def release(self, route: str, version: str) -> tuple[Considered, Subject]:
        """Find a release in the set that waits for approvals, or in the one that serves."""
        known: list[str] = []
        for considered in self._considered():
            policy = considered.policies.routes.get(route)
            if policy is not None and version in policy.releases:
                return considered, considered.subject(policy, version)
            known += [f"{place}/{each}" for place, each in considered.releases]
        remedy = meant(f"{route}/{version}", known) or "declare it in the policy files first"
        raise UnknownSubject(f"there is no release {route[:100]}/{version[:100]}; {remedy}")

    def gates(
        self, considered: Considered, subject: Subject, policy: ApprovalPolicy | None, rollback_plan: str
    ) -> Iterator[tuple[Gate, str | None]]:
        """Give the gates of a policy, each with why it does not hold, or None."""
        if policy is not None and subject.kind == "release":
            route = considered.policies.routes[subject.name]
            results = considered.evaluations(route, subject.version)
            today = datetime.fromtimestamp(self._live.world.clock.wall(), UTC).date()
            card_gap = considered.card_gap(route, subject.version, today)
            for gate in policy.gates:
                yield gate, gate.why_not(results, rollback_plan, card_gap)


def why_changed(request: Request, current: Sequence[Subject]) -> str:
    """Say in which parts what was requested is something else by now; `current` is what it may be."""
    if not current:
        return "it is not declared any more"
    return f"what was requested has changed since: {said_changed(request.parts, current[0].parts)}"
