"""What applications say of answers."""

from gateway.core.feedback import ExposurePage


def test_a_page_may_be_empty_and_still_not_the_last():
    """Where to go on is said apart from what was found."""
    assert ExposurePage((), 7).after == 7
    assert ExposurePage((), None).after is None
