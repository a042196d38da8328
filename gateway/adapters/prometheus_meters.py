"""What Prometheus reads. Label values come from what policies declare; anything else is `other`.

Nothing here belongs to the process: no global registry, and as many meters side by side as there are gateways.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import get_args

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from gateway.adapters.fleet_families import fleet_families
from gateway.adapters.known_names import OTHER, KnownNames
from gateway.adapters.load_families import Connected, Late, load_families
from gateway.adapters.metric_families import Counter, Histogram
from gateway.adapters.request_series import BY_RELEASE, OUTCOMES, TRACKS, RequestFamilies, RequestSeries, known
from gateway.adapters.store_families import store_families
from gateway.core.admission import EXCEPTION_KINDS, ExceptionKind
from gateway.core.app import ANYONE
from gateway.core.breaker import TripRule
from gateway.core.delivery import DeliveryResult
from gateway.core.duration import format_duration
from gateway.core.fleet_reading import FleetReading
from gateway.core.limit import LimitKind, LimitUse
from gateway.core.outcome import GOOD, Outcome
from gateway.core.record import Record, Tried
from gateway.core.release import Release
from gateway.core.route import Route
from gateway.core.snapshot import Snapshot

ROLLBACK_REASONS = (
    *get_args(TripRule),
    *(
        "mismatch",
        "guardrail",
        "error_budget",
        "no_data",
        "inconclusive",
        "retired",
        "revoked",
        "rejected",
        "unapproved",
        "manual",
        "undo",
        "policy",
    ),
)
SHADOW_RESULTS = frozenset(("ok", "failed", "timeout", "invalid", "dropped", "too_large", "stateful", "over_budget"))
RELOAD_RESULTS = ("accepted", "rejected")
REFUSED_REASONS = ("overload", "connections", "key_in_doubt")

_INFO = ("route", "release", "model", "model_version", "prompt", "prompt_version", "provider")


class PrometheusMeters(Collector):
    """The port `Meters`, for one gateway.

    `breaker_open` tells for a route and a release version whether its breaker is open now, `exceptions` how many
    exceptions last of each kind, `notifications` how many wait, by the host that they are for. Of routes, of a route's
    releases and of applications that are no longer declared, the latest `remembered` keep their series.
    """

    limit_uses: Callable[[], Iterable[tuple[str, LimitUse]]]
    """Tells how much of each limit is used, by application; nothing until somebody counts."""

    def __init__(
        self,
        breaker_open: Callable[[str, str], bool],
        exceptions: Callable[[], Mapping[ExceptionKind, int]],
        remembered: int = 200,
        notifications: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._breaker_open = breaker_open
        self._exceptions = exceptions
        self._notifications = notifications
        self.limit_uses = tuple
        self._fleet: Callable[[], FleetReading] | None = None
        self._load: tuple[Sized, Sequence[Connected], Late] | None = None
        self._store: tuple[Callable[[], bool], Sized, Callable[[], Mapping[str, int]]] | None = None
        self._remembered = remembered
        self._routes = KnownNames(remembered)
        self._apps = KnownNames(remembered)
        self._releases: dict[str, KnownNames] = {}
        self._declared: tuple[Route, ...] = ()
        self._families: list[Counter | Histogram] = []
        count, measure = self._counter, self._histogram
        self._of_requests = RequestFamilies(count, measure)
        self._series: dict[tuple[str, str, str, str], RequestSeries] = {}
        self._rollbacks = count("rollbacks", "Rollbacks, by the rule that decided.", "route", "reason")
        self._mismatches = count("version_mismatch", "Answers of another model than the pinned.", *BY_RELEASE)
        self._withheld = count("retries_withheld", "Retries not made for their provider's budget.", *BY_RELEASE)
        self._shadow = count("shadow", "Requests sampled for a mirror.", *BY_RELEASE, "result")
        self._sdk_retries = count("sdk_retries", "Requests that an SDK sent once more.", "route")
        self._limited = count("app_limited", "Requests that a limit did not let through.", "app", "limit")
        self._reloads = count("policy_reloads", "Reloads of the policy files.", "result")
        self._dropped = count("records_dropped", "Records that the ledger had no room for.")
        self._notified = count("notifications", "Notifications, by what became of them.", "target", "result")
        self._refused = count("refused", "Requests and connections refused before they were read, by why.", "reason")
        for reason in REFUSED_REASONS:
            self._refused.add(0, reason)
        for result in RELOAD_RESULTS:
            self._reloads.add(0, result)
        self._dropped.add(0)

    def watch_fleet(self, reading: Callable[[], FleetReading]) -> None:
        """Tell of the fleet, too, as `reading` gives it at each scrape."""
        self._fleet = reading

    def watch_load(self, requests: Sized, upstreams: Sequence[Connected], lag: Late) -> None:
        """Tell of what is in hand, too, counted at each scrape, which is then on the event loop."""
        self._load = requests, upstreams, lag

    def watch_store(
        self, is_away: Callable[[], bool], acts: Sized, unanchored: Callable[[], Mapping[str, int]]
    ) -> None:
        """Tell of the store, too: whether it is away, the acts that wait for it, and the checkpoints, by anchor."""
        self._store = is_away, acts, unanchored

    def declare(self, snapshot: Snapshot) -> None:
        """Take the routes, releases and applications of a snapshot as the label values from now on."""
        self._declared = tuple(snapshot.routes.values())
        self._series.clear()
        for name in self._routes.declare(snapshot.routes):
            del self._releases[name]
            self._forget(route=name)
        apps = [ANYONE.name] if snapshot.open else [app.name for app in snapshot.keys.values()]
        for name in self._apps.declare(apps):
            self._forget(app=name)
        for app in snapshot.keys.values():
            for limit in app.limits:
                self._limited.add(0, self._apps.label(app.name), limit.kind)
        for route in self._declared:
            self._declare_route(route)

    def _declare_route(self, route: Route) -> None:
        releases = self._releases.get(route.name)
        if releases is None:
            releases = self._releases[route.name] = KnownNames(self._remembered)
        elif releases.are(route.releases):
            return
        for version in releases.declare(route.releases):
            self._forget(route=route.name, release=version)
        for version in route.releases:
            self._mismatches.add(0, route.name, version)
            self._withheld.add(0, route.name, version)
        for reason in ROLLBACK_REASONS:
            self._rollbacks.add(0, route.name, reason)

    def _forget(self, **gone: str) -> None:
        for family in self._families:
            family.forget(**gone)

    def settle(self, record: Record) -> None:
        """Count a finished request.

        Latencies are those of answers: of outcome `ok` and `slow`, and of a stream that failed after its first content.
        A quick refusal would make a failing release look fast, and when a client hangs up says nothing of the release.
        """
        key = record.app, record.route, record.release, record.track
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._bind(*key)
        self._count_attempts(record, series)
        if record.outcome in GOOD or (record.outcome == Outcome.failed and record.first_token_seconds is not None):
            series.answered(record.seconds, record.first_token_seconds)
        cached = record.cached_input_tokens  # counted within the input, too
        series.used(input=record.input_tokens, output=record.output_tokens, cached_input=cached)
        if record.cost_nano_usd is not None or _was_charged(record):
            series.charged(record.cost_nano_usd)
        if record.track != "shadow":  # what a mirror copied the application did not ask for
            tokens = (record.input_tokens or 0) + (record.output_tokens or 0)
            series.served(tokens, record.cost_nano_usd or 0, record.overhead_seconds)
            if record.sdk_retries:
                self._sdk_retries.add(1, series.route)

    def _bind(self, app: str, route: str, release: str, track: str) -> RequestSeries:
        """Find the series of one kind of request; they hold until other names are declared."""
        label = self._routes.label(route)
        version = self._release(label, release)
        return RequestSeries(self._of_requests, self._apps.label(app), label, version, known(track, TRACKS))

    def _count_attempts(self, record: Record, series: RequestSeries) -> None:
        """Count each attempt by how it ended; nearly all requests have one alone."""
        tried = record.attempts or (Tried(record.release, record.track, record.outcome, record.status),)
        for attempt in tried:
            if attempt.release == record.release and attempt.track == record.track:
                series.attempt(attempt.outcome)
            else:
                release = self._release(series.route, attempt.release)
                labels = series.route, release, known(attempt.track, TRACKS), known(attempt.outcome, OUTCOMES)
                self._of_requests.requests.add(1, *labels)

    def shadow(self, route: str, release: str, result: str) -> None:
        """Count one request that was sampled for the mirror."""
        route = self._routes.label(route)
        self._shadow.add(1, route, self._release(route, release), known(result, SHADOW_RESULTS))

    def rollback(self, route: str, reason: str) -> None:
        """Count a rollback, by the rule that decided."""
        self._rollbacks.add(1, self._routes.label(route), known(reason, ROLLBACK_REASONS))

    def mismatch(self, route: str, release: str) -> None:
        """Count an answer whose served model is not the pinned one."""
        route = self._routes.label(route)
        self._mismatches.add(1, route, self._release(route, release))

    def retry_withheld(self, route: str, release: str) -> None:
        """Count a failed attempt that was not repeated for want of room in its provider's budget."""
        route = self._routes.label(route)
        self._withheld.add(1, route, self._release(route, release))

    def reload(self, result: str) -> None:
        """Count a reload of the policy files: `accepted` or `rejected`."""
        self._reloads.add(1, known(result, RELOAD_RESULTS))

    def limited(self, app: str, kind: LimitKind) -> None:
        """Count a request that a limit of its application did not let through."""
        self._limited.add(1, self._apps.label(app), kind)

    def dropped(self, count: int) -> None:
        """Count records that the ledger had no room for."""
        self._dropped.add(count)

    def refused(self, reason: str) -> None:
        """Count a request that was refused by its head alone, or a connection: of `REFUSED_REASONS`."""
        self._refused.add(1, known(reason, REFUSED_REASONS))

    def notified(self, target: str, result: DeliveryResult, count: int = 1) -> None:
        """Count what became of a notification at a target, by its host; a count of 0 makes the series appear."""
        self._notified.add(count, target, result)

    def collect(self) -> Iterator[Metric]:
        """Give every family with its samples of now."""
        for family in self._families:
            yield family.family()
        weights = GaugeMetricFamily(
            "pinion_release_weight_ppm", "Share of units in parts per million.", labels=BY_RELEASE
        )
        breakers = GaugeMetricFamily("pinion_breaker_open", "1 while the breaker is open.", labels=BY_RELEASE)
        info = GaugeMetricFamily("pinion_release_info", "What a release is made of; always 1.", labels=_INFO)
        for route in self._declared:
            for version, release in route.releases.items():
                weights.add_metric((route.name, version), route.weight_ppm(version))
                breakers.add_metric((route.name, version), self._breaker_open(route.name, version))
                info.add_metric(_info(release), 1)
        excepted = GaugeMetricFamily(
            "pinion_exceptions", "Exceptions and emergencies that last, by what they are.", labels=("kind",)
        )
        counts = self._exceptions()
        for kind in EXCEPTION_KINDS:
            excepted.add_metric((kind,), counts.get(kind, 0))
        waiting = GaugeMetricFamily(
            "pinion_notifications_waiting", "Notifications that have not arrived.", labels=("target",)
        )
        for target, number in self._notifications().items():
            waiting.add_metric((target,), number)
        used = GaugeMetricFamily(
            "pinion_app_limit_used_ratio", "Share of a limit that is used.", labels=("app", "limit", "per")
        )
        for app, use in self.limit_uses():
            used.add_metric((app, use.limit.kind, format_duration(use.limit.per)), use.ratio)
        yield from (weights, breakers, info, excepted, waiting, used)
        if self._store is not None:
            is_away, acts, unanchored = self._store
            yield from store_families(is_away=is_away(), unrecorded=len(acts), unanchored=unanchored())
        if self._load is not None:
            yield from load_families(*self._load)
        if self._fleet is not None:
            yield from fleet_families(self._fleet())

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Give a scrape's body and its content type: OpenMetrics where `accept` names it, else Prometheus' text."""
        if "application/openmetrics-text" in accept:
            body: bytes = openmetrics.generate_latest(self)  # type: ignore[no-untyped-call]
            return body, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self), CONTENT_TYPE_PLAIN_0_0_4

    def _release(self, route: str, version: str) -> str:
        """Give the label of a release of a route, by the route's label."""
        releases = self._releases.get(route)
        return OTHER if releases is None else releases.label(version)

    def _counter(self, name: str, text: str, *names: str, unit: float = 1) -> Counter:
        family = Counter(f"pinion_{name}_total", text, names, unit)
        self._families.append(family)
        return family

    def _histogram(self, name: str, text: str, bounds: Sequence[float], *names: str) -> Histogram:
        family = Histogram(f"pinion_{name}", text, bounds, names)
        self._families.append(family)
        return family


def _was_charged(record: Record) -> bool:
    """Say whether the provider accepted the request, as far as anyone can tell."""
    if not record.attempts:
        return record.outcome in GOOD
    last = record.attempts[-1]
    return 200 <= last.status < 300 or last.outcome == Outcome.cancelled


def _info(release: Release) -> tuple[str, ...]:
    model, prompt = release.model, release.prompt
    made_of_prompt = ("", "") if prompt is None else (prompt.name, prompt.version)
    return (release.route, release.version, model.model, model.version, *made_of_prompt, model.provider.name)
