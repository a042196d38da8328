"""The fields of messages that anybody may have sent."""

import pytest

from gateway.core.message_field import MOST_NAME, number, rows, text, whole


def test_a_field_is_given_as_it_is():
    """Where it is of its kind, and within what it may be."""
    message = {"text": "x" * MOST_NAME, "number": 2, "whole": 7, "rows": [[1, "a"]]}
    assert message["text"] == text(message, "text")
    assert (2.0, 7, [[1, "a"]]) == (
        number(message, "number"),
        whole(message, "whole", 7, 7),
        rows(message, "rows", 2, 1),
    )


@pytest.mark.parametrize("value", [None, 5, "x" * (MOST_NAME + 1), "a\nb", "\ud800"], ids=repr)
def test_a_text_is_short_and_printable(value):
    """Else it is refused."""
    with pytest.raises(ValueError, match=r"^its name is no text of at most 500 characters$"):
        text({"name": value}, "name")


@pytest.mark.parametrize("value", [None, "1", True, -1, float("nan"), float("inf"), 10**400], ids=lambda v: str(v)[:9])
def test_a_number_is_finite_and_not_negative(value):
    """One that is too large to reckon with is none, too."""
    with pytest.raises(ValueError, match=r"^its at is no number of seconds$"):
        number({"at": value}, "at")


@pytest.mark.parametrize("value", [None, 1.0, True, 0, 10**400], ids=lambda v: str(v)[:9])
def test_a_whole_number_is_between_two(value):
    """Else it is refused."""
    with pytest.raises(ValueError, match=r"^its step is no whole number from 1 to 9$"):
        whole({"step": value}, "step", 1, 9)


@pytest.mark.parametrize("value", [None, {}, [[1, 2], [3, 4]], [[1]], ["ab"]], ids=repr)
def test_rows_are_few_and_of_one_width(value):
    """Else they are refused."""
    with pytest.raises(ValueError, match=r"^its list (is no list of at most 1|holds what is not of 2 values)$"):
        rows({"list": value}, "list", 2, 1)
