"""The figures of the demo."""

import pytest

from gateway.cli.demo.course import Course
from gateway.cli.demo.figures import Trouble, answers_by_the_shadow, breach_of, measure, release_rows
from gateway.cli.demo.policies import BREAKING, FIRST, SLOWING, SOUND
from gateway.cli.demo.tally import Tally
from tests.cli.demo.sample import ATTEMPTS, FINDING, KEPT, PLANS, TROUBLES, answer, at, courses, figures, tally


def test_each_release_is_put_in_figures():
    """What became of it, its share as planned and measured, what its callers saw, and its cost without its copies'."""
    first, sound, slowing, breaking, summaries = figures().releases
    assert ["replaced", "stable", "rolled back", "rolled back", "stable"] == [
        row.track for row in (first, sound, slowing, breaking, summaries)
    ]
    assert (0.0, 0.0, 23, 0, 0.25) == (
        first.planned_percent,
        first.measured_percent,
        first.requests,
        first.copies,
        first.p50_seconds,
    )
    assert (100.0, 100.0, 2, 0.25, 0.125) == (
        sound.planned_percent,
        sound.measured_percent,
        sound.copies,
        sound.cost_usd,
        sound.copies_usd,
    )
    assert (25.0, 25.0) == (slowing.planned_percent, slowing.measured_percent)
    assert (None, None, None) == (
        summaries.measured_percent,
        summaries.p50_seconds,
        summaries.cost_per_thousand_usd,
    )
    assert 0.25 / 23 * 1000 == first.cost_per_thousand_usd


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (0, [("1.0.0", "stable", 100.0)]),
        (1, [("1.0.0", "stable", 100.0), ("1.1.0", "shadow", 0.0)]),
        (2, [("1.0.0", "stable", 95.0), ("1.1.0", "canary", 5.0)]),
        (3, [("1.0.0", "replaced", 0.0), ("1.1.0", "stable", 100.0)]),
    ],
)
def test_releases_are_told_as_a_rollout_goes_on(heard, expected):
    """A candidate is a shadow, then a canary, then stable; releases that had nothing to do are left out."""
    course = courses()[0]
    so_far = [Course(course.id, course.release, course.stable, course.entries[:heard])] if heard else []
    rows = release_rows(Tally(courses=so_far), 200.0)[:-1]
    assert expected == [(row.release.partition("/")[2], row.track, row.planned_percent) for row in rows]


def test_a_release_that_was_rolled_back_from_its_copies_had_no_users():
    """It has a share of none."""
    course = courses()[1]
    course.entries.pop(1)
    row = next(row for row in release_rows(Tally(courses=[course]), 200.0) if row.release == str(SLOWING))
    assert ("rolled back", 0.0) == (row.track, row.planned_percent)


def test_a_rollout_is_measured():
    """Each step with its time and its share, and how it ended."""
    sound, slowing, breaking = figures().rollouts
    assert [("shadow 50%", 10.0, 50.0, 4, 2), ("5%", 10.0, 5.0, 20, 1)] == [
        (step.step, step.seconds, step.measured_percent, step.compared, step.requests) for step in sound.steps
    ]
    assert ("completed", "", 20.0, None, None) == (
        sound.state,
        sound.rule,
        sound.seconds,
        sound.finding,
        sound.seconds_from_the_trouble,
    )
    assert ("rolled_back", "guardrail", FINDING, 9.0, 1) == (
        slowing.state,
        slowing.rule,
        slowing.finding,
        slowing.seconds_from_the_trouble,
        slowing.users_moved_by_the_rollback,
    )
    assert ("consecutive", 3, 3, 2.0, 1.49, 1) == (
        breaking.rule,
        breaking.attempts_judged,
        breaking.attempts_failed,
        breaking.seconds_from_the_trouble,
        round(breaking.seconds_from_the_first_failed, 3),
        breaking.users_moved_by_the_rollback,
    )


def test_a_rollout_that_has_not_ended_is_told_as_open():
    """What it has shown so far is measured up to now."""
    running = tally()
    running.courses[2].entries.pop()
    rollout = measure(running, PLANS, {}, 90.0, 190.0).rollouts[2]
    assert ("open", "", 30.0, 0) == (rollout.state, rollout.reason, rollout.seconds, rollout.late_attempts)


def test_a_whole_run_is_measured():
    """What callers saw, the copies apart from it."""
    found = figures()
    assert (39, 100.0, 0, 21) == (found.requests, found.seconds, found.streams, found.users)
    assert (0, 0, 0, 0) == (
        found.users_that_changed_release,
        found.requests_harmed,
        found.late_attempts,
        found.answers_by_another_model,
    )
    assert (4, 0, 0.125, 0.5) == (found.copies, found.answers_by_a_shadow, found.copies_usd, found.app_usd)


def test_harm_is_found():
    """Errors and cuts are harm; the first one's message is kept."""
    harmed = tally()
    harmed.answers += [answer("dan", ending="cut", stream=True, fault="broke off"), answer("eve", ending="error")]
    found = measure(harmed, PLANS, TROUBLES, 90.0, 190.0)
    assert (2, 1, "broke off") == (found.requests_harmed, found.streams_cut, found.first_fault)


def test_a_late_attempt_is_found():
    """An attempt that reaches a release a second and more after its rollback is late; one on its way is not."""
    late = [*ATTEMPTS, *(type(ATTEMPTS[0])(started, started, failed=True) for started in (180.5, 181.5))]
    troubles = {BREAKING.version: Trouble(178.0, late)}
    assert 1 == measure(tally(), PLANS, troubles, 90.0, 190.0).late_attempts


def test_a_model_that_is_not_pinned_is_found():
    """The answer's own model is held against the release that its header names."""
    other = tally()
    other.answers.append(answer("dan", model=SOUND.model))
    assert 1 == measure(other, PLANS, TROUBLES, 90.0, 190.0).answers_by_another_model


def test_an_answer_by_a_shadow_is_found():
    """One that came during the shadow step is; one that the next step overtook is not."""
    told = tally()
    assert 0 == answers_by_the_shadow(told, told.courses[0], 190.0)
    told.answers += [at("ann", 105.0, SOUND), at("bob", 109.9, SOUND), at("cy", 105.0, FIRST)]
    assert 1 == answers_by_the_shadow(told, told.courses[0], 190.0)


def test_a_breach_is_found_among_what_was_judged():
    """The first breached finding; evidence of a breaker has none."""
    assert FINDING == breach_of({"findings": [KEPT, FINDING]})
    assert breach_of({"rule": "consecutive"}) is None
