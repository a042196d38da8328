"""The breaker: takes a failing release out within requests, and lets a stable one back in with care.

The law:

1. Only `ok`, `slow` and `failed` outcomes count; all others only give a probe's slot back.
2. A trip starts a new generation. The result of a permit of an earlier generation changes nothing, so a burst
   of requests that were in flight together trips once.
3. Open, it permits nothing until the open time is over; then a few probes at a time, each with a deadline
   after which its slot is free again (its late result still counts). That many good ones close it, one bad
   one opens it anew; a probe is bad too when it was slow and the policy says what slow is.
4. What other gateways have counted goes into the window, so that the rules of rates see them all. Failures in a row
   and the CUSUM are of the outcomes here alone: both are about an order, which counts do not have.
   A trip of another gateway opens it as its own would, but two trips over one failing make one open time.
   One that trips anew soon after others found the release well is alone with it: the way out from here is broken.
5. Each trip makes the next open time longer, up to a limit; each whole window spent closed takes one such
   step back.
6. Closed again, it takes its units back step by step, and all after as long as the first open time. It only tells
   the share: whoever has another release to ask holds to it, and a request that comes all the same is permitted.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_args

from gateway.core.bucket import BUCKETS
from gateway.core.cusum import THRESHOLD, Cusum, hypotheses
from gateway.core.members import at_hand
from gateway.core.outcome import Outcome
from gateway.core.value import value
from gateway.core.window import Counts, Window


@at_hand
class BreakerState(StrEnum):
    """Whether requests may pass: all, none, or a few to find out."""

    closed = "closed"
    open = "open"
    half_open = "half_open"


TRANSITIONS: Mapping[tuple[BreakerState, str], BreakerState] = {
    (BreakerState.closed, "trip"): BreakerState.open,  # a rule found the release failing
    (BreakerState.open, "wait_over"): BreakerState.half_open,  # asked for a permit after the open time
    (BreakerState.half_open, "trip"): BreakerState.open,  # one probe was bad
    (BreakerState.half_open, "recover"): BreakerState.closed,  # enough probes were good
    (BreakerState.open, "recover_elsewhere"): BreakerState.closed,  # they were at another gateway
    (BreakerState.half_open, "recover_elsewhere"): BreakerState.closed,
    (BreakerState.closed, "trip_elsewhere"): BreakerState.open,  # another gateway found the release failing
    (BreakerState.half_open, "trip_elsewhere"): BreakerState.open,
    (BreakerState.open, "trip_elsewhere"): BreakerState.open,  # a probe of another one was bad
}

RETURN_STEPS = (100_000, 250_000, 500_000)
"""The shares of units, in parts per million, that a release takes back one after the other before it takes all."""

TripRule = Literal["consecutive", "failure_rate", "slow_rate", "cusum", "probe"]

TRIP_RULES: tuple[TripRule, ...] = get_args(TripRule)


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker trips and how it recovers. Times are in seconds, rates are fractions.

    `failure_rate` and `slow_rate` are judged once the `window` holds `min_requests`; `slow_over` says which
    answers are slow, and without it none are. The first open time is `open`; each further trip multiplies it
    by `growth`, up to `max_open`.
    """

    window: float = 30.0
    min_requests: int = 5
    failure_rate: float = 0.5
    consecutive: int = 3
    open: float = 15.0
    growth: float = 2.0
    max_open: float = 300.0
    probes: int = 3
    probe_deadline: float = 30.0
    slow_over: float | None = None
    slow_rate: float = 0.8


