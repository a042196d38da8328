"""What a route and a prompt document hold: their keys, their defaults, and what they are for.

The text under a key is its description in the JSON Schema that editors read.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from gateway.control.policy_documents import CriterionKeys, Keys, RolloutKeys, written
from gateway.control.policy_fields import (
    Duration,
    HeaderName,
    JsonSchema,
    Line,
    Name,
    Params,
    Percent,
    PositiveDuration,
    Share,
    Size,
    StickySource,
    Text,
    VariableName,
    Version,
)
from gateway.core.breaker import BreakerPolicy
from gateway.core.error_budget import Slo
from gateway.core.experiment_metrics import METRICS, is_metric
from gateway.core.prompt import InputKind
from gateway.core.prompt import Place as PromptPlace
from gateway.core.risk_tier import RiskTier
from gateway.core.unit import DEFAULT_STICKY_BY

_BREAKER = BreakerPolicy()
_SLO = Slo(0.995)
_DAY = 86_400
_STICKY_BY: Any = [str(source) for source in DEFAULT_STICKY_BY]


class ReleaseKeys(Keys):
    """What serves under one version of a route: a model version, a prompt version, parameters, context."""

    model: Line
    """A registered model as name@version, or provider/upstream-name to register it here."""
    prompt: Line | None = None
    """A prompt as name@version."""
    params: Params = Field(default_factory=dict)
    """Fields of the request's body that win over what the application sends."""
    context: dict[Line, Line] = Field(default_factory=dict)
    """What else the release stands for (a retrieval index, say): named, not sent."""
    retired: Line | None = None
    """Why it takes no requests any more; the newest release before it that still may serves in its place."""


class BreakerKeys(Keys):
    """When a release counts as failing, and how a stable one is let back in."""

    window: Annotated[Duration, Field(ge=1, le=3600)] = written(_BREAKER.window)
    """How far back failure_rate and slow_rate look."""
    min_requests: Annotated[int, Field(ge=1)] = _BREAKER.min_requests
    """How many requests the window must hold before its rates are judged."""
    failure_rate: Annotated[Share, Field(gt=0)] = _BREAKER.failure_rate
    """The failing share that trips."""
    consecutive: Annotated[int, Field(ge=1)] = _BREAKER.consecutive
    """How many failures in a row trip."""
    open: PositiveDuration = written(_BREAKER.open)
    """How long nothing is sent after the first trip, and how long units take to come back."""
    growth: Annotated[float, Field(ge=1, le=10)] = _BREAKER.growth
    """By how much each further trip multiplies that time."""
    max_open: PositiveDuration = written(_BREAKER.max_open)
    """The longest such time."""
    probes: Annotated[int, Field(ge=1, le=100)] = _BREAKER.probes
    """How many requests at once try whether the release is well again; as many good ones close the
    breaker."""
    probe_deadline: PositiveDuration = written(_BREAKER.probe_deadline)
    """When a probe that has not ended frees its place."""
    slow_over: PositiveDuration | None = None
    """Which answers are slow; none when left out."""
    slow_rate: Annotated[Share, Field(gt=0)] = _BREAKER.slow_rate
    """The slow share that trips."""

    @model_validator(mode="after")
    def _times_agree(self) -> "BreakerKeys":
        if self.max_open < self.open:
            raise ValueError("max_open is shorter than open; make it at least as long")
        return self


