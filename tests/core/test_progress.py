"""How a rollout goes on: a case for each law."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.core.judgement import Finding, Verdict
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.progress import STAY, Move, Seen, Wait, waits_of
from gateway.core.rollout import RolloutState
from tests.core.progress_samples import (
    BREACH,
    COST,
    ENOUGH,
    KEPT,
    NOTHING,
    OPEN_QUESTION,
    SHORT,
    SIGNAL,
    SLOW,
    SLOW_BREACH,
    a_budget,
    decided,
    finding,
    rolling,
    with_,
)
from tests.core.test_rollout import IN_STEP

# What speaks against the candidate

DANGERS = {
    "guardrail": replace(SHORT, breaches=[BREACH]),
    "error_budget": replace(SHORT, budget=a_budget(stops=True)),
    "no_data": replace(NOTHING, elapsed=0.0, silent=3601.0),
}


@pytest.mark.parametrize("rule", DANGERS)
@pytest.mark.parametrize("state", sorted(IN_STEP))
@pytest.mark.parametrize("step", range(4))
def test_what_speaks_against_the_candidate_takes_it_out(step: int, state: RolloutState, rule: str):
    """In every state and step, paused and held included, before its time is over and on any sample."""
    move = decided(rolling(step, state, with_(on_no_data="rollback")), DANGERS[rule], None)
    assert ("rollback", rule) == (move.verb, move.rule)


@pytest.mark.parametrize(
    ("seen", "reason", "found"),
    [
        (DANGERS["guardrail"], "error_rate: worse beyond chance", (BREACH,)),
        (
            replace(SHORT, breaches=[BREACH, SLOW_BREACH]),
            "error_rate: worse beyond chance; slow_rate: too slow",
            (BREACH, SLOW_BREACH),
        ),
        (DANGERS["error_budget"], "the canary has used 25% of the route's error budget", ()),
        (DANGERS["no_data"], "the candidate has answered nothing for 61m", ()),
    ],
)
def test_a_rollback_says_why(seen: Seen, reason: str, found: tuple[Finding, ...]):
    """Each guardrail by its deciding rule, or what else it is."""
    move = decided(rolling(plan=with_(on_no_data="rollback")), seen, None)
    assert (reason, found) == (move.reason, move.findings)


def test_a_breach_comes_before_everything_else():
    """It is what the record of the rollback tells, whatever else is wrong."""
    seen = replace(DANGERS["error_budget"], breaches=[SLOW_BREACH], signals=[SIGNAL], sample_ratio_p=0.0)
    assert "guardrail" == decided(rolling(), seen, None).rule


def test_failures_of_stable_excuse_those_of_the_candidate():
    """While stable fails on the same provider a higher error rate is nobody's fault: the rollout waits."""
    move = decided(rolling(), replace(ENOUGH, breaches=[BREACH], stable_fails=True), None)
    assert ("hold", ("stable_fails",)) == (move.verb, move.codes)


@pytest.mark.parametrize("breaches", [[SLOW_BREACH], [BREACH, SLOW_BREACH]])
def test_failures_of_stable_excuse_nothing_else(breaches: list[Finding]):
    """A guardrail on anything but errors acts all the same."""
    move = decided(rolling(), replace(ENOUGH, breaches=breaches, stable_fails=True), None)
    assert ("rollback", "slow_rate: too slow") == (move.verb, move.reason)


@pytest.mark.parametrize(
    ("plan", "step", "silent", "verb"),
    [
        (with_(on_no_data="rollback"), 1, 3600.0, "hold"),
        (with_(on_no_data="rollback", no_data_after=60.0), 1, 61.0, "rollback"),
        (with_(on_no_data="hold", no_data_after=60.0), 1, 1e6, "hold"),
        (Plan(None, (Step(percent_ppm=1),), on_no_data="rollback"), 0, 1e6, "rollback"),
        (replace(Plan.default(), on_no_data="rollback"), 0, 1e6, "rollback"),
    ],
)
def test_silence_does_what_the_plan_says(plan: Plan, step: int, silent: float, verb: str):
    """After its time, and not where the step asks for no data at all."""
    assert verb == decided(rolling(step, plan=plan), replace(NOTHING, silent=silent), None).verb


# Pauses


@pytest.mark.parametrize("seen", [ENOUGH, NOTHING, replace(ENOUGH, signals=[SIGNAL], stable_fails=True)])
def test_a_paused_rollout_does_nothing_else(seen: Seen):
    """It neither advances nor holds, and nothing is looked at for it."""
    assert STAY == decided(rolling(state=RolloutState.paused), seen, None)


# What holds at once

