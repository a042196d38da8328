"""What admits releases to an environment, and so which of them serve nobody for want of an approval."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from gateway.control.policy_values import RoutePolicy
from gateway.core.admission import Governance
from gateway.core.standing import Key


@dataclass(frozen=True, slots=True)
class Admissions:
    """What admits the releases of a policy set's routes, as it is at wall time `now`; `served` has served already."""

    governance: Governance = field(default_factory=Governance)
    routes: Mapping[str, RoutePolicy] = field(default_factory=dict)
    environment: str = "default"
    now: float = 0.0
    served: Container[Key] = ()

    def why_out(self, route: str, version: str) -> str | None:
        """Say why a release may serve nobody for want of an admission; None where it may."""
        policy = self.routes.get(route)
        if policy is None or not self.governance.over(route, self.environment, policy.risk_tier):
            return None
        has_served = ("release", route, version) in self.served
        if self.governance.admits((self.environment, route, version), self.now, has_served=has_served):
            return None
        return f"unapproved: nothing admits it to {self.environment}; pinion release request {route}/{version}"
