"""What holds of any rollout on any evidence: missing evidence never advances, and every move is lawful."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.error_budget import BudgetCount, BudgetReading, Slo
from gateway.core.judgement import Finding, Verdict
from gateway.core.progress import Seen, waits_of
from gateway.core.rollout import Rollout, RolloutState
from tests.core.progress_samples import BREACH, COST, ERRORS, SLOW, SLOW_BREACH, decided, finding, rolling, with_
from tests.core.test_rollout import IN_STEP

NUMBERS = st.floats(0, 1e9)
VERDICTS = st.sampled_from(Verdict)
FINDINGS = st.lists(
    st.builds(finding, VERDICTS, st.sampled_from([ERRORS, SLOW, COST]), st.sampled_from(["guardrail", "signal"])),
    max_size=3,
).map(tuple)
COUNTS = st.builds(lambda requests, bad: BudgetCount(requests, min(bad, requests)), *[st.integers(0, 10**6)] * 2)
BUDGETS = st.none() | st.builds(BudgetReading, st.just(Slo(0.99)), COUNTS, COUNTS, COUNTS, COUNTS)
SEEN = st.builds(
    Seen,
    elapsed=NUMBERS,
    silent=NUMBERS,
    requests=st.integers(0, 10**6),
    units=st.integers(0, 10**6),
    breaches=st.lists(st.sampled_from([BREACH, SLOW_BREACH]), max_size=2),
    signals=st.lists(st.builds(finding, VERDICTS, st.just(COST), st.just("signal")), max_size=2),
    sample_ratio_p=st.floats(0, 1),
    budget=BUDGETS,
    stable_fails=st.booleans(),
)
ROLLOUTS = st.builds(
    lambda step, state, inconclusive, silence, codes: rolling(
        step, state, with_(on_inconclusive=inconclusive, on_no_data=silence), codes if state == "held" else ""
    ),
    st.integers(0, 3),
    st.sampled_from(sorted(IN_STEP)),
    st.sampled_from(["hold", "promote", "rollback"]),
    st.sampled_from(["hold", "rollback"]),
    st.sampled_from(["stale", "signal", "no_data", "min_requests min_units", "approval"]),
)


@given(ROLLOUTS, SEEN, FINDINGS)
def test_missing_or_old_evidence_never_advances(rollout: Rollout, seen: Seen, found: tuple[Finding, ...]):
    """Whatever else the numbers say, a plan that asks for data goes on with data alone, and with fresh data."""
    assert "promote" != decided(rollout, replace(seen, requests=0), found).verb
    if seen.requests and seen.silent > max(60.0, 10 * seen.elapsed / seen.requests):
        assert "promote" != decided(rollout, seen, found).verb


@given(ROLLOUTS, SEEN, FINDINGS)
def test_any_move_is_lawful(rollout: Rollout, seen: Seen, found: tuple[Finding, ...]):
    """Breaches roll back, pauses stay, a hold has reasons, a promotion has none, and a known hold is not told twice."""
    move = decided(rollout, seen, found)
    step = rollout.plan.steps[rollout.step]
    if any(breach is SLOW_BREACH or not seen.stable_fails for breach in seen.breaches):
        assert ("rollback", "guardrail") == (move.verb, move.rule)
    if rollout.state is RolloutState.paused:
        assert move.verb in {"stay", "rollback"}
    if move.verb == "promote":
        assert not move.waits
        assert not step.approval
        assert seen.elapsed >= step.seconds
        assert not seen.stable_fails
        assert seen.requests >= (step.min_requests or 1)
        assert seen.units >= (step.min_units or 0)
    if move.verb == "hold":
        assert move.codes
        assert (rollout.state, rollout.holds) != (RolloutState.held, move.codes)
    if move.verb == "clear":
        assert RolloutState.held is rollout.state
    assert (move.verb == "rollback") == bool(move.rule)


@given(ROLLOUTS, SEEN, FINDINGS)
def test_what_people_see_is_what_holds(rollout: Rollout, seen: Seen, found: tuple[Finding, ...]):
    """Whatever a rollout is held for is among the waits that are shown, and one that advances waits for nothing."""
    move, shown = decided(rollout, seen, found), waits_of(rollout, seen, found)
    if rollout.state is not RolloutState.paused:
        assert set(move.waits) <= set(shown)
    if move.verb == "promote" and rollout.plan.on_inconclusive != "promote":
        assert () == shown
