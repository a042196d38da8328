"""How the simulated provider behaves: the one table of keys that a faults file may set.

A faults document is a map of these keys; under `models`, each upstream model name has a map of the same keys
that win over the top level for that model. A key that is left out, or null, has its default.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import orjson
import yaml

Reader = Callable[[Any], Any]
"""Gives a value as it is kept; raises _Unsuitable for one that the key does not accept."""


class BehaviourError(Exception):
    """A faults document that cannot be used; the message names the key and what it accepts."""


class _Unsuitable(Exception):
    """A value that its key does not accept; the message says what it does."""


def _number(low: float, high: float = float("inf")) -> Reader:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise _Unsuitable(
                f"a number of at least {low:g}" if high == float("inf") else f"a number from {low:g} to {high:g}"
            )
        return float(value)

    return read


def _count(low: int, high: float = float("inf")) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _Unsuitable(
                f"a whole number of at least {low}" if high == float("inf") else f"a whole number from {low} to {high}"
            )
        return value

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unsuitable("true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Unsuitable("a text")
    return value


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unsuitable("a text or a number")
    return str(value)


def _one_of(*names: str) -> Reader:
    def read(value: Any) -> str:
        if value not in names:
            raise _Unsuitable("one of " + ", ".join((*names, "null")))
        return str(value)

    return read


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _Unsuitable("a map")
    return value


def _header(value: Any) -> str:
    text = _scalar_text(value)
    if not (text.isascii() and text.isprintable()):
        raise _Unsuitable("printable ASCII")
    return text


def _headers(value: Any) -> dict[str, str]:
    return {_header(name): _header(one) for name, one in _map(value).items()}


def _key(read: Reader, default: Any = None) -> Any:
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"read": read})
    return field(default=default, metadata={"read": read})


def _read(cls: type, document: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The arguments of a dataclass of keys, from its document, whose keys' path starts with `place`."""
    readers = {one.name: one.metadata["read"] for one in fields(cls)}
    if unknown := [name for name in document if name not in readers]:
        raise BehaviourError(f"unknown key '{place}{unknown[0]}'; the known keys are {', '.join(sorted(readers))}")
    values = {}
    for name, value in document.items():
        if value is None:
            continue
        try:
            values[name] = readers[name](value)
        except _Unsuitable as error:
            raise BehaviourError(f"'{place}{name}' must be {error}, not {value!r}") from error
    return values


@dataclass(frozen=True, slots=True)
class StreamError:
    """An error told inside a stream that began well, in the dialect's own form; the stream ends after it."""

    after: int = _key(_count(0), 0)
    type: str = _key(_text, "overloaded_error")
    message: str = _key(_text, "The simulated provider is overloaded.")


