"""What the store records, as values: the state of routes, acts on rollouts, experiments, and versions that served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.admission import Governance
from gateway.core.api_key import IssuedKey
from gateway.core.audit import BY_GATEWAY, Origin
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import GATEWAY, RouteRecord
from gateway.core.standing import Standing


@dataclass(frozen=True, slots=True)
class RolloutEvent:
    """One recorded act on a rollout: who did what, why, on what evidence, and what it became."""

    at: float
    verb: str
    rollout: Rollout

    def is_same_act(self, other: "RolloutEvent") -> bool:
        """Say whether another event tells of this very act, whatever its evidence is by now."""
        one, two = self.rollout, other.rollout
        mine = (self.at, self.verb, one.id, one.actor, one.reason)
        return mine == (other.at, other.verb, two.id, two.actor, two.reason)

    def is_told_by(self, other: "RolloutEvent") -> bool:
        """Say whether another event leaves nothing of this one to record: it is this act, or came first.

        What several gateways take out at once goes out once. A person's act is theirs, whoever came before.
        """
        one, two = self.rollout, other.rollout
        has_come_first = one.id == two.id and two.state is RolloutState.rolled_back
        return self.is_same_act(other) or (one.actor == GATEWAY and has_come_first)


@dataclass(frozen=True, slots=True)
class RouteMove:
    """A route's new record, the acts that led to it, and the revision that it rests on.

    Where another record of the route has taken that one's place, nothing is written. `after` is 0 where nothing is
    recorded of the route. The audit trail tells `before`, the record that it takes the place of, and `origin`.
    """

    record: RouteRecord
    events: tuple[RolloutEvent, ...] = ()
    after: int = 0
    before: RouteRecord | None = None
    origin: Origin = BY_GATEWAY


@dataclass(frozen=True, slots=True)
class KeptEvidence:
    """What a rollout's step had shown at wall time `at`, as JSON, `elapsed` seconds into the step (pauses aside)."""

    rollout: str
    step: int
    elapsed: float
    at: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExperimentStart:
    """When an experiment began, and with which arms: name, release version and share in parts per million of each."""

    route: str
    name: str
    at: float
    arms: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class ArmOut:
    """An experiment's arm that was taken out of traffic for good."""

    route: str
    experiment: str
    release: str
    reason: str
    at: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """A version that has been in the way of requests: from then on its content cannot change."""

    kind: str
    name: str
    version: str
    digest: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it: the kind, the name and the version."""
        return self.kind, self.name, self.version


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything in the store that a snapshot depends on, at one epoch.

    `routes` is keyed by route; `standings` are of every registered version; `replicas` is among how many gateways what
    all of them share is divided.
    """

    epoch: int = 0
    routes: Mapping[str, RouteRecord] = field(default_factory=dict)
    experiments: Sequence[ExperimentStart] = ()
    arms_out: Sequence[ArmOut] = ()
    served: Sequence[ServedVersion] = ()
    standings: Sequence[Standing] = ()
    keys: Sequence[IssuedKey] = ()
    governance: Governance = field(default_factory=Governance)
    replicas: int = 1
