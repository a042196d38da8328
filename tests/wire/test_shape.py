"""Reading what a provider sent without trusting its shape."""

import pytest

from gateway.wire import shape


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'"\\ud800"', "\ud800"),
        (b": keepalive", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_decoded(data, value):
    """JSON is read, half a surrogate pair too; anything else is None and never an exception."""
    assert value == shape.decoded(data)


@pytest.mark.parametrize("wrong", [None, 1, "x", [], True])
def test_what_is_not_an_object_reads_as_an_empty_one(wrong):
    """No shape that a provider sends can raise."""
    assert {} == shape.mapping(wrong)
    assert {"a": 1} == shape.mapping({"a": 1})


def test_mappings_and_text():
    """Only the objects of an array, and only text that says something, are taken."""
    assert [{"a": 1}] == shape.mappings([None, {"a": 1}, 3])
    assert [] == shape.mappings({"a": 1})
    assert ["x", None, None] == [shape.text(value) for value in ("x", "", 3)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded_error"),
        ({"code": "rate_limit_exceeded", "type": None}, "rate_limit_exceeded"),
        ({"message": "you asked for secrets"}, "error"),
        ({"type": "you asked for secrets"}, "error"),
        ("no", "error"),
        (True, "error"),
        ({"type": "x" * 1000}, "error"),
    ],
)
def test_an_error_is_known_by_its_kind_alone(error, said):
    """Every error has a kind, whatever the provider made of it; its words stay behind."""
    assert said == shape.error_kind(error)
