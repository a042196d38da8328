"""The lifecycle of a version, apart from its review: active, deprecated with a date and a successor, retired.

The law: a deprecated version serves as before, and says so; a retired one gets no request, and never returns.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.core.errors import VerbRefused


class Lifecycle(StrEnum):
    """Where a version is in its life."""

    active = "active"
    deprecated = "deprecated"
    retired = "retired"


MOVES: Mapping[tuple[Lifecycle, str], Lifecycle] = {
    (Lifecycle.active, "deprecate"): Lifecycle.deprecated,
    (Lifecycle.deprecated, "deprecate"): Lifecycle.deprecated,  # with another date, or another successor
    (Lifecycle.active, "retire"): Lifecycle.retired,
    (Lifecycle.deprecated, "retire"): Lifecycle.retired,
}


def lived(subject: str, state: Lifecycle, verb: str) -> Lifecycle:
    """Give the state that a verb leads to; `subject` names the version for the refusal.

    Raises:
        VerbRefused: a version in this state does not take the verb.
    """
    after = MOVES.get((state, verb))
    if after is None:
        raise VerbRefused(f"{subject} is {state.value} and does not take {verb}; publish another version")
    return after
