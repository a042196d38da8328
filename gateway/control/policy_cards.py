"""Model cards: from the files of a policy set to values, and what is missing in one."""

from collections.abc import Mapping
from datetime import date

from gateway.control.card_documents import CardDocument, MeasuredKeys
from gateway.control.card_sections import section_texts
from gateway.control.policy_declared import Declaration, Declared, Findings
from gateway.control.policy_schema import problem_at, read_keys
from gateway.control.policy_text import CARD, plain, read_documents
from gateway.control.policy_values import CardPolicy
from gateway.control.route_documents import RouteDocument
from gateway.core.card import (
    Card,
    Evaluation,
    GroupFigure,
    MeasuredFigure,
    Measurement,
    Risk,
    card_digest,
    completeness,
)
from gateway.core.errors import Problem

OURS = ("kind", "name", "text")
"""Keys of a card's document that are none of its front matter."""


def cards_of(
    declared: Declared, models: Mapping[str, object], routes: Mapping[str, Declaration[RouteDocument]]
) -> dict[str, CardPolicy]:
    """Make the cards of a set by their subjects, which the set must declare."""
    made: dict[str, CardPolicy] = {}
    for each in declared.all_of(CardDocument):
        _check_subject(declared, each, models, routes)
        card = _card(each, declared.findings)
        if card is not None:
            made[card.subject] = CardPolicy(card, each.where)
            _warn_of_gaps(each, card, declared.findings)
    return made


def read_card(file: str, text: str) -> tuple[Declaration[CardDocument] | None, Card | None, list[Problem]]:
    """Read one card by itself: its document, its value, and everything wrong with it; no card where there is."""
    if not is_card(file):
        return None, None, [Problem(file, 1, "the file's name says no card", f"let it end in {CARD}")]
    reading = read_documents(file, text)
    findings = Findings(problems=list(reading.problems))
    for document in reading.documents:
        keys = read_keys(document)
        if isinstance(keys, CardDocument):
            declared = Declaration(document, keys)
            card = _card(declared, findings)
            return declared, None if findings.problems else card, sorted(findings.problems)
        findings.problems += keys if isinstance(keys, list) else []
    return None, None, sorted(findings.problems)


def gaps_of(declared: Declaration[CardDocument], card: Card, today: date) -> list[Problem]:
    """Give what a card does not say for its risk tier, and whether its review is overdue, where each would stand."""
    gaps = [
        problem_at(declared.document, ("governance", missing.key), " is not said", missing.remedy)
        for missing in completeness(card, card.risk_tier).missing
    ]
    if card.review_by is not None and card.review_by < today:
        said = f": the review was due by {card.review_by.isoformat()}"
        gaps.append(
            problem_at(declared.document, ("governance", "review_by"), said, "review it, and write the next day")
        )
    return sorted(gaps)


def _check_subject(
    declared: Declared,
    card: Declaration[CardDocument],
    models: Mapping[str, object],
    routes: Mapping[str, Declaration[RouteDocument]],
) -> None:
    place, subject = ("governance", "subject"), card.keys.governance.subject
    route, slash, version = subject.partition("/")
    if slash:
        found = declared.refer(card, place, "route", route, routes)
        if found is not None:
            declared.refer(card, place, "release", version, found.keys.releases)
    elif "@" in subject:
        declared.refer(card, place, "model", subject, models)
    else:
        remedy = "write a model version NAME@VERSION, or a release ROUTE/VERSION"
        declared.findings.wrong(card, place, f" is {subject!a}, which names no version", remedy)


def _warn_of_gaps(declared: Declaration[CardDocument], card: Card, findings: Findings) -> None:
    missing = completeness(card, card.risk_tier).missing
    if missing:
        names = ", ".join(each.name for each in missing)
        findings.warn(
            declared, ("governance",), f" does not say: {names}", f"see pinion card check {declared.document.file}"
        )


def _card(declared: Declaration[CardDocument], findings: Findings) -> Card | None:
    """Make a card, or note why it has no digest."""
    front = {key: value for key, value in plain(declared.document.value).items() if key not in OURS}
    try:
        digest = card_digest(front, declared.keys.text)
    except ValueError:
        remedy = "write it smaller, or as text in quotes"
        findings.wrong(declared, (), " holds a number over 2^53, which JSON does not carry exactly", remedy)
        return None
    own = declared.keys.governance
    return Card(
        subject=own.subject,
        owner=own.owner,
        risk_tier=own.risk_tier,
        materiality=own.materiality.model_dump(exclude_none=True),
        intended_use=own.intended_use,
        out_of_scope=own.out_of_scope,
        limitations=tuple(own.limitations),
        overseers=tuple(own.overseers),
        contact=own.contact,
        validator=own.validator,
        findings=tuple(own.findings),
        review_by=own.review_by,
        risks=tuple(Risk(**each.model_dump()) for each in own.risks),
        fairness=tuple(GroupFigure(**each.model_dump()) for each in own.fairness),
        evaluations=tuple(Evaluation(**each.model_dump()) for each in own.evaluations),
        data_classes=tuple(own.data.classes),
        data_segments=tuple(own.data.segments),
        measured=_measurement(own.measured),
        sections=section_texts(declared.keys.text),
        front=front,
        text=declared.keys.text,
        digest=digest,
    )


def _measurement(keys: MeasuredKeys | None) -> Measurement | None:
    if keys is None:
        return None
    return Measurement(keys.since, keys.until, tuple(MeasuredFigure(**each.model_dump()) for each in keys.figures))


def is_card(file: str) -> bool:
    """Say whether a file of a policy set is a model card."""
    return file.endswith(CARD)
