"""What each kind of policy document holds: its keys, their defaults, and what they are for.

The text under a key is its description in the JSON Schema that editors read.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gateway.control.policy_fields import (
    BaseUrl,
    Duration,
    EnvironmentName,
    HeaderName,
    KeyDigest,
    Line,
    Name,
    Percent,
    PositiveDuration,
    ProxyUrl,
    Scheme,
    Text,
    Version,
)
from gateway.core.bucket import BUCKETS
from gateway.core.duration import format_duration
from gateway.core.limit import LIMIT_KINDS
from gateway.core.metric import SHARES, is_better_high, is_feedback
from gateway.core.plan import Plan, Strategy
from gateway.core.provider import DialectName, Timeouts, TransportName
from gateway.core.route_record import UNDO_SECONDS

_TIMEOUTS = Timeouts()
_PLAN = Plan.default()

LONGEST_WINDOW = 31 * 86_400
"""Seconds that the window of a limit may last."""

MOST_LIMITS = 8

METRICS = ("cost_per_request", "error_rate", "schema_valid", "slow_rate", "tokens_per_request")
"""The metrics that guardrails and signals may name; beside them `feedback.NAME`."""


def written(seconds: float) -> Any:
    """Give a default in seconds as a policy file would write it; it is read like one."""
    return format_duration(seconds)


class Keys(BaseModel):
    """A set of keys: unknown ones are refused, nothing is converted silently."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_default=True, use_attribute_docstrings=True
    )


def _exactly_one(keys: BaseModel, *names: str) -> None:
    given = [name for name in names if getattr(keys, name) is not None]
    if len(given) != 1:
        said = "none of them is given" if not given else f"{' and '.join(given)} are given"
        raise ValueError(f"it takes one of {', '.join(names)}, and {said}; write exactly one")


class CredentialKeys(Keys):
    """Where a provider's credential is kept. The credential itself never stands in a policy file."""

    env: EnvironmentName | None = None
    """The environment variable that holds it."""
    file: Line | None = None
    """The file that holds it, read anew when it changes."""
    header: HeaderName | None = None
    """The header that carries it; the dialect's own when left out."""
    scheme: Scheme | None = None
    """The word before it; when left out, Bearer in the header authorization and none in others."""

    @model_validator(mode="after")
    def _has_one_source(self) -> "CredentialKeys":
        _exactly_one(self, "env", "file")
        return self


class TimeoutKeys(Keys):
    """Four separate deadlines of one attempt."""

    connect: PositiveDuration = written(_TIMEOUTS.connect)
    """Until the connection stands."""
    first_byte: PositiveDuration = written(_TIMEOUTS.first_byte)
    """From sending until the first byte of the answer's body."""
    idle: PositiveDuration = written(_TIMEOUTS.idle)
    """Between two pieces of the answer."""
    total: PositiveDuration = written(_TIMEOUTS.total)
    """Over the whole attempt."""


class ClientCertificateKeys(Keys):
    """A certificate that Pinion shows, as PEM files."""

    cert: Line
    """The certificate and its chain."""
    key: Line
    """Its private key."""


class ProviderDocument(Keys):
    """An upstream API: where it is, how it is reached, and with what credential."""

    kind: Literal["provider"]
    name: Name
    dialect: DialectName
    """Which wire it speaks."""
    base_url: BaseUrl | None = None
    """Where it is, written as its own SDK takes it; the dialect's public address when left out."""
    credential: CredentialKeys | None = None
    """Where its credential is kept; none is sent when left out."""
    timeouts: TimeoutKeys = TimeoutKeys()
    """How long one attempt may take."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Further attempts of a stable release, on connection errors and 5xx before the first byte."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """How many connections may be open to it."""
    ca_file: Line | None = None
    """A file of certificates to trust for it, in place of the system's."""
    proxy: ProxyUrl | None = None
    """An HTTP proxy to reach it by."""
    transport: TransportName | None = None
    """What carries the calls; native when left out, or httpx where a key below or the proxy needs it."""
    http2: bool = False
    """Whether to speak HTTP/2 with it, where it offers that."""
    client_certificate: ClientCertificateKeys | None = None
    """What to show it when it asks who connects."""


class KeyKeys(Keys):
    """One key of an application, known by its digest alone."""

    sha256: KeyDigest
    """The SHA-256 of the key, in hexadecimal."""


class LimitKeys(Keys):
    """How much an application may use in a window: exactly one of requests, tokens and usd."""

    requests: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """How many requests."""
    tokens: Annotated[int, Field(ge=1, le=1_000_000_000_000)] | None = None
    """How many tokens, input and output together."""
    usd: Annotated[float, Field(ge=0.000001, le=1_000_000_000)] | None = None
    """How many US dollars."""
    per: Annotated[Duration, Field(ge=1, le=LONGEST_WINDOW)]
    """In how long a time; from 1s to 31d."""

    @model_validator(mode="after")
    def _limits_one(self) -> "LimitKeys":
        _exactly_one(self, *LIMIT_KINDS)
        return self


