"""What a policy set says, as values: checked, resolved, and with nothing of YAML left in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.control.signing_key import PublicKey
from gateway.core.app import App
from gateway.core.approval_policy import ApprovalPolicy
from gateway.core.attestation import Envelope, Statement
from gateway.core.breaker import BreakerPolicy
from gateway.core.card import Card
from gateway.core.error_budget import Slo
from gateway.core.errors import Problem
from gateway.core.identity_provider import IdentityProvider
from gateway.core.operator import Operators
from gateway.core.plan import Criterion, Plan
from gateway.core.price import Price
from gateway.core.prompt import PromptVersion
from gateway.core.provider import DialectName, Provider
from gateway.core.risk_tier import RiskTier
from gateway.core.rule import Rule
from gateway.core.unit import UnitSource


@dataclass(frozen=True, slots=True)
class Where:
    """Where something is declared: the file's name within the folder, and the line from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """Where a credential is kept (`env:NAME`, `file:PATH`) and how it is shown.

    `scheme` is what stands before it in the header, with its space: `Bearer `, or nothing.
    """

    source: str
    header: bytes
    scheme: str


@dataclass(frozen=True, slots=True)
class ProviderPolicy:
    """A provider as declared; its credential is read later, so `provider` holds none."""

    provider: Provider
    credential: CredentialSource | None
    where: Where


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """One model version, declared or registered by a release that names provider/upstream.

    `digest` is of `content`, which is what answers depend on; `facts` is what else is known of it, as JSON.
    """

    name: str
    version: str
    provider_name: str
    upstream_model: str
    price: Price | None
    floating: str | None
    served_model: str | None
    fingerprint: str | None
    owner: str | None
    digest: str
    content: Mapping[str, Any]
    facts: Mapping[str, Any]
    where: Where

    def may_serve(self, what: Literal["data_classes", "segments"]) -> frozenset[str]:
        """Name the classes of data, or the segments, that it says it may serve."""
        return frozenset(self.facts.get("may_serve", {}).get(what, ()))

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class DatasetPolicy:
    """One dataset version as declared."""

    name: str
    version: str
    content: Mapping[str, Any]
    facts: Mapping[str, Any]
    where: Where

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class UndeclaredDataset:
    """A dataset version `name@version` that a model version names and no file declares; `place` names where."""

    name: str
    place: str
    where: Where


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """A release as declared: `model` and `prompt` are keys (`name@version`) of the set's own tables.

    `retired` says why it takes no requests any more.
    """

    version: str
    model: str
    prompt: str | None
    params: Mapping[str, Any]
    context: Mapping[str, str]
    digest: str
    content: Mapping[str, Any]
    retired: str | None
    where: Where


@dataclass(frozen=True, slots=True)
class ShadowPolicy:
    """A standing mirror: `ppm` of stable's requests, bodies up to `max_body` bytes, `timeout` in seconds."""

    release: str
    ppm: int
    max_body: int = 1 << 20
    timeout: float = 60.0
    daily_budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class ArmPolicy:
    """One arm of an experiment, with its share in parts per million."""

    name: str
    release: str
    ppm: int


@dataclass(frozen=True, slots=True)
class ExperimentPolicy:
    """An A/B test as declared; `seconds` is how long it is to run, `over` what makes an answer slow, in seconds.

    `control` names the arm that the others are compared with. `alpha` is the chance that the primary metric shows a
    difference where there is none, and the same for all secondary ones together.
    """

    name: str
    arms: tuple[ArmPolicy, ...]
    control: str
    primary: str | None
    secondary: tuple[str, ...]
    over: float | None
    alpha: float
    guardrails: tuple[Criterion, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """A route as declared; every release that it names is one of `releases`."""

    name: str
    owner: str | None
    dialect: DialectName
    releases: Mapping[str, ReleasePolicy]
    serve: str
    rollout_from: str | None
    plan: Plan
    sticky_by: tuple[UnitSource, ...]
    breaker: BreakerPolicy
    on_mismatch: Literal["count", "rollback"]
    fallback: tuple[str, ...]
    shadow: ShadowPolicy | None
    rules: tuple[Rule, ...]
    experiment: ExperimentPolicy | None
    slo: Slo | None
    where: Where
    require_signature: tuple[str, ...] = ()
    risk_tier: RiskTier = "minimal"


@dataclass(frozen=True, slots=True)
class SigningKeyPolicy:
    """A key whose signatures count where a route asks for it."""

    name: str
    key: PublicKey
    owner: str | None
    where: Where


@dataclass(frozen=True, slots=True)
class Attestation:
    """A signed statement on a release, as a file of the set holds it; its signature is not checked yet."""

    file: str
    envelope: Envelope
    statement: Statement


@dataclass(frozen=True, slots=True)
class CardPolicy:
    """A model card of the set."""

    card: Card
    where: Where


@dataclass(frozen=True, slots=True)
class Policies:
    """A whole policy set, acceptable by itself.

    `revision` is the SHA-256 of its files; `models`, `datasets` and `prompts` are keyed `name@version`, `apps` by the
    SHA-256 digest of a key; `credential_files` are the paths that credentials are read from, `callers` the applications
    and `identity_providers` those by name, and so `approval_policies` with their places. `attestations` are in the
    order of their files, `cards` keyed by their subjects: `name@version` or `route/version`. `undeclared` are datasets
    that must be registered; `spending_places` tell by application where it limits what it spends.
    """

    revision: str
    providers: Mapping[str, ProviderPolicy]
    models: Mapping[str, ModelPolicy]
    datasets: Mapping[str, DatasetPolicy]
    prompts: Mapping[str, PromptVersion]
    prompt_places: Mapping[str, Where]
    apps: Mapping[bytes, App] = field(repr=False)
    app_names: frozenset[str]
    routes: Mapping[str, RoutePolicy]
    warnings: tuple[Problem, ...]
    credential_files: tuple[str, ...]
    callers: Mapping[str, App] = field(default_factory=dict)
    operators: Operators = field(default_factory=Operators)
    identity_providers: Mapping[str, IdentityProvider] = field(default_factory=dict)
    signing_keys: Mapping[str, SigningKeyPolicy] = field(default_factory=dict)
    attestations: tuple[Attestation, ...] = ()
    cards: Mapping[str, CardPolicy] = field(default_factory=dict)
    approval_policies: Mapping[str, ApprovalPolicy] = field(default_factory=dict)
    approval_places: Mapping[str, Where] = field(default_factory=dict)
    undeclared: tuple[UndeclaredDataset, ...] = ()
    spending_places: Mapping[str, Where] = field(default_factory=dict)
