"""What is seen of one step, from its beginning to its end."""

import json
from dataclasses import replace

import pytest

from gateway.control.watched_steps import AFTER, Restored, WatchedStep, begin, describe_tally, key_of
from gateway.core import rollout as rules
from gateway.core.hand_over import MOST_REQUESTS
from gateway.core.plan import Criterion, Plan, Step
from gateway.core.record import Tried
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.tally import Tally
from tests.core.evidence_records import CANDIDATE, STABLE, answered

ERRORS = Criterion("error_rate", max_delta=0.05)
SLOW = Criterion("slow_rate", over=1.0, max_delta=0.05)
RATING = Criterion("feedback.rating", max_delta=0.5)
PLAN = Plan(
    None,
    (
        Step(shadow_ppm=100_000),
        Step(percent_ppm=50_000, hold=60.0, guardrails=(SLOW,)),
        Step(percent_ppm=1_000_000, bake=60.0),
    ),
    guardrails=(ERRORS,),
    signals=(RATING,),
)
ROLLOUT = Rollout(
    id="rollout-1",
    route="support",
    stable=STABLE,
    candidate=CANDIDATE,
    attempt=1,
    state=RolloutState.held,
    step=None,
    plan=PLAN,
    reason="r",
    actor="a",
    evidence=None,
    started_at=0.0,
    updated_at=0.0,
)
EPOCH = 7
"""That of the sample records."""


def at_step(step: int) -> Rollout:
    """The rollout in a step of its plan."""
    moved = rules.start(ROLLOUT, "a", "r", 0.0)
    for _ in range(step):
        moved = rules.promote(moved, "a", "r", 0.0)
    return moved


def watched(step: int = 1, before: WatchedStep | None = None) -> WatchedStep:
    """A step that has just begun, at monotonic 100."""
    return begin(at_step(step), STABLE, before, None, epoch=EPOCH, now=100.0)


def test_a_step_is_watched_by_its_own_track_weights_and_criteria():
    """Copies, units of a split, or the candidate alone; the plan's error level is shared out among all of them."""
    shadow, canary, alone = (watched(step) for step in range(3))
    assert ["shadow", "canary", "canary"] == [each.evidence.track for each in (shadow, canary, alone)]
    assert (None, (0.95, 0.05), None) == (
        shadow.evidence.sample_ratio,
        canary.evidence.sample_ratio.expected,
        alone.evidence.sample_ratio,
    )
    assert [(ERRORS,), (ERRORS, SLOW), (ERRORS,)] == [each.guardrails for each in (shadow, canary, alone)]
    assert {ERRORS, SLOW, RATING} == set(canary.evidence.watches)
    assert {(0.05 / 2, 4)} == {(each.evidence.alpha, each.evidence.looks) for each in (shadow, canary, alone)}
    assert "<WatchedStep 1 of support, 0 s>" == repr(canary)


def test_only_what_was_admitted_in_the_step_is_heard():
    """By the snapshot's epoch, whatever the clock says; a later one is the same step's."""
    step = watched()
    for epoch in (EPOCH - 1, EPOCH, EPOCH + 1):
        step.hear(answered("canary", epoch, epoch=epoch, at=0.0))
    assert 2 == step.evidence.candidate.judged


def test_time_passes_while_nobody_pauses():
    """And a pause's end counts on from where it was."""
    step = watched()
    step.look(110.0)
    step.rollout = rules.pause(step.rollout, "a", "r", 0.0)
    step.look(500.0)
    step.rollout = rules.resume(step.rollout, "a", "r", 0.0)
    step.look(505.0)
    assert 15.0 == step.elapsed


def test_silence_lasts_since_the_candidates_newest_outcome():
    """Stable's do not end it, nor do outcomes that say nothing of the release."""
    step = watched()
    step.look(130.0)
    assert (0, 30.0) == (step.seen(budget=None, stable_fails=False).requests, step._last - step._answered_at)
    for unit, (track, outcome) in enumerate((("stable", "ok"), ("canary", "cancelled"), ("canary", "rate_limited"))):
        step.hear(answered(track, unit, outcome))
    step.look(140.0)
    assert 40.0 == step.seen(budget=None, stable_fails=False).silent
    for unit, outcome in enumerate(("ok", "slow", "failed")):
        step.hear(answered("canary", unit, outcome))
    step.look(150.0)
    step.look(152.0)
    seen = step.seen(budget=None, stable_fails=True)
    assert (3, 3, 2.0, True, 52.0) == (seen.requests, seen.units, seen.silent, seen.stable_fails, seen.elapsed)


def test_feedback_is_that_of_the_release_that_was_asked_first():
    """Of this step, on a request that one of the sides answered."""
    step = watched()
    for record, rating in (
        (answered("canary", 1, split="rollout-1"), 1.0),
        (answered("stable", 2, split="rollout-1"), 5.0),
        (answered("canary", 3, split="another"), 9.0),
        (answered("canary", 4, split="rollout-1", attempts=()), 9.0),
        (answered("canary", 5, split="rollout-1", attempts=(Tried("0.9.0", "rule", "ok", 200),)), 9.0),
    ):
        step.hear_feedback(record, "rating", rating)
    sides = step.evidence.candidate, step.evidence.stable
    assert [(1, 1.0), (1, 5.0)] == [
        (side.mean("feedback.rating").n, side.mean("feedback.rating").mean) for side in sides
    ]


