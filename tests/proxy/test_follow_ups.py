"""Which release made which response."""

from gateway.proxy.follow_ups import FollowUps


def test_what_was_remembered_is_known():
    """By route and id; the newest word counts."""
    follow_ups = FollowUps([("desk", "r1", "1.0.0"), ("desk", "r1", "1.1.0")])
    follow_ups.remember("other", "r1", "2.0.0")
    assert ("1.1.0", "2.0.0", None) == (
        follow_ups.release_of("desk", "r1"),
        follow_ups.release_of("other", "r1"),
        follow_ups.release_of("desk", "r2"),
    )


def test_the_oldest_are_forgotten_first():
    """There is room for so many."""
    follow_ups = FollowUps([("desk", f"r{n}", "1.0.0") for n in range(5)], capacity=3)
    assert [None, None, "1.0.0", "1.0.0", "1.0.0"] == [follow_ups.release_of("desk", f"r{n}") for n in range(5)]
    assert "<FollowUps 3 of 3>" == repr(follow_ups)
