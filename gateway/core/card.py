"""A model card: what people should know of a model version or a release, and what of that is still missing."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import rfc8785

from gateway.core.risk_tier import RISK_TIERS, RiskTier

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]

SECTIONS = (
    "Model details",
    "Intended use",
    "Out-of-scope",
    "Limitations and risks",
    "Data",
    "Evaluation",
    "Monitoring and drift",
    "Human oversight",
    "Lifecycle",
    "Contact",
)
"""The sections of a card's text, in their order."""

ENOUGH = 30
"""How many cases a group must have for its figure to say something; below it the group is `insufficient`."""

_WORDS = frozenset(
    ("more information needed", "tbd", "todo", "fixme", "to be done", "to be decided", "to be determined", "")
)
_MARKUP = re.compile(r"[\W_]+")
_TEMPLATE = re.compile(r"\[\s*more information needed\s*\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Risk:
    """What may go wrong, and what is done about it."""

    name: str
    mitigation: str


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """A metric of one group of people or cases; `value` is None where it is undefined, which is not 0."""

    metric: str
    group: str
    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation has shown, over `n` cases: of all, or of one group."""

    name: str
    metric: str
    value: float | None
    n: int | None
    group: str | None
    dataset: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class MeasuredFigure:
    """What a release has shown on live requests: a metric over `n` of them, unknown for `unknown` others."""

    release: str
    metric: str
    value: float | None
    n: int
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures of live requests from `since` until `until`, times as ISO 8601 writes them."""

    since: str
    until: str
    figures: tuple[MeasuredFigure, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A card of `subject`: a model version `NAME@VERSION` or a release `ROUTE/VERSION`.

    `front` is all of the front matter as plain JSON data, `text` the Markdown below it, `sections` the texts of
    the sections that it has, by the names in `SECTIONS`. What is not said is None or empty.
    """

    subject: str
    owner: str | None
    risk_tier: RiskTier | None
    materiality: Mapping[str, str]
    intended_use: str | None
    out_of_scope: str | None
    limitations: tuple[str, ...]
    overseers: tuple[str, ...]
    contact: str | None
    validator: str | None
    findings: tuple[str, ...]
    review_by: date | None
    risks: tuple[Risk, ...]
    fairness: tuple[GroupFigure, ...]
    evaluations: tuple[Evaluation, ...]
    data_classes: tuple[str, ...]
    data_segments: tuple[str, ...]
    measured: Measurement | None
    sections: Mapping[str, str]
    front: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)
    digest: str

    @property
    def evaluations_by_group(self) -> tuple[GroupFigure, ...]:
        """Every figure of a group, from evaluations and from fairness."""
        named = tuple(
            GroupFigure(each.metric, each.group, each.value, each.n or 0)
            for each in self.evaluations
            if each.group is not None
        )
        return named + self.fairness

    def said_in(self, section: str, *values: str | None) -> str | None:
        """Give what the front matter says, or else the section; None where neither does, placeholders apart."""
        given = "\n".join(value for value in values if value is not None)
        return next((text for text in (given, self.sections.get(section, "")) if not is_placeholder(text)), None)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a card does not say: its name, the key of the front matter that takes it, and what to write."""

    name: str
    key: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Completeness:
    """What of all that a tier asks for a card does not say, and the share from 0 to 1 that it does."""

    missing: tuple[Missing, ...]
    share: float


def card_digest(front: Mapping[str, Any], text: str) -> str:
    """Digest a card: SHA-256 of the canonical JSON (RFC 8785) of its front matter and text, in hexadecimal.

    `text` has LF for its line ends and no byte order mark, so that how a file was saved makes no other card.

    Raises:
        ValueError: the front matter holds a number that JSON cannot carry exactly.
    """
    return hashlib.sha256(rfc8785.dumps({"front": front, "text": text})).hexdigest()


def is_placeholder(text: str) -> bool:
    """Say whether a text says nothing: it is empty, TBD, TODO and the like on every line, or a template's."""
    bare = (_MARKUP.sub(" ", line).strip().lower() for line in text.splitlines())
    return _TEMPLATE.search(text) is not None or all(line in _WORDS for line in bare)


def completeness(card: Card, tier: RiskTier | None) -> Completeness:
    """Say what a card lacks for a risk tier; a tier that is not known is taken for the highest."""
    rank = RISK_TIERS.index("high" if tier is None else tier)
    asked = [item for item in _ITEMS if RISK_TIERS.index(item.tier) <= rank]
    missing = tuple(item.missing for item in asked if not item.is_said(card))
    return Completeness(missing, 1 - len(missing) / len(asked))


def why_incomplete(card: Card, tier: RiskTier, today: date) -> str | None:
    """Say what a card lacks where a release of a risk tier answers, each with what to write; None where nothing.

    It is held to the higher of that tier and its own; a review that was due before `today` is a gap too.
    """
    held_to = None if card.risk_tier is None else max(tier, card.risk_tier, key=RISK_TIERS.index)
    gaps = [f"{each.name} ({each.remedy})" for each in completeness(card, held_to).missing]
    if card.review_by is not None and card.review_by < today:
        gaps.append(f"a review, due by {card.review_by.isoformat()} (review it, and write the next day)")
    return f"the card of {card.subject} lacks {', '.join(gaps)}" if gaps else None


def cannot_be_shown(card: Card) -> tuple[Missing, ...]:
    """Give what a card lacks without which it must not be shown: intended use, limitations, owner."""
    return tuple(item.missing for item in _ITEMS[:3] if not item.is_said(card))


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing that cards say, from which tier on, and how to see that one does."""

    missing: Missing
    tier: RiskTier
    is_said: Callable[[Card], bool]


def _has(*texts: str | None) -> bool:
    return any(text is not None and not is_placeholder(text) for text in texts)


_ITEMS = (
    _Item(
        Missing("owner", "owner", "say who answers for it, with owner:"),
        "minimal",
        lambda card: _has(card.owner),
    ),
    _Item(
        Missing("intended use", "intended_use", "write intended_use:, or the section Intended use"),
        "minimal",
        lambda card: card.said_in("Intended use", card.intended_use) is not None,
    ),
    _Item(
        Missing("limitations", "limitations", "write limitations:, or the section Limitations and risks"),
        "minimal",
        lambda card: card.said_in("Limitations and risks", *card.limitations) is not None,
    ),
    _Item(
        Missing("risk tier", "risk_tier", "write risk_tier: minimal, limited or high"),
        "minimal",
        lambda card: card.risk_tier is not None,
    ),
    _Item(
        Missing("out of scope", "out_of_scope", "write out_of_scope:, or the section Out-of-scope"),
        "limited",
        lambda card: card.said_in("Out-of-scope", card.out_of_scope) is not None,
    ),
    _Item(
        Missing("evaluation", "evaluations", "write evaluations:, or the section Evaluation"),
        "limited",
        lambda card: bool(card.evaluations) or card.said_in("Evaluation") is not None,
    ),
    _Item(
        Missing("data", "data", "write data: {classes: [...]}, or the section Data"),
        "limited",
        lambda card: card.said_in("Data", *card.data_classes, *card.data_segments) is not None,
    ),
    _Item(
        Missing("overseers", "overseers", "name the people who watch over it, with overseers:"),
        "high",
        lambda card: _has(*card.overseers),
    ),
    _Item(
        Missing("risks", "risks", "write risks: [{name: ..., mitigation: ...}]"),
        "high",
        lambda card: any(_has(risk.name) and _has(risk.mitigation) for risk in card.risks),
    ),
    _Item(
        Missing("validator", "validator", "name who validated it, with validator:"),
        "high",
        lambda card: _has(card.validator),
    ),
    _Item(
        Missing("review date", "review_by", "say when it is to be looked at again, with review_by:"),
        "high",
        lambda card: card.review_by is not None,
    ),
    _Item(
        Missing("evaluation by group", "fairness", "write fairness:, or evaluations: with a group"),
        "high",
        lambda card: bool(card.evaluations_by_group),
    ),
)
"""All that cards are asked for; without the first three a card must not be shown."""
