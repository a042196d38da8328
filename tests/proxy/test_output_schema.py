"""Whether an answer follows its prompt's output schema."""

import json

import pytest

from gateway.proxy.output_schema import answer_text, follows_schema
from tests.proxy.playbook import completion, prompt

SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"answer":"yes"}', True),
        ('{"answer":7}', False),
        ("{}", False),
        ("no JSON", False),
        ("", False),
        ("[" * 100_000, False),
    ],
)
def test_the_text_of_an_answer_is_held_against_the_schema(text, valid):
    """It must be JSON, and of that shape."""
    assert valid is follows_schema(prompt(output_schema=SCHEMA), completion(text))


def test_without_a_schema_nothing_is_judged():
    """Nor without a prompt."""
    assert follows_schema(prompt(), completion("x")) is None
    assert follows_schema(None, completion("x")) is None


@pytest.mark.parametrize("ref", ["http://schemas.test/a", "#/$defs/nowhere", "#"])
def test_a_reference_that_leads_nowhere_is_not_followed(ref):
    """Least of all over the network."""
    assert follows_schema(prompt(output_schema={"$ref": ref}), completion("{}")) is False


@pytest.mark.parametrize("answer", [b"", b"[]", b"<html>"])
def test_what_is_no_answer_is_not_valid(answer):
    """Whatever else it is."""
    assert follows_schema(prompt(output_schema=SCHEMA), answer) is False


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}, "a"),
        ({"choices": [{"text": "a"}]}, "a"),
        ({"choices": [{"message": {"content": None}}]}, ""),
        ({"choices": [], "content": 7, "output": [7, {"content": 7}]}, ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"text": "b"}]}, "ab"),
        ({"output": [{"type": "reasoning"}, {"content": [{"type": "output_text", "text": "a"}]}]}, "a"),
        ({}, ""),
    ],
    ids=json.dumps,
)
def test_the_text_is_found_in_every_dialect(answer, text):
    """Chat, completions, Messages and Responses; what is not as expected reads as nothing."""
    assert text == answer_text(answer)
