"""The figures of the demo, and what of them must hold."""

import pytest

from gateway.cli.demo.figures import broken_promises, measure, release_rows
from gateway.cli.demo.policies import CANARY, SHADOW, STABLE, SUMMARIES
from gateway.cli.demo.tally import Tally
from tests.cli.demo.sample import ATTEMPTS, MOMENTS, answer, figures, tally


def test_each_release_is_put_in_figures():
    """Its planned and measured share, what its callers saw, and its cost, also for a thousand requests."""
    stable, canary, shadow, summaries = figures().releases
    assert [str(STABLE), str(CANARY), str(SHADOW), str(SUMMARIES)] == [
        row.release for row in (stable, canary, shadow, summaries)
    ]
    assert (95.0, 95.0, 21, 0, 0.25, 0.5) == (
        stable.planned_percent,
        stable.measured_percent,
        stable.requests,
        stable.errors,
        stable.p50_seconds,
        stable.cost_usd,
    )
    assert (5.0, 5.0, 1) == (canary.planned_percent, canary.measured_percent, canary.requests)
    assert 10.0 == canary.cost_per_thousand_usd
    assert (100.0, None, None) == (
        summaries.planned_percent,
        summaries.measured_percent,
        summaries.cost_per_thousand_usd,
    )


def test_the_shadow_is_measured_against_stable():
    """Its share is copies per request of stable since it stands; failed copies are its errors; before, it has none."""
    shadow = figures().releases[2]
    assert (20, 2 / 21 * 100, 2, 1, 0.1) == (
        shadow.planned_percent,
        shadow.measured_percent,
        shadow.requests,
        shadow.errors,
        shadow.p50_seconds,
    )
    before = release_rows(Tally(), {}, 0.0)[2]
    assert (0, None) == (before.planned_percent, before.measured_percent)


def test_a_whole_run_is_measured():
    """Shares count what was asked before the rollback; who it moved, and what failed behind the scenes, is apart."""
    found = figures()
    assert (22, 30.0, 0) == (found.requests, found.seconds, found.streams)
    assert (20, 1, 21, 2) == (
        found.users,
        found.canary_users,
        found.requests_before,
        found.canary_requests_before,
    )
    assert (0, 1) == (found.users_that_changed_release, found.users_moved_by_the_rollback)
    assert (3, 3, 0) == (found.attempts_judged, found.attempts_failed, found.late_attempts)
    assert (0.99, 1.5) == (round(found.seconds_to_rollback, 3), found.seconds_from_the_fault)
    assert [] == list(broken_promises(found))


def test_a_request_that_the_rollback_overtook_is_no_change():
    """Asked before the rollback and decided after it, a canary user's stable answer is the rollback's doing."""
    overtaken = tally()
    overtaken.answers.append(answer("cleo", asked_at=111.4, ended_at=111.7))
    found = measure(overtaken, ATTEMPTS, 3, MOMENTS)
    assert (0, 1) == (found.users_that_changed_release, found.users_moved_by_the_rollback)


def test_harm_is_found():
    """Errors and cuts are harm, told apart by the rollback; the first one's message is kept."""
    harmed = tally()
    harmed.answers += [
        answer("dan", ending="cut", stream=True, fault="broke off"),
        answer("eve", ending="error", asked_at=112.0),
    ]
    found = measure(harmed, [], 0, MOMENTS)
    assert (1, 2, 1, "broke off") == (
        found.requests_harmed_before,
        found.requests_harmed,
        found.streams_cut,
        found.first_fault,
    )
    assert 1.5 == found.seconds_to_rollback


def test_a_late_attempt_is_found():
    """An attempt that reaches the canary a second and more after the rollback is late; one on its way is not."""
    late = [*ATTEMPTS, *(type(ATTEMPTS[0])(at, at, failed=True) for at in (112.0, 113.0))]
    assert 1 == measure(tally(), late, 3, MOMENTS).late_attempts


def test_a_model_that_is_not_pinned_is_found():
    """The answer's own model is held against the release that its header names."""
    other = tally()
    other.answers.append(answer("dan", model=CANARY.model))
    assert 1 == measure(other, ATTEMPTS, 3, MOMENTS).answers_by_another_model


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"users_that_changed_release": 2}, "2 users changed release before the rollback, and it must be none"),
        (
            {"requests_harmed": 1, "first_fault": "broke off"},
            "1 requests were harmed (the first: broke off), and it must be none",
        ),
        ({"streams_cut": 1}, "1 streams were cut, and it must be none"),
        ({"answers_by_another_model": 1}, "1 answers came from another model than pinned, and it must be none"),
        ({"answers_by_the_shadow": 1}, "1 answers of the shadow reached a caller, and it must be none"),
        (
            {"late_attempts": 1},
            "1 attempts reached the canary later than a second after the rollback, and it must be none",
        ),
        ({"users": 400, "canary_users": 60}, "60 of 400 users got the canary, and it must be 5 percent"),
        ({"copies": 0}, "the shadow got no requests, and it must"),
    ],
)
def test_each_promise_has_a_sentence(over, expected):
    """A figure that must hold and does not is told in a sentence."""
    assert [expected] == list(broken_promises(figures(**over)))


def test_a_fair_split_holds():
    """The canary's share may miss its percentage as chance has it."""
    assert [] == list(broken_promises(figures(users=400, canary_users=30)))
