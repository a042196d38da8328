"""The ports: what the rules of Pinion need of the world. Adapters implement them; tests bring fakes of the same name.

Only this module of the core and `trail_ports`, which has those around the audit trail, declare asynchronous methods.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from gateway.core.access_use import AccessUse
from gateway.core.admission import Excepted, GovernanceMove, RequestMove
from gateway.core.api_key import IssuedKey
from gateway.core.approval import Request
from gateway.core.arm_units import ArmUnits, Wanted
from gateway.core.audit import BY_POLICY, AuditAct, Origin
from gateway.core.delivery import DeliveryResult
from gateway.core.dependent import Traffic
from gateway.core.deployment import Change, Deployment
from gateway.core.errors import PinionError, UpstreamFault
from gateway.core.feedback import ExposurePage, Feedback
from gateway.core.head import Head
from gateway.core.identity_provider import IdentityProvider
from gateway.core.limit import AppUse, LimitKind
from gateway.core.price import Pricing
from gateway.core.provider import DialectName, Provider
from gateway.core.record import Record
from gateway.core.recorded import (
    ArmOut,
    ExperimentStart,
    KeptEvidence,
    Recorded,
    RolloutEvent,
    RouteMove,
    ServedVersion,
)
from gateway.core.release_figures import ReleaseFigures
from gateway.core.standing import Entry, Key, Kind, Standing
from gateway.core.value import value

Headers = list[tuple[bytes, bytes]]
"""Header fields in order, names in lower case."""


class Clock(Protocol):
    """Where the time comes from."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back: for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch: for records."""
        ...


class Downstream(Protocol):
    """Where an exchange's answer goes. Calls return at once; `start` comes first, `finish` or `abort` last.

    With `finish` or `abort` the exchange is over, and may be given back.

    When what was written piles up, the edge tells the exchange to `pause`, and to `resume` once it has drained.
    """

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Send the head of the answer; `length` is how many bytes of body follow, where that is known."""
        ...

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        ...

    def finish(self) -> None:
        """End the answer properly."""
        ...

    def abort(self) -> None:
        """Cut the connection, so that nobody can take what was sent for a whole answer."""
        ...


class Exchange(Protocol):
    """One request, as an edge drives it. Every method is synchronous; what arrives after the end changes nothing."""

    @property
    def wants_body(self) -> bool:
        """Whether the request's body is still wanted; not once its head was refused."""

    def body(self, raw: bytes) -> None:
        """The request's body is complete."""

    def refuse(self, fault: PinionError) -> None:
        """The edge cannot receive the request: answer so."""

    def client_gone(self) -> None:
        """The client has left."""

    def pause(self) -> None:
        """What was written piles up."""

    def resume(self) -> None:
        """What was written has drained."""


class Exchanges(Protocol):
    """Where an edge begins exchanges, and gives them back."""

    @property
    def max_body(self) -> int:
        """The largest request body, in bytes."""

    def governs(self, path: str) -> bool:
        """Say whether a raw path is a governed endpoint; every other path is someone else's."""

    def open(self, downstream: Downstream, head: Head) -> Exchange:
        """Begin an exchange with the head of a request to a governed path; it may be refused, and answered, at once."""

    def close(self, exchange: Any) -> None:
        """Give an exchange back; one that has not ended has lost its client."""


@value
class UpstreamRequest:
    """A request as it leaves: `target` is the absolute URL, with its query."""

    provider: Provider
    target: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)


class UpstreamListener(Protocol):
    """Who hears how an upstream call goes: a head, pieces of body, then one of end or failure."""

    def upstream_head(self, status: int, headers: Headers) -> None:
        """The status and headers have come."""

    def upstream_data(self, data: bytes) -> None:
        """A piece of the body has come, as it was on the wire (not decompressed)."""

    def upstream_end(self) -> None:
        """The body is complete."""

    def upstream_failed(self, fault: UpstreamFault) -> None:
        """The call failed, before or after its head. Nothing follows."""


class UpstreamCall(Protocol):
    """A call under way. After `cancel` the listener hears nothing more and the connection is closed."""

    def pause(self) -> None:
        """Stop reading from the provider."""

    def resume(self) -> None:
        """Read on."""

    def cancel(self) -> None:
        """Give the call up at once."""


