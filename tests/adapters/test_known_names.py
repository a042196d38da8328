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
