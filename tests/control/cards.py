"""Model cards by a few words."""

from gateway.control.policy_cards import read_card
from gateway.core.card import Card

FULL = """\
  owner: desk-team
  risk_tier: high
  materiality: {exposure: "1,000 people a day", purpose: answers}
  intended_use: Answers about parcels.
  out_of_scope: Refunds.
  limitations: [Knows one manual.]
  overseers: [duty lead]
  contact: desk@example.com
  validator: risk-team
  findings: [German answers are short.]
  review_by: 2027-03-31
  risks: [{name: wrong advice, mitigation: an agent looks}]
  fairness: [{metric: resolved, group: de, value: 0.9, n: 100}, {metric: resolved, group: fr, n: 0}]
  evaluations:
    - {name: golden, metric: right, value: 1, n: 400, dataset: golden@3, verdict: PASS}
    - {name: golden, metric: right, value: 0.75, n: 12, group: fr}
  data: {classes: [messages], segments: [de, fr]}
"""


def card_text(more: str = FULL, *, subject: str = "desk/1.0.0", front: str = "license: mit\n", body: str = "") -> str:
    """A card's file: keys of the Hub, keys of the block, and Markdown."""
    return f"---\n{front}governance:\n  subject: {subject}\n{more}---\n{body}"


def read(more: str = FULL, **rest: str) -> Card:
    """A card's value."""
    _, card, problems = read_card("a.card.md", card_text(more, **rest))
    assert card is not None, problems
    return card
