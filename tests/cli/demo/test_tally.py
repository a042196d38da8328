"""What is counted of the answers that the demo's callers saw."""

import pytest

from gateway.cli.demo.policies import CANARY, STABLE
from gateway.cli.demo.tally import Tally, changed_release, latest_releases, p50, users_of
from tests.cli.demo.sample import ANSWER, OF_CANARY, answer


def test_an_answer_knows_how_it_was():
    """Its caller waited from asking to the end, and was harmed by anything but a whole answer."""
    assert 0.25 == ANSWER.seconds
    assert [False, True, True] == [answer("ann", ending=ending).harmed for ending in ("whole", "cut", "error")]


def test_answers_are_counted_to_the_release_that_gave_them():
    """Route and version name a release; another route's version of the same number is another release."""
    tally = Tally([ANSWER, OF_CANARY, answer("bob", route="summaries")])
    assert [ANSWER] == tally.of(STABLE)
    assert [OF_CANARY] == tally.of(CANARY)
    assert {"ann", "bob", "cleo"} == users_of(tally.answers)


def test_a_user_belongs_to_the_release_of_its_latest_request():
    """What was asked last decides, whatever ended last; an answer in which stable stood in is no assignment."""
    answers = [
        answer("ann", asked_at=3, release="1.1.0"),
        answer("ann", asked_at=2),
        answer("ann", asked_at=4, track="fallback"),
    ]
    assert {"ann": "1.1.0"} == latest_releases(answers)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"release": "1.1.0"}, {"ann"}),
        ({"release": "1.1.0", "track": "fallback"}, set()),
        ({"release": "1.1.0", "route": "summaries"}, set()),
        ({}, set()),
    ],
)
def test_who_changed_release(other, expected):
    """Two releases of one route are a change; stable standing in, and another route, are none."""
    assert expected == changed_release([ANSWER, answer("ann", **other)])


def test_the_median_of_nothing_is_none():
    """p50 is the median where there is one."""
    assert [None, 2.0] == [p50([]), p50([1.0, 2.0, 9.0])]
