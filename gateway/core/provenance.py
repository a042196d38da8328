"""How much is known of where a version comes from: what is told of it, of what should be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.standing import Kind

WANTED: Mapping[Kind, tuple[str, ...]] = {
    "model": (
        "owner",
        "provider",
        "upstream_model",
        "base_model",
        "data.training",
        "data.evaluation",
        "training.commit",
        "training.framework",
        "training.dependencies",
        "training.seeds",
        "training.parameters",
        "evaluations",
        "licence",
        "artifacts",
        "use_cases",
        "limitations",
        "materiality",
        "validator",
        "findings",
        "review_by",
        "may_serve",
    ),
    "dataset": ("owner", "origin", "purpose", "licence", "known_gaps"),
    "prompt": ("owner",),
    "release": ("owner", "model"),
}
"""The facts that each kind of version should have, each as a path of keys."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of a version, of what should be: `missing` are the paths of the facts that nobody has told."""

    wanted: int
    missing: tuple[str, ...]

    @property
    def completeness(self) -> float:
        """The share that is known, from 0 to 1."""
        return (self.wanted - len(self.missing)) / self.wanted


def provenance_of(kind: Kind, facts: Mapping[str, Any]) -> Provenance:
    """Say how complete the facts of a version are. An empty list is told too: that there is none must be said."""
    wanted = WANTED[kind]
    known = set(_paths(facts, ""))
    return Provenance(len(wanted), tuple(path for path in wanted if path not in known))


def _paths(facts: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, value in facts.items():
        path = f"{above}{name}"
        yield path
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