class Upstream(Protocol):
    """A transport to providers. `send` never calls the listener before it returns."""

    def send(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamCall:
        """Begin a call."""


class Meters(Protocol):
    """What Prometheus will read. Every method is synchronous, cheap and bounded in series."""

    def settle(self, record: Record) -> None:
        """Count a finished request: its attempts, latencies, tokens, cost and overhead, by release and by app."""
        ...

    def shadow(self, route: str, release: str, result: str) -> None:
        """Count one request that was, or was not, mirrored."""
        ...

    def rollback(self, route: str, reason: str) -> None:
        """Count a rollback; `reason` is the rule that decided, from a fixed set."""
        ...

    def mismatch(self, route: str, release: str) -> None:
        """Count an answer whose served model is not the pinned one."""
        ...

    def retry_withheld(self, route: str, release: str) -> None:
        """Count a failed attempt that was not repeated for want of room in its provider's budget."""
        ...

    def reload(self, result: str) -> None:
        """Count a reload of the policy files: `accepted` or `rejected`."""
        ...

    def limited(self, app: str, kind: LimitKind) -> None:
        """Count a request that a limit of its application did not let through."""
        ...

    def dropped(self, count: int) -> None:
        """Count records that the ledger had no room for."""
        ...

    def refused(self, reason: str) -> None:
        """Count a request that was refused by its head alone; `reason` is one of a fixed set."""
        ...

    def notified(self, target: str, result: DeliveryResult, count: int = 1) -> None:
        """Count what became of a notification at a target, by its host; a count of 0 makes the series appear."""
        ...


class Ledger(Protocol):
    """Where every request leaves its record."""

    def append(self, record: Record) -> None:
        """Take a record, never waiting; what there is no room for is dropped and counted."""

    async def find(self, request_id: str) -> Record | None:
        """Give the record of a request.

        Raises:
            StoreFault: the ledger cannot be read.
        """

    async def responses(self, limit: int) -> Sequence[tuple[str, str, str, str]]:
        """Give the newest (application, route, response id, release version) of responses, the newest last."""

    async def outcome_counts(self, since: float, slot_seconds: float) -> Sequence[tuple[str, float, int, int]]:
        """Give (route, slot's start, good requests, bad ones) since a wall time, the oldest first.

        Raises:
            StoreFault: the ledger cannot be read.
        """

    async def assess(self, said: Feedback) -> bool:
        """Write feedback on a request, in place of what was said of it by the same name; say whether nothing was.

        Here and below: StoreFault.
        """

    async def newest_of_unit(self, app: str, unit_digest: str, route: str | None) -> Record | None:
        """Give the newest request of an application's unit, on a route or on any; copies apart."""

    async def arm_units(self, wanted: Wanted) -> ArmUnits:
        """Add up an experiment's requests and feedback by unit."""

    async def traffic(self, routes: Sequence[str], since: float) -> Sequence[Traffic]:
        """Count the requests to some routes since a wall time, by application and release; copies apart."""

    async def exposures(self, wanted: Wanted, after: int) -> ExposurePage:
        """Give some of an experiment's requests, in the order of the ledger, from after a position (0: the first)."""

    async def figures_of(self, route: str, release: str, since: float) -> ReleaseFigures:
        """Add up what a release of a route has shown since a wall time; copies apart."""

    async def app_use(self, apps: Sequence[str], since: float, until: float, per: float) -> Sequence[AppUse]:
        """Add up what applications have used between two wall times, by windows of `per` seconds; copies apart."""
        ...

    async def close(self) -> None:
        """Write what is queued and let go."""


class Journal(Protocol):
    """The structured log. One event a line; never a prompt, an answer or a secret."""

    def event(self, name: str, /, *, level: str = "info", **fields: Any) -> None:
        """Write an event, never waiting. `level` is info, warning or error; the fields must not change afterwards."""
        ...

    def request(self, record: Record, message: str) -> None:
        """Write how a request ended, never waiting; `message` says what went wrong, or nothing."""
        ...


class Store(Protocol):
    """The truth. Each write is one transaction that also raises the epoch, and returns the new epoch.

    Its entries in the audit trail are in the same transaction; where they cannot be written, nothing is. Every method
    raises StoreFault when the store cannot be read or written.
    """

    async def epoch(self) -> int:
        """Read the epoch alone."""
        ...

    async def recorded(self) -> Recorded:
        """Read everything that a snapshot depends on."""
        ...

    async def record_routes(
        self,
        moves: Sequence[RouteMove],
        entries: Sequence[tuple[Entry, Standing]] = (),
        acts: Sequence[AuditAct] = (),
        origin: Origin = BY_POLICY,
        governed: GovernanceMove | None = None,
    ) -> int:
        """Write the states of several routes, each with its events, register versions, and admit, in one transaction.

        `acts` are further entries of the audit trail; `origin` is how the versions came.

        Raises:
            Overtaken: a route, a version or a policy is not what is built on any more; nothing was written.
        """
        ...

    async def record_request(self, move: RequestMove, acts: Sequence[AuditAct]) -> int:
        """Write a request for approval with its new sign-offs, what follows from it, and by what acts.

        Raises:
            Overtaken: somebody else has moved it, or another is open for the same; nothing was written.
        """
        ...

    async def record_exceptions(self, changed: Sequence[Excepted], acts: Sequence[AuditAct]) -> int:
        """Write exceptions as they stand now, and by what acts, one each; what is told already is not told again."""
        ...

    async def requests(self, environment: str, name: str | None, limit: int) -> Sequence[Request]:
        """Give the newest requests of an environment, for one route or approval policy or all, the newest first."""
        ...

    async def record_experiment(self, start: ExperimentStart) -> int:
        """Write when an experiment began; one that is known is left as it is."""
        ...

    async def take_lease(self, name: str, seconds: float) -> bool:
        """Take a lease, or keep it, for so many seconds; say whether it is ours. Raises no epoch."""
        ...

    async def keep_evidence(self, kept: Sequence[KeptEvidence]) -> None:
        """Write what steps have shown so far, in place of what was kept of the same rollouts. Raises no epoch."""
        ...

    async def kept_evidence(self) -> Sequence[KeptEvidence]:
        """Give the evidence kept of every rollout that is the latest of its route."""
        ...

    async def record_arm_out(self, arm: ArmOut) -> int:
        """Write that an arm is out."""
        ...

    async def record_served(self, versions: Sequence[ServedVersion]) -> int:
        """Write that versions have been in the way of requests; one that is known is left as it is."""
        ...

    async def record_standing(self, standing: Standing, act: AuditAct) -> int:
        """Write where a version has come to, and by what act.

        Raises:
            Overtaken: somebody else has moved it from where this move rests on; nothing was written.
        """
        ...

    async def entry(self, key: Key) -> tuple[Entry, Standing] | None:
        """Give a registered version with where it stands; None where there is no such."""
        ...

    async def entries(self, kind: Kind) -> Sequence[tuple[Entry, Standing]]:
        """Give the facts and the standing of every version of a kind, by name, the newest of each last."""
        ...

    async def record_deployments(self, change: Change) -> int:
        """Write what begins to serve and what has ended; what is written already is left as it is."""
        ...

    async def lasting_deployments(self, environment: str) -> Sequence[Deployment]:
        """Give the deployments of an environment that last."""
        ...

    async def deployments(self, route: str | None, limit: int) -> Sequence[Deployment]:
        """Give the newest deployments, of one route or of all, the newest first."""
        ...

    async def record_keys(self, keys: Sequence[IssuedKey], act: AuditAct) -> int:
        """Write issued keys, and by what act; one that is known is joined with what is: no revocation is taken back."""
        ...

    async def record_replicas(self, replicas: int) -> int:
        """Write among how many gateways what all of them share is divided; what is written already raises no epoch."""
        ...

    async def keep_use(self, use: AccessUse) -> None:
        """Write what access was used lately; what is known of later use stays. Raises no epoch."""
        ...

    async def access_use(self) -> AccessUse:
        """Give the latest use of every key and every grant."""
        ...

    async def audit(self, acts: Sequence[AuditAct]) -> None:
        """Write entries of what changes nothing here: a denial, an export. Raises no epoch."""
        ...

    async def history(self, route: str, limit: int) -> Sequence[RolloutEvent]:
        """Give a route's newest rollout events, the newest first."""
        ...

    async def close(self) -> None:
        """Let go of the store."""
        ...


class Fleet(Protocol):
    """What the gateways of one store tell each other between two looks at it: hints and counts, no only copy.

    `add`, `replicas`, `say` and `pass_on` raise FleetFault while it is away.
    """

    async def add(self, amounts: Mapping[str, int], keep: float) -> Mapping[str, int]:
        """Add to shared counters, zero amounts too, and give what each has come to over all gateways.

        A counter is forgotten `keep` seconds after it was last added to.
        """
        ...

    async def replicas(self) -> int:
        """Give how many gateways of this fleet have been heard of in the last seconds, this one included."""
        ...

    async def say(self, message: Mapping[str, Any]) -> None:
        """Tell every other gateway something, once; whoever does not listen misses it."""

    async def pass_on(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tell every other gateway that listens now several things, in one trip, and give how many did.

        Nothing of it is kept for others.
        """
        ...

    def heard(self) -> AsyncIterator[Mapping[str, Any]]:
        """Give what others say, from now on, without end; it waits out an absence by itself."""
        ...

    async def close(self) -> None:
        """Let go of the bus."""


class FleetLeases(Protocol):
    """What one gateway of a fleet has alone, for a while. Both methods raise FleetFault while the bus is away."""

    async def take(self, names: Sequence[str], seconds: float) -> frozenset[str]:
        """Take leases, or keep them, for so many seconds; give those that are ours."""
        ...

    async def give_back(self, names: Sequence[str]) -> None:
        """Give leases back that are ours."""


class RecordedCopy(Protocol):
    """The last known record of the store on the machine's own disk, for a start while the store is away."""

    def keep(self, recorded: Recorded) -> None:
        """Keep a record in place of the one before. What goes wrong is no reason not to serve."""

    def read(self) -> Recorded | None:
        """Give the record kept, or None where there is none that can be read."""


class PriceBook(Protocol):
    """The prices of models that a policy file states none for."""

    def pricing(self, dialect: DialectName, base_url: str, upstream_model: str) -> Pricing | None:
        """Give the pricing of an upstream model, or None when it is not known."""


class TokenVerifier(Protocol):
    """Who verifies the signed tokens of identity providers."""

    async def subject(self, token: str, providers: Sequence[IdentityProvider]) -> tuple[str, str] | None:
        """Give the issuer and the subject of a token that one of these providers vouches for; None for any other."""


class Secrets(Protocol):
    """Where credentials are kept."""

    def read(self, source: str) -> str:
        """Read a credential by its source, `env:NAME` or `file:PATH`.

        Raises:
            SetupFault: there is none; the message names the source and never a value.
        """