@pytest.mark.parametrize(("digest", "counted"), [("0a" * 8, 5), (None, 20)])
def test_feedback_of_one_unit_counts_five_times(digest, counted):
    """Requests without a unit are each their own."""
    step = watched()
    for number in range(20):
        for track in ("canary", "stable"):
            record = answered(track, 1, split="rollout-1", unit_digest=digest, request_id=f"req-{number}")
            step.hear_feedback(record, "rating", 1.0)
    assert [counted, counted] == [
        side.mean("feedback.rating").n for side in (step.evidence.candidate, step.evidence.stable)
    ]


def test_what_another_gateway_has_too_much_of_counts_whole_and_is_judged_by_a_sample():
    """It completes a step's sample; it does not tell how the units are split, having more of the busy ones."""
    here, there = watched(), watched()
    there.hand_over_as("there.1")
    for unit in range(3 * MOST_REQUESTS):
        there.hear(answered("canary" if unit % 5 == 0 else "stable", unit, "failed" if unit % 3 == 0 else "ok"))
    told = there.hand_over()
    assert here.takes(told)
    assert here.take(told)
    here.look(101.0)
    seen, judged = (
        here.seen(budget=None, stable_fails=False),
        here.evidence.stable.judged + here.evidence.candidate.judged,
    )
    assert (3 * MOST_REQUESTS / 5, MOST_REQUESTS) == (seen.requests, judged)
    there.look(101.0)
    assert here.evidence.sample_ratio.p == 1.0 > there.evidence.sample_ratio.p
    assert {"heard": 1, "missed": 0} == there.describe()["hand_overs"]
    assert here.describe()["hand_overs"] is None
    assert here.source is None


def test_what_was_kept_of_a_step_is_gone_on_with():
    """Elapsed time, counts and tests; through JSON, as the store keeps them."""
    step = watched()
    for unit in range(40):
        step.hear(answered("canary", unit, "failed" if unit % 2 else "ok"))
        step.hear(answered("stable", unit))
        step.look(100.0 + unit)
    assert step.is_worth_keeping
    kept = step.keep(5.0)
    assert (False, "rollout-1", 1, 39.0, 5.0) == (step.is_worth_keeping, kept.rollout, kept.step, kept.elapsed, kept.at)
    kept = replace(kept, evidence=json.loads(json.dumps(kept.evidence)))
    again = begin(at_step(1), STABLE, None, Restored.read(kept), epoch=1, now=7.0)
    again.look(8.0)
    assert (40.0, step.findings()) == (again.elapsed, again.findings())
    assert json.dumps(step.describe()["candidate"]) == json.dumps(again.describe()["candidate"])


@pytest.mark.parametrize("is_kept", [False, True])
def test_where_stable_gets_no_requests_what_it_showed_before_is_the_measure(is_kept):
    """Seen by this process or kept by an earlier one; from step to step, and after the end."""
    step = watched(1)
    for unit in range(5):
        step.hear(answered("stable", unit))
    step.look(101.0)
    before, kept = (None, Restored.read(step.keep(0.0))) if is_kept else (step, None)
    alone = begin(at_step(2), STABLE, before, kept, epoch=EPOCH, now=0.0)
    assert (5, 0, 0.0) == (alone.evidence.compared.judged, alone.evidence.candidate.judged, alone.elapsed)
    done = rules.promote(at_step(2), "a", "r", 0.0)
    after = begin(done, CANDIDATE, alone, None, epoch=EPOCH, now=0.0)
    assert (5, (ERRORS,), "arm") == (after.evidence.compared.judged, after.guardrails, after.evidence.track)
    shadow = begin(at_step(1), STABLE, alone, None, epoch=EPOCH, now=0.0)
    assert (None, 0) == (shadow.evidence.baseline, shadow.evidence.compared.judged)


def test_after_its_end_the_candidate_is_what_answers_as_stable():
    """By itself: no rule, force or fallback, and nobody else's answer."""
    done = rules.promote(at_step(2), "a", "r", 0.0)
    after = begin(done, CANDIDATE, None, None, epoch=EPOCH, now=0.0)
    for unit, (release, track) in enumerate(
        ((CANDIDATE, "stable"), (CANDIDATE, "forced"), (CANDIDATE, "fallback"), (STABLE, "stable"))
    ):
        after.hear(answered("stable", unit, release=release, attempts=(Tried(release, track, "ok", 200),)))
    after.hear(answered("stable", 9, attempts=()))
    assert (1, 0) == (after.evidence.candidate.judged, after.evidence.stable.judged)
    assert ("rollout-1", AFTER) == after.key == key_of(done)


def test_a_step_is_compared_with_what_serves_as_stable():
    """One that serves no more says nothing more; after the end the candidate is stable itself."""
    step = watched()
    assert (True, False) == (step.compares_with(STABLE), step.compares_with("0.9.0"))
    done = rules.promote(at_step(2), "a", "r", 0.0)
    assert begin(done, CANDIDATE, None, None, epoch=EPOCH, now=0.0).compares_with("0.9.0")


def test_a_side_is_told_by_what_it_showed():
    """As JSON; what is not known is null, and what never happened is left out."""
    step = watched()
    step.hear(answered("canary", 1))
    step.hear(answered("canary", 2, "failed"))
    told = json.loads(json.dumps(step.describe()["candidate"]))
    assert ({"ok": 1, "failed": 1}, 2, 1, 2) == tuple(told[name] for name in ("outcomes", "judged", "failed", "units"))
    assert (1100.0, 0.0035, {}) == tuple(
        told[name] for name in ("tokens_per_request", "cost_per_request_usd", "feedback")
    )
    assert 1.5 == pytest.approx(told["p50_seconds"], rel=0.05)
    empty = describe_tally(Tally())
    assert ({}, None, None, None) == tuple(
        empty[name] for name in ("outcomes", "p95_seconds", "tokens_per_request", "cost_per_request_usd")
    )
