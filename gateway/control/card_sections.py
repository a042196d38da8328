"""The sections of a card's text: what stands under the headings that cards have."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


def sections_in(text: str) -> Iterator[Section]:
    """Find the sections of a Markdown text, in their order; one goes on until a heading as high as its own."""
    lines = text.count("\n") + 1
    headings = list(_headings(text))
    for place, (level, title, _, start) in enumerate(headings):
        name = _KNOWN.get(_plain(title))
        if name is not None:
            end = next((line for other, _, line, _ in headings[place + 1 :] if other <= level), lines)
            yield Section(name, start, end)


def section_texts(text: str) -> dict[str, str]:
    """Give the texts of the sections by name, headings apart; one that stands there twice is joined."""
    lines = text.split("\n")
    found: dict[str, str] = {}
    for section in sections_in(text):
        own = "\n".join(line for line in lines[section.start : section.end] if not line.startswith("#")).strip()
        found[section.name] = "\n\n".join(part for part in (found.get(section.name), own) if part)
    return found


def _headings(text: str) -> Iterator[tuple[int, str, int, int]]:
    """Give each heading's level, title, first line, and the line after it."""
    tokens = _BLOCKS.parse(text)
    for token, inside in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None:
            yield int(token.tag[1:]), inside.content, token.map[0], token.map[1]
