"""Which names may stand in a metric's label."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.known_names import KnownNames


def test_only_what_was_declared_is_known():
    """A declared name is its own label, any other is `other`."""
    names = KnownNames(remembered=1)
    assert [] == names.declare(["a", "b"])
    assert ["a", "b", "other"] == [names.label(name) for name in ("a", "b", "c")]


def test_the_latest_former_names_are_remembered():
    """Beyond the limit those go first that have been undeclared the longest."""
    names = KnownNames(remembered=2)
    names.declare(["a", "b"])
    assert [] == names.declare(["c"])
    assert [] == names.declare(["a", "d"])
    assert ["b"] == names.declare(["d"])
    assert ["a", "other", "c", "d"] == [names.label(name) for name in "abcd"]


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh"), max_size=5), min_size=1, max_size=20))
def test_names_are_bounded(declarations):
    """At any time all declared names are known, and at most `remembered` others; what is forgotten is named."""
    names, known = KnownNames(remembered=2), set()
    for declared in declarations:
        known |= declared
        known -= set(names.declare(declared))
        assert declared <= known
        assert len(known - declared) <= 2
        assert known == {name for name in "abcdefgh" if names.label(name) != "other"}


def test_names_that_are_known_already():
    """These very names, in any order: not fewer, not more, not others. A former one that is remembered is known."""
    names = KnownNames(remembered=1)
    assert names.are([])
    names.declare(["a", "b"])
    assert [True, True, False, False, False] == [names.are(each) for each in ("ab", "ba", "a", "abc", "ac")]
    names.declare(["a"])
    assert [True, False] == [names.are(each) for each in ("ab", "a")]


@given(st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), min_size=1, max_size=8))
def test_declaring_names_that_are_known_changes_nothing(declarations):
    """So it may be left out: nothing is forgotten, and every label stays."""
    names = KnownNames(remembered=2)
    for declared in declarations:
        was_known, labels = names.are(declared), [names.label(name) for name in "abcd"]
        forgotten = names.declare(declared)
        if was_known:
            assert ([], labels) == (forgotten, [names.label(name) for name in "abcd"])
