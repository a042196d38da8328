"""A prompt version: plain substitution of declared inputs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Malformed
from gateway.core.prompt import PromptVersion, variables_of


def made(text, **inputs):
    """A prompt with these inputs."""
    return PromptVersion("support", "1.1.0", text, inputs, "system", "digest")


def test_a_text_without_variables_is_itself():
    """Byte for byte, odd braces and all."""
    for text in ("", "plain", "{a} {{1}} {{ }} {{a b}} }}{{"):
        assert text == made(text).render({})


def test_each_variable_is_replaced_wherever_it_stands():
    """Spaces inside the braces do not matter."""
    prompt = made("{{a}}{{ a }}, {{b}}!", a="string", b="integer")
    assert "xx, 7!" == prompt.render({"a": "x", "b": 7})


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("string", "x", "x"),
        ("integer", 7, "7"),
        ("number", 1.5, "1.5"),
        ("number", 2, "2"),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
    ],
)
def test_values_are_written_as_json_would(kind, value, text):
    """A string bare."""
    assert text == made("{{a}}", a=kind).render({"a": value})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 7),
        ("string", None),
        ("string", ["x"]),
        ("integer", "7"),
        ("integer", 1.5),
        ("integer", True),
        ("number", True),
        ("number", "1"),
        ("boolean", 1),
        ("boolean", "true"),
    ],
)
def test_a_value_of_another_kind_is_refused(kind, value):
    """The message names the variable, the prompt and the kind."""
    with pytest.raises(Malformed, match=f"'a' of prompt support@1.1.0 must be a {kind}"):
        made("{{a}}", a=kind).render({"a": value})


def test_a_missing_input_is_refused_even_where_the_text_does_not_use_it():
    """It was declared."""
    with pytest.raises(Malformed, match=r"'a' of prompt support@1\.1\.0 is missing; send it in prompt\.variables"):
        made("plain", a="string").render({})


def test_an_undeclared_value_is_refused():
    """Rather than dropped."""
    with pytest.raises(Malformed, match=r"'b' is not declared by prompt support@1\.1\.0; remove it"):
        made("{{a}}", a="string").render({"a": "x", "b": "y"})


@given(st.text(), st.text())
def test_a_value_is_never_evaluated(a, b):
    """Whatever it looks like."""
    assert f"<{a}|{b}|{a}>" == made("<{{a}}|{{b}}|{{a}}>", a="string", b="string").render({"a": a, "b": b})


def test_variables_are_named_in_the_order_of_their_first_use():
    """Each once."""
    assert ["b", "a_1"] == variables_of("{{b}} {{ a_1 }} {{b}} {{1x}} {{é}}")


def test_equal_prompts_have_one_place_in_a_set():
    """Though what is in them can be changed."""
    assert 1 == len({made("{{a}}", a="string"), made("{{a}}", a="string")})


def test_a_prompt_is_written_with_its_version():
    """As everywhere."""
    assert "support@1.1.0" == str(made(""))


def test_a_rendered_prompt_has_the_digest_of_what_was_sent():
    """With its variables filled in; one without inputs has the same digest for every request."""
    for prompt, values, sent in (
        (made("Be brief."), {}, "Be brief."),
        (made("Help with {{product}}.", product="string"), {"product": "\ud800"}, "Help with \ud800."),
    ):
        assert sent == prompt.render(values)
        assert hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest() == prompt.digest_of(sent)
