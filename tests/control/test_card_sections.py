"""The sections of a card's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.control.card_sections import section_texts, sections_in
from gateway.core.card import SECTIONS

TEXT = """\
# A card

Words before.

## Intended use

First.

### For agents

Second.

## Something else

Third.

Evaluation
----------

Fourth.

```
## Data
```
"""


def test_sections_are_found_by_their_headings():
    """With what stands below smaller headings, and without the headings; what is in code is no heading."""
    assert {
        "Intended use": "First.\n\n\nSecond.",
        "Evaluation": "Fourth.\n\n```\n```",
    } == section_texts(TEXT)


def test_the_lines_of_a_section_are_known():
    """For who writes into it."""
    lines = TEXT.split("\n")
    assert [("Intended use", "## Something else"), ("Evaluation", "")] == [
        (section.name, lines[section.end] if section.end < len(lines) else "") for section in sections_in(TEXT)
    ]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        *((section, section) for section in SECTIONS),
        ("OUT OF SCOPE", "Out-of-scope"),
        ("Out-of-Scope Use", "Out-of-scope"),
        ("Bias, Risks, and Limitations", "Limitations and risks"),
        ("**Data**", "Data"),
    ],
)
def test_headings_are_known_however_they_are_written(heading, name):
    """Also as the Hub's template calls them."""
    assert {name: "Words."} == section_texts(f"#### {heading}\nWords.\n")


def test_a_section_that_stands_there_twice_is_one():
    """In two parts."""
    assert {"Data": "One.\n\nTwo."} == section_texts("# Data\nOne.\n# Data\nTwo.\n# Data\n")


@given(st.text(alphabet="# \n-=`>Data*[]()1.", max_size=200))
def test_no_text_is_too_strange(text):
    """Whatever is not a heading is passed over."""
    assert set(section_texts(text)) <= set(SECTIONS)
