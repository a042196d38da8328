"""Cards as CycloneDX."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from gateway.control.card_export import cyclonedx
from gateway.control.card_render import rendered
from gateway.control.policy_cards import read_card
from tests.control.cards import card_text, read
from tests.control.test_card_render import MEASURED

FRONT = """\
license: [apache-2.0, other]
pipeline_tag: text-generation
base_model: acme/base
base_model_relation: finetune
datasets: [golden, silver]
tags: [support]
"""
SERIAL = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"


def invalid(document):
    """What the schema of CycloneDX 1.6 has against a document."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))


@pytest.mark.parametrize(
    "card",
    [
        read(),
        read(front=FRONT, body="## Limitations\n\nMany.\n"),
        read("  owner: x\n"),
        read("  owner: x\n", subject="m@1"),
        read_card("a.card.md", rendered(read(front=FRONT), MEASURED))[1],
    ],
)
def test_a_document_is_valid(card):
    """By the schema of the specification, with and without what may stand in it."""
    assert invalid(cyclonedx(card, None, None, None)) is None
    assert invalid(cyclonedx(card, "ab" * 32, SERIAL, "2026-11-25T00:00:00Z")) is None


def test_the_schema_would_tell():
    """A validator that accepts everything proves nothing."""
    assert invalid({**cyclonedx(read(), None, None, None), "components": [{"type": "thing"}]}) is not None


def test_equal_cards_give_equal_documents():
    """No time and no chance is in them; what is given is."""
    one, other = (cyclonedx(read(), "ab" * 32, None, None) for _ in range(2))
    assert json.dumps(one) == json.dumps(other)
    assert not {"serialNumber", "metadata"} & one.keys()
    given = cyclonedx(read(), None, SERIAL, "2026-11-25T00:00:00Z")
    assert (SERIAL, "2026-11-25T00:00:00Z") == (given["serialNumber"], given["metadata"]["timestamp"])


def test_a_card_becomes_a_model_card():
    """Each part in its place."""
    (component,) = cyclonedx(read(front=FRONT), "ab" * 32, None, None)["components"]
    assert ("desk", "1.0.0", "machine-learning-model") == (component["name"], component["version"], component["type"])
    assert [{"alg": "SHA-256", "content": "ab" * 32}] == component["hashes"]
    assert ["acme/base"] == [each["name"] for each in component["pedigree"]["ancestors"]]
    card = component["modelCard"]
    assert {
        "task": "text-generation",
        "datasets": [{"type": "dataset", "name": name} for name in ("golden", "silver")],
    } == (card["modelParameters"])
    assert {
        "useCases": ["Answers about parcels."],
        "technicalLimitations": ["Knows one manual.", "Out of scope: Refunds."],
        "ethicalConsiderations": [{"name": "wrong advice", "mitigationStrategy": "an agent looks"}],
        "fairnessAssessments": [{"groupAtRisk": "fr"}, {"groupAtRisk": "de"}],
    } == card["considerations"]
    known = {each["name"]: each["value"] for each in card["properties"]}
    assert ("desk-team", "high", "2027-03-31", read(front=FRONT).digest) == tuple(
        known[f"pinion:{name}"] for name in ("owner", "risk_tier", "review_by", "card_digest")
    )


def test_figures_say_what_they_rest_on():
    """Groups that are too small are marked, undefined values are not 0, and measured ones name their requests."""
    filled = read_card("a.card.md", rendered(read(), MEASURED))[1]
    (component,) = cyclonedx(filled, None, None, None)["components"]
    metrics = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"type": "right", "value": "1", "slice": "golden@3, n = 400"} == metrics[0]
    assert {"type": "right", "value": "0.75", "slice": "group fr, n = 12, insufficient"} in metrics
    assert {"type": "resolved", "value": "undefined", "slice": "group fr, n = 0, insufficient"} in metrics
    live = "live requests of desk/1.0.0 from 2026-10-28T00:00:00Z to 2026-11-25T00:00:00Z"
    assert {"type": "cost_per_1000_requests_usd", "value": "0.5", "slice": f"{live}, n = 38, unknown for 2"} == metrics[
        -1
    ]


def test_sections_stand_in_for_keys():
    """What the text says is exported, too."""
    body = "## Intended use\n\nTalk.\n\n## Limitations and risks\n\nMany.\n"
    _, card, _ = read_card("a.card.md", card_text("  owner: x\n", body=body))
    (component,) = cyclonedx(card, None, None, None)["components"]
    assert {"useCases": ["Talk."], "technicalLimitations": ["Many."]} == component["modelCard"]["considerations"]