AT_ONCE = {
    "signal": replace(SHORT, signals=[finding(Verdict.within, COST, "signal"), SIGNAL]),
    "sample_ratio": replace(SHORT, sample_ratio_p=0.00099),
    "error_budget": replace(SHORT, budget=a_budget(holds=True)),
    "stable_fails": replace(SHORT, stable_fails=True),
}
AT_ONCE_SENTENCES = {
    "signal": "cost_per_request: too dear",
    "sample_ratio": "the sides' shares did not come about by chance (p 0.00099): the split is broken",
    "error_budget": "the route burns its error budget 10.0 times as fast as it may",
    "stable_fails": "1.0.0 fails on the same provider, so nobody can be compared",
}


@pytest.mark.parametrize("elapsed", [0.0, 1e6])
@pytest.mark.parametrize("code", AT_ONCE)
def test_what_makes_the_evidence_worthless_holds_at_once(code: str, elapsed: float):
    """Before the step's time is over, and after it, without a look at the findings."""
    move = decided(rolling(), replace(AT_ONCE[code], elapsed=elapsed), None)
    assert Move("hold", AT_ONCE_SENTENCES[code], (Wait(code, AT_ONCE_SENTENCES[code]),)) == move


def test_everything_that_holds_is_named():
    """One sentence each, in the order of the law."""
    seen = replace(
        SHORT, signals=[SIGNAL], sample_ratio_p=0.0, budget=a_budget(holds=True), stable_fails=True, elapsed=1.0
    )
    assert tuple(AT_ONCE) == decided(rolling(), seen, None).codes


@pytest.mark.parametrize(
    "seen",
    [
        SHORT,
        replace(SHORT, signals=[finding(Verdict.inconclusive, COST, "signal"), finding(Verdict.no_data, COST)]),
        replace(SHORT, sample_ratio_p=0.001),
        replace(SHORT, budget=a_budget()),
        replace(SHORT, budget=a_budget(spent=True)),
        replace(NOTHING, elapsed=599.9),
    ],
)
def test_until_its_time_is_over_a_step_goes_on(seen: Seen):
    """What is undecided, small or missing waits until then, and so does a budget with little left."""
    assert STAY == decided(rolling(), seen, None)


# Holds that are known, and holds that are gone


@pytest.mark.parametrize("elapsed", [0.0, 1e6])
def test_a_hold_that_is_known_is_not_told_again(elapsed: float):
    """The rollout stays, and what it waits for is at hand."""
    move = decided(rolling(state=RolloutState.held, holds="signal"), replace(AT_ONCE["signal"], elapsed=elapsed), None)
    assert Move("stay", "cost_per_request: too dear", (Wait("signal", "cost_per_request: too dear"),)) == move


def test_a_hold_for_another_reason_is_told():
    """Another code is another hold; other numbers are not."""
    held = rolling(state=RolloutState.held, holds="min_requests")
    assert "stay" == decided(held, replace(ENOUGH, requests=50), None).verb
    assert ("hold", ("signal",)) == ((move := decided(held, AT_ONCE["signal"], None)).verb, move.codes)
    assert ("hold", ("min_requests", "min_units")) == (
        (move := decided(held, replace(ENOUGH, requests=50, units=5), None)).verb,
        move.codes,
    )


def test_a_hold_that_is_gone_is_cleared():
    """While the step's time lasts, the rollout goes on in it."""
    held = rolling(state=RolloutState.held, holds="signal")
    assert Move("clear", "nothing holds it any more") == decided(held, SHORT, None)


def test_a_held_rollout_whose_gates_pass_is_promoted():
    """There is no need to clear it first."""
    assert "promote" == decided(rolling(state=RolloutState.held, holds="min_requests")).verb


# The gates at the end of a step


@pytest.mark.parametrize(
    ("seen", "waits"),
    [
        (NOTHING, [("no_data", "1.1.0 has answered nothing in this step")]),
        (replace(ENOUGH, requests=99), [("min_requests", "99 of 100 requests")]),
        (replace(ENOUGH, units=9), [("min_units", "9 of 10 units")]),
        (
            replace(ENOUGH, requests=99, units=9),
            [("min_requests", "99 of 100 requests"), ("min_units", "9 of 10 units")],
        ),
        (replace(ENOUGH, silent=61.0), [("stale", "the newest outcome is 61s old")]),
        (replace(ENOUGH, budget=a_budget(spent=True)), [("error_budget", "15% of the route's error budget is left")]),
    ],
)
def test_a_sample_that_is_missing_small_or_old_holds(seen: Seen, waits: list[tuple[str, str]]):
    """Each lack is named with its numbers, and the findings are not looked at."""
    move = decided(rolling(), seen, None)
    assert ("hold", waits) == (move.verb, [(wait.code, wait.sentence) for wait in move.waits])


