"""What Prometheus reads. Label values come from what policies declare; anything else is `other`.

Nothing here belongs to the process: no global registry, and as many meters side by side as there are gateways.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from typing import get_args

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from gateway.adapters.known_names import OTHER, KnownNames
from gateway.adapters.metric_families import Counter, Histogram
from gateway.core.app import ANYONE
from gateway.core.breaker import TripRule
from gateway.core.outcome import Outcome
from gateway.core.record import Record, Tried
from gateway.core.release import Release
from gateway.core.route import Route, Track
from gateway.core.snapshot import Snapshot

REQUEST_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
FIRST_TOKEN_BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
OVERHEAD_BOUNDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)

TRACKS = frozenset(get_args(Track))
OUTCOMES = frozenset(outcome.value for outcome in Outcome)
ROLLBACK_REASONS = (*get_args(TripRule), "mismatch", "manual", "policy")
SHADOW_RESULTS = frozenset(("ok", "failed", "timeout", "invalid", "dropped", "too_large", "stateful", "over_budget"))
RELOAD_RESULTS = ("accepted", "rejected")

GOOD = (Outcome.ok.value, Outcome.slow.value)

NANO = 1e-9

_INFO = ("route", "release", "model", "model_version", "prompt", "prompt_version", "provider")
_BY_TRACK = ("route", "release", "track")
_BY_RELEASE = ("route", "release")
_BY_APP = ("app", "route")


class PrometheusMeters(Collector):
    """The port `Meters`, for one gateway.

    `breaker_open` tells for a route and a release version whether its breaker is open now. Of routes, of a route's
    releases and of applications that are no longer declared, the latest `remembered` keep their series.
    """

    def __init__(self, breaker_open: Callable[[str, str], bool], remembered: int = 200) -> None:
        self._breaker_open = breaker_open
        self._remembered = remembered
        self._routes = KnownNames(remembered)
        self._apps = KnownNames(remembered)
        self._releases: dict[str, KnownNames] = {}
        self._declared: tuple[Route, ...] = ()
        self._families: list[Counter | Histogram] = []
        count, measure = self._counter, self._histogram
        self._requests = count("requests", "Attempts, by how they ended.", *_BY_TRACK, "outcome")
        self._seconds = measure("request_seconds", "From a request to its answer's end.", REQUEST_BOUNDS, *_BY_TRACK)
        self._first_token = measure(
            "first_token_seconds", "From a request to the first content of its stream.", FIRST_TOKEN_BOUNDS, *_BY_TRACK
        )
        self._overhead = measure("overhead_seconds", "Spent in the gateway itself.", OVERHEAD_BOUNDS, "route")
        self._tokens = count("tokens", "Tokens used.", *_BY_TRACK, "kind")
        self._cost = count("cost_usd", "Cost in US dollars, where known.", *_BY_TRACK, unit=NANO)
        self._cost_unknown = count("cost_unknown", "Answers whose cost is not known.", *_BY_RELEASE)
        self._app_requests = count("app_requests", "Requests of an application.", *_BY_APP)
        self._app_tokens = count("app_tokens", "Input and output tokens of an application.", *_BY_APP)
        self._app_cost = count("app_cost_usd", "Cost of an application in US dollars.", *_BY_APP, unit=NANO)
        self._rollbacks = count("rollbacks", "Rollbacks, by the rule that decided.", "route", "reason")
        self._mismatches = count("version_mismatch", "Answers of another model than the pinned.", *_BY_RELEASE)
        self._shadow = count("shadow", "Requests sampled for a mirror.", *_BY_RELEASE, "result")
        self._sdk_retries = count("sdk_retries", "Requests that an SDK sent once more.", "route")
        self._reloads = count("policy_reloads", "Reloads of the policy files.", "result")
        self._dropped = count("records_dropped", "Records that the ledger had no room for.")
        for result in RELOAD_RESULTS:
            self._reloads.add(0, result)
        self._dropped.add(0)

    def declare(self, snapshot: Snapshot) -> None:
        """Take the routes, releases and applications of a snapshot as the label values from now on."""
        self._declared = tuple(snapshot.routes.values())
        for name in self._routes.declare(snapshot.routes):
            del self._releases[name]
            self._forget(route=name)
        apps = [ANYONE.name] if snapshot.open else [app.name for app in snapshot.keys.values()]
        for name in self._apps.declare(apps):
            self._forget(app=name)
        for route in self._declared:
            self._declare_route(route)

    def _declare_route(self, route: Route) -> None:
        releases = self._releases.setdefault(route.name, KnownNames(self._remembered))
        for version in releases.declare(route.releases):
            self._forget(route=route.name, release=version)
        for version in route.releases:
            self._mismatches.add(0, route.name, version)
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
        route = self._routes.label(record.route)
        release = self._release(route, record.release)
        track = _known(record.track, TRACKS)
        tried = record.attempts or (Tried(record.release, record.track, record.outcome, record.status),)
        for attempt in tried:
            version = self._release(route, attempt.release)
            outcome = _known(attempt.outcome, OUTCOMES)
            self._requests.add(1, route, version, _known(attempt.track, TRACKS), outcome)
        if record.outcome in GOOD or (record.outcome == Outcome.failed and record.first_token_seconds is not None):
            self._seconds.observe(record.seconds, route, release, track)
            if record.first_token_seconds is not None:
                self._first_token.observe(record.first_token_seconds, route, release, track)
        self._use(record, route, release, track)
        if record.track != "shadow":
            self._serve(record, route)

    def _use(self, record: Record, route: str, release: str, track: str) -> None:
        """Count tokens and cost. An attempt that the provider has taken costs something, known or not."""
        for kind, tokens in _tokens(record):
            self._tokens.add(tokens, route, release, track, kind)
        if record.cost_nano_usd is not None:
            self._cost.add(record.cost_nano_usd, route, release, track)
        elif _was_charged(record):
            self._cost_unknown.add(1, route, release)

    def _serve(self, record: Record, route: str) -> None:
        """Count what an application asked for; what a mirror copied it did not ask for."""
        app = self._apps.label(record.app)
        self._app_requests.add(1, app, route)
        self._app_tokens.add((record.input_tokens or 0) + (record.output_tokens or 0), app, route)
        self._app_cost.add(record.cost_nano_usd or 0, app, route)
        self._overhead.observe(record.overhead_seconds, route)
        if record.sdk_retries:
            self._sdk_retries.add(1, route)

    def shadow(self, route: str, release: str, result: str) -> None:
        """Count one request that was sampled for the mirror."""
        route = self._routes.label(route)
        self._shadow.add(1, route, self._release(route, release), _known(result, SHADOW_RESULTS))

    def rollback(self, route: str, reason: str) -> None:
        """Count a rollback, by the rule that decided."""
        self._rollbacks.add(1, self._routes.label(route), _known(reason, ROLLBACK_REASONS))

    def mismatch(self, route: str, release: str) -> None:
        """Count an answer whose served model is not the pinned one."""
        route = self._routes.label(route)
        self._mismatches.add(1, route, self._release(route, release))

    def reload(self, result: str) -> None:
        """Count a reload of the policy files: `accepted` or `rejected`."""
        self._reloads.add(1, _known(result, RELOAD_RESULTS))

    def dropped(self, count: int) -> None:
        """Count records that the ledger had no room for."""
        self._dropped.add(count)

    def collect(self) -> Iterator[Metric]:
        """Give every family with its samples of now."""
        for family in self._families:
            yield family.family()
        weights = GaugeMetricFamily(
            "pinion_release_weight_ppm", "Share of units in parts per million.", labels=_BY_RELEASE
        )
        breakers = GaugeMetricFamily("pinion_breaker_open", "1 while the breaker is open.", labels=_BY_RELEASE)
        info = GaugeMetricFamily("pinion_release_info", "What a release is made of; always 1.", labels=_INFO)
        for route in self._declared:
            for version, release in route.releases.items():
                weights.add_metric((route.name, version), route.weight_ppm(version))
                breakers.add_metric((route.name, version), self._breaker_open(route.name, version))
                info.add_metric(_info(release), 1)
        yield from (weights, breakers, info)

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


def _known(name: str, names: Container[str]) -> str:
    return name if name in names else OTHER


def _tokens(record: Record) -> Iterator[tuple[str, int]]:
    """The tokens that are known, by kind; cached ones are counted within the input too."""
    if record.input_tokens is not None:
        yield "input", record.input_tokens
    if record.output_tokens is not None:
        yield "output", record.output_tokens
    if record.cached_input_tokens is not None:
        yield "cached_input", record.cached_input_tokens


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