class SloKeys(Keys):
    """An objective, and what a rollout does when the error budget that it leaves is being used up."""

    success: Annotated[float, Field(json_schema_extra={"minimum": 0.5, "exclusiveMaximum": 1})]
    """The share of requests that must go well."""
    period: Annotated[Duration, Field(ge=3600, le=90 * _DAY)] = written(_SLO.period)
    """The time over which that share is meant."""
    pause_at: Annotated[float, Field(gt=0)] = _SLO.pause_at
    """How many times faster than sustainable the budget may be used up before a rollout holds."""
    canary_share: Annotated[Share, Field(gt=0)] = _SLO.canary_share
    """The share of the budget that a canary may use up before its rollout stops."""
    min_remaining: Share = _SLO.min_remaining
    """The share of the budget that must be left for a rollout to advance."""
    window: Annotated[Duration, Field(ge=60)] = written(_SLO.window)
    """How far back pause_at looks; a twelfth of it must agree."""

    @field_validator("success")
    @classmethod
    def _leaves_a_budget(cls, success: float) -> float:
        if not 0.5 <= success < 1:
            raise ValueError(f"{success:.10g} is not a share from 0.5 to under 1; write one like 0.995")
        return success

    @model_validator(mode="after")
    def _can_be_met(self) -> "SloKeys":
        if self.window > self.period:
            raise ValueError("window is longer than period; make it at most as long")
        most = 1 / (1 - self.success)
        if self.pause_at > most * (1 + 1e-9):
            said = f"even with every request failing the budget is used up {most:.4g} times too fast at most"
            raise ValueError(f"pause_at is {self.pause_at:g}, and {said}; lower it")
        return self


class ShadowKeys(Keys):
    """A standing mirror: copies of stable's requests, whose answers are measured and thrown away."""

    release: Version
    """The release that gets the copies."""
    percent: Percent
    """The percent of stable's requests that are copied."""
    max_body: Size = "1MiB"  # type: ignore[assignment]  # read as it is when a file says it
    """The largest body that is copied."""
    timeout: PositiveDuration = written(60)
    """How long a copy may take."""
    daily_budget_usd: Annotated[float, Field(ge=0)] | None = None
    """What the copies may cost in a day; no limit when left out."""


class InputLengthKeys(Keys):
    """How many characters of text the input has."""

    over: Annotated[int, Field(ge=0)] | None = None
    """More than this many."""
    under: Annotated[int, Field(ge=1)] | None = None
    """Fewer than this many."""

    @model_validator(mode="after")
    def _can_hold(self) -> "InputLengthKeys":
        if self.over is None and self.under is None:
            raise ValueError("it takes over, under or both, and none is given; write one")
        if self.over is not None and self.under is not None and self.over + 1 >= self.under:
            raise ValueError("no length is over the one and under the other; correct the numbers")
        return self


class WhenKeys(Keys):
    """The conditions of a rule; all that are given must hold."""

    app: Annotated[list[Name], Field(min_length=1)] | None = None
    """The application is one of these."""
    unit: Annotated[list[Line], Field(min_length=1)] | None = None
    """The unit is one of these."""
    header: Annotated[dict[HeaderName, Text], Field(min_length=1)] | None = None
    """Each of these headers has this value."""
    input_chars: InputLengthKeys | None = None
    """The input is so long."""
    percent: Percent | None = None
    """The unit is in this percent of all, by a split of the rule's own."""

    @model_validator(mode="after")
    def _has_one(self) -> "WhenKeys":
        if not self.model_fields_set:
            raise ValueError(f"it has no condition; write one of {', '.join(type(self).model_fields)}")
        return self


class RuleKeys(Keys):
    """Requests for which `when` holds get this release, before rollout and experiment."""

    when: WhenKeys
    release: Version


class ArmKeys(Keys):
    """One arm of an experiment."""

    release: Version
    percent: Percent
    """The percent of units that it gets."""


def _experiment_metric(metric: str) -> str:
    if not is_metric(metric):
        raise ValueError(f"{metric!r} is not a metric; write one of {', '.join(METRICS)}, feedback.NAME")
    return metric


Metric = Annotated[Line, AfterValidator(_experiment_metric)]


