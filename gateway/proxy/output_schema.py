"""Whether an answer is what its prompt promises: JSON that follows the prompt's output schema."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.core.prompt import PromptVersion
from gateway.wire.shape import decoded, mapping, mappings

_NOWHERE: Registry[Any] = Registry()
"""Where a schema's references are looked up besides in itself: a policy file must not send Pinion to the network."""


def follows_schema(prompt: PromptVersion | None, answer: bytes) -> bool | None:
    """Hold the text of a whole answer, in any dialect, against the prompt's schema; None where there is none."""
    if prompt is None or prompt.output_schema is None:
        return None
    try:
        value = json.loads(answer_text(mapping(decoded(answer))))
        return bool(Draft202012Validator(dict(prompt.output_schema), registry=_NOWHERE).is_valid(value))
    except (ValueError, RecursionError, Unresolvable):
        return False


def answer_text(answer: Mapping[str, Any]) -> str:
    """Give the text of an answer: the first choice's message, or the joined text blocks."""
    choices = mappings(answer.get("choices"))
    if choices:
        text = mapping(choices[0].get("message")).get("content", choices[0].get("text"))
        return text if isinstance(text, str) else ""
    blocks = mappings(answer.get("content"))
    for item in mappings(answer.get("output")):
        blocks += mappings(item.get("content"))
    return "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
