"""A card as CycloneDX 1.6 JSON, whose `modelCard` other tools read."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.control.card_render import group_note, shown_value
from gateway.core.card import Card

SPECIFICATION = "1.6"

_NOTHING: tuple[Any, ...] = (None, {}, [])


def cyclonedx(card: Card, content: str | None, serial: str | None, timestamp: str | None) -> dict[str, Any]:
    """Write a card as a CycloneDX document with one component.

    `content` is the digest of the version that the card is of, where it is known. `serial` (`urn:uuid:...`) and
    `timestamp` (ISO 8601) stand in it where they are given, so that equal cards give equal documents.
    """
    separator = "/" if "/" in card.subject else "@"
    name, _, version = card.subject.partition(separator)
    hashes = [] if content is None else [{"alg": "SHA-256", "content": content}]
    component = {
        "type": "machine-learning-model",
        "bom-ref": card.subject,
        "name": name,
        "version": version,
        "hashes": hashes,
        "licenses": [{"license": {"name": each}} for each in _words(card, "license")],
        "pedigree": _pedigree(card),
        "modelCard": _model_card(card),
        "tags": _words(card, "tags"),
    }
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": serial,
        "version": 1,
        "metadata": {"timestamp": timestamp},
        "components": [component],
    }
    return _said_in(document)


def _pedigree(card: Card) -> dict[str, Any]:
    ancestors = [{"type": "machine-learning-model", "name": each} for each in _words(card, "base_model")]
    relation = card.front.get("base_model_relation")
    return {"ancestors": ancestors, "notes": relation if isinstance(relation, str) else None}


def _model_card(card: Card) -> dict[str, Any]:
    datasets = [{"type": "dataset", "name": each} for each in _words(card, "datasets")]
    use = card.said_in("Intended use", card.intended_use)
    beyond = card.said_in("Out-of-scope", card.out_of_scope)
    limits = card.limitations or (card.said_in("Limitations and risks"),)
    return {
        "modelParameters": {"task": next(iter(_words(card, "pipeline_tag")), None), "datasets": datasets},
        "quantitativeAnalysis": {"performanceMetrics": [*_evaluated(card), *_measured(card)]},
        "considerations": {
            "useCases": [each.strip() for each in (use,) if each],
            "technicalLimitations": [
                *(each.strip() for each in limits if each),
                *(f"Out of scope: {each.strip()}" for each in (beyond,) if each),
            ],
            "ethicalConsiderations": [
                {"name": each.name, "mitigationStrategy": each.mitigation} for each in card.risks
            ],
            "fairnessAssessments": [
                {"groupAtRisk": group} for group in dict.fromkeys(each.group for each in card.evaluations_by_group)
            ],
        },
        "properties": [{"name": f"pinion:{name}", "value": value} for name, value in _properties(card)],
    }


def _evaluated(card: Card) -> Iterator[dict[str, str]]:
    """Give the figures of evaluations; a group's says how many cases it has, and whether they are too few."""
    for each in card.evaluations:
        if each.group is None:
            n = "" if each.n is None else f", n = {each.n}"
            yield {"type": each.metric, "value": shown_value(each.value), "slice": f"{each.dataset or each.name}{n}"}
    for group in card.evaluations_by_group:
        note = group_note(group.n)
        said = f"group {group.group}, n = {group.n}" + (f", {note}" if note else "")
        yield {"type": group.metric, "value": shown_value(group.value), "slice": said}


def _measured(card: Card) -> Iterator[dict[str, str]]:
    if card.measured is None:
        return
    for each in card.measured.figures:
        unknown = f", unknown for {each.unknown}" if each.unknown else ""
        said = f"live requests of {each.release} from {card.measured.since} to {card.measured.until}"
        yield {
            "type": each.metric,
            "value": shown_value(each.value),
            "slice": f"{said}, n = {each.n}{unknown}",
        }


def _properties(card: Card) -> Iterator[tuple[str, str]]:
    yield "card_digest", card.digest
    named: Mapping[str, str | None] = {
        "owner": card.owner,
        "risk_tier": card.risk_tier,
        "validator": card.validator,
        "contact": card.contact,
        "review_by": None if card.review_by is None else card.review_by.isoformat(),
        **{f"materiality.{side}": said for side, said in card.materiality.items()},
    }
    for name, value in named.items():
        if value is not None:
            yield name, value
    for name, values in (
        ("overseer", card.overseers),
        ("finding", card.findings),
        ("data_class", card.data_classes),
        ("data_segment", card.data_segments),
    ):
        for value in values:
            yield name, value


def _words(card: Card, key: str) -> list[str]:
    """Give a key of the Hub's that holds one text or several."""
    value = card.front.get(key, [])
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def _said_in(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not said: keys whose value is None or empty, all the way down."""
    kept = {key: _said(below) for key, below in keys.items()}
    return {key: below for key, below in kept.items() if below not in _NOTHING}


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _said_in(value)
    return [_said(each) for each in value] if isinstance(value, list) else value
