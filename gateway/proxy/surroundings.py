"""What every exchange shares: the ports it speaks to, the limits it keeps, and what the process remembers."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.app import App
from gateway.core.breaker import Permit
from gateway.core.errors import Denied
from gateway.core.outcome import Outcome
from gateway.core.ports import Clock, Journal, Ledger, Meters, Upstream
from gateway.core.record import Record
from gateway.core.release import Release
from gateway.core.route import Route
from gateway.core.snapshot import Snapshot
from gateway.proxy.admission import Asked, Limits
from gateway.proxy.afterwards import Afterwards
from gateway.proxy.follow_ups import FollowUps
from gateway.proxy.lingering import Lingering
from gateway.proxy.retry_budget import RetryBudget
from gateway.proxy.usage_asking import UsageAsking


class Snapshots(Protocol):
    """Where the current snapshot is."""

    @property
    def current(self) -> Snapshot:
        """What serves now."""
        ...


class Breakers(Protocol):
    """The live breakers, asked before each attempt and told of each outcome. They act on a trip by themselves."""

    @property
    def returning(self) -> Collection[tuple[str, str]]:
        """The routes and versions of releases that take their units back step by step; mostly none."""
        ...

    def puts_off(self, route: str, version: str, unit: str, now: float) -> bool:
        """Say whether a release that takes its units back step by step does not take this one yet."""
        ...

    def is_open(self, route: str, version: str) -> bool:
        """Say whether a release's breaker keeps requests from it."""
        ...

    def permit(self, route: Route, release: Release, now: float) -> Permit | None:
        """Give leave to send one attempt, or None while the release takes none."""
        ...

    def report(self, route: Route, release: Release, permit: Permit, outcome: Outcome, now: float) -> None:
        """Hear how a permitted attempt ended."""
        ...


class ServedModels(Protocol):
    """Who compares what a provider served with what was pinned."""

    def saw(self, route: Route, release: Release, served_model: str | None, fingerprint: str | None) -> None:
        """Hear what an answer said of its model."""
        ...


class Judging(Protocol):
    """Who makes evidence of settled requests."""

    def hear(self, record: Record) -> None:
        """Take a settled request. Costs a look-up where nobody watches its route, and never waits."""
        ...


class Denials(Protocol):
    """Who has it told that an application was refused for want of a right."""

    def deny(self, operation: str, fault: Denied, app: App | None, credential: bytes | None) -> None:
        """Note a denial of an operation, as in `POST /v1/messages`, to an application or None. Never waits."""
        ...


class AppLimits(Protocol):
    """Who counts what applications with limits use. Asked and told of no others."""

    def take(self, app: str, now: float) -> None:
        """Count a request of an application at wall time `now`, unless one of its limits is used up.

        Raises:
            RateLimited: one is.
        """
        ...

    def hear(self, record: Record) -> None:
        """Count what a settled request has used."""
        ...


class Mirrors(Protocol):
    """Where a request that stable answered may be copied to the shadow."""

    def offer(self, asked: Asked, request_id: str, now: float) -> None:
        """Take a request for mirroring, if it is sampled and there is room. Never waits."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything an exchange needs of the world. `new_id` makes request ids, `draw` chances from 0 up to 1.

    `retry_budgets` are by the provider's name.
    """

    snapshots: Snapshots
    breakers: Breakers
    served_models: ServedModels
    mirrors: Mirrors
    judging: Judging
    denials: Denials
    app_limits: AppLimits
    upstream: Upstream
    meters: Meters
    ledger: Ledger
    journal: Journal
    clock: Clock
    new_id: Callable[[], str]
    draw: Callable[[], float]
    follow_ups: FollowUps
    limits: Limits = field(default_factory=Limits)
    usage_asking: UsageAsking = field(default_factory=UsageAsking)
    retry_budgets: defaultdict[str, RetryBudget] = field(default_factory=lambda: defaultdict(RetryBudget))
    lingering: Lingering = field(default_factory=Lingering)
    afterwards: Afterwards = field(default_factory=Afterwards)
