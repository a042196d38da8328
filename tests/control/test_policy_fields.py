"""The kinds of value in policy files: what each is read as, and what it says of anything else."""

from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError, create_model

from gateway.control import policy_fields as fields
from gateway.control.policy_documents import Keys
from gateway.control.policy_text import read_documents
from gateway.core.unit import UnitSource


def accepted(kind: Any, value: Any) -> Any:
    """Have a key of a kind accept a value, as documents do."""
    return create_model("Sample", __base__=Keys, a=(kind, ...)).model_validate({"a": value}).a


def read(kind: str, text: str) -> Any:
    """Read a value of a kind as it stands in a file."""
    (document,) = read_documents("a.yaml", f"a: {text}\n").documents
    return accepted(getattr(fields, kind), document.value["a"])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Text", "1.0", "1.0"),
        ("Text", '""', ""),
        ("Line", "a b", "a b"),
        ("Name", "support-assistant", "support-assistant"),
        ("Name", "007", "007"),
        ("Version", "1.0", "1.0"),
        ("Version", "2024-08-06", "2024-08-06"),
        ("Version", "1.0.0-rc.1+build_5", "1.0.0-rc.1+build_5"),
        ("UpstreamName", "meta-llama/Llama-3:free@v1", "meta-llama/Llama-3:free@v1"),
        ("VariableName", "user_name", "user_name"),
        ("EnvironmentName", "OPENAI_API_KEY", "OPENAI_API_KEY"),
        ("HeaderName", "X-Api-Key", "X-Api-Key"),
        ("Scheme", '""', ""),
        ("Scheme", "Bearer", "Bearer"),
        ("KeyDigest", "aB" * 32, "aB" * 32),
        ("Duration", "0s", 0.0),
        ("Duration", "1500ms", 1.5),
        ("PositiveDuration", "3d", 259_200.0),
        ("Day", "2027-03-31", date(2027, 3, 31)),
        ("Size", "65536", 65536),
        ("Size", "1MiB", 1 << 20),
        ("Percent", "0", 0),
        ("Percent", "0.0001", 1),
        ("Percent", "33.3333", 333_333),
        ("Percent", "100", 1_000_000),
        ("Share", "0.5", 0.5),
        ("Share", "1", 1.0),
        ("StickySource", "header:X-Session-Id", UnitSource("header", ("x-session-id",))),
        ("StickySource", "body:metadata.user_id", UnitSource("body", ("metadata", "user_id"))),
        ("StickySource", "conversation", UnitSource("conversation")),
        ("BaseUrl", "https://api.example.com/v1", "https://api.example.com/v1"),
        ("BaseUrl", "'http://[::1]:9000'", "http://[::1]:9000"),
        ("ProxyUrl", "http://proxy:3128/", "http://proxy:3128/"),
        ("Params", "{temperature: 0.20, stop: null, n: 1}", {"temperature": 0.2, "stop": None, "n": 1}),
        (
            "JsonSchema",
            "{type: object, $ref: '#/$defs/a', $defs: {a: true}}",
            {
                "type": "object",
                "$ref": "#/$defs/a",
                "$defs": {"a": True},
            },
        ),
    ],
)
def test_values_are_read(kind, text, value):
    """Each kind takes what it is for; text may be written like a number."""
    found = read(kind, text)
    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("Line", '""', "'' is not one line of text; write 1 to 500 characters on one line"),
        ("Line", '"a\\nb"', "'a\\\\nb' is not one line"),
        ("Name", "Support", "'Support' is not a name; use a to z"),
        ("Name", "../etc", "is not a name"),
        ("Name", '"a\\n"', "is not a name"),
        ("Name", "a" * 129, "is not a name"),
        ("Version", "1.0 final", "'1.0 final' is not a version; write one like 1.0.0"),
        ("Version", "a/b", "is not a version"),
        ("UpstreamName", "a b", "is not an upstream name"),
        ("VariableName", "1st", "is not a variable's name"),
        (
            "EnvironmentName",
            "sk-123",
            "what is written is not an environment variable's name; name one, and keep the secret itself out of the",
        ),
        ("HeaderName", "'a:b'", "is not a header's name"),
        ("Scheme", "a b", "what is written is not a credential's scheme"),
        ("KeyDigest", "abc", "what is written is not a SHA-256; write 64 hexadecimal digits"),
        ("Duration", "5", "'5' is not a duration; write one integer and one of"),
        ("Duration", "true", "true is not a duration; write one like"),
        ("Duration", "[]", "a list is not a duration"),
        ("Duration", "{}", "a set of keys is not a duration"),
        ("Duration", "null", "nothing is not a duration"),
        ("PositiveDuration", "0s", "greater than 0"),
        ("Day", "2027-02-30", "'2027-02-30' is not a day; write one like 2027-03-31"),
        ("Day", "20270331", "'20270331' is not a day"),
        ("Size", "1MB", "'1MB' is not a size; write bytes"),
        ("Size", "1.5", "'1.5' is not a size"),
        ("Percent", "'5'", "'5' is not a percentage; write a number from 0 to 100"),
        ("Percent", "true", "true is not a percentage"),
        ("Percent", "100.1", "100.1 is not a percentage"),
        ("Percent", "0.00001", "is finer than a millionth; write up to four decimals"),
        ("Share", "1.5", "less than or equal to 1"),
        ("StickySource", "cookie:a", "is not a place for a unit; write header:NAME"),
        ("StickySource", "'header:a b'", "names no header; write one like header:x-session-id"),
        ("BaseUrl", "ftp://a", "is not an http or https address with a host; write one like https://"),
        ("BaseUrl", "https://", "is not an http or https address"),
        ("BaseUrl", "'https://[::1'", "is not an http or https address"),
        ("BaseUrl", "https://a:99999", "is not an http or https address"),
        ("BaseUrl", "'https://a/ b'", "is not an http or https address"),
        ("BaseUrl", "https://user:pw@a", "the address holds a user or password; leave them out"),
        ("BaseUrl", "https://a/v1?key=1", "the address has a query or a fragment; leave it out"),
        ("BaseUrl", "https://user:pw@a:port", "what is written is not an http or https address"),
        ("ProxyUrl", "http://a/b", "has a path; leave it out"),
        ("ProxyUrl", "a:80", "write one like http://proxy.example.com:3128"),
        ("Params", "{messages: []}", "'messages' is not a parameter; leave it out"),
        ("Params", "{a: {b: 99999999999999999999}}", "an integer is over 64 bits; write a smaller one"),
        ("JsonSchema", "{type: foo}", "not a JSON Schema, at type: 'foo' is not valid under any"),
        ("JsonSchema", "{pattern: '['}", "not a JSON Schema, at pattern"),
        ("JsonSchema", "{$schema: 'http://json-schema.org/draft-07/schema#'}", "$schema is another draft"),
        ("JsonSchema", "{items: [{a: {$ref: 'https://a/b'}}]}", "not a JSON Schema, at items"),
        ("JsonSchema", "{anyOf: [{}, {not: {$ref: 'https://a/b'}}]}", r"it refers outside itself (https://a/b)"),
    ],
)
def test_anything_else_says_what_was_wanted(kind, text, message):
    """The message shows what was written and says what to write."""
    with pytest.raises(ValidationError) as caught:
        read(kind, text)
    assert message in str(caught.value)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a\\b", "a\x00b", "file:a", ".hidden", "-a", ""])
def test_names_cannot_be_paths(path):
    """No name or version leads out of a folder or into a shell."""
    for kind in (fields.Name, fields.Version):
        with pytest.raises(ValidationError):
            accepted(kind, path)


def test_kinds_have_a_json_schema():
    """Editors learn each kind's form."""
    names = (
        "Text",
        "Line",
        "Name",
        "Version",
        "Duration",
        "Size",
        "Percent",
        "Share",
        "StickySource",
        "BaseUrl",
        "Params",
    )
    for name in names:
        Draft202012Validator.check_schema(TypeAdapter(getattr(fields, name)).json_schema())


@pytest.mark.parametrize(
    "schema",
    [
        '{properties: {name: {pattern: "^(a+)+$"}}}',
        '{patternProperties: {"^(a+)+$": {type: string}}}',
        '{anyOf: [{type: string}, {pattern: "^(a+)+$"}]}',
    ],
)
def test_a_pattern_that_may_take_long_is_refused(schema):
    """Wherever it stands: it would be tried on what a model writes, beside everybody's requests."""
    with pytest.raises(ValidationError, match="may take long"):
        read("JsonSchema", schema)
    assert read("JsonSchema", '{properties: {name: {pattern: "^[a-z]+$"}}}')
