"""An export of the audit trail, line by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.audit import Entry, Salted, ToldEntry, TreeHead
from gateway.core.audit_export import line_of, read_line
from tests.core.audit_chain import chain
from tests.core.test_audit_check import checkpoint

SALTED = st.none() | st.builds(Salted, st.binary(), st.text(st.characters(exclude_categories=["Cs"])))


@given(
    st.builds(
        ToldEntry, st.builds(Entry, st.integers(1, 2**53), st.binary(), st.text("0123456789abcdef")), SALTED, SALTED
    )
)
def test_an_entry_comes_back_as_it_was(told):
    """Whatever bytes it has, on one line of ASCII."""
    line = line_of(told)
    assert line.isascii()
    assert 1 == line.count("\n")
    assert told == read_line(line)


def test_checkpoints_and_the_end_come_back():
    """The note as it is, and how many entries there are."""
    made = checkpoint(chain(3))
    assert made == read_line(line_of(made))
    end = TreeHead("c0ffee", 3, made.root)
    assert end == read_line(line_of(end))
    assert {"chain": "c0ffee", "size": 3, "root": made.root} == json.loads(line_of(end))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"checkpoint": "nonsense"}',
        '{"size": 1}',
        '{"seq": 1, "entry": "", "hash": "", "actor": "ada", "reason": null}',
        '{"seq": 1, "entry": "", "hash": "", "actor": {"text": "ada", "salt": "x"}, "reason": null}',
        '{"seq": "1", "entry": "", "hash": "", "actor": null, "reason": null}',
    ],
)
def test_what_is_no_line_is_refused(line):
    """With what is wrong."""
    with pytest.raises(ValueError, match=r"."):
        read_line(line)