@pytest.mark.parametrize(
    ("elapsed", "requests", "silent", "verb"),
    [
        (600.0, 600, 60.0, "promote"),
        (600.0, 600, 60.1, "hold"),
        (36_000.0, 100, 3600.0, "promote"),
        (36_000.0, 100, 3600.1, "hold"),
    ],
)
def test_evidence_is_old_after_ten_usual_gaps_and_a_minute_at_least(
    elapsed: float, requests: int, silent: float, verb: str
):
    """What is usual is the step's own pace: a quiet route is not called stale for being quiet."""
    seen = replace(ENOUGH, elapsed=elapsed, requests=requests, silent=silent)
    assert verb == decided(rolling(), seen).verb


@pytest.mark.parametrize("verdict", [Verdict.inconclusive, Verdict.no_data])
@pytest.mark.parametrize("step", [0, 1])
def test_a_guardrail_that_is_not_shown_to_be_kept_holds(step: int, verdict: Verdict):
    """Undecided is not passed, of copies as of units, and each such guardrail is named."""
    found = (finding(verdict, rule="not decided"), finding(verdict, SLOW, rule="nor this"), KEPT[2])
    move = decided(rolling(step), ENOUGH, found)
    code = "no_outcome" if verdict is Verdict.no_data else "inconclusive"
    assert ("hold", (code, code)) == (move.verb, move.codes)
    assert "error_rate: not decided; slow_rate: nor this" == move.reason


@pytest.mark.parametrize("word", ["promote", "rollback"])
def test_what_nothing_is_known_of_is_not_inconclusive(word: str):
    """The plan's word on inconclusive guardrails says nothing about one that has no outcome at all."""
    found = (finding(Verdict.no_data, rule="nothing"), *KEPT[1:])
    move = decided(rolling(plan=with_(on_inconclusive=word)), ENOUGH, found)
    assert ("hold", ("no_outcome",)) == (move.verb, move.codes)


def test_nobody_is_asked_for_feedback_on_copies():
    """Their answers are seen by nobody, so a guardrail on feedback does not keep a shadow step."""
    liked = Criterion("feedback.liked", min=0.5)
    found = (finding(Verdict.no_data, liked, rule="nothing"), *KEPT)
    assert "promote" == decided(rolling(0, RolloutState.shadow), ENOUGH, found).verb
    assert ("no_outcome",) == decided(rolling(1), ENOUGH, found).codes


def test_a_signal_need_not_be_shown_to_be_kept():
    """It holds while breached, and only then."""
    assert "promote" == decided(rolling(), ENOUGH, (*KEPT[:2], finding(Verdict.no_data, COST, "signal"))).verb


def test_an_inconclusive_step_may_be_promoted():
    """By the plan's word, and the reason tells what was not shown."""
    move = decided(rolling(plan=with_(on_inconclusive="promote")), ENOUGH, OPEN_QUESTION)
    assert ("promote", OPEN_QUESTION) == (move.verb, move.findings)
    assert move.reason.endswith("1 of 2 guardrails kept, as on_inconclusive: promote says")


@pytest.mark.parametrize(("step", "codes"), [(2, ("approval",)), (1, ())])
def test_an_inconclusive_step_that_may_be_promoted_keeps_its_other_gates(step: int, codes: tuple[str, ...]):
    """A person's approval is still asked for, and no sample too small is passed."""
    rollout = rolling(step, plan=with_(on_inconclusive="promote"))
    assert codes == decided(rollout, ENOUGH, OPEN_QUESTION).codes
    assert "hold" == decided(rollout, NOTHING, None).verb


@pytest.mark.parametrize("state", [RolloutState.running, RolloutState.held])
def test_an_inconclusive_step_may_be_rolled_back(state: RolloutState):
    """By the plan's word, once time and sample are complete."""
    plan = with_(on_inconclusive="rollback")
    move = decided(rolling(state=state, plan=plan), ENOUGH, OPEN_QUESTION)
    assert ("rollback", "inconclusive", "error_rate: not decided", OPEN_QUESTION) == (
        move.verb,
        move.rule,
        move.reason,
        move.findings,
    )
    assert "promote" == decided(rolling(plan=plan)).verb
    assert "hold" == decided(rolling(plan=plan), replace(ENOUGH, requests=99), None).verb


def test_a_persons_word_is_asked_for_last_and_alone():
    """Nobody is asked before all else is passed, and then for nothing else."""
    approval = rolling(2)
    assert ("no_data",) == decided(approval, NOTHING, None).codes
    assert ("inconclusive",) == decided(approval, ENOUGH, OPEN_QUESTION).codes
    assert ("signal",) == decided(approval, AT_ONCE["signal"], None).codes
    move = decided(approval)
    assert ("hold", "a person's word: pinion rollout promote support", ("approval",)) == (
        move.verb,
        move.reason,
        move.codes,
    )


