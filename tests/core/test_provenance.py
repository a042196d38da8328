"""How much is known of where a version comes from."""

import pytest

from gateway.core.provenance import WANTED, provenance_of
from gateway.core.standing import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_told_is_nothing_known(kind):
    """Every wanted fact is missing, in the order in which they are wanted."""
    known = provenance_of(kind, {})
    assert (0.0, WANTED[kind]) == (known.completeness, known.missing)


def test_what_is_told_counts_by_its_path():
    """Below other keys too; what nobody wanted counts nothing, and an empty list has been told."""
    facts = {"owner": "ada", "origin": "web", "known_gaps": [], "colour": "red"}
    known = provenance_of("dataset", facts)
    assert (("purpose", "licence"), 0.6) == (known.missing, known.completeness)
    assert "data.training" not in provenance_of("model", {"data": {"training": ["a@1"]}}).missing
    assert "data.evaluation" in provenance_of("model", {"data": {"training": ["a@1"]}}).missing


def test_everything_told_is_complete():
    """A share of one, and nothing missing."""
    known = provenance_of("release", {"owner": "ada", "model": "m@1", "prompt": "p@1"})
    assert (1.0, ()) == (known.completeness, known.missing)
