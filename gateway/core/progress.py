"""How a rollout goes on: what its step has shown, held against its plan, once a second.

The law, in this order:

1. What speaks against the candidate beyond chance takes it out: a guardrail, the error budget, or the plan's word on
   missing or inconclusive evidence. No sample is too small for that, and no pause or hold keeps it back.
2. A paused rollout does nothing else.
3. What makes the evidence worthless, or the moment a bad one, holds at once: a signal, a broken split, a burning
   error budget, a stable release that fails as well.
4. Once the step's time is over, each gate that is not passed holds, a person's approval last of all. Evidence that is
   missing, old or undecided passes no gate.
5. Otherwise the next step is entered, never more than one at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.core.bucket import BUCKETS
from gateway.core.duration import roughly
from gateway.core.error_budget import BudgetReading
from gateway.core.judgement import Finding, Verdict, said_of
from gateway.core.metric import is_feedback
from gateway.core.plan import Step
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.split_check import BROKEN_P

FRESH_GAPS = 10
FRESH_SECONDS = 60.0
"""Evidence is old once its newest outcome is ten usual gaps and a minute ago; one silence in e^10 is so by chance."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a step at a look.

    `elapsed` is how many seconds the step has lasted, pauses aside; `silent` how many since the candidate's newest
    outcome, or since the step's beginning; `requests`, `units` and `good` (answers that went well) are the candidate's.
    `breaches` are the guardrails and `signals` the signals that are breached now. `budget` is None without an SLO.
    """

    elapsed: float
    silent: float
    requests: int
    units: int
    good: int = 1
    breaches: Sequence[Finding] = ()
    signals: Sequence[Finding] = ()
    sample_ratio_p: float = 1.0
    budget: BudgetReading | None = None
    stable_fails: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """One reason why a step is not left: its code, and a sentence for people."""

    code: str
    sentence: str


Verb = Literal["stay", "hold", "clear", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Move:
    """What to do with a rollout now, why, and by which rule where it is rolled back."""

    verb: Verb
    reason: str = ""
    waits: tuple[Wait, ...] = ()
    rule: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the waits."""
        return tuple(wait.code for wait in self.waits)


STAY = Move("stay")


def decide(rollout: Rollout, seen: Seen, weigh: Callable[[], Sequence[Finding]]) -> Move:
    """Decide how a rollout in a step goes on. `weigh` gives the findings on every guardrail and signal, and is dear."""
    step = rollout.plan.steps[rollout.step or 0]
    danger = _danger(rollout, seen)
    if danger is not None:
        return danger
    if rollout.state is RolloutState.paused:
        return STAY
    waits = _at_once(rollout, seen)
    if seen.elapsed < step.seconds:
        return _held_or_going(rollout, waits)
    findings: tuple[Finding, ...] = ()
    if not waits:
        waits = _sample(rollout, step, seen)
    if not waits and _asks_for_proof(rollout, step):
        findings = tuple(weigh())
        waits = _undecided(step, findings)
        if all(wait.code == "inconclusive" for wait in waits):
            if waits and rollout.plan.on_inconclusive == "rollback":
                return Move("rollback", waits[0].sentence, rule="inconclusive", findings=findings)
            if rollout.plan.on_inconclusive == "promote":
                waits = ()
    waits = waits or _last_gates(rollout, step)
    if waits:
        return _held_or_going(rollout, waits)
    return Move("promote", _passed(seen, findings), findings=findings)


def waits_of(rollout: Rollout, seen: Seen, findings: Sequence[Finding]) -> tuple[Wait, ...]:
    """Give everything that a rollout's step still waits for, its time included, for people to see."""
    if rollout.state is RolloutState.paused:
        return (Wait("paused", "a person paused it"),)
    step = rollout.plan.steps[rollout.step or 0]
    left = step.seconds - seen.elapsed
    time = (Wait("time", f"{roughly(left)} of its time left"),) if left > 0 else ()
    undecided = _undecided(step, findings) if _asks_for_proof(rollout, step) else ()
    return (*time, *_at_once(rollout, seen), *(_sample(rollout, step, seen) or undecided), *_last_gates(rollout, step))


def _danger(rollout: Rollout, seen: Seen) -> Move | None:
    """What takes the candidate out."""
    breaches = [
        breach for breach in seen.breaches if not (seen.stable_fails and breach.criterion.metric == "error_rate")
    ]
    if breaches:
        return Move("rollback", said_of(breaches), rule="guardrail", findings=tuple(breaches))
    if seen.budget is not None and seen.budget.must_stop:
        used = f"the canary has used {seen.budget.canary_used:.0%} of the route's error budget"
        return Move("rollback", used, rule="error_budget")
    plan = rollout.plan
    is_silent = seen.silent > plan.no_data_after and not seen.stable_fails
    if plan.on_no_data == "rollback" and is_silent:
        silence = f"the candidate has answered nothing for {roughly(seen.silent)}"
        return Move("rollback", silence, rule="no_data")
    return None


