"""Searching a registry: what of a version holds a text."""

from collections.abc import Iterator, Mapping
from typing import Any


def found_in(name: str, facts: Mapping[str, Any], text: str) -> tuple[str, ...]:
    """Say what of a version holds a text, whatever its case: `name`, and facts by their paths.

    `name` is with the version, as in `atlas@1`. Every text of the facts is looked through: owner, use cases,
    limitations and all the others.
    """
    asked = text.casefold()
    everything = (("name", name), *_texts("", facts))
    return tuple(dict.fromkeys(path for path, said in everything if asked in said.casefold()))


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _texts(f"{path}.{key}" if path else key, below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(path, below)
