"""A route as it serves now: its releases and how requests are split between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import Range, Salt
from gateway.core.error_budget import Slo
from gateway.core.provider import DialectName
from gateway.core.release import Header, Release
from gateway.core.rule import Rule
from gateway.core.unit import DEFAULT_STICKY_BY, UnitSource
from gateway.core.value import value

Track = Literal["stable", "canary", "arm", "rule", "fallback", "forced", "shadow"]


@dataclass(frozen=True, slots=True)
class Canary:
    """The candidate of a running rollout: it serves the units whose bucket is under `weight_ppm`."""

    release: Release
    weight_ppm: int
    salt: Salt
    rollout: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One release of an experiment with the bucket range reserved for it."""

    name: str
    release: Release
    range: Range


@dataclass(frozen=True, slots=True)
class Experiment:
    """A fixed-weight A/B test; buckets outside every arm stay with stable."""

    name: str
    salt: Salt
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Shadow:
    """A mirror: `ppm` of stable's requests are sent to `release` too, and the answers thrown away.

    It stands, or is a rollout's shadow step: then its release takes no requests but these.
    """

    release: Release
    ppm: int
    salt: Salt
    max_body: int = 1 << 20
    timeout: float = 60.0
    daily_budget_usd: float | None = None
    is_step: bool = False


@value
class Leg:
    """One possible attempt: a release on a track. `retry` repeats the release of the leg before it.

    `headers` are those of an answer that tell who gave it, and why.
    """

    release: Release
    track: Track
    is_stable: bool
    retry: bool = False
    headers: tuple[Header, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", (*self.release.headers, (b"x-pinion-track", self.track.encode())))


@dataclass(frozen=True, slots=True)
class Route:
    """Everything that a request to one public name needs to be routed.

    `out` names the releases that get no request at all, with the reason: rolled back, or at weight 0.
    """

    name: str
    dialect: DialectName
    releases: Mapping[str, Release]
    stable: Release
    sticky_by: tuple[UnitSource, ...] = DEFAULT_STICKY_BY
    canary: Canary | None = None
    experiment: Experiment | None = None
    rules: tuple[Rule, ...] = ()
    fallback: tuple[Release, ...] = ()
    shadow: Shadow | None = None
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    on_mismatch: Literal["count", "rollback"] = "count"
    out: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    slo: Slo | None = None
    _legs: dict[tuple[str, Track], tuple[Leg, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def is_out(self, release: Release) -> bool:
        """Say whether a release gets no request at all."""
        return release.version in self.out

    def legs(self, release: Release, track: Track) -> tuple[Leg, ...]:
        """List the attempts that a request may come to, in order, which was assigned one of its releases on a track.

        1. A forced release stands alone: who names a release wants that one's answer, good or bad.
        2. Stable is retried as its provider's policy says, then the fallbacks follow.
        3. Any other release is tried once; then stable answers, then the fallbacks.
        """
        legs = self._legs.get((release.version, track))
        if legs is None:
            legs = self._legs[release.version, track] = tuple(self._planned(release, track))
        return legs

    def _planned(self, release: Release, track: Track) -> list[Leg]:
        is_stable = release.version == self.stable.version
        legs = [Leg(release, track, is_stable)]
        if track == "forced":
            return legs
        if not is_stable:
            legs.append(Leg(self.stable, "fallback", is_stable=True))
        legs += [Leg(self.stable, legs[-1].track, is_stable=True, retry=True)] * self.stable.model.provider.retries
        tried = {leg.release.version for leg in legs}
        for other in self.fallback:
            if other.version not in tried and not self.is_out(other):
                tried.add(other.version)
                legs.append(Leg(other, "fallback", is_stable=False))
        return legs

    def weight_ppm(self, version: str) -> int:
        """Give the share of units, in parts per million, that a release serves by rollout or experiment."""
        if version in self.out:
            return 0
        if self.experiment is not None:
            taken = {arm.release.version: 0 for arm in self.experiment.arms}
            for arm in self.experiment.arms:
                if arm.release.version not in self.out:
                    taken[arm.release.version] += arm.range.end - arm.range.start
            rest = 1_000_000 - sum(taken.values())
            return taken.get(version, 0) + (rest if version == self.stable.version else 0)
        candidate = 0 if self.canary is None or self.is_out(self.canary.release) else self.canary.weight_ppm
        if self.canary is not None and version == self.canary.release.version:
            return candidate
        return 1_000_000 - candidate if version == self.stable.version else 0

    def can_roll_back(self, version: str) -> bool:
        """Say whether a trip of this release takes it out for good: the candidate, or an experiment's arm."""
        if version == self.stable.version or version in self.out:
            return False
        if self.canary is not None and self.canary.release.version == version:
            return True
        return self.experiment is not None and any(a.release.version == version for a in self.experiment.arms)
