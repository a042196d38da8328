"""A prompt version: text with declared inputs. Substitution is plain; nothing in a prompt is ever evaluated."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.core.errors import Malformed

Place = Literal["system", "replace"]
InputKind = Literal["string", "number", "integer", "boolean"]

CONTENT = ("text", "inputs", "place", "output_schema")
"""The fields of a prompt version that its digest covers."""

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")

_PYTHON_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


def variables_of(text: str) -> list[str]:
    """Name the variables that `text` uses, in order of first use."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def _split(text: str) -> tuple[str, ...]:
    """Cut a text into alternating literals and variable names, a literal first and last."""
    return tuple(_VARIABLE.split(text))


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One exact prompt, written `support@1.1.0`.

    `inputs` maps each variable to its kind. `place` says whether the text becomes the first system message with the
    application's own kept after it (`system`), or replaces them (`replace`). `output_schema` is the JSON Schema that
    answers are held against where one is declared.
    """

    name: str
    version: str
    text: str
    inputs: Mapping[str, InputKind]
    place: Place
    digest: str
    output_schema: Mapping[str, Any] | None = None
    owner: str | None = None
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _text_digest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pieces", _split(self.text))
        object.__setattr__(self, "_text_digest", _digest_of(self.text))

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def content(self) -> dict[str, Any]:
        """What its digest covers: all that an answer depends on."""
        return {name: getattr(self, name) for name in CONTENT}

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def render(self, values: Mapping[str, Any]) -> str:
        """Put `values` (name to JSON value) into the text.

        Raises:
            Malformed: a declared input is missing or of another kind, or a value is not declared; it is named.
        """
        for name in values:
            if name not in self.inputs:
                raise Malformed(f"prompt variable {name!r} is not declared by prompt {self}; remove it")
        for name, kind in self.inputs.items():
            if name not in values:
                raise Malformed(f"prompt variable {name!r} of prompt {self} is missing; send it in prompt.variables")
            value = values[name]
            if not isinstance(value, _PYTHON_KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
                raise Malformed(f"prompt variable {name!r} of prompt {self} must be a {kind}")
        pieces = self._pieces
        if len(pieces) == 1:
            return pieces[0]
        return "".join(piece if place % 2 == 0 else _text(values[piece]) for place, piece in enumerate(pieces))

    def digest_of(self, rendered: str) -> str:
        """Give the SHA-256 of its text as it was rendered; one without inputs is the same for every request."""
        return self._text_digest if len(self._pieces) == 1 else _digest_of(rendered)


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: Any) -> str:
    """Write a value as JSON would, a string bare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
