"""Text that can be stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.text import storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("Grüße, 東京 \U0001f600", "Grüße, 東京 \U0001f600"),
        ("two\nlines\tand\x7f", "two\nlines\tand\x7f"),
        ("nul\0", "nul?"),
        ("half \ud83d of one", "half ? of one"),
        ("\0\udfff\n", "??\n"),
    ],
)
def test_what_no_database_takes_becomes_a_question_mark(text: str, stored: str):
    """A NUL or half a character does; all else stays as it is, whatever it looks like."""
    assert stored == storable(text)


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_can_be_stored(text: str):
    """It is UTF-8 without a NUL, as long as it was, and storing it again changes nothing."""
    stored = storable(text)
    assert b"\0" not in stored.encode()
    assert (len(text), stored) == (len(stored), storable(stored))
