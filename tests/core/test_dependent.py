"""Who depends on a version: what is declared joined with what was observed."""

from gateway.core.dependent import Dependent, Traffic, dependents

TRACKS = {("desk", "1"): ("stable", "fallback")}


def test_declared_and_observed_are_joined():
    """By application, route and release, in that order; each says what it is by, and on which tracks it serves."""
    found = dependents(
        [("web", "desk", "1"), ("app", "desk", "2")],
        [Traffic("web", "desk", "1", 7, 12.5), Traffic("gone", "desk", "1", 1, 3.0)],
        TRACKS,
    )
    assert [
        Dependent("app", "desk", "2", (), is_declared=True),
        Dependent("gone", "desk", "1", ("stable", "fallback"), requests=1, last_at=3.0),
        Dependent("web", "desk", "1", ("stable", "fallback"), is_declared=True, requests=7, last_at=12.5),
    ] == found
    assert [False, True, True] == [each.is_recent for each in found]


def test_where_nothing_is_known_nobody_depends():
    """Nothing declared, nothing observed: an empty list."""
    assert [] == dependents([], [], TRACKS)