class ExperimentKeys(Keys):
    """An A/B test with fixed weights; units outside every arm stay with stable."""

    name: Name
    """Which split of the units it is: another name is another split."""
    arms: Annotated[dict[Name, ArmKeys], Field(min_length=1)]
    """Its arms by name; together at most 100 percent."""
    control: Name | None = None
    """The arm that the others are compared with: the one called control, or else the first."""
    primary: Metric | None = None
    """The metric that decides: cost_per_request, error_rate, first_token_seconds, schema_valid, seconds, slow_rate,
    tokens_per_request, or feedback.NAME."""
    secondary: list[Metric] = Field(default_factory=list)
    """Metrics that are told beside it."""
    over: PositiveDuration | None = None
    """What makes an answer slow, for slow_rate."""
    alpha: Annotated[float, Field(ge=0.0001, le=0.5)] = 0.05
    """How probable it may be that the primary metric shows a difference where there is none."""
    guardrails: list[CriterionKeys] = Field(default_factory=list)
    """What takes an arm out when breached."""
    for_: Annotated[PositiveDuration | None, Field(alias="for")] = None
    """How long it is to run."""

    @model_validator(mode="after")
    def _is_whole(self) -> "ExperimentKeys":
        if self.control is not None and self.control not in self.arms:
            raise ValueError(f"control: there is no arm {self.control!r}; write one of {', '.join(self.arms)}")
        metrics = [*([] if self.primary is None else [self.primary]), *self.secondary]
        twice = next((metric for metric in metrics if metrics.count(metric) > 1), None)
        if twice is not None:
            raise ValueError(f"it names the metric {twice} twice; keep one of them")
        if ("slow_rate" in metrics) != (self.over is not None):
            raise ValueError("slow_rate and over go together; write both, as in {primary: slow_rate, over: 8s}")
        return self


def _plan_for_short(value: Any) -> Any:
    return {"plan": value} if isinstance(value, str) else value


class RouteDocument(Keys):
    """The public name that applications send as `model`, with the releases that may answer for it."""

    kind: Literal["route"]
    name: Name
    owner: Line | None = None
    """Who answers for it."""
    sticky_by: Annotated[list[StickySource], Field(min_length=1)] = Field(default=_STICKY_BY)
    """Where a request says its unit; the first place that it has counts."""
    releases: Annotated[dict[Version, ReleaseKeys], Field(min_length=1)]
    """The releases by version; each is immutable once it has served."""
    serve: Version
    """The release that should serve; a change starts a rollout."""
    rollout: Annotated[
        RolloutKeys | None, BeforeValidator(_plan_for_short, json_schema_input_type=Name | RolloutKeys)
    ] = None
    """How to move to it: a plan's name, or keys. One step to 100 percent when left out."""
    breaker: BreakerKeys = BreakerKeys()
    """When one of its releases counts as failing."""
    on_mismatch: Literal["count", "rollback"] = "count"
    """What to do when a provider serves another model than the pinned one."""
    fallback: list[Version] = Field(default_factory=list)
    """Releases that are tried in order, before the first byte reaches the client."""
    shadow: ShadowKeys | None = None
    """A release that gets copies of stable's requests."""
    rules: list[RuleKeys] = Field(default_factory=list)
    """Who gets which release before any split; the first that matches wins."""
    experiment: ExperimentKeys | None = None
    """An A/B test between releases."""
    slo: SloKeys | None = None
    """The share of its requests that must go well, which its rollouts heed."""
    require_signature: Annotated[list[Name], Field(min_length=1)] | None = None
    """The signing keys one of which must have signed each of its releases; none is asked for when left out."""
    risk_tier: RiskTier = "minimal"
    """How much harm it may do; of tier high, an approval policy must govern it."""


class PromptDocument(Keys):
    """One exact prompt: a text with declared inputs."""

    kind: Literal["prompt"]
    name: Name
    version: Version
    owner: Line | None = None
    """Who answers for it."""
    input: dict[VariableName, InputKind] = Field(default_factory=dict)
    """The variables that the text uses, each with its kind."""
    place: PromptPlace = "system"
    """Whether the text goes before the application's own system message, or replaces it."""
    output_schema: JsonSchema | None = None
    """The JSON Schema that answers are held against."""
    text: Annotated[Text, Field(min_length=1)]
    """The prompt's text; in a .prompt file it is what follows the front matter."""
