"""What one request showed, packed and unpacked."""

import base64
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.observation import Answer, Observation, packed, packed_length, unpacked
from gateway.core.outcome import Outcome
from gateway.core.unit_cells import ALIKE

AT = 7.0
SECONDS = st.floats(0, 1e6, width=32)


@st.composite
def answers(draw):
    """Answers as evidence makes them: the pace is that of the first token or of the whole."""
    seconds, first = draw(SECONDS), draw(st.none() | SECONDS)
    return Answer(
        seconds=seconds,
        pace=seconds if first is None else draw(st.sampled_from([seconds, first])),
        first_token_seconds=first,
        cost=draw(st.none() | st.floats(0, 1e6)),
        tokens=draw(st.none() | st.integers(0, 2**32 - 1)),
        schema_valid=draw(st.none() | st.booleans()),
    )


SEEN = st.builds(
    Observation,
    side=st.sampled_from(["stable", "candidate"]),
    outcome=st.sampled_from([outcome.value for outcome in Outcome]),
    unit=st.integers(0, ALIKE - 1),
    at=st.just(AT),
    answer=st.none() | answers(),
)


@given(st.lists(SEEN, max_size=20))
def test_what_is_packed_is_unpacked_as_it_was(seen):
    """Every side, outcome and answer, in the length that is told."""
    text = packed(seen)
    assert packed_length(len(seen)) == len(text)
    assert seen == unpacked(text, AT)


def test_what_does_not_fit_is_cut_to_what_counts_alike():
    """A unit to what its cells tell apart, what is no number to something slow, a cost below nothing to an unknown."""
    odd = Observation("stable", "ok", 5 * ALIKE + 3, 1.0, Answer(math.nan, math.nan, None, -1.0, 2**40, None))
    (found,) = unpacked(packed([odd]), AT)
    assert (3, AT) == (found.unit, found.at)
    assert (1e9, 1e9, None, 2**32 - 1) == (
        found.answer.seconds,
        found.answer.pace,
        found.answer.cost,
        found.answer.tokens,
    )
    negative = Observation("stable", "ok", 1, 1.0, Answer(-1.0, -1.0))
    assert 0.0 == unpacked(packed([negative]), AT)[0].answer.seconds


GOOD = (0x10, 0, 1, 1.0, 0.0, 0.0, 0)
"""The numbers of a row of an answer that took a second."""


def row(*numbers):
    """A row of these numbers, as text."""
    return base64.b64encode(struct.pack("<BBHffdI", *numbers)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "é",
        "AAAA",
        row(7, *GOOD[1:]),
        row(0x10, 3, *GOOD[2:]),
        row(*GOOD[:3], math.nan, 0.0, 0.0, 0),
        row(*GOOD[:3], -1.0, 0.0, 0.0, 0),
        row(*GOOD[:3], 1.0, math.inf, 0.0, 0),
        row(*GOOD[:3], 1.0, 0.0, 1e300, 0),
    ],
)
def test_what_nobody_packed_is_refused(text):
    """Whatever it is that is wrong with it."""
    assert 1 == len(unpacked(row(*GOOD), AT))
    with pytest.raises(ValueError, match=r"^(its rows|string argument)"):
        unpacked(text, AT)