def _at_once(rollout: Rollout, seen: Seen) -> tuple[Wait, ...]:
    """What holds a step whatever its time."""
    waits = [Wait("signal", finding.sentence) for finding in seen.signals if finding.verdict is Verdict.breach]
    if seen.sample_ratio_p < BROKEN_P:
        said = f"the sides' shares did not come about by chance (p {seen.sample_ratio_p:.2g}): the split is broken"
        waits.append(Wait("sample_ratio", said))
    if seen.budget is not None and seen.budget.must_hold:
        said = f"the route burns its error budget {seen.budget.long_burn:.1f} times as fast as it may"
        waits.append(Wait("error_budget", said))
    if seen.stable_fails:
        waits.append(Wait("stable_fails", f"{rollout.stable} fails on the same provider, so nobody can be compared"))
    return tuple(waits)


def _sample(rollout: Rollout, step: Step, seen: Seen) -> tuple[Wait, ...]:
    """What the evidence lacks in size and freshness."""
    waits = []
    if seen.requests == 0:
        waits.append(Wait("no_data", f"{rollout.candidate} has answered nothing in this step"))
    elif seen.good == 0:
        waits.append(Wait("no_data", f"none of the {seen.requests} requests to {rollout.candidate} went well"))
    elif seen.requests < (step.min_requests or 0):
        waits.append(Wait("min_requests", f"{seen.requests} of {step.min_requests} requests"))
    if step.min_units is not None and seen.requests > 0 and seen.units < step.min_units:
        waits.append(Wait("min_units", f"{seen.units} of {step.min_units} units"))
    if seen.requests and seen.silent > max(FRESH_SECONDS, FRESH_GAPS * seen.elapsed / seen.requests):
        waits.append(Wait("stale", f"the newest outcome is {roughly(seen.silent)} old"))
    if seen.budget is not None and not seen.budget.may_advance:
        left = seen.budget.remaining
        overspent = f"the route's error budget: it is overspent by {-left:.0%}"
        said = f"{left:.0%} of the route's error budget is left" if left > 0 else overspent
        waits.append(Wait("error_budget", said))
    return tuple(waits)


def _undecided(step: Step, findings: Sequence[Finding]) -> tuple[Wait, ...]:
    """What guardrails are not shown to be kept. Nobody sees a copy's answer, so none is asked for feedback on one."""
    return tuple(
        Wait(
            "no_outcome" if finding.verdict is Verdict.no_data else "inconclusive",
            finding.sentence,
        )
        for finding in findings
        if finding.kind == "guardrail" and finding.verdict is not Verdict.within
        if step.shadow_ppm is None or not is_feedback(finding.criterion.metric)
    )


def _last_gates(rollout: Rollout, step: Step) -> tuple[Wait, ...]:
    if step.approval:
        return (Wait("approval", f"a person's word: pinion rollout promote {rollout.route}"),)
    if rollout.plan.step_after(rollout.step) is None and step.percent_ppm != BUCKETS:
        return (Wait("last_step", f"it is the last step: pinion rollout promote {rollout.route} completes it"),)
    return ()


def _asks_for_proof(rollout: Rollout, step: Step) -> bool:
    """Whether the guardrails must be shown to be kept. With nothing left on stable, nothing can be compared."""
    return step.percent_ppm != BUCKETS and bool(rollout.plan.guardrails_of(rollout.step or 0))


def _held_or_going(rollout: Rollout, waits: tuple[Wait, ...]) -> Move:
    if waits:
        told = Move("hold", "; ".join(wait.sentence for wait in waits), waits)
        is_known = rollout.state is RolloutState.held and rollout.holds == told.codes
        return Move("stay", told.reason, waits) if is_known else told
    if rollout.state is RolloutState.held:
        return Move("clear", "nothing holds it any more")
    return STAY


def _passed(seen: Seen, findings: Sequence[Finding]) -> str:
    guardrails = [finding for finding in findings if finding.kind == "guardrail"]
    within = sum(finding.verdict is Verdict.within for finding in guardrails)
    kept = f", {within} of {len(guardrails)} guardrails kept" if guardrails else ""
    if within < len(guardrails):
        kept += ", as on_inconclusive: promote says"
    lasted = f"lasted {roughly(int(seen.elapsed))}"
    return f"every gate passed: {lasted}, {seen.requests} requests of {seen.units} units{kept}"
