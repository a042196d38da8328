"""Cards: what each tier asks for, what says nothing, and their digests."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.core.card import (
    SECTIONS,
    GroupFigure,
    Risk,
    cannot_be_shown,
    card_digest,
    completeness,
    is_placeholder,
    why_incomplete,
)
from tests.control.cards import read

FULL = read()
BARE = read("")

MINIMAL = ["owner", "intended use", "limitations", "risk tier"]
LIMITED = [*MINIMAL, "out of scope", "evaluation", "data"]
HIGH = [*LIMITED, "overseers", "risks", "validator", "review date", "evaluation by group"]


def lacks(card, tier):
    """The names of what a card does not say."""
    return [missing.name for missing in completeness(card, tier).missing]


@pytest.mark.parametrize(("tier", "asked"), [("minimal", MINIMAL), ("limited", LIMITED), ("high", HIGH), (None, HIGH)])
def test_a_higher_tier_asks_for_more(tier, asked):
    """A tier that is not known is taken for the highest; the share is of what is asked for."""
    assert (asked, 0) == (lacks(BARE, tier), completeness(BARE, tier).share)
    assert ([], 1) == (lacks(FULL, tier), completeness(FULL, tier).share)


def test_the_share_is_what_is_said_of_what_is_asked():
    """Each thing counts once."""
    assert 11 / 12 == pytest.approx(completeness(replace(FULL, validator=None), "high").share)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"owner": "TBD"}, "owner"),
        ({"intended_use": "[More Information Needed]"}, "intended use"),
        ({"limitations": ()}, "limitations"),
        ({"limitations": ("TODO", "- to be decided.")}, "limitations"),
        ({"risk_tier": None}, "risk tier"),
        ({"out_of_scope": " "}, "out of scope"),
        ({"evaluations": ()}, "evaluation"),
        ({"data_classes": (), "data_segments": ()}, "data"),
        ({"overseers": ("TBD",)}, "overseers"),
        ({"risks": ()}, "risks"),
        ({"risks": (Risk("wrong advice", "TODO"),)}, "risks"),
        ({"validator": None}, "validator"),
        ({"review_by": None}, "review date"),
        ({"evaluations": FULL.evaluations[:1], "fairness": ()}, "evaluation by group"),
    ],
)
def test_each_thing_may_be_missing(change, missing):
    """Also where a placeholder stands in its place."""
    assert [missing] == lacks(replace(FULL, **change), "high")


@pytest.mark.parametrize(
    ("change", "section"),
    [
        ({"intended_use": None}, "Intended use"),
        ({"limitations": ()}, "Limitations and risks"),
        ({"out_of_scope": None}, "Out-of-scope"),
        ({"evaluations": (), "fairness": (GroupFigure("right", "de", 1.0, 40),)}, "Evaluation"),
        ({"data_classes": (), "data_segments": ()}, "Data"),
    ],
)
def test_a_section_says_what_the_block_does_not(change, section):
    """Unless it is a placeholder itself."""
    assert section in SECTIONS
    assert [] == lacks(replace(FULL, **change, sections={section: "Words."}), "high")
    assert 1 == len(lacks(replace(FULL, **change, sections={section: "TODO"}), "high"))


def test_a_placeholder_in_the_block_gives_way_to_the_section():
    """Whoever wrote the one forgot the other."""
    assert "Words." == replace(FULL, sections={"Data": "Words."}).said_in("Data", "TBD")
    assert "Mine." == replace(FULL, sections={"Data": "Words."}).said_in("Data", None, "Mine.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("TBD", True),
        ("**todo**:", True),
        ("- TBD\n- FIXME\n", True),
        ("Direct use: [more information needed]", True),
        ("to be determined.", True),
        ("Sorts a TODO list.", False),
        ("TBD by the owner", False),
        ("none", False),
        ("0", False),
    ],
)
def test_what_is_a_placeholder(text, expected):
    """Words that stand for words to come, alone on each line; and what a template leaves, anywhere."""
    assert expected == is_placeholder(text)


def test_three_things_are_needed_to_be_shown():
    """In any tier."""
    assert ["owner", "intended use", "limitations"] == [missing.name for missing in cannot_be_shown(BARE)]
    assert () == cannot_be_shown(FULL)


def test_figures_of_groups_come_from_both_places():
    """Undefined ones stay undefined."""
    assert (
        GroupFigure("right", "fr", 0.75, 12),
        GroupFigure("resolved", "de", 0.9, 100),
        GroupFigure("resolved", "fr", None, 0),
    ) == FULL.evaluations_by_group


def test_a_digest_is_of_values_not_of_their_writing():
    """By RFC 8785: the order of keys and 1.0 for 1 make no difference, a word does; and the bytes are as it says."""
    one = card_digest({"b": 1, "a": [1e-7]}, "x")
    assert one == card_digest({"a": [0.0000001], "b": 1.0}, "x")
    assert one != card_digest({"a": [0.0000001], "b": 1.0}, "y")
    assert "2219ba5207c65c6e9eba33133a1778448af6919048367c3438923f1ed6434196" == card_digest({"b": 1, "a": 2}, "é")


def test_a_number_that_json_cannot_carry_has_no_digest():
    """Integers over 2^53 would be another number elsewhere."""
    with pytest.raises(ValueError, match="exceeds"):
        card_digest({"a": 2**53 + 1}, "")


@pytest.mark.parametrize(
    ("own", "tier", "gaps"),
    [
        ("high", "high", None),
        ("minimal", "minimal", None),
        ("minimal", "limited", "evaluation (write evaluations:, or the section Evaluation)"),
        ("limited", "minimal", "evaluation (write evaluations:, or the section Evaluation)"),
        (None, "minimal", "risk tier (write risk_tier: minimal, limited or high), evaluation (write"),
    ],
)
def test_where_a_release_answers_a_card_is_held_to_the_higher_of_both_tiers(own, tier, gaps):
    """What it lacks comes with what to write; one that states no tier is held to the highest."""
    evaluations = FULL.evaluations if own == "high" else ()
    found = why_incomplete(replace(FULL, risk_tier=own, evaluations=evaluations), tier, date(2027, 3, 31))
    if gaps is None:
        assert found is None
    else:
        assert found.startswith(f"the card of desk/1.0.0 lacks {gaps}")


def test_a_card_whose_review_is_overdue_is_not_complete():
    """From the day after the one that it names."""
    said = "the card of desk/1.0.0 lacks a review, due by 2027-03-31 (review it, and write the next day)"
    assert said == why_incomplete(FULL, "minimal", date(2027, 4, 1))
