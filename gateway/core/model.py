"""A model version: a registered, immutable model at one exact upstream name."""

import json
from dataclasses import dataclass, field

from gateway.core.price import NoPrice, Pricing
from gateway.core.provider import Provider


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One exact upstream model, written `gpt-4o@2024-08-06`.

    `served_model` is the name that answers must carry (the upstream name, unless the provider answers with another);
    None means that the provider offers no exact name, so answers are watched for change only. `fingerprint` pins the
    provider's `system_fingerprint` where the policy states one. `floating` is the reason given for an undated name.
    `encoded_name` is the upstream name as JSON, prepared once.
    """

    model: str
    version: str
    provider: Provider
    upstream_model: str
    served_model: str | None
    digest: str
    fingerprint: str | None = None
    floating: str | None = None
    owner: str | None = None
    pricing: Pricing = field(default_factory=NoPrice, compare=False)
    encoded_name: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoded_name", json.dumps(self.upstream_model).encode())

    def __str__(self) -> str:
        return f"{self.model}@{self.version}"
