"""What the failed attempts of one request are judged to be, once it is known what stable made of the same request.

The law:

1. Stable's own failures, those of fallbacks and of forced releases, and rate limits count as they are, at once.
2. Any other failure, or refusal as the client's fault, waits until stable has answered.
3. What stable accepts, another release may not refuse: it failed.
4. What stable fails on or refuses as well speaks against nobody else, nor does anything while stable is out of service.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.breaker import Permit
from gateway.core.outcome import Outcome
from gateway.core.route import Leg, Route
from gateway.proxy.attempts import Failure
from gateway.proxy.surroundings import Breakers

_CANDIDATE_TRACKS = frozenset(("canary", "arm", "rule"))
_REFUTED = frozenset((Outcome.failed, Outcome.client_fault))


@dataclass(slots=True)
class Verdict:
    """A failed attempt; its outcome is None until it is judged, and excused if it counts for nothing."""

    leg: Leg
    permit: Permit | None
    failure: Failure
    outcome: Outcome | None = None
    is_excused: bool = False

    @property
    def counts_at_once(self) -> bool:
        """Whether stable's word does not matter to it."""
        is_candidate = self.leg.track in _CANDIDATE_TRACKS and not self.leg.is_stable
        return not is_candidate or self.failure.outcome not in _REFUTED

    @property
    def is_believed(self) -> bool:
        """Whether its word is good for the client: that a request is at fault, only stable or a forced release says."""
        return self.failure.outcome is not Outcome.client_fault or self.leg.is_stable or self.leg.track == "forced"


class Verdicts:
    """The failed attempts of one request, in order. Tells the breakers of each as soon as it is judged."""

    __slots__ = ("_breakers", "_route", "_stable_is_out", "_verdicts")

    def __init__(self, route: Route, breakers: Breakers) -> None:
        self._route = route
        self._breakers = breakers
        self._verdicts: list[Verdict] = []
        self._stable_is_out = False

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self._verdicts)

    def __len__(self) -> int:
        return len(self._verdicts)

    def __repr__(self) -> str:
        waiting = sum(verdict.outcome is None for verdict in self._verdicts)
        return f"<Verdicts {len(self._verdicts)} failed, {waiting} not judged>"

    @property
    def told(self) -> Verdict | None:
        """The failed attempt that the client hears of when none is left: the last whose word is good."""
        return next((verdict for verdict in reversed(self._verdicts) if verdict.is_believed), None)

    @property
    def stable_failed(self) -> bool:
        """Whether stable is among the failed attempts."""
        return any(verdict.leg.is_stable for verdict in self._verdicts)

    def failed(self, leg: Leg, permit: Permit | None, failure: Failure, now: float) -> None:
        """Take a failed attempt; one that was sent without a permit is not reported."""
        verdict = Verdict(leg, permit, failure)
        self._verdicts.append(verdict)
        if verdict.counts_at_once:
            self._judge(verdict, failure.outcome, failure.outcome, now)

    def stable_accepted(self, now: float) -> None:
        """Stable has taken the request: who did not has failed."""
        if self._verdicts:
            for verdict in self._open():
                self._judge(verdict, Outcome.failed, Outcome.failed, now)

    def stable_is_out(self) -> None:
        """Stable's breaker lets nothing through."""
        self._stable_is_out = True

    def close(self, now: float) -> None:
        """The request has ended: nothing more will be learnt. An excused failure gives its permit back uncounted."""
        if not self._verdicts:
            return
        excused = self._stable_is_out or any(
            verdict.leg.is_stable and verdict.failure.outcome in _REFUTED for verdict in self._verdicts
        )
        for verdict in self._open():
            own = verdict.failure.outcome
            verdict.is_excused = excused
            self._judge(verdict, own, Outcome.cancelled if excused else own, now)

    def _open(self) -> list[Verdict]:
        return [verdict for verdict in self._verdicts if verdict.outcome is None]

    def _judge(self, verdict: Verdict, outcome: Outcome, counted: Outcome, now: float) -> None:
        verdict.outcome = outcome
        if verdict.permit is not None:
            self._breakers.report(self._route, verdict.leg.release, verdict.permit, counted, now)
