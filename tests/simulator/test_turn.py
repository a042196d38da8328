"""The answer's text, tool calls and counts: what is drawn, and that it is drawn the same again."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.behaviour import Behaviour
from gateway.simulator.turn import (
    WORDS,
    Refusal,
    Tool,
    Wish,
    compose,
    count_tokens,
    draw,
    required_calls,
)


def test_the_text_follows_from_seed_and_body():
    """The same seed and body give the same text; another seed or body another."""
    wish, behaviour = Wish(prompt=()), Behaviour()
    first = compose(1, b"body", wish, behaviour)
    assert first == compose(1, b"body", wish, behaviour)
    assert first != compose(2, b"body", wish, behaviour)
    assert first != compose(1, b"other", wish, behaviour)


@given(length=st.integers(0, 200), seed=st.integers(0, 2**32))
def test_the_text_has_the_length_and_plain_words(length, seed):
    """A text has the set number of tokens, each a plain word."""
    (choice,) = compose(seed, b"body", Wish(prompt=()), Behaviour(length=length))
    assert length == choice.size == len(choice.text.split())
    assert set(choice.text.lower().split()) <= set(WORDS)


def test_choices_differ():
    """Several choices of one request have texts of their own."""
    choices = compose(0, b"body", Wish(prompt=(), choices=3), Behaviour())
    assert 3 == len({choice.text for choice in choices})


@pytest.mark.parametrize("text", ["", "one", " two  spaces ", '{"a": "b\u2028c"}', "\n"])
def test_a_fixed_answer_is_kept_exactly(text):
    """A fixed answer comes out as it was set, whatever its spaces."""
    (choice,) = compose(0, b"", Wish(prompt=()), Behaviour(answer=text))
    assert text == choice.text


def test_a_limit_truncates():
    """A limit below the length ends the text early and is told; one at the length does not."""
    (short,) = compose(0, b"", Wish(prompt=(), limit=5), Behaviour(length=6))
    (whole,) = compose(0, b"", Wish(prompt=(), limit=6), Behaviour(length=6))
    assert (5, True, 6, False) == (short.size, short.truncated, whole.size, whole.truncated)


def test_tool_arguments_suit_the_schema():
    """Arguments have a value of its type for each property, and come in pieces of at most 8 characters."""
    properties = {
        "city": {"type": "string"},
        "unit": {"enum": ["c", "f"]},
        "days": {"type": "integer"},
        "odd": {"type": ["string", "null"]},
        "any": True,
    }
    tool = Tool("weather", {"type": "object", "properties": properties})
    (choice,) = compose(0, b"", Wish(prompt=(), calls=(tool,)), Behaviour())
    (call,) = choice.calls
    arguments = orjson.loads(call.arguments)
    assert set(properties) == set(arguments)
    assert ("c", 7) == (arguments["unit"], arguments["days"])
    assert all(isinstance(arguments[name], str) for name in ("city", "odd", "any"))
    assert all(len(piece) <= 8 for piece in call.pieces)
    assert choice.size == len(call.pieces)


def test_a_schema_without_properties_gives_empty_arguments():
    """A tool without readable properties is called with an empty object."""
    (choice,) = compose(0, b"", Wish(prompt=(), calls=(Tool("go", {"properties": []}),)), Behaviour())
    assert "{}" == choice.calls[0].arguments


def test_required_calls_choose_tools():
    """A name chooses its tool, none the first one or every one."""
    tools = (Tool("a", {}), Tool("b", {}))
    assert (tools[1],) == required_calls(tools, "b")
    assert (tools[0],) == required_calls(tools, None)
    assert tools == required_calls(tools, None, every=True)


def test_a_required_call_needs_its_tool():
    """To force a call of a tool that is not there is refused."""
    with pytest.raises(Refusal, match="tools has no such tool"):
        required_calls((Tool("a", {}),), "c")


def test_tokens_are_counted_in_every_text():
    """The count is the words of all texts, numbers as one, at least 1."""
    assert 6 == count_tokens([{"content": "two words", "parts": ["and two"]}, [1, 2]], None)
    assert 1 == count_tokens(None)


def test_draws_are_reproducible_and_uniform():
    """Draws depend on seed, model and count alone, and fall below a rate in its share."""
    assert draw(1, "m", 5) == draw(1, "m", 5)
    assert len({draw(1, "m", 5), draw(2, "m", 5), draw(1, "n", 5), draw(1, "m", 6)}) == 4
    assert 0.19 < sum(draw(7, "m", count) < 0.2 for count in range(20_000)) / 20_000 < 0.21
