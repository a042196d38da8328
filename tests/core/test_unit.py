"""The unit: who must keep getting the same release."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.unit import (
    DEFAULT_STICKY_BY,
    MAX_UNIT_CHARS,
    Unit,
    UnitSource,
    conversation_digest,
    find_unit,
    parse_unit_source,
    unit_digest,
)

SYSTEM = {"role": "system", "content": "s"}
FIRST = {"role": "user", "content": "first"}


def found(body=None, headers=None, sources=DEFAULT_STICKY_BY):
    """The unit of a request of the application `helpdesk`."""
    return find_unit(sources, (headers or {}).get, body or {}, "helpdesk")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("conversation", UnitSource("conversation")),
        ("header:X-Session-Id", UnitSource("header", ("x-session-id",))),
        ("body:user", UnitSource("body", ("user",))),
        ("body:metadata.user_id", UnitSource("body", ("metadata", "user_id"))),
    ],
)
def test_a_place_is_read(text, source):
    """And written as it is read, header names in lower case."""
    assert source == parse_unit_source(text)
    assert text.lower() == str(source)


@pytest.mark.parametrize("text", ["", "user", "header:", "body:", "body:a..b", "body:.a", "cookie:x", "Conversation"])
def test_what_is_no_place_is_refused(text):
    """The message says what is."""
    with pytest.raises(ValueError, match="header:NAME, body:PATH or conversation"):
        parse_unit_source(text)


def test_the_defaults_are_tried_in_order():
    """Header, session, user, safety identifier, metadata, conversation."""
    headers = {"x-session-id": "session"}
    body = {"user": "user", "safety_identifier": "safe", "metadata": {"user_id": "meta"}, "messages": [FIRST]}
    expected = [
        Unit("session", "header:x-session-id"),
        Unit("user", "body:user"),
        Unit("safe", "body:safety_identifier"),
        Unit("meta", "body:metadata.user_id"),
    ]
    assert expected[0] == found(body, headers)
    for unit, gone in zip(expected[1:], ["user", "safety_identifier", "metadata"], strict=True):
        assert unit == found(body)
        del body[gone]
    assert "conversation" == found(body).source
    assert found() is None


def test_the_explicit_header_always_wins():
    """Even where the route does not list it."""
    sources = (parse_unit_source("body:user"),)
    assert Unit("u", "header:x-pinion-unit") == found({"user": "b"}, {"x-pinion-unit": "u"}, sources)
    assert Unit("b", "body:user") == found({"user": "b"}, {"x-pinion-unit": ""}, sources)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"a": {"b": "x"}}, "x"),
        ({"a": {"b": 7}}, "7"),
        ({"a": {"b": 0}}, "0"),
        ({"a": {"b": ""}}, None),
        ({"a": {"b": True}}, None),
        ({"a": {"b": None}}, None),
        ({"a": {"b": ["x"]}}, None),
        ({"a": {"b": 1.5}}, None),
        ({"a": "x"}, None),
        ({}, None),
    ],
)
def test_a_bodys_value_is_text_or_a_whole_number(body, value):
    """Anything else is no unit."""
    unit = found(body, sources=(parse_unit_source("body:a.b"),))
    assert value == (unit and unit.value)


def test_a_long_unit_is_digested():
    """So that it stays small; one at the limit is itself."""
    long = "x" * (MAX_UNIT_CHARS + 1)
    assert hashlib.sha256(long.encode()).hexdigest() == found({"user": long}).value
    assert "x" * MAX_UNIT_CHARS == found({"user": "x" * MAX_UNIT_CHARS}).value


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text()})))
def test_a_conversation_keeps_its_unit_as_it_grows(later):
    """What follows the first user message does not matter."""
    opening = {"messages": [SYSTEM, FIRST]}
    assert conversation_digest("a", opening) == conversation_digest("a", {"messages": [SYSTEM, FIRST, *later]})


@pytest.mark.parametrize(
    "other",
    [
        ("b", {"messages": [SYSTEM, FIRST]}),
        ("a", {"messages": [FIRST]}),
        ("a", {"messages": [SYSTEM, {"role": "user", "content": "other"}]}),
        ("a", {"system": "s", "messages": [SYSTEM, FIRST]}),
        ("a", {"instructions": "s", "messages": [SYSTEM, FIRST]}),
        ("a", {"messages": [SYSTEM]}),
    ],
)
def test_another_opening_is_another_conversation(other):
    """And so is another application's."""
    assert conversation_digest("a", {"messages": [SYSTEM, FIRST]}) != conversation_digest(*other)


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"input": "x"}, True),
        ({"prompt": ["x"]}, True),
        ({"input": [FIRST, FIRST]}, True),
        ({"messages": None}, False),
        ({}, False),
    ],
)
def test_what_is_no_conversation_opens_with_its_whole_input(body, is_one):
    """Completions and embeddings; without any input there is no unit."""
    assert is_one == (conversation_digest("a", body) is not None)


def test_a_request_with_a_changed_model_or_parameter_is_the_same_conversation():
    """Only what was said counts."""
    assert conversation_digest("a", {"input": "x", "temperature": 1}) == conversation_digest("a", {"input": "x"})


def test_the_ledger_keeps_a_digest():
    """32 hexadecimal digits, never the unit itself."""
    assert hashlib.sha256(b"u-1").hexdigest()[:32] == unit_digest("u-1")
