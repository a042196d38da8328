"""Searching a registry."""

import pytest

from gateway.core.search import found_in

FACTS = {
    "owner": "ML-Team",
    "use_cases": ["customer support", "sales support"],
    "limitations": ["no legal advice"],
    "materiality": {"exposure": "low", "purpose": "answers to customers"},
    "evaluations": [{"name": "safety", "value": 0.5, "group": "minors"}, {"name": "golden", "value": 1}],
    "floating": None,
}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("ATLAS", ("name",)),
        ("atlas@2026", ("name",)),
        ("ml-t", ("owner",)),
        ("support", ("use_cases",)),
        ("legal", ("limitations",)),
        ("customer", ("use_cases", "materiality.purpose")),
        ("minors", ("evaluations.group",)),
        ("0.5", ()),
        ("exposure", ()),
        ("dragons", ()),
    ],
)
def test_a_text_is_found_where_it_is_said(text, places):
    """In names and in every text of the facts, each place once; keys and numbers say nothing."""
    assert places == found_in("atlas@2026-01", FACTS, text)
