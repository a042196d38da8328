"""A release: an immutable bundle of one model version, one prompt version, parameters and named context."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.core.model import ModelVersion
from gateway.core.prompt import PromptVersion

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Release:
    """What serves. `params` win over what the application sends; `context` is named, not sent.

    `encoded_params` holds each parameter as JSON bytes, `headers` the response headers that name this release, both
    prepared once, as is whether its prompt has an output schema. `dev` marks what a development server loaded,
    `notice` are the headers that say of its end.
    """

    route: str
    version: str
    model: ModelVersion
    prompt: PromptVersion | None
    params: Mapping[str, Any]
    context: Mapping[str, str]
    digest: str
    encoded_params: Mapping[str, bytes] = field(repr=False)
    dev: bool = False
    notice: tuple[Header, ...] = ()
    headers: tuple[Header, ...] = field(init=False, repr=False, compare=False)
    has_output_schema: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        headers = [
            (b"x-pinion-route", self.route.encode()),
            (b"x-pinion-release", str(self).encode()),
            (b"x-pinion-model", str(self.model).encode()),
        ]
        if self.prompt is not None:
            headers.append((b"x-pinion-prompt", str(self.prompt).encode()))
        object.__setattr__(self, "headers", (*headers, *self.notice))
        has_schema = self.prompt is not None and self.prompt.output_schema is not None
        object.__setattr__(self, "has_output_schema", has_schema)

    def __str__(self) -> str:
        return f"{self.route}/{self.version}"
