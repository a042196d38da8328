"""What model and dataset documents hold: what each version is, and what is known of where it comes from.

The text under a key is its description in the JSON Schema that editors read.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.control.policy_documents import Keys
from gateway.control.policy_fields import Day, KeyDigest, Line, Name, Params, UpstreamName, Version

Lines = Annotated[list[Line], Field(max_length=200)]
"""A list of lines; two hundred at most."""


class PriceKeys(Keys):
    """Rates in US dollars per million tokens."""

    input: Annotated[float, Field(ge=0)]
    """Of input."""
    output: Annotated[float, Field(ge=0)]
    """Of output."""
    cached_input: Annotated[float, Field(ge=0)] | None = None
    """Of input that the provider had cached; the plain input rate when left out."""
    cache_write: Annotated[float, Field(ge=0)] | None = None
    """Of input written to the provider's cache; the plain input rate when left out."""
    cache_write_1h: Annotated[float, Field(ge=0)] | None = None
    """Of input written to the cache for an hour; as cache_write when left out."""


class DataKeys(Keys):
    """The dataset versions behind a model version, each as name@version."""

    training: Lines = Field(default_factory=list)
    """What it was trained on."""
    evaluation: Lines = Field(default_factory=list)
    """What it was evaluated on; none that it was trained on."""

    @model_validator(mode="after")
    def _is_apart(self) -> "DataKeys":
        both = next((each for each in self.evaluation if each in self.training), None)
        if both is not None:
            raise ValueError(f"{both} is used for training and for evaluation; evaluate on data that it has not seen")
        return self


class TrainingKeys(Keys):
    """How a model version was made, so that it could be made again."""

    commit: Line | None = None
    """The commit of the code that trained it."""
    framework: Line | None = None
    """What trained it, with its version."""
    dependencies: Lines = Field(default_factory=list)
    """What else was installed then, as name==version."""
    seeds: Annotated[list[int], Field(max_length=200)] = Field(default_factory=list)
    """The random seeds."""
    parameters: Params = Field(default_factory=dict)
    """The hyperparameters."""


class EvaluationKeys(Keys):
    """One measured result."""

    name: Name
    """Which evaluation it is of."""
    metric: Name
    """What was measured."""
    value: float
    """What came out."""
    n: Annotated[int, Field(ge=1)]
    """Over how many cases."""
    group: Line | None = None
    """Of which group alone; all together when left out."""
    dataset: Line | None = None
    """On which dataset version, as name@version."""
    at: Day | None = None
    """When."""


class ArtifactKeys(Keys):
    """A file that a version is made of."""

    name: Line
    """Its name."""
    sha256: KeyDigest
    """Its SHA-256, in hexadecimal."""
    size: Annotated[int, Field(ge=0)] | None = None
    """Its bytes."""


class MaterialityKeys(Keys):
    """How much rests on it: what is exposed, and to what end."""

    exposure: Literal["low", "medium", "high"]
    """How much could be lost or harmed."""
    purpose: Line
    """What its answers decide."""


class MayServeKeys(Keys):
    """Whom a version may serve, and with what data; nobody else's is sent to it."""

    data_classes: list[Name] = Field(default_factory=list)
    """The classes of data that it may be sent."""
    segments: list[Name] = Field(default_factory=list)
    """Whom it may serve."""


class ModelFacts(Keys):
    """What is known of a model version beside what its answers depend on."""

    base_model: Line | None = None
    """What it was made from: a registered model as name@version, or a public one as organisation/name."""
    data: DataKeys = DataKeys()
    """The datasets behind it."""
    training: TrainingKeys = TrainingKeys()
    """How it was made."""
    evaluations: Annotated[list[EvaluationKeys], Field(max_length=1000)] = Field(default_factory=list)
    """What was measured of it."""
    licence: Line | None = None
    """Under what licence it is used."""
    artifacts: Annotated[list[ArtifactKeys], Field(max_length=1000)] = Field(default_factory=list)
    """The files it is made of."""
    use_cases: Lines = Field(default_factory=list)
    """What it is meant for."""
    limitations: Lines = Field(default_factory=list)
    """What it does badly or must not be used for."""
    materiality: MaterialityKeys | None = None
    """How much rests on it."""
    validator: Line | None = None
    """Who validated it, apart from those who made it."""
    findings: Lines = Field(default_factory=list)
    """What the validation found."""
    review_by: Day | None = None
    """When it is to be looked at again."""
    may_serve: MayServeKeys = MayServeKeys()
    """The classes of data and the segments that it may serve."""


class ModelVersionKeys(ModelFacts):
    """One exact upstream model."""

    upstream_model: UpstreamName
    """The provider's own name for it."""
    price: PriceKeys | None = None
    """What it costs; the price library's rates when left out."""
    floating: Line | None = None
    """Why an upstream name without a date or version is used."""
    served_model: UpstreamName | None = None
    """The name that answers carry, where it is not the upstream name."""
    fingerprint: Line | None = None
    """The system_fingerprint that answers must carry."""


class ModelDocument(Keys):
    """A model with its registered versions."""

    kind: Literal["model"]
    name: Name
    provider: Name
    """The provider that serves it."""
    owner: Line | None = None
    """Who answers for it."""
    versions: Annotated[dict[Version, ModelVersionKeys], Field(min_length=1)]
    """Its versions by name; each stands for one upstream model for ever."""


class DatasetVersionKeys(Keys):
    """One exact dataset."""

    sha256: KeyDigest
    """The SHA-256 of its content, in hexadecimal."""
    rows: Annotated[int, Field(ge=0)]
    """How many rows it has."""
    columns: dict[Line, Line] = Field(default_factory=dict)
    """Its schema: each column with its type."""
    origin: Line
    """Where it comes from."""
    purpose: Literal["training", "evaluation", "benchmark", "feedback"] | None = None
    """What it was gathered for."""
    licence: Line | None = None
    """Under what licence it is used."""
    known_gaps: Lines = Field(default_factory=list)
    """What is known to be missing in it, or wrong with it."""


class DatasetDocument(Keys):
    """A dataset with its registered versions."""

    kind: Literal["dataset"]
    name: Name
    owner: Line | None = None
    """Who answers for it."""
    versions: Annotated[dict[Version, DatasetVersionKeys], Field(min_length=1)]
    """Its versions by name; each stands for the same rows for ever."""
