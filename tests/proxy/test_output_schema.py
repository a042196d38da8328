"""Whether an answer follows its prompt's output schema."""

import pytest

from gateway.proxy.output_schema import MAX_STEPS, _judge, follows_schema
from tests.proxy.playbook import prompt

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
        ('{"answer":"\ud83d"}', True),
        ('{"answer":"yes"} and more', False),
        ('{"answer":"yes","much":NaN}', False),
        ('{"answer":"yes","much":-Infinity}', False),
        ("9" * 5_000, False),
    ],
)
def test_the_text_of_an_answer_is_held_against_the_schema(text, valid):
    """It must be JSON, and of that shape."""
    assert valid is follows_schema(prompt(output_schema=SCHEMA), text)


def test_without_a_schema_nothing_is_judged():
    """Nor without a prompt, nor without a text."""
    assert follows_schema(prompt(), "x") is None
    assert follows_schema(None, "x") is None
    assert follows_schema(prompt(output_schema=SCHEMA), None) is None


@pytest.mark.parametrize("ref", ["http://schemas.test/a", "#/$defs/nowhere", "#"])
def test_a_reference_that_leads_nowhere_is_not_followed(ref):
    """Least of all over the network."""
    assert follows_schema(prompt(output_schema={"$ref": ref}), "{}") is False


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"multipleOf": 0.1}, "9" * 400),
        ({"multipleOf": 0.1}, "1e999"),
        ({"type": "no such type"}, "{}"),
        ({"pattern": "("}, '""'),
    ],
)
def test_what_cannot_be_judged_is_not_valid(schema, text):
    """Nothing that a model writes, nor a schema asks, is raised."""
    assert follows_schema(prompt(output_schema=schema), text) is False


def test_each_prompt_version_is_held_to_its_own_schema():
    """Whatever was judged before."""
    strict = prompt("1.0.0", output_schema=SCHEMA)
    loose = prompt("1.1.0", output_schema={})
    assert [False, True, False, True] == [follows_schema(one, "{}") for one in (strict, loose, strict, loose)]


def test_a_schema_is_made_ready_once():
    """For a prompt version in use, not for each of its answers."""
    wide = prompt("9.9.9", output_schema={"properties": {"key-1": {"type": "integer"}}})
    began = _judge.cache_info()
    for _ in range(3):
        assert follows_schema(wide, '{"key-1":1}') is True
    now = _judge.cache_info()
    assert (1, 2) == (now.misses - began.misses, now.hits - began.hits)


@pytest.mark.parametrize(
    ("items", "valid"),
    [
        ("[1,2,3]", True),
        ("[1,2,1.0]", False),
        ("[1,true,0,false]", True),
        ('[{"a":1,"b":2},{"b":2,"a":1}]', False),
        ('[{"a":1},{"a":2},[1],"[1]"]', True),
        ('"not a list"', True),
    ],
)
def test_items_are_unique_as_json_compares_them(items, valid):
    """Keys in any order, and numbers by their value."""
    assert valid is follows_schema(prompt(output_schema={"uniqueItems": True}), items)
    assert follows_schema(prompt(output_schema={"uniqueItems": False}), items) is True


@pytest.mark.parametrize(
    "schema",
    [
        {"items": {"type": "integer"}},
        {"uniqueItems": True},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {}}},
    ],
)
def test_what_takes_too_long_is_not_judged(schema):
    """Nobody else is served in the meantime; each answer has as many steps as the one before."""
    one = prompt(output_schema=schema)
    for _ in range(3):
        assert follows_schema(one, str(list(range(MAX_STEPS // 4)))) is True
    assert follows_schema(one, str(list(range(MAX_STEPS)))) is None


@pytest.mark.parametrize(
    ("schema", "text", "valid"),
    [
        ({"pattern": "^a*$"}, '"' + "a" * 256 + '"', True),
        ({"pattern": "^a*$"}, '"' + "a" * 257 + '"', None),
        ({"patternProperties": {"^a*$": {}}}, '{"' + "a" * 257 + '":1}', None),
        ({"items": {"enum": list(range(1000))}}, str([999] * 100), None),
    ],
    ids=["short", "long", "long key", "wide enum"],
)
def test_one_keyword_does_not_take_long(schema, text, valid):
    """A pattern is tried on short strings, and a long list of what is allowed counts by its length."""
    assert valid is follows_schema(prompt(output_schema=schema), text)
