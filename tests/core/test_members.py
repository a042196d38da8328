"""Members of enumerations, at hand."""

from enum import StrEnum

import pytest

from gateway.core.members import at_hand


class Plain(StrEnum):
    """An enumeration as Python makes it."""

    one = "1"
    two = "2"


@at_hand
class Ready(StrEnum):
    """The same, with its members at hand."""

    one = "1"
    two = "2"


def test_nothing_but_the_look_up_changes():
    """Order, names, values, reading by value, and equality with text."""
    for kind in (Plain, Ready):
        assert [("one", "1"), ("two", "2")] == [(member.name, member.value) for member in kind]
        assert (kind("2"), kind["one"]) == (kind.two, kind.one)
        assert "1" == kind.one
        assert isinstance(kind.one, kind)
    assert Ready.one is vars(Ready)["one"]


def test_members_are_not_set_again():
    """As of every enumeration."""
    with pytest.raises(AttributeError, match="one"):
        Ready.one = Ready.two
