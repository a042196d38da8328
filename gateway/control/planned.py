"""What taking a policy set would mean, told before it is taken: what it registers, starts, moves and leaves out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.control.admitted import removed, wanted_of
from gateway.control.policies import Policies
from gateway.core.admission import Excepted
from gateway.core.errors import Problem
from gateway.core.route_record import Decision
from gateway.core.standing import Entry, Standing


@dataclass(frozen=True, slots=True)
class Act:
    """What would happen to a route: a verb (deploy, start, rollback, remove...) and the versions it is about."""

    route: str
    verb: str
    stable: str
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a policy set would mean at wall time `at`.

    `registers` are new versions, `changes` those whose draft or facts are told anew. `exceptions` are those of releases
    that it would have serve.
    """

    revision: str
    is_new: bool
    registers: tuple[Standing, ...]
    changes: tuple[Standing, ...]
    acts: tuple[Act, ...]
    exceptions: tuple[Excepted, ...]
    warnings: tuple[Problem, ...]
    at: float


def planned(
    before: Policies,
    after: Policies,
    entries: Iterable[tuple[Entry, Standing]],
    decisions: Iterable[Decision],
    excepted: Iterable[Excepted],
    warnings: Sequence[Problem],
    at: float,
) -> Planned:
    """Tell what follows from a policy set that would be accepted, given the one that serves.

    `excepted` are the exceptions that last.
    """
    wanted = {(name, version) for name, route in after.routes.items() for _, version in wanted_of(route)}
    standings = [standing for _, standing in entries]
    return Planned(
        revision=after.revision,
        is_new=after.revision != before.revision,
        registers=tuple(each for each in standings if each.revision == 1),
        changes=tuple(each for each in standings if each.revision > 1),
        acts=(
            *(act for decision in decisions for act in _acts(before, decision)),
            *(Act(name, "remove", before.routes[name].serve) for name in removed(after, before)),
        ),
        exceptions=tuple(each for each in excepted if (each.name, each.version) in wanted),
        warnings=tuple(sorted(set(warnings))),
        at=at,
    )


def _acts(before: Policies, decision: Decision) -> Iterable[Act]:
    record = decision.record
    if record.route not in before.routes:
        yield Act(record.route, "deploy", record.stable)
    for verb, rollout in decision.events:
        yield Act(record.route, verb, rollout.stable, rollout.candidate)
