"""Which numbers of which sources were heard."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.heard_numbers import MOST_SOURCES, WINDOW, HeardNumbers

SAID = st.tuples(st.sampled_from("abc"), st.integers(-1, 3 * WINDOW))


@given(st.lists(SAID, max_size=200))
def test_each_number_is_taken_at_most_once(said):
    """In whatever order they come and however often, written down and read in between; what is missed adds up."""
    numbers, taken = HeardNumbers(), []
    for source, number in said:
        if numbers.take(source, number):
            taken.append((source, number))
        numbers = HeardNumbers.from_json(json.loads(json.dumps(numbers.to_json())))
    assert len(set(taken)) == len(taken)
    assert len(taken) == numbers.heard
    highest = {source: max(n for name, n in taken if name == source) for source, _ in taken}
    assert sum(highest.values()) - len(taken) == numbers.missed


@given(st.permutations(range(1, WINDOW + 1)))
def test_what_comes_out_of_order_within_the_window_is_all_taken(order):
    """None of it is missed in the end."""
    numbers = HeardNumbers()
    assert all(numbers.take("a", number) for number in order)
    assert (WINDOW, 0) == (numbers.heard, numbers.missed)


def test_what_is_later_than_the_window_is_missed():
    """Whether it was heard is not known any more, so it does not count."""
    numbers = HeardNumbers()
    assert numbers.take("a", WINDOW + 1)
    assert not numbers.take("a", 1)
    assert numbers.take("a", 2)
    assert WINDOW - 1 == numbers.missed


def test_further_sources_than_are_remembered_are_not_heard():
    """None is forgotten for them: what it said would count a second time."""
    numbers = HeardNumbers()
    assert all(numbers.take(str(number), 1) for number in range(MOST_SOURCES))
    assert not numbers.take("one more", 1)
    assert not numbers.take("0", 1)
    assert numbers.take("0", 2)
    assert f"<HeardNumbers of {MOST_SOURCES} sources>" == repr(numbers)
