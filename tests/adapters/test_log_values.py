"""Values made fit for a log line."""

import enum
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.adapters.log_values import MASK, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, rendered


def read(**fields):
    """Render and read back."""
    return orjson.loads(rendered(fields))


class Colour(enum.Enum):
    RED = "red"


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


class Opaque:
    def __repr__(self):
        return "s3cret"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
)


@settings(max_examples=40)
@given(fields=st.dictionaries(st.text(st.characters()), ANYTHING))
def test_anything_becomes_one_line_of_json(fields):
    """Whatever comes in, one line of JSON comes out, without a character that a reader would obey."""
    line = rendered(fields)
    assert 1 == line.count(b"\n")
    assert line.endswith(b"\n")
    assert 1 == len(line.decode().splitlines())
    assert isinstance(orjson.loads(line), dict)


@pytest.mark.parametrize(
    "text",
    [
        'a"}\n{"level":"info","event":"forged',
        "a\r\nb",
        "\x1b[2J\x1b[31mred",
        "\x9b31m",
        "\x7f\x85",
        "\u2028\u2029",
        "\u202egnp.exe",
        "\u200f\u2066",
    ],
)
def test_text_cannot_break_a_line_and_reads_back_whole(text):
    """Line breaks, escape sequences and changes of direction are escaped, and nothing is lost."""
    line = rendered({"text": text})
    assert 1 == len(line.decode().splitlines())
    assert not any(mark in line.decode() for mark in "\x1b\x9b\x7f\x85\u2028\u2029\u202e\u200f\u2066")
    assert text == orjson.loads(line)["text"]


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Proxy-Authorization",
        "api_key",
        "apikey",
        "x-api-key",
        "OPENAI_API_KEY",
        "credential",
        "credentials",
        "token",
        "tokens",
        "admin_token",
        "client_secret",
        "password",
        "cookie",
        "set-cookie",
        "private_key",
    ],
)
def test_names_of_secrets_hide_what_they_hold(name):
    """Text, bytes and whole structures under such a name are masked, wherever the name stands."""
    assert {name: MASK} == read(**{name: "s3cret"})
    assert {"headers": [{name: MASK}]} == read(headers=[{name: {"value": b"s3cret"}}])


@pytest.mark.parametrize("value", [12, 0, None, {"input": 3, "output": {"text": 4}}])
def test_counts_of_tokens_are_no_secret(value):
    """Numbers under `tokens` are shown."""
    assert {"tokens": value, "input_tokens": value} == read(tokens=value, input_tokens=value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sent Authorization: Bearer abc.def-123", f"sent Authorization: {MASK}"),
        ("key sk-proj-0123456789abcdef is wrong", f"key {MASK} is wrong"),
        ("no key pin_3fK9aQ0z_0123456789abcdefghij here", f"no key {MASK} here"),
        ("pio_3fK9aQ0z_0123456789", MASK),
        ("pin_3fK9aQ0z", "pin_3fK9aQ0z"),
        ("redis://user:pass@host/0", f"redis://{MASK}@host/0"),
        ("risk-averse https://host/a@b", "risk-averse https://host/a@b"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_within_text(text, expected):
    """A second line of defence for messages that quote a header, a key or a URL."""
    assert {"text": expected} == read(text=text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a\xff\n", "a\\xff\n"),
        (bytearray(b"ab"), "ab"),
        (memoryview(b"ab"), "ab"),
        ("lone \ud800", "lone \\ud800"),
        (float("nan"), None),
        (True, True),
        (1 << 64, "0x10000000000000000"),
        (-(1 << 63), -(1 << 63)),
        (Colour.RED, "red"),
        (PurePosixPath("/tmp/x"), "/tmp/x"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 2), "2026-01-02"),
        (ValueError("bad"), "ValueError: bad"),
        (Mute(), "Mute: <no message>"),
        (Opaque(), "<Opaque>"),
        ((1, {"a": 2}), [1, {"a": 2}]),
        (frozenset({3}), [3]),
        ({1: "one", None: 2}, {"1": "one", "None": 2}),
    ],
)
def test_values_that_json_has_no_form_for_are_shown_safely(value, expected):
    """Bytes, big integers, exceptions and objects have a readable form; an object's own repr is not trusted."""
    assert {"value": expected} == read(value=value)


def test_long_text_is_cut():
    """2,000 characters are kept, with how many are missing."""
    assert {"text": "x" * MAX_TEXT} == read(text="x" * MAX_TEXT)
    assert {"text": "x" * MAX_TEXT + "... 5 more"} == read(text="x" * (MAX_TEXT + 5))
    assert {"text": "x" * MAX_TEXT + "... 1 more"} == read(text=b"x" * (MAX_TEXT + 500))


def test_large_collections_are_cut():
    """100 items of a collection are kept, with how many are missing."""
    shown = read(items=list(range(MAX_ITEMS + 2)), fields={str(n): n for n in range(MAX_ITEMS + 3)})
    assert [*range(MAX_ITEMS), "... 2 more"] == shown["items"]
    assert "3 more" == shown["fields"]["..."]
    assert MAX_ITEMS + 1 == len(shown["fields"])


def test_a_structure_that_holds_itself_ends():
    """Nesting is followed for a few levels only."""
    endless: list = []
    endless.append(endless)
    shown = read(value=endless)["value"]
    for _ in range(MAX_DEPTH - 1):
        shown = shown[0]
    assert ["..."] == shown
