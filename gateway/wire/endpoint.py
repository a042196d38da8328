"""The endpoints that Pinion governs: what an application calls, and what is called at the provider for it."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One governed endpoint; all of them take POST.

    Attributes:
        name: what the rest of Pinion calls it.
        dialect_name: the dialect that it speaks.
        path: the path that an application calls.
        streams: whether its answer can be a stream of events.
        upstream_path: what is put after a provider's base URL, which is written as the dialect's own SDK
            takes it (OpenAI with /v1, Anthropic without).
    """

    name: str
    dialect_name: str
    path: str
    streams: bool
    upstream_path: str


ENDPOINTS = (
    Endpoint("chat", "openai", "/v1/chat/completions", streams=True, upstream_path="/chat/completions"),
    Endpoint("completions", "openai", "/v1/completions", streams=True, upstream_path="/completions"),
    Endpoint("embeddings", "openai", "/v1/embeddings", streams=False, upstream_path="/embeddings"),
    Endpoint("responses", "openai", "/v1/responses", streams=True, upstream_path="/responses"),
    Endpoint("messages", "anthropic", "/v1/messages", streams=True, upstream_path="/v1/messages"),
    Endpoint(
        "count_tokens",
        "anthropic",
        "/v1/messages/count_tokens",
        streams=False,
        upstream_path="/v1/messages/count_tokens",
    ),
)

_BY_PATH = MappingProxyType({endpoint.path: endpoint for endpoint in ENDPOINTS})


def find(path: str) -> Endpoint | None:
    """The endpoint at exactly this raw path, its query taken off: nothing is decoded, folded or trimmed."""
    return _BY_PATH.get(path)