class AppDocument(Keys):
    """An application that calls."""

    kind: Literal["app"]
    name: Name
    owner: Line | None = None
    """Who answers for it."""
    keys: list[KeyKeys]
    """Its keys; during a change of keys, the old and the new one."""
    routes: list[Name] | None = None
    """The routes it may call; every route when left out."""
    data_classes: list[Name] = Field(default_factory=list)
    """The classes of data that it sends; each model version that it meets must say that it may serve them."""
    segment: Name | None = None
    """Whom it serves; each model version that it meets must say that it may serve them."""
    may_force_release: bool = False
    """Whether its header x-pinion-release may choose the release."""
    limits: list[LimitKeys] = Field(default_factory=list)
    """How much it may use; at most 8, each of another kind or window."""

    @field_validator("limits")
    @classmethod
    def _are_few(cls, limits: list[LimitKeys]) -> list[LimitKeys]:
        if len(limits) > MOST_LIMITS:
            raise ValueError(f"there are {len(limits)}; keep {MOST_LIMITS} at most")
        return limits


class PublicKeyKeys(Keys):
    """A public key, written out or in a file of the policy folder."""

    pem: Text | None = None
    """The key itself, as PEM."""
    file: Line | None = None
    """The file of the policy folder that holds it; its name ends in .pub.pem."""

    @model_validator(mode="after")
    def _has_one_source(self) -> "PublicKeyKeys":
        _exactly_one(self, "pem", "file")
        return self


def _pem_for_short(value: Any) -> Any:
    return {"pem": value} if isinstance(value, str) else value


class SigningKeyDocument(Keys):
    """A key whose signatures of releases count where a route asks for it by name."""

    kind: Literal["signing_key"]
    name: Name
    owner: Line | None = None
    """Who holds the private key."""
    public_key: Annotated[PublicKeyKeys, BeforeValidator(_pem_for_short, json_schema_input_type=Text | PublicKeyKeys)]
    """The public key: its PEM, or the file that holds it. Ed25519 or ECDSA P-256."""


class CriterionKeys(Keys):
    """A limit on a metric. At least one of max_delta, max_ratio, max and min says it."""

    metric: Line
    """cost_per_request, error_rate, schema_valid, slow_rate, tokens_per_request, or feedback.NAME."""
    over: PositiveDuration | None = None
    """What makes an answer slow, for slow_rate."""
    max_delta: Annotated[float, Field(ge=0)] | None = None
    """How much worse than stable's the candidate's value may be: above it, or below for schema_valid and feedback."""
    max_ratio: Annotated[float, Field(gt=0)] | None = None
    """How many times stable's value the candidate's may be."""
    max: float | None = None
    """The most that the candidate's value may be."""
    min: float | None = None
    """The least that the candidate's value may be."""

    @field_validator("metric")
    @classmethod
    def _is_known(cls, metric: str) -> str:
        if metric not in METRICS and not is_feedback(metric):
            raise ValueError(f"{metric!r} is not a metric; write one of {', '.join(METRICS)}, feedback.NAME")
        return metric

    @model_validator(mode="after")
    def _is_whole(self) -> "CriterionKeys":
        if all(limit is None for limit in (self.max_delta, self.max_ratio, self.max, self.min)):
            raise ValueError("it has no limit; write one of max_delta, max_ratio, max, min")
        is_high = is_better_high(self.metric)
        for name in ("max", "max_ratio") if is_high else ("min",):
            if getattr(self, name) is not None:
                known = "max_delta or min" if is_high else "max_delta, max_ratio or max"
                raise ValueError(f"{name} says nothing about {self.metric}; write {known}")
        for name in ("max_delta", "max", "min") if self.metric in SHARES else ():
            limit = getattr(self, name)
            if limit is not None and limit > 1:
                raise ValueError(f"{name} is {limit:g}, and {self.metric} is a share; write 0.02 for 2 percent")
        if (self.metric == "slow_rate") != (self.over is not None):
            raise ValueError(
                "slow_rate and over go together; write both, as in {metric: slow_rate, over: 8s, max: 0.1}"
            )
        return self


