"""The live breakers of every release: asked before each attempt, told of each outcome, acting on a trip.

They live in one table by route and release, apart from the snapshots that come and go.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.control.probes import Probes
from gateway.core.breaker import Breaker, BreakerState, Permit, Trip, TripRule
from gateway.core.bucket import BUCKETS, return_salt, salt
from gateway.core.cusum import FailingShare
from gateway.core.outcome import JUDGED, Outcome, counts_as_failure
from gateway.core.ports import Journal
from gateway.core.release import Release
from gateway.core.route import Route
from gateway.core.snapshot import Snapshot
from gateway.core.window import Counts


def unheard(_route: str, _release: str, _rule: TripRule) -> None:
    """Tell nobody: there is no fleet."""


class Breakers:
    """Every release's breaker, and each stable release's own failing share.

    `live` gives the current snapshot: a release that is out gets no permit, whatever snapshot a request was routed by.
    `on_trip` is called, at once, when a candidate or an arm trips for good, and `on_open` when another release trips,
    unless that is a matter of this gateway alone. `returning` are the releases, by route and version, whose breakers
    have closed not long ago; since they were last asked some may have taken all back, or have tripped again.
    """

    def __init__(
        self,
        live: Callable[[], Snapshot],
        on_trip: Callable[[str, str, str, dict[str, Any]], None],
        journal: Journal,
    ) -> None:
        self._live = live
        self._on_trip = on_trip
        self._journal = journal
        self.probes = Probes()
        self.on_open: Callable[[str, str, TripRule], None] = unheard
        self.returning: set[tuple[str, str]] = set()
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._shares: dict[tuple[str, str], FailingShare] = {}

    def __repr__(self) -> str:
        closed = sum(breaker.state is BreakerState.closed for breaker in self._breakers.values())
        return f"<Breakers {closed} of {len(self._breakers)} closed>"

    def permit(self, route: Route, release: Release, now: float) -> Permit | None:
        """Give leave to send one attempt, or None while the release takes none."""
        live = self._live().routes.get(route.name)
        if live is not None and live.is_out(release):
            return None
        breaker = self._breaker(live or route, release.version)
        if breaker.state is not BreakerState.closed and breaker.is_due(now):
            key = route.name, release.version
            return breaker.permit(now) if self.probes.may(key, now) else None
        return breaker.permit(now)

    def puts_off(self, route: str, version: str, unit: str, now: float) -> bool:
        """Say whether a release that takes its units back step by step does not take this one yet."""
        key = route, version
        if key not in self.returning:
            return False
        breaker = self._breakers.get(key)
        share = 0 if breaker is None else breaker.share_ppm(now)
        if share in (0, BUCKETS):
            self.returning.discard(key)
            return False
        return salt(return_salt(route, version)).bucket(unit) >= share

    def report(self, route: Route, release: Release, permit: Permit, outcome: Outcome, now: float) -> None:
        """Hear how a permitted attempt ended; act when it trips the breaker."""
        key = route.name, release.version
        live = self._live().routes.get(route.name, route)
        breaker = self._breaker(live, release.version)
        is_candidate = live.can_roll_back(release.version)
        baseline = self._share(route.name, live.stable.version).share if is_candidate else None
        if outcome in JUDGED and not is_candidate:
            self._share(*key).add(counts_as_failure(outcome))
        was_closed = breaker.state is BreakerState.closed
        trip = breaker.report(permit, outcome, now, baseline=baseline)
        if trip is not None:
            self._act_on(trip, live, release, now)
        elif not was_closed and breaker.state is BreakerState.closed:
            self.returning.add(key)
            self.probes.succeeded(key, breaker.probed(now))

    def take(self, route: str, version: str, others: Counts, now: float) -> None:
        """Count what other gateways had of a release in the last second; act when that trips its breaker."""
        live, breaker = self._live().routes.get(route), self._breakers.get((route, version))
        release = None if live is None else live.releases.get(version)
        if live is None or release is None or breaker is None or live.is_out(release):
            return
        trip = breaker.take(others, now)
        if trip is not None:
            self._act_on(trip, live, release, now)

    def busy(self, now: float) -> Iterator[tuple[tuple[str, str], Counts]]:
        """Give the releases whose windows hold something, by route and version, with all that was ever counted here."""
        for key, breaker in self._breakers.items():
            if breaker.counts(now)[0]:
                yield key, breaker.own

    def close(self, route: str, version: str, now: float, probed: float) -> bool:
        """Close a breaker whose release another gateway has found well; say whether it did."""
        breaker = self._breakers.get((route, version))
        if breaker is None or not breaker.close(now, probed):
            return False
        self.returning.add((route, version))
        return True

    def open(self, route: str, version: str, rule: TripRule, now: float) -> bool:
        """Open the breaker of a release that another gateway has found failing; say whether that changed anything.

        A candidate's trip comes as a rollback and not so.
        """
        live = self._live().routes.get(route)
        release = None if live is None else live.releases.get(version)
        if live is None or release is None or live.is_out(release) or live.can_roll_back(version):
            return False
        has_opened = self._breaker(live, version).open(now, by_probe=rule == "probe")
        if has_opened:
            self._journal.event("breaker_open_elsewhere", level="warning", route=route, release=version, rule=rule)
        return has_opened

    def waits(self, key: tuple[str, str], now: float) -> bool:
        """Say whether a release's breaker is open, and not for its whole time yet."""
        breaker = self._breakers.get(key)
        return breaker is not None and breaker.state is BreakerState.open and not breaker.is_due(now)

    def _act_on(self, trip: Trip, live: Route, release: Release, now: float) -> None:
        key = live.name, release.version
        if not live.can_roll_back(release.version):
            self._tell(*key, trip)
            if not self._breakers[key].fails_alone:
                self.on_open(*key, trip.rule)
        elif self.stable_fails(live, release, now):
            # Stable fails on the same provider: whatever is wrong is not the candidate's doing, so it starts afresh.
            self._breakers[key] = Breaker(live.breaker)
            self._journal.event(
                "trip_excused",
                level="warning",
                route=live.name,
                release=release.version,
                rule=trip.rule,
                message="stable fails on the same provider; the candidate is not blamed",
            )
        else:
            self._on_trip(*key, trip.rule, trip.evidence)

    def is_open(self, route: str, version: str) -> bool:
        """Say whether a release's breaker keeps requests from it."""
        breaker = self._breakers.get((route, version))
        return breaker is not None and breaker.state is not BreakerState.closed

    def forget(self, route: str, version: str) -> None:
        """Start a release afresh, for a new attempt at rolling it out."""
        self._breakers.pop((route, version), None)

    def describe(self, route: str, version: str, now: float) -> Mapping[str, Any]:
        """Give a breaker's state and counts for people."""
        breaker = self._breakers.get((route, version))
        return {"state": BreakerState.closed.value} if breaker is None else breaker.snapshot(now)

    def stable_fails(self, route: Route, release: Release, now: float) -> bool:
        """Say whether stable, on the same provider, is failing at half the rate that trips a breaker, or is open."""
        if route.stable.model.provider.name != release.model.provider.name:
            return False
        stable = self._breakers.get((route.name, route.stable.version))
        return stable is not None and _is_failing(stable, route, now)

    def others_fail(self, release: Release, now: float) -> bool:
        """Say whether other releases of a release's provider are failing, on any route; not where there are none."""
        for (name, version), breaker in self._breakers.items():
            route = self._live().routes.get(name)
            other = None if route is None else route.releases.get(version)
            if route is None or other is None or (name, version) == (release.route, release.version):
                continue
            if other.model.provider.name == release.model.provider.name and _is_failing(breaker, route, now):
                return True
        return False

    def _breaker(self, live: Route, version: str) -> Breaker:
        """Give a release's breaker, by its route as it is now; one made under another policy starts afresh."""
        policy = live.breaker
        breaker = self._breakers.get((live.name, version))
        if breaker is None or (breaker.policy is not policy and breaker.policy != policy):
            breaker = self._breakers[live.name, version] = Breaker(policy)
        return breaker

    def _share(self, route: str, version: str) -> FailingShare:
        share = self._shares.get((route, version))
        if share is None:
            share = self._shares[route, version] = FailingShare()
        return share

    def _tell(self, route: str, version: str, trip: Trip) -> None:
        self._journal.event(
            "breaker_open",
            level="error",
            route=route,
            release=version,
            rule=trip.rule,
            evidence=trip.evidence,
        )


def _is_failing(breaker: Breaker, route: Route, now: float) -> bool:
    """Say whether a release fails at half the rate that trips its breaker, or is taken out by it."""
    if breaker.state is not BreakerState.closed:
        return True
    requests, failures = breaker.counts(now)
    return failures >= 2 and failures / requests >= route.breaker.failure_rate / 2
