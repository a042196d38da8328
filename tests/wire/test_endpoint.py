"""The table of governed endpoints."""

import pytest

from gateway.wire import endpoint


@pytest.mark.parametrize(
    ("path", "name", "dialect", "streams", "upstream"),
    [
        ("/v1/chat/completions", "chat", "openai", True, "/chat/completions"),
        ("/v1/completions", "completions", "openai", True, "/completions"),
        ("/v1/embeddings", "embeddings", "openai", False, "/embeddings"),
        ("/v1/responses", "responses", "openai", True, "/responses"),
        ("/v1/messages", "messages", "anthropic", True, "/v1/messages"),
        ("/v1/messages/count_tokens", "count_tokens", "anthropic", False, "/v1/messages/count_tokens"),
    ],
)
def test_each_governed_path_is_found(path, name, dialect, streams, upstream):
    """A path leads to its name, its dialect, and what goes after a provider's base URL."""
    assert endpoint.Endpoint(name, dialect, path, streams, upstream) == endpoint.find(path)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/messages/", "/V1/messages", "/v1//messages", "/v1/mess%61ges", "", "/"]
)
def test_other_spellings_are_not_governed_endpoints(path):
    """What a path means is never guessed, or a check of the path could be walked around."""
    assert endpoint.find(path) is None
