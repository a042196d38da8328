"""Which release made which response, and for whom."""

import pytest

from gateway.core.errors import NotContinued
from gateway.proxy.follow_ups import FollowUps


def test_what_was_remembered_is_known():
    """By its id, to the route that it came by; the newest word counts."""
    follow_ups = FollowUps([("help", "desk", "r1", "1.0.0"), ("help", "desk", "r1", "1.1.0")])
    follow_ups.remember("help", "other", "r2", "2.0.0")
    assert ("1.1.0", "2.0.0", None, None) == (
        follow_ups.release_of("help", "desk", "r1"),
        follow_ups.release_of("help", "other", "r2"),
        follow_ups.release_of("help", "desk", "r2"),
        follow_ups.release_of("help", "desk", "r3"),
    )


@pytest.mark.parametrize("route", ["desk", "other"])
def test_what_was_made_for_another_application_is_refused(route):
    """By whichever route it is asked for: providers know ids, and not routes."""
    follow_ups = FollowUps([("help", "desk", "r1", "1.0.0")])
    with pytest.raises(NotContinued, match="'r1' not found") as refused:
        follow_ups.release_of("sales", route, "r1")
    assert ("continues a response of another application", route) == (refused.value.why, refused.value.route)


def test_the_oldest_are_forgotten_first():
    """There is room for so many."""
    follow_ups = FollowUps([("help", "desk", f"r{n}", "1.0.0") for n in range(5)], capacity=3)
    assert [None, None, "1.0.0", "1.0.0", "1.0.0"] == [follow_ups.release_of("help", "desk", f"r{n}") for n in range(5)]
    assert "<FollowUps 3 of 3>" == repr(follow_ups)