@value
class Permit:
    """Leave to send one attempt, given by one generation of a breaker; half-open ones number a `probe`."""

    generation: int
    probe: int | None = None


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker tripped: by which rule, on what evidence (a JSON object of counts and limits), and when."""

    rule: TripRule
    evidence: dict[str, Any]
    at: float


def returned_ppm(seconds: float, whole: float) -> int:
    """Give the share of units that is back `seconds` after a closing, in parts per million; all are after `whole`.

    The steps last equally long. The share never falls, so that a unit that is back stays.
    """
    if seconds >= whole:
        return BUCKETS
    return RETURN_STEPS[min(int(seconds / whole * len(RETURN_STEPS)), len(RETURN_STEPS) - 1)]


class Breaker:
    """The breaker of one release on one route. `now` is monotonic seconds and never goes back."""

    __slots__ = (
        "_closed_at",
        "_closed_elsewhere_at",
        "_consecutive",
        "_cusum",
        "_good_probes",
        "_growths",
        "_in_flight",
        "_next_probe",
        "_open_until",
        "_opened_at",
        "_pass",
        "_window",
        "fails_alone",
        "policy",
        "state",
        "trips",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.state = BreakerState.closed
        self.trips = 0
        self.fails_alone = False
        self._window = Window(policy.window)
        self._cusum = Cusum()
        self._consecutive = 0
        self._growths = 0
        self._closed_at = 0.0
        self._closed_elsewhere_at = -math.inf
        self._open_until = 0.0
        self._opened_at = 0.0
        self._in_flight: dict[int, float] = {}
        self._next_probe = 0
        self._good_probes = 0
        self._pass = Permit(self.trips)

    def permit(self, now: float) -> Permit | None:
        """Give leave for one attempt, or None. A permit that is given must be reported."""
        if self.state is BreakerState.closed:
            return self._pass
        if self.state is BreakerState.open:
            if now < self._open_until:
                return None
            self._move("wait_over")
        oldest = now - self.policy.probe_deadline
        self._in_flight = {probe: at for probe, at in self._in_flight.items() if at > oldest}
        if len(self._in_flight) >= self.policy.probes:
            return None
        self._next_probe += 1
        self._in_flight[self._next_probe] = now
        return Permit(self.trips, self._next_probe)

    def report(
        self,
        permit: Permit,
        outcome: Outcome,
        now: float,
        *,
        slow: bool = False,
        baseline: float | None = None,
    ) -> Trip | None:
        """Take the result of an attempt, and tell of the trip if this result made one.

        `slow` marks an answer that took longer than `slow_over`, failed ones too; `Outcome.slow` says it by
        itself. `baseline` is stable's failing share, a fraction; without it the CUSUM does not judge.
        """
        if permit.generation != self.trips:
            return None
        if permit.probe is not None:
            self._in_flight.pop(permit.probe, None)
        failed = outcome is Outcome.failed
        if not (failed or outcome is Outcome.ok or outcome is Outcome.slow):
            return None
        slow = (slow or outcome is Outcome.slow) and self.policy.slow_over is not None
        if self.state is BreakerState.half_open:
            return self._judge_probe(now, failed=failed, slow=slow)
        return self._judge(now, failed=failed, slow=slow, baseline=baseline)

    def take(self, others: Counts, now: float) -> Trip | None:
        """Take what other gateways had of the release in the last second; tell of the trip if that made one."""
        if self.state is not BreakerState.closed:
            return None
        self._window.take(now, others)
        return self._judge_rates(now)

    @property
    def own(self) -> Counts:
        """How many outcomes were counted here, ever."""
        return self._window.own

    def is_due(self, now: float) -> bool:
        """Say whether it takes probes: it was open for its time."""
        return self.state is BreakerState.half_open or (self.state is BreakerState.open and now >= self._open_until)

    def probed(self, now: float) -> float:
        """Give how many seconds ago its open time was over: from then on it took probes."""
        return now - self._open_until

    def close(self, now: float, probed: float) -> bool:
        """Close, since another gateway's probes of the last `probed` seconds were good; say whether it did.

        One that has opened since those probes began knows more, and stays open.
        """
        if self.state is BreakerState.closed or self._opened_at > now - probed:
            return False
        self._move("recover_elsewhere")
        self._closed_at = self._closed_elsewhere_at = now
        return True

    def open(self, now: float, *, by_probe: bool) -> bool:
        """Open, since another gateway's has tripped; say whether that changed anything.

        One that is open already waits longer only when it was a bad probe that tripped the other.
        """
        self.fails_alone = False
        if self.state is BreakerState.open and not by_probe:
            return False
        self._open("trip_elsewhere", now)
        return True

    def share_ppm(self, now: float) -> int:
        """Give the share of units that it takes, in parts per million: all, none, or some soon after it closed."""
        if self.state is not BreakerState.closed:
            return 0
        return returned_ppm(now - self._closed_at, self.policy.open) if self.trips else BUCKETS

    def counts(self, now: float) -> tuple[int, int]:
        """Give how many outcomes the window holds, and how many of them failed."""
        self._window.expire(now)
        return self._window.counts.requests, self._window.counts.failed

    def snapshot(self, now: float) -> dict[str, Any]:
        """Tell the state and what it rests on, as a JSON object for people."""
        self._window.expire(now)
        waits = self._open_until - now if self.state is BreakerState.open else 0.0
        return {
            "state": self.state.value,
            "share_ppm": self.share_ppm(now),
            "trips": self.trips,
            **self._evidence(),
            "probes_in_seconds": round(max(0.0, waits), 3),
            "probes_in_flight": len(self._in_flight),
            "good_probes": self._good_probes,
            "next_open_seconds": self._open_time(now),
        }

    def __repr__(self) -> str:
        counts = self._window.counts
        return f"<Breaker {self.state.value}, {counts.failed} of {counts.requests} failed, {self.trips} trips>"

    def _judge_probe(self, now: float, *, failed: bool, slow: bool) -> Trip | None:
        if failed or slow:
            limit = {"good_probes": self._good_probes, "limit": self.policy.probes, "probe_failed": failed}
            return self._trip("probe", limit, now)
        self._good_probes += 1
        if self._good_probes >= self.policy.probes:
            self._move("recover")
            self._closed_at, self._closed_elsewhere_at, self.fails_alone = now, -math.inf, False
        return None

    def _judge(self, now: float, *, failed: bool, slow: bool, baseline: float | None) -> Trip | None:
        self._window.add(now, failed=failed, slow=slow)
        self._consecutive = self._consecutive + 1 if failed else 0
        by_cusum = baseline is not None and self._cusum.add(failed, baseline)
        if self._consecutive >= self.policy.consecutive:
            return self._trip("consecutive", {"limit": self.policy.consecutive}, now)
        by_rate = self._judge_rates(now)
        if by_rate is not None:
            return by_rate
        if by_cusum and baseline is not None:
            p0, p1 = hypotheses(baseline)
            limit = {"limit": round(THRESHOLD, 3), "baseline": round(p0, 4), "suspected": round(p1, 4)}
            return self._trip("cusum", limit, now)
        return None

    def _judge_rates(self, now: float) -> Trip | None:
        counts = self._window.counts
        if counts.requests >= self.policy.min_requests:
            if counts.failed >= self.policy.failure_rate * counts.requests:
                return self._trip("failure_rate", {"limit": self.policy.failure_rate}, now)
            if counts.slow >= self.policy.slow_rate * counts.requests:
                return self._trip("slow_rate", {"limit": self.policy.slow_rate}, now)
        return None

    def _trip(self, rule: TripRule, limit: Mapping[str, Any], now: float) -> Trip:
        trip = Trip(rule, {**self._evidence(), **limit}, now)
        if self.state is BreakerState.closed:
            self.fails_alone = now - self._closed_elsewhere_at < self.policy.window
        self._open("trip", now)
        return trip

    def _open(self, event: str, now: float) -> None:
        """Open, and forget everything that was counted."""
        self._growths = self._growths_left(now)
        open_time = self._open_time(now)
        self._move(event)
        self._opened_at, self._open_until = now, now + open_time
        if open_time < self.policy.max_open:
            self._growths += 1
        self.trips += 1
        self._pass = Permit(self.trips)
        self._window.clear()
        self._cusum = Cusum()
        self._consecutive = 0
        self._in_flight = {}
        self._good_probes = 0

    def _open_time(self, now: float) -> float:
        """How many seconds a trip now would stay open."""
        return min(self.policy.max_open, self.policy.open * self.policy.growth ** self._growths_left(now))

    def _growths_left(self, now: float) -> int:
        if self.state is not BreakerState.closed:
            return self._growths
        return max(0, self._growths - int((now - self._closed_at) / self.policy.window))

    def _evidence(self) -> dict[str, Any]:
        counts = self._window.counts
        return {
            "window_seconds": self.policy.window,
            "requests": counts.requests,
            "failed": counts.failed,
            "slow": counts.slow,
            "failures_in_a_row": self._consecutive,
            "cusum": round(self._cusum.score, 3),
        }

    def _move(self, event: str) -> None:
        self.state = TRANSITIONS[self.state, event]
