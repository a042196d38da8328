"""What a process knows: the policies that it took, what the store holds, and what is made of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.control.policies import Policies
from gateway.control.snapshots import Releases
from gateway.core.admission import Governance
from gateway.core.api_key import IssuedKey
from gateway.core.recorded import ArmOut, ExperimentStart, Recorded, ServedVersion
from gateway.core.route_record import RouteRecord
from gateway.core.standing import Key, Standing

NOTHING = Policies(
    revision="",
    providers={},
    models={},
    datasets={},
    prompts={},
    prompt_places={},
    apps={},
    app_names=frozenset(),
    routes={},
    warnings=(),
    credential_files=(),
)
"""What serves before the first policy set."""


@dataclass(slots=True)
class State:
    """What the process knows; replaced piece by piece, always between two awaits."""

    policies: Policies = NOTHING
    releases: Releases = field(default_factory=dict)
    records: dict[str, RouteRecord] = field(default_factory=dict)
    experiments: tuple[ExperimentStart, ...] = ()
    arms_out: tuple[ArmOut, ...] = ()
    served: dict[Key, str] = field(default_factory=dict)
    standings: dict[Key, Standing] = field(default_factory=dict)
    keys: Mapping[str, IssuedKey] = field(default_factory=dict, repr=False)
    governance: Governance = field(default_factory=Governance)
    replicas: int = 1

    def recorded(self, epoch: int) -> Recorded:
        """Give it as a store would that held it at an epoch."""
        return Recorded(
            epoch=epoch,
            routes=dict(self.records),
            experiments=self.experiments,
            arms_out=self.arms_out,
            served=tuple(ServedVersion(*names, digest) for names, digest in self.served.items()),
            standings=tuple(self.standings.values()),
            keys=tuple(self.keys.values()),
            governance=self.governance,
            replicas=self.replicas,
        )
