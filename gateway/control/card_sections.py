"""The sections of a card's text: what stands under the headings that cards have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from markdown_it import MarkdownIt

from gateway.core.card import SECTIONS

_ALIASES: Mapping[str, str] = {
    "out of scope use": "Out-of-scope",
    "intended uses": "Intended use",
    "limitations": "Limitations and risks",
    "bias risks and limitations": "Limitations and risks",
    "training data": "Data",
    "evaluation results": "Evaluation",
    "model card contact": "Contact",
}
"""Headings of the Hub's template that mean a section of ours."""

_BLOCKS = MarkdownIt("commonmark").disable("inline")
"""A parser of Markdown's blocks alone: headings are found, and what looks like one in code is not."""


def _plain(heading: str) -> str:
    return re.sub(r"[\W_]+", " ", heading).strip().lower()


_KNOWN: Mapping[str, str] = {**{_plain(section): section for section in SECTIONS}, **_ALIASES}


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its name in `SECTIONS`, and the lines of the text that stand in it, from 0 and without the last."""

    name: str
    start: int
    end: int


def sections_in(text: str) -> list[Section]:
    """Find the sections of a Markdown text, in their order; one goes on until a heading as high as its own."""
    found: list[Section] = []
    open_ones: list[tuple[int, str, int]] = []

    def close(level: int, end: int) -> None:
        """End the sections that a heading of a level is not within."""
        while open_ones and open_ones[-1][0] >= level:
            _, title, start = open_ones.pop()
            name = _KNOWN.get(_plain(title))
            if name is not None:
                found.append(Section(name, start, end))

    for level, title, first, after in _headings(text):
        close(level, first)
        open_ones.append((level, title, after))
    close(0, text.count("\n") + 1)
    return sorted(found, key=lambda section: section.start)


@lru_cache(maxsize=512)
def section_texts(text: str) -> Mapping[str, str]:
    """Give the texts of the sections by name, headings apart; one that stands there twice is joined.

    A reload asks again for every card, and most have not changed.
    """
    lines = text.split("\n")
    parts: dict[str, list[str]] = {}
    for section in sections_in(text):
        own = "\n".join(line for line in lines[section.start : section.end] if not line.startswith("#")).strip()
        parts.setdefault(section.name, []).append(own)
    return {name: "\n\n".join(part for part in own if part) for name, own in parts.items()}


def _headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    """Give each heading's level, title, first line, and the line after it."""
    tokens = _BLOCKS.parse(text)
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            yield int(token.tag[1:]), inside.content, token.map[0], token.map[1]
