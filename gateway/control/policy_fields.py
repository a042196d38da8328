"""The kinds of value that stand in policy files: what each is written like, and what it is read as.

A reader raises ValueError with `problem; remedy`, as the readers of the core do.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from gateway.control import safe_pattern
from gateway.control.policy_text import WrittenFloat, WrittenInt, one_line, plain
from gateway.core.bucket import parts_per_million
from gateway.core.duration import parse_duration
from gateway.core.size import parse_size
from gateway.core.unit import UnitSource, parse_unit_source

_LINE = r"[^\x00-\x1f\x7f]{1,500}"
_NAME = "[a-z0-9][a-z0-9._-]{0,127}"
_VERSION = "[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}"
_UPSTREAM = "[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}"
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]{0,127}"
_HEADER = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}"
_SCHEME = "[A-Za-z0-9._-]{0,64}"
_SHA256 = "[0-9a-fA-F]{64}"
_SECRET_IN_URL = re.compile("[@?#]")
_DURATION = "[0-9]{1,12}(ms|s|m|h|d)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SIZE = "[0-9]{1,12}(B|KiB|MiB|GiB)?"

_DECIDED_ELSEWHERE = ("messages", "model", "prompt", "stream")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _as_written(value: Any) -> Any:
    """Take a number where text is wanted by the text that it was written with: `serve: 1.0` means "1.0"."""
    return value.written if isinstance(value, WrittenInt | WrittenFloat) else value


_WRITTEN = BeforeValidator(_as_written)


def _formed(form: str, wanted: str, *, may_be_secret: bool = False) -> AfterValidator:
    """Check a text's form. `may_be_secret`: people put a secret there by mistake, so a message does not show it."""
    pattern = re.compile(form)

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{'what is written' if may_be_secret else repr(one_line(text))} is not {wanted}")
        return text

    return AfterValidator(check)


