"""The keys of cards."""

from pathlib import Path

import pytest

from gateway.control.card_documents import MAX_BODY_CHARS, CardDocument, GovernanceKeys
from gateway.control.policy_cards import read_card
from tests.control.cards import card_text, read

PAGE = (Path(__file__).parents[2] / "docs" / "cards.md").read_text(encoding="utf-8")


def said(more, **rest):
    """What is wrong with a card, a line each."""
    _, card, problems = read_card("a.card.md", card_text(more, **rest))
    assert card is None
    return [str(problem) for problem in problems]


def test_any_key_may_stand_outside_the_block():
    """As on the Hub; one text is a list of one where lists are usual."""
    front = (
        "license: mit\nlanguage: [en, de]\nmodel-index: [{name: x, results: []}]\nco2_eq_emissions: {emissions: 1.5}\n"
    )
    card = read("", front=front)
    assert {
        "license": "mit",
        "language": ["en", "de"],
        "co2_eq_emissions": {"emissions": 1.5},
    }.items() <= card.front.items()
    assert "model-index" in card.front


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("  ownr: x\n", "a.card.md:5: unknown key 'ownr' in governance of card desk/1.0.0; did you mean 'owner'?"),
        ("  risks: [{nam: x, mitigation: y}]\n", "unknown key 'nam' in governance.risks.1 of card desk/1.0.0"),
        ("  risk_tier: huge\n", "governance.risk_tier is 'huge'; write 'minimal', 'limited' or 'high'"),
        ("  review_by: soon\n", "governance.review_by: 'soon' is not a day; write one like 2027-03-31"),
        ("  review_by: 2027-02-30\n", "governance.review_by: '2027-02-30' is not a day"),
        ("  owner:\n", "governance.owner has no value; write one, or remove the key"),
        ("  limitations: none\n", "governance.limitations is 'none', not a list"),
        ("  fairness: [{metric: a, group: b, n: -1}]\n", "governance.fairness.1.n is -1; it must be at least 0"),
        ("  fairness: [{metric: a, group: b, n: 1, value: x}]\n", "governance.fairness.1.value is 'x', not a number"),
        ("  evaluations: [{name: a, metric: b, verdict: good}]\n", "verdict is 'good'; write 'PASS', 'FAIL' or"),
        (f"  intended_use: {'x' * 20_001}\n", "governance.intended_use: it is over 20000 characters; write it in a"),
    ],
)
def test_the_block_is_held_to_its_keys(more, problem):
    """Each mistake at its line."""
    assert any(problem in line for line in said(more)), said(more)


def test_a_card_is_of_a_fair_length():
    """What is longer belongs elsewhere."""
    (found,) = said("", body="x" * (MAX_BODY_CHARS + 1))
    assert "text: it is over 131072 characters; keep what matters, and link the rest" in found


def test_a_whole_number_is_a_figure():
    """0 and 1 are usual ones."""
    assert 1.0 == read().evaluations[0].value


def test_the_page_names_every_key():
    """A key that is not documented cannot be found."""
    keys = [*GovernanceKeys.model_fields, *CardDocument.model_fields]
    assert [] == [key for key in keys if f"`{key}`" not in PAGE and key not in ("kind", "name", "text")]
