"""What the front matter of a model card holds: the keys of the Hugging Face Hub, and the block `governance`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from gateway.control.policy_documents import Keys
from gateway.control.policy_fields import Day, Line, Text
from gateway.core.card import Verdict
from gateway.core.risk_tier import RiskTier

MAX_PROSE_CHARS = 20_000
MAX_BODY_CHARS = 128 * 1024


def _prose(text: str) -> str:
    if len(text) > MAX_PROSE_CHARS:
        raise ValueError(f"it is over {MAX_PROSE_CHARS} characters; write it in a section of the card")
    return text


def _alone_for_short(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _whole_as_number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _body(text: str) -> str:
    if len(text) > MAX_BODY_CHARS:
        raise ValueError(f"it is over {MAX_BODY_CHARS} characters; keep what matters, and link the rest")
    return text


Prose = Annotated[Text, AfterValidator(_prose)]
"""Text of some lines."""

Words = Annotated[list[Line], BeforeValidator(_alone_for_short, json_schema_input_type=Line | list[Line])]
"""One line of text, or a list of them."""

Figure = Annotated[float, BeforeValidator(_whole_as_number), Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class MaterialityKeys(Keys):
    """How much depends on it, in the words of SR 26-2."""

    exposure: Line | None = None
    """How many people, or how much money, its answers touch."""
    purpose: Line | None = None
    """What its answers are used for."""


class RiskKeys(Keys):
    """What may go wrong."""

    name: Line
    mitigation: Prose
    """What is done about it."""


class FairnessKeys(Keys):
    """A metric of one group."""

    metric: Line
    group: Line
    value: Figure | None = None
    """Its value; undefined when left out."""
    n: Count
    """Over how many cases."""


class EvaluationKeys(Keys):
    """What an evaluation has shown."""

    name: Line
    metric: Line
    value: Figure | None = None
    """Its value; undefined when left out."""
    n: Count | None = None
    """Over how many cases."""
    group: Line | None = None
    """Of which group; of all when left out."""
    dataset: Line | None = None
    """On which dataset."""
    verdict: Verdict | None = None
    """PASS, FAIL or INCONCLUSIVE."""


class DataKeys(Keys):
    """Which data it meets."""

    classes: Words = Field(default_factory=list)
    """Classes of data, such as customer messages."""
    segments: Words = Field(default_factory=list)
    """Parts of the people or cases, such as languages."""


class MeasuredFigureKeys(Keys):
    """A figure of live requests."""

    release: Line
    metric: Line
    value: Figure | None = None
    """Its value; undefined when left out."""
    n: Count
    """Over how many requests."""
    unknown: Count = 0
    """For how many others it is not known."""


class MeasuredKeys(Keys):
    """Figures of live requests, with the time that they are from."""

    since: Line
    until: Line
    figures: list[MeasuredFigureKeys]


class GovernanceKeys(Keys):
    """What Pinion asks of a card."""

    subject: Line
    """The model version NAME@VERSION or the release ROUTE/VERSION that it is about."""
    owner: Line | None = None
    """Who answers for it."""
    risk_tier: RiskTier | None = None
    """minimal, limited or high: how much the card must say."""
    materiality: MaterialityKeys = MaterialityKeys()
    """How much depends on it."""
    intended_use: Prose | None = None
    """What it is for."""
    out_of_scope: Prose | None = None
    """What it is not for."""
    limitations: list[Prose] = Field(default_factory=list)
    """What it cannot do."""
    overseers: Words = Field(default_factory=list)
    """Who watches over it, and may stop it."""
    contact: Line | None = None
    """Where to turn to."""
    validator: Line | None = None
    """Who validated it, apart from its owner."""
    findings: list[Prose] = Field(default_factory=list)
    """What the validation found."""
    review_by: Day | None = None
    """When it is to be looked at again at the latest."""
    risks: list[RiskKeys] = Field(default_factory=list)
    """What may go wrong."""
    fairness: list[FairnessKeys] = Field(default_factory=list)
    """Metrics by group."""
    evaluations: list[EvaluationKeys] = Field(default_factory=list)
    """What evaluations have shown."""
    data: DataKeys = DataKeys()
    """Which data it meets."""
    measured: MeasuredKeys | None = None
    """What its releases have shown on live requests; `pinion card render` writes it."""


class CardDocument(Keys):
    """A model card. Of keys that are not named here any are kept, as on the Hub."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["card"]
    name: Line
    text: Annotated[Text, AfterValidator(_body)]
    governance: GovernanceKeys
    license: Words = Field(default_factory=list)
    language: Words = Field(default_factory=list)
    library_name: Line | None = None
    pipeline_tag: Line | None = None
    base_model: Words = Field(default_factory=list)
    base_model_relation: Line | None = None
    datasets: Words = Field(default_factory=list)
    tags: Words = Field(default_factory=list)
    new_version: Line | None = None
