"""What is counted of the answers that the demo's callers saw."""

import pytest

from gateway.cli.demo.policies import BREAKING, FIRST, SLOWING, SOUND
from gateway.cli.demo.tally import Tally, p50, placed, unsteady_users, users_of
from tests.cli.demo.sample import ANSWER, answer, at, courses, tally


def test_an_answer_knows_how_it_was():
    """Its caller waited from asking to the end, and was harmed by anything but a whole answer."""
    assert 0.25 == ANSWER.seconds
    assert [False, True, True] == [answer("ann", ending=ending).harmed for ending in ("whole", "cut", "error")]


def test_answers_are_counted_to_the_release_that_gave_them():
    """Route and version name a release; another route's version of the same number is another release."""
    told = Tally([ANSWER, at("cleo", 111, SOUND), answer("bob", route="summaries")])
    assert [ANSWER] == told.of(FIRST)
    assert {"ann", "bob", "cleo"} == users_of(told.answers)


def test_stable_is_what_a_completed_rollout_left():
    """A rollback leaves it as it was, and before the first rollout it is the first release."""
    assert (SOUND.version, FIRST.version) == (tally().stable, Tally().stable)
    assert SLOWING.version == tally().course_of(SLOWING.version).release
    assert Tally().course_of(SOUND.version) is None


def test_a_user_is_placed_by_the_first_request():
    """What was asked first decides, whatever ended first; where stable stood in, the candidate was asked."""
    answers = [
        at("ann", 3, FIRST),
        at("ann", 2, SOUND),
        at("bob", 2, FIRST, track="fallback"),
    ]
    assert {"ann": "1.1.0", "bob": "1.1.0"} == placed(answers, SOUND.version)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], set()),
        ([at("cleo", 112, FIRST)], {"cleo"}),
        ([at("user-1", 112, SOUND)], {"user-1"}),
        ([at("user-1", 119.9, SOUND)], set()),
        ([at("cleo", 125, FIRST)], {"cleo"}),
        ([at("cleo", 112, FIRST, track="fallback")], set()),
        ([at("user-1", 121, SOUND)], set()),
    ],
    ids=["kept", "back", "moved within a step", "asked before a step", "back after all", "stood in", "with a step"],
)
def test_who_did_not_keep_the_release(others, expected):
    """Two releases in one step are a change, and any way back is one; stable standing in, and a new step, are none."""
    assert expected == unsteady_users(tally().answers + others, courses()[0], 130.0)


def test_a_rollback_moves_users_rightly():
    """After it they get stable, and so may requests that it overtook."""
    assert set() == unsteady_users([*tally().answers, at("dora", 179.9, SOUND)], courses()[2], 190.0)
    assert {"dora"} == unsteady_users([*tally().answers, at("dora", 179.5, SOUND)], courses()[2], 190.0)
    assert BREAKING.version == courses()[2].release


def test_the_median_of_nothing_is_none():
    """p50 is the median where there is one."""
    assert [None, 2.0] == [p50([]), p50([1.0, 2.0, 9.0])]