def _shown(form: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{form}$", **more})


def _read(reader: Callable[[Any], Any], wanted: str) -> PlainValidator:
    """Read text, or a number by its text; `wanted` answers everything else."""

    def read(value: Any) -> Any:
        value = _as_written(value)
        if not isinstance(value, str):
            raise ValueError(f"{brief(value)} is not {wanted}")  # noqa: TRY004  (pydantic collects ValueError)
        return reader(value)

    return PlainValidator(read)


def brief(value: Any) -> str:
    """Show a value in a message: a scalar as JSON writes it, a collection by its kind."""
    if isinstance(value, Mapping):
        return "a set of keys"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.written
    return (
        {True: "true", False: "false", None: "nothing"}[value] if not isinstance(value, str) else repr(one_line(value))
    )


Text = Annotated[str, _WRITTEN]
"""Any text, empty too."""

Line = Annotated[
    str, _WRITTEN, _formed(_LINE, "one line of text; write 1 to 500 characters on one line"), _shown(_LINE)
]

Name = Annotated[
    str,
    _WRITTEN,
    _formed(_NAME, "a name; use a to z, 0 to 9, dot, dash and underscore, a letter or digit first, at most 128"),
    _shown(_NAME),
]

Version = Annotated[
    str,
    _WRITTEN,
    _formed(_VERSION, "a version; write one like 1.0.0 or 2024-08-06, of at most 64 letters, digits and . + - _"),
    _shown(_VERSION),
]

UpstreamName = Annotated[
    str,
    _WRITTEN,
    _formed(_UPSTREAM, "an upstream name; use letters, digits and . _ : / @ -, at most 256"),
    _shown(_UPSTREAM),
]

VariableName = Annotated[
    str,
    _WRITTEN,
    _formed(_VARIABLE, "a variable's name; use letters, digits and underscore, a letter first"),
    _shown(_VARIABLE),
]

EnvironmentName = Annotated[
    str,
    _WRITTEN,
    _formed(
        _VARIABLE,
        "an environment variable's name; name one, and keep the secret itself out of the policies",
        may_be_secret=True,
    ),
    _shown(_VARIABLE),
]

HeaderName = Annotated[str, _WRITTEN, _formed(_HEADER, "a header's name; write one like x-api-key"), _shown(_HEADER)]

Scheme = Annotated[
    str,
    _WRITTEN,
    _formed(_SCHEME, "a credential's scheme; write one word such as Bearer, or none", may_be_secret=True),
    _shown(_SCHEME),
]

KeyDigest = Annotated[
    str,
    _WRITTEN,
    _formed(_SHA256, "a SHA-256; write 64 hexadecimal digits, as `pinion app key` prints them", may_be_secret=True),
    _shown(_SHA256),
]

Duration = Annotated[
    float, _read(parse_duration, "a duration; write one like 500ms, 30s, 5m, 24h or 3d"), _shown(_DURATION)
]
"""Seconds, from one integer and one unit."""

PositiveDuration = Annotated[Duration, Field(gt=0)]
"""Seconds, more than none."""

Size = Annotated[
    int,
    _read(parse_size, "a size; write one like 65536, 512KiB or 1MiB"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_SIZE}$"}]}),
]
"""Bytes, from one integer with or without a unit."""


def _percent(value: Any) -> int:
    if not isinstance(value, WrittenInt | WrittenFloat):
        raise ValueError(f"{brief(value)} is not a percentage; write a number from 0 to 100")  # noqa: TRY004
    return parts_per_million(value.written)


Percent = Annotated[int, PlainValidator(_percent), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
"""Parts per million, from a percent with up to four decimals."""


def _day(text: str) -> date:
    try:
        if re.fullmatch(_DAY, text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{one_line(text)!r} is not a day; write one like 2027-03-31")


Day = Annotated[date, _read(_day, "a day; write one like 2027-03-31"), _shown(_DAY, format="date")]
"""A day of the calendar, as ISO 8601 writes it."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction."""


def _unit_source(text: str) -> UnitSource:
    source = parse_unit_source(text)
    if source.kind == "header" and not re.fullmatch(_HEADER, source.path[0]):
        raise ValueError(f"{one_line(text)!r} names no header; write one like header:x-session-id")
    return source


StickySource = Annotated[
    UnitSource,
    _read(_unit_source, "a place for a unit; write header:NAME, body:PATH or conversation"),
    _shown(r"(header:.+|body:[^.]+(\.[^.]+)*|conversation)"),
]
"""Where a request says its unit."""


def _url(text: str, *, path: bool) -> str:
    """Check an address: its scheme and host, and that nothing secret or changeable stands in it."""
    remedy = "write one like https://api.example.com/v1" if path else "write one like http://proxy.example.com:3128"
    try:
        parts = urlsplit(text)
        sound = parts.port != 0 and bool(parts.hostname) and parts.scheme in ("http", "https")
    except ValueError:
        sound = False
    if not sound or not re.fullmatch(r"[\x21-\x7e]+", text):
        shown = "what is written" if _SECRET_IN_URL.search(text) else repr(one_line(text))
        raise ValueError(f"{shown} is not an http or https address with a host; {remedy}")
    if "@" in parts.netloc:
        raise ValueError("the address holds a user or password; leave them out")
    if "?" in text or "#" in text:
        raise ValueError("the address has a query or a fragment; leave it out")
    if not path and parts.path not in ("", "/"):
        raise ValueError(f"{one_line(text)!r} has a path; leave it out")
    return text


BaseUrl = Annotated[str, AfterValidator(lambda text: _url(text, path=True)), _shown("https?://[^?#@]+", format="uri")]
ProxyUrl = Annotated[
    str, AfterValidator(lambda text: _url(text, path=False)), _shown("https?://[^/?#@]+/?", format="uri")
]


def _params(value: dict[str, Any]) -> dict[str, Any]:
    for name in _DECIDED_ELSEWHERE:
        if name in value:
            raise ValueError(f"{name!r} is not a parameter; leave it out: the request or the release decides it")
    params: dict[str, Any] = plain(value)
    try:
        orjson.dumps(params)
    except TypeError:
        raise ValueError("an integer is over 64 bits; write a smaller one") from None
    return params


Params = Annotated[dict[str, Any], AfterValidator(_params)]
"""Fields of the request's body, as plain JSON data."""


def _json_schema(value: dict[str, Any]) -> dict[str, Any]:
    """Check a JSON Schema; one that refers outside itself would be fetched when it is used."""
    schema: dict[str, Any] = plain(value)
    if schema.get("$schema", _DRAFT) != _DRAFT:
        raise ValueError(f"$schema is another draft; write {_DRAFT} or leave it out")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = one_line(".".join(str(step) for step in error.absolute_path)) or "its top"
        raise ValueError(f"not a JSON Schema, at {where}: {one_line(error.message)}; correct it") from error
    if outside := _outside_reference(schema):
        raise ValueError(f"it refers outside itself ({one_line(outside)}); write that part under $defs")
    for pattern in _patterns(schema):
        if problem := safe_pattern.problem_of(pattern):
            raise ValueError(f"the pattern {one_line(pattern)!r} may take long: {problem}")
    return schema


def _patterns(schema: Any) -> Iterator[str]:
    """Find every pattern in a schema; what merely looks like one is taken for one."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _patterns(inner)


def _outside_reference(schema: Any) -> str | None:
    below = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict):
        for word in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(word), str) and not schema[word].startswith("#"):
                return str(schema[word])
    return next((found for inner in below if (found := _outside_reference(inner))), None)


JsonSchema = Annotated[dict[str, Any], AfterValidator(_json_schema)]
"""A JSON Schema of draft 2020-12, as plain JSON data."""
