"""Approval policies: whose sign-offs a release needs before it serves, which gates must hold, and for how long.

The law: of several policies that apply, the strictest of each requirement counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from gateway.core.digest import digest

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold before a release is approved: a good enough result, a rollback plan that is told, complete cards.

    Of an evaluation the results named so must be there, of `group` where one is given, each over `min_n` cases at
    least, and each from `min` to `max`.
    """

    kind: Literal["evaluation", "rollback_plan", "card"]
    evaluation: str | None = None
    metric: str | None = None
    min: float | None = None
    max: float | None = None
    min_n: int | None = None
    group: str | None = None

    def __str__(self) -> str:
        if self.kind != "evaluation":
            return self.kind.replace("_", " ")
        of = "" if self.group is None else f" of {self.group}"
        limits = [("at least", self.min), ("at most", self.max)]
        said = " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
        over = "" if self.min_n is None else f", over {self.min_n} cases"
        return f"{self.evaluation} {self.metric}{of} {said}{over}"

    def why_not(
        self, evaluations: Iterable[Mapping[str, Any]], rollback_plan: str, card_gap: str | None = None
    ) -> str | None:
        """Say why the gate does not hold; None where it does.

        `evaluations` are results as a model version's facts state them: name, metric, value, n, and perhaps group.
        `card_gap` says what is wrong with the cards of the release, None where nothing is.
        """
        if self.kind == "rollback_plan":
            return None if rollback_plan else "no rollback plan is told"
        if self.kind == "card":
            return card_gap
        found = [
            each
            for each in evaluations
            if (each["name"], each["metric"], each.get("group")) == (self.evaluation, self.metric, self.group)
        ]
        if not found:
            return "there is no such result"
        return next((why for each in found if (why := self._why_short(each)) is not None), None)

    def _why_short(self, result: Mapping[str, Any]) -> str | None:
        value, count = result["value"], result.get("n") or 0
        if self.min_n is not None and count < self.min_n:
            return f"it was measured over {count} cases"
        if (self.min is not None and value < self.min) or (self.max is not None and value > self.max):
            return f"it is {value:g}"
        return None


@dataclass(frozen=True, slots=True)
class Emergency:
    """Who may let a release serve at once, to be reviewed within so many seconds."""

    roles: frozenset[str]
    review_within: float


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What an approval takes. Times in seconds.

    It applies to the routes, environments and risk tiers that it names, to all where it names none. `requires` gives
    for each function how many persons must sign for it. An approval is good for `max_age`, for ever where that is None.
    With `governs_route`, what the route does with its releases is part of what is signed.
    """

    name: str
    requires: Mapping[str, int]
    routes: frozenset[str] | None = None
    environments: frozenset[str] | None = None
    risk_tiers: frozenset[str] | None = None
    max_age: float | None = None
    deadline: float = 7 * DAY
    reminder: float = DAY
    gates: tuple[Gate, ...] = ()
    governs_route: bool = False
    emergency: Emergency | None = None
    digest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest(self.to_json()))

    def applies(self, route: str, environment: str, risk_tier: str) -> bool:
        """Say whether it governs the releases of a route."""
        asked = ((self.routes, route), (self.environments, environment), (self.risk_tiers, risk_tier))
        return all(among is None or one in among for among, one in asked)

    def to_json(self) -> dict[str, Any]:
        """Write it as a JSON object."""
        emergency = self.emergency
        return {
            "name": self.name,
            "requires": dict(sorted(self.requires.items())),
            "routes": _written(self.routes),
            "environments": _written(self.environments),
            "risk_tiers": _written(self.risk_tiers),
            "max_age": self.max_age,
            "deadline": self.deadline,
            "reminder": self.reminder,
            "gates": [asdict(gate) for gate in self.gates],
            "governs_route": self.governs_route,
            "emergency": emergency and {"roles": sorted(emergency.roles), "review_within": emergency.review_within},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        scope = {name: _read(value[name]) for name in ("routes", "environments", "risk_tiers")}
        own = value["emergency"]
        emergency = None if own is None else Emergency(frozenset(own["roles"]), own["review_within"])
        gates = tuple(Gate(**gate) for gate in value["gates"])
        return cls(**{**value, **scope, "gates": gates, "emergency": emergency})


def combined(policies: Sequence[ApprovalPolicy]) -> ApprovalPolicy | None:
    """Give the policy that asks what all of these ask together; None where there is none.

    Of counts the highest, of times the shortest, of gates all; an emergency only where each of them knows one, by those
    whom each of them lets.
    """
    if not policies:
        return None
    requires = {
        role: max(each.requires.get(role, 0) for each in policies) for each in policies for role in each.requires
    }
    ages = [each.max_age for each in policies if each.max_age is not None]
    known = [each.emergency for each in policies if each.emergency is not None]
    emergency = None
    if len(known) == len(policies):
        roles = frozenset.intersection(*(each.roles for each in known))
        emergency = Emergency(roles, min(each.review_within for each in known)) if roles else None
    return ApprovalPolicy(
        name=" and ".join(sorted(each.name for each in policies)),
        requires=requires,
        max_age=min(ages, default=None),
        deadline=min(each.deadline for each in policies),
        reminder=min(each.reminder for each in policies),
        gates=tuple(dict.fromkeys(gate for each in policies for gate in each.gates)),
        governs_route=any(each.governs_route for each in policies),
        emergency=emergency,
    )


def _written(among: frozenset[str] | None) -> list[str] | None:
    return None if among is None else sorted(among)


def _read(among: Sequence[str] | None) -> frozenset[str] | None:
    return None if among is None else frozenset(among)
