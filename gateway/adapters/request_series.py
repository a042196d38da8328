"""The metrics that every request counts in: families, and the series of one kind of request, found once."""

from collections.abc import Callable, Container
from typing import get_args

from gateway.adapters.known_names import OTHER
from gateway.adapters.metric_families import Buckets, Cell, Counter, Histogram
from gateway.core.outcome import Outcome
from gateway.core.route import Track

REQUEST_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
FIRST_TOKEN_BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
OVERHEAD_BOUNDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)

TRACKS = frozenset(get_args(Track))
OUTCOMES = frozenset(outcome.value for outcome in Outcome)

NANO = 1e-9

BY_RELEASE = ("route", "release")
BY_TRACK = ("route", "release", "track")
BY_APP = ("app", "route")


class RequestFamilies:
    """The families of requests. `count` and `measure` make a counter and a histogram of a name and a text."""

    def __init__(self, count: Callable[..., Counter], measure: Callable[..., Histogram]) -> None:
        self.requests = count("requests", "Attempts, by how they ended.", *BY_TRACK, "outcome")
        self.seconds = measure("request_seconds", "From a request to its answer's end.", REQUEST_BOUNDS, *BY_TRACK)
        self.first_token = measure(
            "first_token_seconds", "From a request to the first content of its stream.", FIRST_TOKEN_BOUNDS, *BY_TRACK
        )
        self.overhead = measure("overhead_seconds", "Spent in the gateway itself.", OVERHEAD_BOUNDS, "route")
        self.tokens = count("tokens", "Tokens used.", *BY_TRACK, "kind")
        self.cost = count("cost_usd", "Cost in US dollars, where known.", *BY_TRACK, unit=NANO)
        self.cost_unknown = count("cost_unknown", "Answers whose cost is not known.", *BY_RELEASE)
        self.app_requests = count("app_requests", "Requests of an application.", *BY_APP)
        self.app_tokens = count("app_tokens", "Input and output tokens of an application.", *BY_APP)
        self.app_cost = count("app_cost_usd", "Cost of an application in US dollars.", *BY_APP, unit=NANO)


class RequestSeries:
    """The series of one application's requests to one release on one track, all by their labels.

    Each appears when it is first counted in, and is then counted in place: without labels, without look-ups.
    """

    __slots__ = (
        "_app",
        "_app_cells",
        "_attempts",
        "_cost",
        "_families",
        "_first_token",
        "_overhead",
        "_seconds",
        "_tokens",
        "release",
        "route",
        "track",
    )

    def __init__(self, families: RequestFamilies, app: str, route: str, release: str, track: str) -> None:
        self._families = families
        self._app, self.route, self.release, self.track = app, route, release, track
        self._attempts: dict[str, Cell] = {}
        self._tokens: dict[str, Cell] = {}
        self._seconds: Buckets | None = None
        self._first_token: Buckets | None = None
        self._overhead: Buckets | None = None
        self._cost: Cell | None = None
        self._app_cells: tuple[Cell, Cell, Cell] | None = None

    def __repr__(self) -> str:
        return f"<RequestSeries {self._app} {self.route}/{self.release} {self.track}>"

    def attempt(self, outcome: str) -> None:
        """Count an attempt of this release on this track."""
        cell = self._attempts.get(outcome)
        if cell is None:
            labels = self.route, self.release, self.track, known(outcome, OUTCOMES)
            cell = self._attempts[outcome] = self._families.requests.cell(*labels)
        cell[0] += 1

    def answered(self, seconds: float, first_token_seconds: float | None) -> None:
        """Observe how long an answer took, and until its first content where it was a stream."""
        if self._seconds is None:
            self._seconds = self._families.seconds.buckets(self.route, self.release, self.track)
        self._seconds.observe(seconds)
        if first_token_seconds is None:
            return
        if self._first_token is None:
            self._first_token = self._families.first_token.buckets(self.route, self.release, self.track)
        self._first_token.observe(first_token_seconds)

    def used(self, **tokens: int | None) -> None:
        """Count tokens by kind, where it is known how many."""
        for kind, count in tokens.items():
            if count is None:
                continue
            cell = self._tokens.get(kind)
            if cell is None:
                cell = self._tokens[kind] = self._families.tokens.cell(self.route, self.release, self.track, kind)
            cell[0] += count

    def charged(self, nano_usd: int | None) -> None:
        """Count a cost; None is one that is not known."""
        if nano_usd is None:
            self._families.cost_unknown.add(1, self.route, self.release)
            return
        if self._cost is None:
            self._cost = self._families.cost.cell(self.route, self.release, self.track)
        self._cost[0] += nano_usd

    def served(self, tokens: int, nano_usd: int, overhead_seconds: float) -> None:
        """Count a request of the application, with what it used and what it cost the gateway itself."""
        if self._app_cells is None or self._overhead is None:
            families, labels = self._families, (self._app, self.route)
            self._app_cells = (
                families.app_requests.cell(*labels),
                families.app_tokens.cell(*labels),
                families.app_cost.cell(*labels),
            )
            self._overhead = families.overhead.buckets(self.route)
        requests, all_tokens, cost = self._app_cells
        requests[0] += 1
        all_tokens[0] += tokens
        cost[0] += nano_usd
        self._overhead.observe(overhead_seconds)


def known(name: str, names: Container[str]) -> str:
    """Give a label value itself where it is one of `names`, `other` where not."""
    return name if name in names else OTHER