def test_a_last_step_short_of_everyone_waits_for_a_person():
    """The machine does not take it from 50 to 100 percent by itself."""
    plan = Plan(None, (Step(percent_ppm=500_000),))
    move = decided(rolling(0, plan=plan))
    assert ("hold", ("last_step",)) == (move.verb, move.codes)
    assert "it is the last step: pinion rollout promote support completes it" == move.reason


@pytest.mark.parametrize("seen", [replace(ENOUGH, requests=1, units=1), ENOUGH])
def test_a_step_to_everyone_needs_no_proof(seen: Seen):
    """With nothing left on stable nothing can be compared; it needs its time and an answer."""
    assert "promote" == decided(rolling(3, RolloutState.baking), seen, None).verb
    assert ("no_data",) == decided(rolling(3, RolloutState.baking), NOTHING, None).codes
    assert STAY == decided(rolling(3, RolloutState.baking), replace(ENOUGH, elapsed=599.0), None)


@pytest.mark.parametrize("plan", [Plan.default(), Plan("p", (Step(percent_ppm=50_000), Step(percent_ppm=1_000_000)))])
def test_a_plan_that_asks_for_nothing_asks_for_an_answer(plan: Plan):
    """Its step to everyone is left with the first that goes well, and with none that does not."""
    rollout = rolling(len(plan.steps) - 1, plan=plan)
    assert ("no_data",) == decided(rollout, Seen(9.0, 0.0, 0, 0, good=0), None).codes
    assert ("no_data",) == decided(rollout, Seen(9.0, 0.0, 2, 1, good=0), None).codes
    move = decided(rollout, Seen(9.0, 0.0, 2, 1, good=1), None)
    assert ("promote", "every gate passed: lasted 9s, 2 requests of 1 units") == (move.verb, move.reason)


def test_a_step_short_of_everyone_always_waits_for_an_answer():
    """Even one that asks for nothing."""
    plan = Plan("p", (Step(percent_ppm=50_000), Step(percent_ppm=1_000_000)))
    assert ("no_data",) == decided(rolling(0, plan=plan), Seen(0.0, 0.0, 0, 0), None).codes
    assert "promote" == decided(rolling(0, plan=plan), Seen(1.0, 0.0, 1, 1), None).verb


@pytest.mark.parametrize(("overdue", "lasted"), [(600.0, "10m"), (6e6, "70d")])
def test_a_promotion_is_of_one_step(overdue: float, lasted: str):
    """However long its time has been over, and it tells what was passed."""
    move = decided(rolling(), replace(ENOUGH, elapsed=overdue, requests=10**6))
    assert ("promote", KEPT, ()) == (move.verb, move.findings, move.waits)
    assert f"every gate passed: lasted {lasted}, 1000000 requests of 10 units, 2 of 2 guardrails kept" == move.reason


# What people see


def test_a_paused_rollout_waits_for_a_person():
    """Whatever else there is."""
    paused = rolling(state=RolloutState.paused)
    assert (Wait("paused", "a person paused it"),) == waits_of(paused, replace(NOTHING, stable_fails=True), ())


@pytest.mark.parametrize(
    ("step", "seen", "found", "codes"),
    [
        (1, ENOUGH, KEPT, []),
        (1, ENOUGH, OPEN_QUESTION, ["inconclusive"]),
        (1, SHORT, OPEN_QUESTION, ["time", "min_requests", "min_units"]),
        (1, replace(NOTHING, elapsed=1.0), (), ["time", "no_data"]),
        (2, replace(AT_ONCE["signal"], budget=a_budget(spent=True)), KEPT, ["signal", "error_budget", "approval"]),
        (2, ENOUGH, OPEN_QUESTION, ["inconclusive", "approval"]),
        (3, replace(ENOUGH, elapsed=599.0), OPEN_QUESTION, ["time"]),
    ],
)
def test_everything_that_a_step_waits_for_is_told(step: int, seen: Seen, found: Sequence[Finding], codes: list[str]):
    """Its time first, a person's word last."""
    assert codes == [wait.code for wait in waits_of(rolling(step), seen, found)]


@pytest.mark.parametrize(("elapsed", "left"), [(0.0, "10m"), (599.99, "1s"), (570.4, "30s")])
def test_the_time_that_is_left_is_told_in_seconds(elapsed: float, left: str):
    """A second at least, as long as there is any."""
    (wait, *_) = waits_of(rolling(), replace(ENOUGH, elapsed=elapsed), KEPT)
    assert Wait("time", f"{left} of its time left") == wait
