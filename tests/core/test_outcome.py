"""Outcomes: whose fault a status is."""

import pytest

from gateway.core.outcome import (
    BAD_FOR_APPLICATIONS,
    GOOD,
    JUDGED,
    Outcome,
    classify_status,
    counts_as_failure,
    is_good,
)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200, 201, 204, 299], Outcome.ok),
        ([401, 402, 403, 404, 407, 408], Outcome.failed),
        ([500, 502, 503, 504, 529, 599], Outcome.failed),
        ([429], Outcome.rate_limited),
        ([400, 405, 409, 413, 415, 418, 422, 431, 499], Outcome.client_fault),
        ([301, 302, 304, 307, 308], Outcome.failed),
        ([0, 100, 101, 199, 600, 999], Outcome.failed),
    ],
)
def test_the_law_of_statuses(statuses: list[int], outcome: Outcome):
    """Each class of status has its outcome: the application's fault only where it can be."""
    assert {outcome} == {classify_status(status) for status in statuses}


def test_what_outcomes_say_of_a_release():
    """Only `failed` speaks against a release, only `ok` and `slow` for it, and the others say nothing."""
    assert [Outcome.failed] == [outcome for outcome in Outcome if counts_as_failure(outcome)]
    assert [Outcome.ok, Outcome.slow] == [outcome for outcome in Outcome if is_good(outcome)]


def test_the_named_sets_of_outcomes():
    """For a release, about it, and against the route; the words that records carry are members too."""
    assert {outcome for outcome in Outcome if is_good(outcome)} == GOOD
    assert {outcome for outcome in Outcome if is_good(outcome) or counts_as_failure(outcome)} == JUDGED
    assert {"failed", "gateway_fault"} == BAD_FOR_APPLICATIONS


def test_outcomes_are_their_words():
    """An outcome can be written into records and labels as it is."""
    words = ["ok", "slow", "failed", "rate_limited", "client_fault", "cancelled", "gateway_fault"]
    assert words == [str(outcome) for outcome in Outcome]
