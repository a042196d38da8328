"""When what did not arrive is sent again, and when it is given up."""

import pytest

from gateway.core.delivery import GIVE_UP_SECONDS, LEAST_TRIES, LONGEST_PAUSE_SECONDS, is_given_up, pause_after


def test_pauses_grow_up_to_five_minutes():
    """And are spread over their second half."""
    assert [0.5, 1.0, 2.0, 4.0] == [pause_after(failures, 0.0) for failures in (1, 2, 3, 4)]
    assert [1.0, 2.0, 4.0, 8.0] == [pause_after(failures, 1.0) for failures in (1, 2, 3, 4)]
    assert LONGEST_PAUSE_SECONDS == pause_after(10_000, 1.0)
    assert LONGEST_PAUSE_SECONDS / 2 == pause_after(10_000, 0.0)


@pytest.mark.parametrize(
    ("happened", "failing_since", "tries", "expected"),
    [
        (0.0, 0.0, LEAST_TRIES, True),
        (0.0, 1.0, LEAST_TRIES, False),  # the target has not failed for so long
        (1.0, 0.0, LEAST_TRIES, False),  # the message is younger
        (0.0, 0.0, LEAST_TRIES - 1, False),  # this process has hardly tried
    ],
)
def test_a_message_is_given_up_after_three_days_of_failing(happened, failing_since, tries, expected):
    """Its own, and the target's; and never before some tries."""
    assert expected == is_given_up(GIVE_UP_SECONDS, happened, failing_since, tries)
