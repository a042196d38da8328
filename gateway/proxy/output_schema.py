"""Whether an answer is what its prompt promises: JSON that follows the prompt's output schema."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from gateway.core.digest import canonical
from gateway.core.prompt import PromptVersion

MAX_STEPS = 2_500
"""How much of a schema is held against one answer, in keywords, entries of lists and hundreds of characters.

Each takes some 5 µs, in which nobody else is served.
"""

_MATCHED = 256
"""The longest string that a pattern is tried on; policies are refused whose patterns could take long on short ones."""

_NOWHERE: Registry[Any] = Registry()
"""Where a schema's references are looked up besides in itself: a policy file must not send Pinion to the network."""


def follows_schema(prompt: PromptVersion | None, text: str | None) -> bool | None:
    """Hold an answer's text against its prompt's schema.

    None where there is no schema, where the text is not known, and where the two need more than `MAX_STEPS`.
    """
    if prompt is None or prompt.output_schema is None or text is None:
        return None
    try:
        return _judge(prompt).accepts(_JSON.decode(text))
    except _TooLong:
        return None
    except Exception:  # noqa: BLE001  # what a model writes and a schema asks may overflow, recurse, lead nowhere
        return False


class _TooLong(Exception):
    """A judgement takes too long."""


class _Judge:
    """A schema, made ready for many answers, one at a time."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        keywords = {**Draft202012Validator.VALIDATORS, "uniqueItems": self._are_unique}
        counted = {name: self._counted(name, check) for name, check in keywords.items()}
        counting = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]  # the stubs leave it out
        # Where a schema names its draft, jsonschema goes on with that draft's own class, which does not count.
        own = {key: value for key, value in schema.items() if key != "$schema"}
        self._validator = counting(own, registry=_NOWHERE)
        self._left = 0

    def accepts(self, value: Any) -> bool:
        """Say whether a value follows the schema.

        Raises:
            _TooLong: that takes too long to say.
        """
        self._left = MAX_STEPS
        return bool(self._validator.is_valid(value))

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooLong

    def _counted(self, name: str, check: Any) -> Any:
        def counted(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
            self._spend(_steps(wanted, value))
            if name in _PATTERNS and _is_long(value):
                raise _TooLong
            return check(validator, wanted, value, schema)

        return counted

    def _are_unique(self, _validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
        """Compare items by their digested form; jsonschema compares every two, which takes seconds for a thousand."""
        if wanted and isinstance(value, list):
            self._spend(len(value))
            if len({canonical(item) for item in value}) < len(value):
                yield ValidationError("two items are equal")


_PATTERNS = frozenset({"pattern", "patternProperties", "additionalProperties", "unevaluatedProperties"})
"""The keywords that try patterns: on a string, or on an object's keys."""


def _steps(wanted: Any, value: Any) -> int:
    """What a keyword costs: it may go through what it wants and through what it is held against."""
    return 1 + sum(len(each) // 4 for each in (wanted, value) if isinstance(each, list | dict))


def _is_long(value: Any) -> bool:
    """Whether a string, or a key of an object, is longer than a pattern is tried on."""
    strings = (value,) if isinstance(value, str) else value if isinstance(value, dict) else ()
    return any(len(each) > _MATCHED for each in strings)


@lru_cache(maxsize=256)
def _judge(prompt: PromptVersion) -> _Judge:
    return _Judge(prompt.output_schema or {})


def _refuse(constant: str) -> NoReturn:
    """Python takes NaN and Infinity for numbers; JSON has neither."""
    raise ValueError(constant)


_JSON = json.JSONDecoder(parse_constant=_refuse)
