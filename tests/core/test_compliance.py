"""Rows for clauses: a status from the evidence that there is, and a gap where there is none."""

import pytest

from gateway.core.clauses import CLAUSES, FRAMEWORKS
from gateway.core.compliance import MOST_NAMED, Evidence, evidence_of, rows

WHOLE = evidence_of("cards", "1 of 1 has a card", {"gpt@1": "d1"})
PART = evidence_of("provenance", "1 of 2 whole", {"gpt@1": None}, ("gpt@2",))
NONE = evidence_of("provenance", "0 of 1 whole", {}, ("gpt@2",))


def row_of(framework, clause, *found: Evidence):
    """One row of an export over this evidence."""
    made = rows({each.kind: each for each in found})
    return next(row for row in made if (row.framework, row.clause) == (FRAMEWORKS[framework].name, clause))


def test_every_clause_has_a_row():
    """In its order, also where nothing is recorded at all; then each is a gap, or does not apply."""
    made = rows({})
    assert [clause.clause for clause in CLAUSES] == [row.clause for row in made]
    assert {"gap", "not_applicable"} == {row.status for row in made}


def test_every_clause_asks_for_something_or_says_why_not():
    """And is of a framework that is known, once."""
    assert len(CLAUSES) == len({(clause.framework, clause.clause) for clause in CLAUSES})
    for clause in CLAUSES:
        assert clause.framework in FRAMEWORKS
        assert bool(clause.kinds) is (clause.not_applicable is None)


@pytest.mark.parametrize(
    ("found", "status"),
    [([], "gap"), ([WHOLE], "partial"), ([WHOLE, PART], "partial"), ([NONE], "gap"), ([WHOLE, NONE], "partial")],
)
def test_the_status_is_that_of_all_kinds_together(found, status):
    """Article 11 asks for cards and for provenance."""
    assert status == row_of("eu-ai-act", "11", *found).status


def test_whole_evidence_is_evidenced():
    """With what there is, by name and digest."""
    whole = evidence_of("provenance", "1 of 1 whole", {"gpt@1": "f1"})
    row = row_of("eu-ai-act", "11", WHOLE, whole)
    assert ("evidenced", "cards: 1 of 1 has a card; provenance: 1 of 1 whole") == (row.status, row.justification)
    assert [("gpt@1", "d1"), ("gpt@1", "f1")] == [
        (item.id, item.digest) for each in row.evidence for item in each.items
    ]


def test_what_is_missing_is_named():
    """So that somebody can fill it in."""
    assert "provenance: 1 of 2 whole, missing for gpt@2" in row_of("eu-ai-act", "11", PART).justification


def test_what_does_not_apply_says_why():
    """And has no evidence."""
    row = row_of("eu-ai-act", "12(3)")
    assert ("not_applicable", ()) == (row.status, row.evidence)
    assert "identifies nobody" in row.justification


def test_a_framework_that_is_only_good_practice_says_so():
    """SR 26-2 leaves generative models out of its scope."""
    assert "outside its scope" in row_of("sr-26-2", "vendors").justification


def test_many_items_are_counted_and_some_are_named():
    """A row stays readable."""
    found = evidence_of("deployments", "many", {f"{number:03}": None for number in range(100)})
    assert (100, MOST_NAMED, "000") == (found.held, len(found.items), found.items[0].id)
