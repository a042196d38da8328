"""Cards filled in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.card_render import BEGIN, END, figures_in, group_note, rendered, shown_value
from gateway.control.policy_cards import read_card
from gateway.core.card import MeasuredFigure, Measurement
from gateway.core.release_figures import ReleaseFigures
from tests.control.cards import FULL, read

FIGURES = (
    MeasuredFigure("desk/1.0.0", "requests", 40.0, 40),
    MeasuredFigure("desk/1.0.0", "error_rate", None, 0),
    MeasuredFigure("desk/1.0.0", "cost_per_1000_requests_usd", 0.5, 38, 2),
)
MEASURED = Measurement("2026-10-28T00:00:00Z", "2026-11-25T00:00:00Z", FIGURES)


def again(text):
    """Read what was rendered."""
    _, card, problems = read_card("r.card.md", text)
    assert card is not None, problems
    return card


def told(figures):
    """What the operations API tells of figures."""
    return {"route": "desk", "release": "1.0.0", "since": 0.0, "until": 1.0, **figures.to_json()}


def test_figures_keep_what_they_rest_on():
    """Undefined ones stay undefined, and what is unknown is counted."""
    figures = ReleaseFigures(requests=3, answered=3, good=3, failed=1, cost_known=2, cost_nano_usd=2_000_000)
    figures.seconds.add(1.0)
    found = {figure.metric: (figure.value, figure.n, figure.unknown) for figure in figures_in(told(figures))}
    assert {
        "requests": (3.0, 3, 0),
        "error_rate": (0.25, 4, 0),
        "first_token_seconds_p50": (None, 0, 0),
        "cost_per_1000_requests_usd": (1.0, 2, 1),
        "input_tokens": (None, 0, 3),
    }.items() <= found.items()
    assert (pytest.approx(1.0, rel=0.021), 1, 0) == found["seconds_p99"]


def test_a_rendered_card_is_a_card():
    """With all that it said, the figures, and an index of results for the Hub."""
    card = read(front="license: mit\nmodel-index: [{name: old, results: []}, {name: desk/1.0.0, results: []}]\n")
    found = again(rendered(card, MEASURED))
    assert MEASURED == found.measured
    assert (card.subject, card.evaluations, card.risks, "mit") == (
        found.subject,
        found.evaluations,
        found.risks,
        found.front["license"],
    )
    old, own = found.front["model-index"]
    assert ("old", "desk/1.0.0") == (old["name"], own["name"])
    assert [("golden@3", "right", 1), ("live requests of desk/1.0.0", "requests", 40)] == [
        (each["dataset"]["name"], each["metrics"][0]["type"], each["metrics"][0]["value"])
        for each in own["results"][:2]
    ]
    assert 3 == len(own["results"])


def test_the_tables_are_in_the_section_evaluation():
    """At its end, before the next one; small groups are marked, and what is undefined is not 0."""
    card = read(body="# A card\n\n## Evaluation\n\nWords.\n\n### More\n\nMore words.\n\n## Lifecycle\n\nEnd.\n")
    text = rendered(card, MEASURED)
    assert text.index("More words.") < text.index(BEGIN) < text.index(END) < text.index("## Lifecycle")
    assert "| desk/1.0.0 | error_rate | undefined | 0 |  |" in text
    assert "| desk/1.0.0 | cost_per_1000_requests_usd | 0.5 | 38 | unknown for 2 |" in text
    assert "| right | fr | 0.75 | 12 | insufficient |" in text
    assert "| resolved | fr | undefined | 0 | insufficient |" in text
    assert "| resolved | de | 0.9 | 100 |  |" in text


@pytest.mark.parametrize("body", ["", "# A card\n\nWords.\n", "## Evaluation\nWords.\n", "## Evaluation", "\n\nWords"])
def test_rendering_again_takes_the_place_of_the_last_time(body):
    """The section is added where there is none."""
    once = rendered(read(body=body), MEASURED)
    assert once == rendered(again(once), MEASURED)
    assert 1 == once.count(BEGIN) == once.count("Evaluation\n")


def test_a_card_without_groups_has_no_table_of_them():
    """There is nothing to show."""
    assert "By group" not in rendered(read("  owner: x\n"), MEASURED)


def test_no_text_leaves_its_cell():
    """Bars, lines and markup of others' making stay words."""
    card = read(FULL.replace("group: de", 'group: "a|b <!-- c\\\\d"'))
    assert "| resolved | a\\|b &lt;!-- c\\\\d | 0.9 | 100 |  |" in rendered(card, MEASURED)


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=9).map(lambda key: f"x-{key}"),
        st.recursive(
            st.booleans()
            | st.integers(-(2**53) + 1, 2**53 - 1)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
            | st.sampled_from(
                [
                    "1e3",
                    "0o7",
                    "1.0",
                    "no",
                    "true",
                    "null",
                    "~",
                    "2026-01-01",
                    "a: b",
                    "- x",
                    "|",
                    "a\nb\n",
                    "a\x85",
                    "a\r\nb",
                ]
            ),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_front_matter_is_read_as_it_was_written(front):
    """Texts stay texts and numbers numbers, whatever they look like."""
    card = read()
    written = again(rendered(replace(card, front={**card.front, **front}), MEASURED)).front
    assert front == {key: written[key] for key in front}


@pytest.mark.parametrize(("value", "shown"), [(None, "undefined"), (0.0, "0"), (0.123456789, "0.123457")])
def test_values_are_short(value, shown):
    """Six digits; undefined is not 0."""
    assert shown == shown_value(value)


def test_a_group_needs_thirty_cases():
    """Below that it is shown, and marked."""
    assert ["insufficient", ""] == [group_note(n) for n in (29, 30)]
