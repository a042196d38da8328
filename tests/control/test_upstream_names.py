"""Upstream names: exact, undated, or whatever is latest."""

import pytest

from gateway.control.upstream_names import is_exact, is_latest, model_and_version


@pytest.mark.parametrize(
    "name",
    [
        "latest",
        "gpt-4o-latest",
        "chatgpt-4o-LATEST",
        "model:latest",
        "vendor/latest/x",
        "a.latest",
        "b_latest",
        "c@latest",
    ],
)
def test_a_part_latest_is_seen(name):
    """Between any of the marks that names use, in any case."""
    assert is_latest(name)


@pytest.mark.parametrize("name", ["gpt-4o", "latestmodel", "the-latests"])
def test_latest_within_a_word_is_none(name):
    """Only a whole part counts."""
    assert not is_latest(name)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-2024-08-06",
        "claude-sonnet-4-5-20250929",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "gpt-4-0613",
        "gpt-4-1106-preview",
        "gemini-2.0-flash-001",
        "mistral-large-2411",
        "claude-sonnet-4@20250514",
    ],
)
def test_a_date_a_build_or_a_version_makes_a_name_exact(name):
    """Providers write them in several ways."""
    assert is_exact(name)


@pytest.mark.parametrize(
    "name", ["gpt-4o", "claude-sonnet-4-5", "o1", "llama-3-70b", "text-embedding-3-small", "yi-200-chat"]
)
def test_a_generation_alone_is_not_exact(name):
    """Its model may be exchanged."""
    assert not is_exact(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o-2024-08-06", ("gpt-4o", "2024-08-06")),
        ("claude-sonnet-4-5-20250929", ("claude-sonnet-4-5", "20250929")),
        ("claude-sonnet-4@20250514", ("claude-sonnet-4", "20250514")),
        ("model@v2", ("model", "v2")),
        ("meta-llama/llama-3-70b", ("meta-llama/llama-3-70b", "meta-llama/llama-3-70b")),
        ("gpt-4-0613", ("gpt-4-0613", "gpt-4-0613")),
        ("2024-08-06", ("2024-08-06", "2024-08-06")),
        ("model-99999999", ("model-99999999", "model-99999999")),
    ],
)
def test_a_trailing_date_is_the_version(name, expected):
    """Without one the whole name is both model and version."""
    assert expected == model_and_version(name)
