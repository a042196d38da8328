"""What an approval policy document holds: whose sign-offs releases need, which gates must hold, and for how long."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from gateway.control.policy_documents import Keys, written
from gateway.control.policy_fields import Duration, Line, Name, PositiveDuration
from gateway.core.approval_policy import DAY
from gateway.core.risk_tier import RiskTier

MAX_SIGNERS = 20

GateWord = Literal["rollback_plan", "card"]
SHORT: tuple[GateWord, ...] = get_args(GateWord)
"""Gates that one word says."""


class GateKeys(Keys):
    """A measured result that must be good enough, a rollback plan that must be told, or cards that must be complete."""

    evaluation: Name | None = None
    """The evaluation's name, as the model version states it."""
    metric: Name | None = None
    """What was measured."""
    min: float | None = None
    """The least that it may be."""
    max: float | None = None
    """The most that it may be."""
    min_n: Annotated[int, Field(ge=1)] | None = None
    """Over how many cases it must have been measured."""
    group: Line | None = None
    """Of which group; the result over all when left out."""
    rollback_plan: Literal[True] | None = None
    """True alone, or the word rollback_plan for short: the request must hold one."""
    card: Literal[True] | None = None
    """True alone, or the word card for short: the model version must have a card that lacks nothing for the risk tier
    of the route, and the release's own must lack nothing either, if it has one."""

    @model_validator(mode="after")
    def _is_one_of_all(self) -> "GateKeys":
        for word in SHORT:
            if getattr(self, word) is not None:
                if self.model_fields_set != {word}:
                    raise ValueError(f"{word} stands alone; write what is beside it as a gate of its own")
                return self
        if self.evaluation is None or self.metric is None:
            raise ValueError("evaluation and metric go together; write both, or rollback_plan, or card")
        if self.min is None and self.max is None:
            raise ValueError("it has no limit; write min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is over max, so no result is good enough; correct the numbers")
        return self


def _gate_for_short(value: Any) -> Any:
    return {value: True} if value in SHORT else value


AnyGate = Annotated[GateKeys, BeforeValidator(_gate_for_short, json_schema_input_type=GateWord | GateKeys)]


class EmergencyKeys(Keys):
    """Who may let a release serve at once, on their own word."""

    roles: Annotated[list[Literal["operator"]], Field(min_length=1)]
    """The roles that may."""
    review_within: PositiveDuration = written(DAY)
    """How soon an approval must follow."""


class ApprovalPolicyDocument(Keys):
    """What the approval of a release takes. Several that apply count together, the strictest of each."""

    kind: Literal["approval_policy"]
    name: Name
    routes: Annotated[list[Name], Field(min_length=1)] | None = None
    """The routes whose releases it governs; all when left out."""
    environments: Annotated[list[Name], Field(min_length=1)] | None = None
    """The environments in which it governs; all when left out."""
    risk_tiers: Annotated[list[RiskTier], Field(min_length=1)] | None = None
    """The risk tiers of routes that it governs; all when left out."""
    requires: Annotated[dict[Name, Annotated[int, Field(ge=1, le=MAX_SIGNERS)]], Field(min_length=1, max_length=16)]
    """How many persons must sign for each function, as in {engineering: 1, risk_compliance: 1}."""
    max_age: PositiveDuration | None = None
    """For how long an approval lets a release begin to serve; for ever when left out."""
    deadline: PositiveDuration = written(7 * DAY)
    """How long a request waits for its sign-offs."""
    reminder: Duration = written(DAY)
    """How long before its deadline those who may sign are reminded."""
    gates: Annotated[list[AnyGate], Field(max_length=100)] = Field(default_factory=list)
    """What must hold besides: evaluations with limits, rollback_plan, and card."""
    governs_route: bool = False
    """Whether the route's guardrails, signals, steps, breaker, rules and fallback are part of what is signed."""
    emergency: EmergencyKeys | None = None
    """Who may let a release serve before its approval; nobody when left out."""
