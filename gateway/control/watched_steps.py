"""Watched steps: what is seen of one rollout's step, or of a completed rollout, from its beginning to its end."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gateway.core.bucket import BUCKETS
from gateway.core.error_budget import BudgetReading
from gateway.core.evidence import Evidence, unit_of
from gateway.core.hand_over import Gathered, HandOver
from gateway.core.heard_numbers import HeardNumbers
from gateway.core.judgement import Finding, breaches, findings, look_at_gate
from gateway.core.observation import Side
from gateway.core.outcome import GOOD, JUDGED
from gateway.core.plan import Criterion, Plan
from gateway.core.progress import Seen
from gateway.core.record import Record
from gateway.core.recorded import KeptEvidence
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.tally import Tally

AFTER = -1
"""The step of a completed rollout, whose candidate is stable and still watched."""

QUIET_SECONDS = 60.0
"""How much of its time a step without requests may lose to a kill."""


class WatchedStep:
    """One step under way: its evidence, and how long it has lasted.

    Time is counted in monotonic seconds that the process lived and nobody paused: a clock that is moved, or a night
    without a gateway, brings no step to its end. `epoch` is that of the first snapshot of the step: what was admitted
    before it says nothing about it.

    In a fleet it takes what other gateways hand over, and gathers what is to be handed over to them. `heard` are the
    numbers of all hand-overs that the evidence has anything of, our own among them: the two are written down together.

    Attributes:
        is_after: whether the rollout is completed, and its candidate watched as the new stable release.
    """

    def __init__(
        self,
        rollout: Rollout,
        evidence: Evidence,
        *,
        epoch: int,
        now: float,
        elapsed: float = 0.0,
        heard: HeardNumbers | None = None,
    ) -> None:
        """`now` is monotonic, `elapsed` what the step had lasted before."""
        self.rollout = rollout
        self.key = key_of(rollout)
        self.is_after = self.key[1] == AFTER
        self.evidence = evidence
        self.heard = HeardNumbers() if heard is None else heard
        self._gathered: Gathered | None = None
        self._stable = evidence.versions[0]
        self.elapsed = elapsed
        self.kept_at = now
        self._kept_elapsed = elapsed
        self._has_grown = False
        self._epoch = epoch
        self._last = now
        self._answered_at = now
        self._answered = self._requests()

    def __repr__(self) -> str:
        return f"<WatchedStep {self.key[1]} of {self.rollout.route}, {self.elapsed:.0f} s>"

    def compares_with(self, stable: str) -> bool:
        """Say whether the candidate is still compared with what serves as stable: one that was retired says no more."""
        return self.is_after or self._stable == stable

    def hear(self, record: Record) -> None:
        """Take a settled request."""
        if record.epoch < self._epoch:
            return
        seen = self.evidence.hear(record, self._side_of(record) if self.is_after else None)
        self._has_grown = True
        if seen is not None and self._gathered is not None:
            self._gathering(self._gathered).add(record.request_id, seen)

    def hear_feedback(self, record: Record, name: str, value: float) -> None:
        """Take feedback, a finite number, on a request of one of the sides.

        The request may have been settled by another process, whose epochs are not ours: it is of this step if it is
        newer than it, and was assigned by the rollout's split, which a completed one has no more.
        """
        is_of_split = record.split == (None if self.is_after else self.rollout.id)
        if record.at < self.rollout.entered_at or not is_of_split or not record.attempts:
            return
        first = record.attempts[0]
        if first.release not in (self.rollout.candidate, self._stable):
            return
        side: Side = "candidate" if first.release == self.rollout.candidate else "stable"
        self.evidence.hear_feedback(side, name, value, unit_of(record))
        self._has_grown = True
        if self._gathered is not None:
            self._gathering(self._gathered).add_feedback(record.request_id, (side, name, value, unit_of(record)))

    # What is handed over

    def hand_over_as(self, source: str) -> None:
        """Gather from now on what comes, for other gateways, as a source that nobody else is or was."""
        self._gathered = Gathered(source)

    @property
    def source(self) -> str | None:
        """As what it hands over; None without a fleet."""
        return None if self._gathered is None else self._gathered.source

    def hand_over(self) -> HandOver | None:
        """Give what has come since this was last asked; None where nothing has."""
        if not self._gathered:
            return None
        return self._gathered.hand_over(self.rollout.route, *self.key, self._stable)

    def takes(self, told: HandOver) -> bool:
        """Say whether a hand-over is of this step, and of the same two releases."""
        return (told.rollout, told.step, told.stable) == (*self.key, self._stable)

    def take(self, told: HandOver) -> bool:
        """Count what another gateway hands over of this step, unless it was counted before; say whether it was not.

        Raises:
            ValueError: it holds what no gateway hands over. Nothing of it is counted.
        """
        requests, evidence = told.observations(), self.evidence
        if not self.heard.take(told.source, told.number):
            return False
        for seen in requests:
            evidence.take(seen, is_sample=told.is_sample)
        for side, outcome, count in told.others:
            evidence.count(side, outcome, count)
        for side, name, value, unit in told.feedback:
            evidence.hear_feedback(side, name, value, unit)
        self._has_grown = True
        return True

    def _gathering(self, gathered: Gathered) -> Gathered:
        """Give what gathers, whose number counts as heard from its first request on: the evidence has it already."""
        if not gathered:
            self.heard.take(gathered.source, gathered.number)
        return gathered

    def look(self, now: float) -> None:
        """Let time pass, and the tests look at what has come."""
        if self.rollout.state is not RolloutState.paused:
            self.elapsed += now - self._last
        self._last = now
        self.evidence.look()
        answered = self._requests()
        if answered != self._answered:
            self._answered, self._answered_at = answered, now

    def seen(self, *, budget: BudgetReading | None, stable_fails: bool) -> Seen:
        """Tell what is known, for a decision."""
        sample_ratio = self.evidence.sample_ratio
        return Seen(
            elapsed=self.elapsed,
            silent=self._last - self._answered_at,
            requests=self._answered,
            units=self.evidence.candidate.units,
            good=sum(self.evidence.candidate.counts[outcome.value] for outcome in GOOD),
            breaches=self.breaches(),
            signals=breaches(self.evidence, self.rollout.plan.signals, "signal"),
            sample_ratio_p=1.0 if sample_ratio is None else sample_ratio.p,
            budget=budget,
            stable_fails=stable_fails,
        )

    @property
    def guardrails(self) -> tuple[Criterion, ...]:
        """The guardrails that hold now."""
        return _guardrails(self.rollout.plan, self.key[1])

    def breaches(self) -> list[Finding]:
        """Give the guardrails that are breached, as of the last look."""
        return breaches(self.evidence, self.guardrails)

    def weigh(self) -> list[Finding]:
        """Let the step's gate look, once its time and sample are complete, and judge every guardrail and signal."""
        if look_at_gate(self.evidence, self.guardrails):
            self._has_grown = True
        return self.findings()

    def findings(self) -> list[Finding]:
        """Judge every guardrail and signal."""
        return findings(self.evidence, self.guardrails, self.rollout.plan.signals)

    def carried(self) -> Tally | None:
        """What is left of stable for a step in which it gets no requests."""
        return self.evidence.stable if self.evidence.stable.judged else self.evidence.baseline

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is something new to write down: evidence, or a minute without any."""
        return self._has_grown or self.elapsed - self._kept_elapsed > QUIET_SECONDS

    def not_kept(self) -> None:
        """What was to be written down could not be."""
        self._has_grown = True

    def keep(self, at: float) -> KeptEvidence:
        """Write it down, at wall time `at`."""
        self._has_grown, self._kept_elapsed, self.kept_at = False, self.elapsed, self._last
        shown = {**self.evidence.to_json(), "heard": self.heard.to_json()}
        return KeptEvidence(self.rollout.id, self.key[1], self.elapsed, at, shown)

    def describe(self) -> Mapping[str, Any]:
        """Tell what both sides have shown, as JSON for people."""
        evidence = self.evidence
        return {
            "elapsed_seconds": round(self.elapsed, 1),
            "since_answer_seconds": round(self._last - self._answered_at, 1),
            "sample_ratio_p": None if evidence.sample_ratio is None else evidence.sample_ratio.p,
            "stable": describe_tally(evidence.compared),
            "candidate": describe_tally(evidence.candidate),
            "is_baseline": evidence.baseline is not None,
            "hand_overs": self._told_of_hand_overs(),
        }

    def _told_of_hand_overs(self) -> Mapping[str, int] | None:
        if self._gathered is None:
            return None
        return {"heard": self.heard.heard, "missed": self.heard.missed}

    def _requests(self) -> int:
        counts = self.evidence.candidate.counts
        return sum([counts[outcome] for outcome in JUDGED])

    def _side_of(self, record: Record) -> Side | None:
        """Completed, the candidate is what answers as stable. Before, the evidence tells the sides by itself."""
        first = record.attempts[0] if record.attempts else None
        if first is None or first.track != "stable":
            return None
        return "candidate" if first.release == self.rollout.candidate else None


def key_of(rollout: Rollout) -> tuple[str, int]:
    """Name what of a rollout is watched: its id, and the step or what comes after."""
    if rollout.state is RolloutState.completed or rollout.step is None:
        return rollout.id, AFTER
    return rollout.id, rollout.step


def _guardrails(plan: Plan, step: int) -> tuple[Criterion, ...]:
    return plan.guardrails if step == AFTER else plan.guardrails_of(step)


@dataclass(frozen=True, slots=True)
class Restored:
    """What an earlier process wrote down of a step: which one, how long it had lasted, and what it had shown."""

    step: int
    elapsed: float
    evidence: Evidence
    heard: HeardNumbers

    @classmethod
    def read(cls, kept: KeptEvidence) -> Self:
        """Read what was written down.

        Raises:
            ValueError: it is not what this version writes.
        """
        try:
            shown = kept.evidence
            heard = HeardNumbers.from_json(shown.get("heard", {}))
            return cls(kept.step, kept.elapsed, Evidence.from_json(shown), heard)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
            said = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"what was kept of rollout {kept.rollout} cannot be read, and begins anew: {said}"
            ) from error


def begin(
    rollout: Rollout,
    stable: str,
    before: WatchedStep | None,
    kept: Restored | None,
    *,
    epoch: int,
    now: float,
) -> WatchedStep:
    """Begin to watch a rollout's step, or go on with what was kept of it.

    `stable` is the version that the candidate is compared with, `before` what was watched of the same rollout until
    now, `kept` what an earlier process wrote down.
    """
    _, step = key_of(rollout)
    if before is None and kept is not None:
        if kept.step == step:
            lasted, heard = kept.elapsed, kept.heard
            return WatchedStep(rollout, kept.evidence, epoch=epoch, now=now, elapsed=lasted, heard=heard)
        before = WatchedStep(rollout, kept.evidence, epoch=epoch, now=now)
    plan = rollout.plan
    is_after = step == AFTER
    weight = BUCKETS if is_after else plan.steps[step].percent_ppm
    is_alone = weight == BUCKETS
    evidence = Evidence(
        tuple(dict.fromkeys((*_guardrails(plan, step), *plan.signals))),
        stable=stable,
        candidate=rollout.candidate,
        track="arm" if is_after else "shadow" if weight is None else "canary",
        alpha=plan.alpha_each,
        looks=plan.looks,
        weights=None if weight is None or is_alone else (1 - weight / BUCKETS, weight / BUCKETS),
        baseline=before.carried() if is_alone and before is not None else None,
    )
    if before is not None:
        evidence.go_on_from(before.evidence)
    same = before.heard if before is not None and before.key == key_of(rollout) else None
    return WatchedStep(rollout, evidence, epoch=epoch, now=now, heard=same)


def describe_tally(tally: Tally) -> Mapping[str, Any]:
    """Tell what one side has shown, as JSON for people; times in seconds, cost in US dollars, None for not known."""
    cost = tally.mean("cost_per_request")
    return {
        "outcomes": {name: count for name, count in tally.counts.items() if count},
        "judged": tally.judged,
        "failed": tally.failed,
        "units": tally.units,
        "p50_seconds": tally.seconds.quantile(0.5),
        "p95_seconds": tally.seconds.quantile(0.95),
        "first_token_p50_seconds": tally.first_token_seconds.quantile(0.5),
        "tokens_per_request": tally.tokens.mean if tally.tokens.n else None,
        "cost_per_request_usd": cost.mean if cost.n else None,
        "cost_unknown": tally.cost_unknown,
        "feedback": {name: {"n": values.n, "mean": values.mean} for name, values in tally.feedback.items() if values.n},
    }
