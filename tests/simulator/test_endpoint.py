"""Reading the parameters that endpoints share."""

import pytest

from gateway.simulator.endpoint import items, known, schema_of, whole_number
from gateway.simulator.turn import Refusal


def test_the_first_name_that_is_there_counts():
    """Of several names for one parameter, the first that has a value counts."""
    assert 3 == whole_number({"a": None, "b": 3, "c": 4}, ("a", "b", "c"))
    assert whole_number({}, ("a",)) is None


def test_a_number_below_the_least_is_refused():
    """A number below its least is refused by name."""
    with pytest.raises(Refusal, match="a must be a whole number of at least 1"):
        whole_number({"a": 0}, ("a",), least=1)


def test_a_list_of_objects_is_read():
    """A list may be missing; anything but objects in it is refused."""
    assert [] == items({}, "a")
    assert [{}] == items({"a": [{}]}, "a")
    with pytest.raises(Refusal, match="a must be a list of objects"):
        items({"a": [1]}, "a")


def test_a_schema_that_cannot_be_read_is_empty():
    """A schema that is no object counts as empty."""
    assert ({"a": 1}, {}) == (schema_of({"a": 1}), schema_of(True))


def test_error_types_fall_back_by_class_of_status():
    """A status without a type of its own has its class's."""
    table = {429: "slow_down"}
    assert "slow_down" == known(429, table, "broken")
    assert "broken" == known(503, table, "broken")
    assert "invalid_request_error" == known(418, table, "broken")