class StepKeys(Keys):
    """One step of a rollout: a share of units that the candidate serves, or of requests mirrored to it."""

    percent: Annotated[Percent, Field(gt=0)] | None = None
    """The percent of units that the candidate serves."""
    shadow: Annotated[Percent, Field(gt=0)] | None = None
    """The percent of stable's requests that are mirrored to the candidate."""
    hold: Duration | None = None
    """How long the step lasts at least."""
    min_requests: Annotated[int, Field(ge=1)] | None = None
    """How many requests the candidate must have answered before the step is left."""
    min_units: Annotated[int, Field(ge=1)] | None = None
    """How many units it must have answered before the step is left."""
    approval: bool = False
    """Whether a person must promote before the step is left."""
    bake: Duration | None = None
    """How long the last step is watched before the rollout is complete."""
    guardrails: list[CriterionKeys] = Field(default_factory=list)
    """Guardrails of this step alone, beside the plan's."""

    @model_validator(mode="after")
    def _has_one_share(self) -> "StepKeys":
        _exactly_one(self, "percent", "shadow")
        return self


def _rise(steps: list[StepKeys]) -> list[StepKeys]:
    """Check that steps give the candidate ever more: mirrors first, then percents that do not fall, a bake at last."""
    percents = [step.percent for step in steps if step.percent is not None]
    if not percents:
        raise ValueError("no step has a percent, so the candidate would never serve; add {percent: 100}")
    if any(step.percent is not None for step in steps[: len(steps) - len(percents)]):
        raise ValueError("a shadow step follows a percent step; put the shadow steps first")
    if percents != sorted(percents):
        raise ValueError("the percents fall from one step to the next; write them rising")
    if any(step.bake is not None for step in steps[:-1]):
        raise ValueError("a step before the last has a bake; write hold there, and bake on the last step")
    return steps


class NoDataKeys(Keys):
    """What a step does whose candidate has answered nothing for a while."""

    after: PositiveDuration = written(_PLAN.no_data_after)
    """How long it may be silent."""
    do: Literal["hold", "rollback"]
    """Whether the rollout goes on waiting, or is rolled back."""


class PlanKeys(Keys):
    """How a candidate comes to serve, and what takes it back."""

    strategy: Strategy = _PLAN.strategy
    """canary goes step by step; blue_green warms the candidate up with copies and then switches at once."""
    steps: list[StepKeys] | None = None
    """The steps, in order. blue_green has its own when left out."""
    guardrails: list[CriterionKeys] = Field(default_factory=list)
    """What rolls the candidate back when breached."""
    signals: list[CriterionKeys] = Field(default_factory=list)
    """What holds the rollout while breached."""
    alpha: Annotated[float, Field(ge=0.0001, le=0.5)] = _PLAN.alpha
    """The chance, over the whole rollout, of rolling back a candidate that is no worse than stable."""
    rollback_window: Annotated[Duration, Field(le=int(UNDO_SECONDS))] = written(_PLAN.rollback_window)
    """For how long after its end the guardrails may still undo the rollout; 30 days at most."""
    on_inconclusive: Literal["hold", "promote", "rollback"] = _PLAN.on_inconclusive
    """What a complete step does whose guardrails are neither breached nor shown to be kept."""
    on_no_data: NoDataKeys = NoDataKeys(do="hold")
    """What a step does whose candidate answers nothing."""

    @field_validator("steps")
    @classmethod
    def _steps_rise(cls, steps: list[StepKeys] | None) -> list[StepKeys] | None:
        return None if steps is None else _rise(steps)

    @model_validator(mode="after")
    def _fits_its_strategy(self) -> Self:
        percents = [step.percent for step in self.steps or () if step.percent is not None]
        if self.strategy == "blue_green" and self.steps is not None and percents != [BUCKETS]:
            raise ValueError("blue_green switches once, to 100 percent; write shadow steps and one {percent: 100}")
        return self


class PlanDocument(PlanKeys):
    """A rollout plan that routes share."""

    kind: Literal["rollout_plan"]
    name: Name

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.steps is None and self.strategy == "canary":
            raise ValueError("it has no steps; write some, as in steps: [{percent: 5, hold: 10m}, {percent: 100}]")
        return self


class RolloutKeys(PlanKeys):
    """How a route moves to the release it should serve: by a shared plan, or by keys in place."""

    plan: Name | None = None
    """The shared plan's name."""
    from_: Annotated[Version | None, Field(alias="from")] = None
    """The release that serves while nothing is recorded for the route."""

    @model_validator(mode="after")
    def _is_plan_or_in_place(self) -> Self:
        in_place = [name for name in type(self).model_fields if name in self.model_fields_set - {"plan", "from_"}]
        if self.plan is not None and in_place:
            raise ValueError(f"it names a plan and has {' and '.join(in_place)} of its own; keep one of the two")
        if self.steps is None and self.strategy == "canary" and in_place:
            raise ValueError(f"it has {' and '.join(in_place)} without steps; write the steps, or name a plan")
        return self
