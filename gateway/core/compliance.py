"""A compliance export: for each clause of a framework, what the record holds as evidence, and what is missing.

The law: a clause without evidence is a row that says `gap`; no row is ever left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.core.clauses import CLAUSES, FRAMEWORKS, Clause, Kind

Status = Literal["evidenced", "partial", "gap", "not_applicable"]

MOST_NAMED = 20
"""How many items of each kind a row names; the counts are of all."""


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of evidence: what it is, with the digest that it had where it has one."""

    id: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the record holds of one kind: the items that there are, and those that should be and are not.

    `items` are named up to MOST_NAMED, `held` counts them all; `missing` names what lacks it. `said` tells it in words.
    """

    kind: Kind
    items: tuple[Item, ...]
    held: int
    missing: tuple[str, ...]
    said: str

    @property
    def status(self) -> Status:
        """Whether it is there for all that should have it, for some, or for none."""
        if not self.held:
            return "gap"
        return "partial" if self.missing else "evidenced"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an export."""

    framework: str
    framework_version: str
    clause: str
    title: str
    responsible: str
    status: Status
    justification: str
    evidence: tuple[Evidence, ...]


def evidence_of(kind: Kind, said: str, held: Mapping[str, str | None], missing: tuple[str, ...] = ()) -> Evidence:
    """Make the evidence of a kind from what there is, by id with its digest, and from what lacks it."""
    items = tuple(Item(name, digest) for name, digest in sorted(held.items())[:MOST_NAMED])
    return Evidence(kind, items, len(held), tuple(sorted(missing)), said)


def rows(found: Mapping[Kind, Evidence]) -> list[Row]:
    """Give every row, in the order of the clauses. A kind of which nothing is found is a gap."""
    return [_row(clause, found) for clause in CLAUSES]


def _row(clause: Clause, found: Mapping[Kind, Evidence]) -> Row:
    framework = FRAMEWORKS[clause.framework]
    evidence: tuple[Evidence, ...] = ()
    status: Status = "not_applicable"
    why = clause.not_applicable
    if why is None:
        evidence = tuple(found.get(kind, Evidence(kind, (), 0, (), "nothing is recorded")) for kind in clause.kinds)
        status = _together([each.status for each in evidence])
        why = "; ".join(_justified(each) for each in evidence)
    return Row(
        framework=framework.name,
        framework_version=framework.version,
        clause=clause.clause,
        title=clause.title,
        responsible=clause.responsible,
        status=status,
        justification=f"{why} ({framework.note})" if framework.note else why,
        evidence=evidence,
    )


def _together(statuses: list[Status]) -> Status:
    if all(status == "gap" for status in statuses):
        return "gap"
    return "evidenced" if all(status == "evidenced" for status in statuses) else "partial"


def _justified(evidence: Evidence) -> str:
    missing = f", missing for {', '.join(evidence.missing[:MOST_NAMED])}" if evidence.missing else ""
    return f"{evidence.kind}: {evidence.said}{missing}"
