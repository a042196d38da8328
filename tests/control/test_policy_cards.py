"""Cards in a policy set, and what is missing in them."""

from datetime import date

import pytest

from gateway.control.policies import load
from gateway.control.policy_cards import gaps_of, is_card, read_card
from gateway.control.signatures import subjects_of
from gateway.core.errors import PolicyFault
from tests.control.cards import FULL, card_text, read
from tests.control.serving_world import files, route

TODAY = date(2026, 11, 25)


def with_card(text, name="c.card.md"):
    """A set of one route with a card."""
    return {**files(route(releases="1.0.0")), name: text}


def problems(policy_files):
    """What is wrong with a set, a line each."""
    with pytest.raises(PolicyFault) as caught:
        load(policy_files)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("subject", ["desk/1.0.0", "atlas-1.0.0@2026-01-01"])
def test_a_card_is_of_a_release_or_of_a_model_version(subject):
    """One that the set declares or registers."""
    policies = load(with_card(card_text(subject=subject)))
    assert subject == policies.cards[subject].card.subject
    assert "c.card.md:2" == str(policies.cards[subject].where)


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        (
            "dusk/1.0.0",
            "c.card.md:4: card dusk/1.0.0: governance.subject: there is no route 'dusk'; did you mean 'desk'?",
        ),
        ("desk/2.0.0", "governance.subject: there is no release '2.0.0'; did you mean '1.0.0'? correct it"),
        ("atlas@1", "governance.subject: there is no model 'atlas@1'; "),
        ("desk", "governance.subject is 'desk', which names no version; write a model version NAME@VERSION"),
    ],
)
def test_a_subject_is_one_of_the_set(subject, problem):
    """Or the card is about nothing."""
    (found,) = problems(with_card(card_text(subject=subject)))
    assert problem in found


def test_a_card_that_does_not_say_enough_is_warned_of():
    """The set is acceptable all the same; what is missing is listed."""
    text = card_text(FULL.replace("owner: desk-team", "owner: TBD").replace("validator: risk-team", "validator: TODO"))
    found = [str(warning) for warning in load(with_card(text)).warnings if warning.file == "c.card.md"]
    assert [
        "c.card.md:3: card desk/1.0.0: governance does not say: owner, validator; see pinion card check c.card.md"
    ] == found


def test_a_subject_has_one_card():
    """A second one would contradict it."""
    (found,) = problems({**with_card(card_text()), "d.card.md": card_text()})
    assert "d.card.md" in found
    assert "card desk/1.0.0 is declared twice; keep one; the first is at c.card.md:2" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# A card\n", "c.card.md:1: the card file has no front matter; write --- on the first line"),
        ("---\n---\n", "c.card.md:1: the front matter holds 0 documents"),
        ("---\na: [\n---\n", "c.card.md:3: not valid YAML"),
        ("---\nlicense: mit\n---\n", "c.card.md:2: card None: governance is missing; add it"),
        ("---\ngovernance: {owner: x}\n---\n", "c.card.md:2: card None: governance.subject is missing; add it"),
        (card_text(front="kind: card\n"), "c.card.md:2: the front matter has a key 'kind'; remove it"),
        (card_text(front="text: x\n"), "c.card.md:2: the front matter has a key 'text'; remove it"),
        (card_text(front="size: 9007199254740993\n"), "holds a number over 2^53, which JSON does not carry exactly"),
    ],
)
def test_a_card_that_cannot_be_read_is_a_problem(text, problem):
    """In the set and by itself alike."""
    assert any(problem in line for line in problems(with_card(text)))
    _, card, found = read_card("c.card.md", text)
    assert card is None
    assert any(problem in str(each) for each in found)


def test_a_card_stands_in_a_file_of_its_own():
    """In a YAML file it would have no text."""
    document = "kind: card\nname: desk/1.0.0\ngovernance: {subject: desk/1.0.0}\ntext: x\n"
    (found,) = problems({**files(route()), "c.yaml": document})
    assert "c.yaml:1: a card stands in a file of its own; write its keys as the front matter of a file" in found
    assert not is_card("c.yaml")


def test_how_a_file_was_saved_makes_no_other_card():
    """Line ends and a byte order mark are the editor's; the text is not."""
    text = card_text(body="# Data\n\nWords.\n")
    cards = [read_card("c.card.md", each)[1] for each in (text, text.replace("\n", "\r\n"), "\ufeff" + text)]
    assert 1 == len({card.digest for card in cards})
    assert "Words." == cards[1].sections["Data"]
    assert cards[0].digest != read_card("c.card.md", text + "x")[1].digest


def test_gaps_are_told_where_they_would_stand():
    """A placeholder at its own line, what is not there at its block's."""
    text = card_text("  owner: TBD\n  risk_tier: minimal\n")
    declared, card, _ = read_card("c.card.md", text)
    assert [
        "c.card.md:3: card desk/1.0.0: governance.intended_use is not said; write intended_use:, or the section "
        "Intended use",
        "c.card.md:3: card desk/1.0.0: governance.limitations is not said; write limitations:, or the section "
        "Limitations and risks",
        "c.card.md:5: card desk/1.0.0: governance.owner is not said; say who answers for it, with owner:",
    ] == [str(gap) for gap in gaps_of(declared, card, TODAY)]


@pytest.mark.parametrize(("today", "overdue"), [(date(2027, 3, 31), 0), (date(2027, 4, 1), 1)])
def test_a_review_is_due_on_its_day(today, overdue):
    """The day after, it is overdue."""
    declared, card, _ = read_card("c.card.md", card_text())
    gaps = gaps_of(declared, card, today)
    assert overdue == len(gaps)
    assert all("governance.review_by: the review was due by 2027-03-31; review it" in str(gap) for gap in gaps)


def test_what_a_card_says_becomes_its_value():
    """Every key of the block."""
    card = read()
    assert ("desk-team", "high", ("duty lead",), date(2027, 3, 31)) == (
        card.owner,
        card.risk_tier,
        card.overseers,
        card.review_by,
    )
    assert {"exposure": "1,000 people a day", "purpose": "answers"} == card.materiality
    assert (("messages",), ("de", "fr")) == (card.data_classes, card.data_segments)


def test_a_signature_covers_the_cards():
    """Of the release and of its model version; a card that changes takes the signature away."""
    policy_files = with_card(card_text())
    before = subjects_of(load(policy_files), "desk", "1.0.0")
    assert "card:desk/1.0.0" in before
    policy_files["m.card.md"] = card_text(subject="atlas-1.0.0@2026-01-01")
    policy_files["c.card.md"] += "\nMore.\n"
    after = subjects_of(load(policy_files), "desk", "1.0.0")
    assert "card:atlas-1.0.0@2026-01-01" in after
    assert before["card:desk/1.0.0"] != after["card:desk/1.0.0"]