def _stream_error(value: Any) -> StreamError:
    return StreamError(**_read(StreamError, _map(value), "stream_error."))


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one simulated model does. Times are seconds; a byte or event count starts at the answer's body."""

    latency: float = _key(_number(0), 0.0)
    first_token: float = _key(_number(0), 0.0)
    rate: float = _key(_number(0), 0.0)
    length: int = _key(_count(0), 12)
    answer: str | None = _key(_text)
    served_model: str | None = _key(_text)
    fingerprint: str | None = _key(_text)
    usage: Mapping[str, Any] = _key(_map, {})
    start_usage: Mapping[str, Any] = _key(_map, {})
    omit_usage: bool = _key(_flag, default=False)
    extra_fields: Mapping[str, Any] = _key(_map, {})
    first_event: Mapping[str, Any] | None = _key(_map)
    ratelimit_headers: Mapping[str, str] = _key(_headers, {})

    error_rate: float = _key(_number(0, 1), 0.0)
    error_status: int = _key(_count(400, 599), 500)
    error_body: str | None = _key(_text)
    error_headers: Mapping[str, str] = _key(_headers, {})
    retry_after: str | None = _key(_header)
    html_error: bool = _key(_flag, default=False)
    json_error_on_stream: bool = _key(_flag, default=False)
    stream_error: StreamError | None = field(default=None, metadata={"read": _stream_error})

    hang: Literal["head", "first", "middle"] | None = _key(_one_of("head", "first", "middle"))
    cut_head: bool = _key(_flag, default=False)
    cut_reused: bool = _key(_flag, default=False)
    cut_at: int | None = _key(_count(0))
    cut_event: int | None = _key(_count(0))
    omit_done: bool = _key(_flag, default=False)

    malformed: Literal["json", "truncated_json"] | None = _key(_one_of("json", "truncated_json"))
    split: int = _key(_count(0), 0)
    newline: Literal["lf", "crlf", "cr"] = _key(_one_of("lf", "crlf", "cr"), "lf")
    comments: bool = _key(_flag, default=False)
    ids: bool = _key(_flag, default=False)
    multiline: bool = _key(_flag, default=False)
    no_space: bool = _key(_flag, default=False)
    no_blank_end: bool = _key(_flag, default=False)
    encoding: Literal["gzip", "br", "zstd"] | None = _key(_one_of("gzip", "br", "zstd"))

    @property
    def plain(self) -> bool:
        """Whether events are written the usual way, so that nothing needs to look at them again."""
        return self.newline == "lf" and not (self.comments or self.ids or self.multiline or self.no_space)


@dataclass(frozen=True, slots=True)
class Faults:
    """A whole faults document, read: what every model does and what some models do instead."""

    document: Mapping[str, Any]
    default: Behaviour
    models: Mapping[str, Behaviour]

    @classmethod
    def read(cls, document: Any) -> "Faults":
        """Read a document; null stands for an empty one.

        Raises:
            BehaviourError: a key is unknown or its value is not of its kind.
        """
        if document is None:
            document = {}
        if not isinstance(document, dict):
            raise BehaviourError(f"a faults document must be a map of keys, not {document!r}")
        top = {name: value for name, value in document.items() if name != "models"}
        models = document.get("models") or {}
        if not isinstance(models, dict) or not all(isinstance(one, dict) for one in models.values()):
            raise BehaviourError("'models' must be a map from upstream model names to maps of keys")
        return cls(
            document=document,
            default=Behaviour(**_read(Behaviour, top, "")),
            models={
                name: Behaviour(**_read(Behaviour, {**top, **own}, f"models.{name}.")) for name, own in models.items()
            },
        )

    @classmethod
    def load(cls, path: Path) -> "Faults":
        """Read a faults file: JSON when its name ends in `.json`, YAML otherwise.

        Raises:
            BehaviourError: the file cannot be read, or not used; the message starts with its name.
        """
        try:
            content = path.read_bytes()
            return cls.read(orjson.loads(content) if path.suffix == ".json" else yaml.safe_load(content))
        except OSError as error:
            raise BehaviourError(f"{path}: cannot be read: {error.strerror}; give a file that exists") from error
        except (BehaviourError, orjson.JSONDecodeError, yaml.YAMLError) as error:
            raise BehaviourError(f"{path}: {error}") from error

    def merged(self, patch: Any) -> "Faults":
        """These faults with the keys of `patch` laid over them, per model too; a null takes its key away.

        Raises:
            BehaviourError: as `read`.
        """
        Faults.read(patch)
        patch = patch or {}
        models = dict(self.document.get("models") or {})
        for name, own in (patch.get("models") or {}).items():
            models[name] = _overlaid(models.get(name, {}), own)
        top = {name: value for name, value in self.document.items() if name != "models"}
        changes = {name: value for name, value in patch.items() if name != "models"}
        return Faults.read({**_overlaid(top, changes), **({"models": models} if models else {})})

    def of(self, model: str | None) -> Behaviour:
        """What `model`, an upstream model name, does; None for a request that names no model."""
        return self.models.get(model, self.default) if model is not None else self.default


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both maps in one; the second wins, and its nulls remove."""
    return {name: value for name, value in {**below, **above}.items() if value is not None}
