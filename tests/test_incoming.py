"""How much comes in at once, by the descriptors that there are."""

import pytest

from gateway.incoming import Incoming
from gateway.settings import Settings
from tests.adapters.clock_and_journal import Journal


@pytest.mark.parametrize(("allowed", "requests"), [(20_100, 10_000), (65_536, 10_000), (20_000, 9_950)])
def test_enough_descriptors_are_worth_no_word(allowed, requests):
    """As many requests as were asked for, or nearly."""
    journal = Journal()
    assert requests == Incoming(Settings(), allowed, journal).requests
    assert [] == journal.events


def test_too_few_descriptors_are_told_once_with_what_to_do():
    """What they are enough for is let in, rather than what nobody could serve."""
    journal = Journal()
    assert 462 == Incoming(Settings(), 1024, journal).requests
    ((name, level, told),) = journal.events
    assert ("few_descriptors", "warning") == (name, level)
    assert told["message"].startswith(
        "this process may open 1024 descriptors, and --max-requests 10000 needs 20100: 462 requests are let in at once;"
    )
