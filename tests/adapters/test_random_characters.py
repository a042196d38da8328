"""Characters that nobody can guess."""

from gateway.adapters.random_characters import random_characters
from gateway.core.api_key import ALPHABET


def test_no_two_draws_are_the_same():
    """As many as were asked for, of the alphabet, and all of it in a thousand."""
    drawn = {random_characters(40) for _ in range(100)}
    assert (100, {40}) == (len(drawn), {len(each) for each in drawn})
    assert set(ALPHABET) == set(random_characters(5_000))
