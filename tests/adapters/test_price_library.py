"""The prices of public models."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.price_library import PriceLibrary
from gateway.core.price import UNKNOWN_COST, Cost, Price
from gateway.core.usage import Usage

LIBRARY = PriceLibrary()
OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
GOOGLE = "https://generativelanguage.googleapis.com"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
BEFORE_TIERS = datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()

GPT_4O = LIBRARY.pricing("openai", OPENAI, "gpt-4o-2024-08-06")
SONNET = LIBRARY.pricing("anthropic", ANTHROPIC, "claude-sonnet-4-6")


def usage(**counts):
    """Counts with a thousand tokens in and a hundred out, unless told."""
    return Usage(**{"input_tokens": 1000, "output_tokens": 100, **counts})


def test_the_library_is_there():
    """Prices come with the installation."""
    assert repr(LIBRARY).endswith(" models)")
    assert "LibraryPricing(openai/gpt-4o)" == repr(GPT_4O)


def test_cached_input_is_charged_once_and_at_its_own_rate():
    """The total holds the cached part: 900 at 2.50, 100 at 1.25 and 100 out at 10 dollars a million."""
    assert Cost(3_375_000, "exact") == GPT_4O.cost(usage(cached_input_tokens=100), NOW)


def test_cache_writes_are_charged_by_their_life():
    """400 written for minutes at 3.75, 100 for an hour at 6, 500 plain at 3, 100 out at 15 dollars a million."""
    cost = SONNET.cost(usage(cache_write_tokens=500, cache_write_1h_tokens=100), NOW)
    assert Cost(1_500_000 + 600_000 + 1_500_000 + 1_500_000, "exact") == cost


@given(
    counts=st.tuples(*[st.integers(0, 100_000)] * 4), output=st.integers(0, 100_000), reasoning=st.integers(0, 50_000)
)
def test_the_library_agrees_with_stated_rates(counts, output, reasoning):
    """The same rates in a policy file cost the same, to the billionth, for every partition of the input."""
    plain, cached, short, long = counts
    used = Usage(
        input_tokens=plain + cached + short + long,
        output_tokens=output + reasoning,
        cached_input_tokens=cached,
        cache_write_tokens=short + long,
        cache_write_1h_tokens=long,
        reasoning_tokens=reasoning,
    )
    stated = Price(input=3, output=15, cached_input=0.3, cache_write=3.75, cache_write_1h=6)
    library = SONNET.cost(used, NOW)
    assert "exact" == library.status
    assert abs(stated.cost(used, NOW).nano_usd - library.nano_usd) <= 1


def test_more_input_may_change_the_rate_of_all_of_it():
    """Over 200,000 tokens of input this model costs twice as much, for every token."""
    pricing = LIBRARY.pricing("gemini", GOOGLE, "gemini-3.1-pro-preview")
    assert 400_000_000 == pricing.cost(Usage(200_000, 0), NOW).nano_usd
    assert 800_004_000 == pricing.cost(Usage(200_001, 0), NOW).nano_usd


@pytest.mark.parametrize("tier", [None, "default", "standard"])
def test_the_standard_tier_is_exact(tier):
    """However a provider spells it, the tier without a rate of its own is the plain price."""
    assert Cost(3_500_000, "exact") == GPT_4O.cost(usage(service_tier=tier, speed=tier), NOW)


def test_a_tier_with_its_own_rates_is_charged_at_them():
    """Priority is dearer, and exact since its rates are known."""
    assert Cost(4_250_000 + 1_700_000, "exact") == GPT_4O.cost(usage(service_tier="priority"), NOW)


@pytest.mark.parametrize(
    ("tier", "speed", "at"),
    [("flexx", None, NOW), ("Priority", None, NOW), (None, "fast", NOW), ("priority", None, BEFORE_TIERS)],
)
def test_a_tier_without_known_rates_is_an_estimate(tier, speed, at):
    """The standard price stands in, and says that it does."""
    assert Cost(3_500_000, "estimated") == GPT_4O.cost(usage(service_tier=tier, speed=speed), at)


def test_one_known_tier_beside_an_unknown_speed_is_charged_and_estimated():
    """What is known counts, what is not makes it an estimate."""
    assert Cost(5_950_000, "estimated") == GPT_4O.cost(usage(service_tier="priority", speed="fast"), NOW)


def test_searches_are_billed_one_by_one():
    """Ten dollars for a thousand searches come on top."""
    assert Cost(3_500_000 + 20_000_000, "exact") == GPT_4O.cost(usage(web_searches=2), NOW)


def test_something_billed_apart_without_a_rate_is_an_estimate():
    """A search that the library has no price for is not free."""
    pricing = LIBRARY.pricing("openai", OPENAI, "text-embedding-3-small")
    assert Cost(20_000, "exact") == pricing.cost(Usage(1000, 0), NOW)
    assert Cost(20_000, "estimated") == pricing.cost(Usage(1000, 0, web_searches=1), NOW)


def test_tokens_without_any_rate_are_unknown():
    """A model that has no price for output costs an unknown amount once it has some."""
    assert UNKNOWN_COST == LIBRARY.pricing("openai", OPENAI, "text-embedding-3-small").cost(usage(), NOW)


def test_counts_that_contradict_each_other_are_unknown():
    """More cached than there was input is a provider's mistake and has no price."""
    assert UNKNOWN_COST == GPT_4O.cost(usage(cached_input_tokens=2000), NOW)


def test_nothing_used_costs_nothing():
    """A measured zero is zero, not unknown."""
    assert Cost(0, "exact") == GPT_4O.cost(Usage(0, 0), NOW)


@pytest.mark.parametrize(
    ("dialect", "base_url", "model", "expected"),
    [
        ("openai", "https://corp.openai.azure.com/openai/v1", "gpt-4o-2024-08-06", "azure/gpt-4o"),
        ("openai", "https://openrouter.ai/api/v1", "openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("openai", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
        ("gemini", GOOGLE, "gemini-2.5-pro", "google/gemini-2.5-pro"),
    ],
)
def test_the_provider_is_read_from_the_base_url(dialect, base_url, model, expected):
    """A known host decides who is paid, whatever the dialect."""
    pricing = LIBRARY.pricing(dialect, base_url, model)
    assert f"LibraryPricing({expected})" == repr(pricing)
    assert "exact" == pricing.cost(usage(), NOW).status


def test_a_lent_model_has_no_tiers_at_the_provider_that_borrows_it():
    """The library keeps a tier's rates to the provider that states them; elsewhere the cost is an estimate."""
    pricing = LIBRARY.pricing("openai", "https://corp.openai.azure.com/openai/v1", "gpt-4o-2024-08-06")
    assert Cost(3_500_000, "estimated") == pricing.cost(usage(service_tier="priority"), NOW)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9000/v1", "https://llm.corp.example/v1", "not a url"])
def test_behind_another_host_the_public_price_is_an_estimate(base_url):
    """A simulator or a company's proxy serves real names; the price is the public one, and said to be a guess."""
    openai = LIBRARY.pricing("openai", base_url, "gpt-4o-2024-08-06")
    assert Cost(3_500_000, "estimated") == openai.cost(usage(), NOW)
    assert "anthropic" == LIBRARY.pricing("anthropic", base_url, "claude-sonnet-4-5").provider.id
    assert "google" == LIBRARY.pricing("gemini", base_url, "gemini-2.5-pro").provider.id


@pytest.mark.parametrize(
    ("base_url", "model"),
    [
        (OPENAI, "gpt-4o-my-own-finetune"),
        (OPENAI, "claude-sonnet-4-5"),
        ("http://127.0.0.1:9000/v1", "sim-large"),
        ("https://api.groq.com/openai/v1", "gpt-4o"),
        (OPENAI, ""),
    ],
)
def test_an_unknown_model_has_no_pricing(base_url, model):
    """No name is priced by its likeness to another, and none at a provider that does not offer it."""
    assert None is LIBRARY.pricing("openai", base_url, model)


@given(
    model=st.sampled_from(["gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14", "o3-2025-04-16"]),
    tokens=st.integers(0, 5_000_000),
    output=st.integers(0, 5_000_000),
    cached=st.floats(0, 1),
)
def test_plain_usage_costs_what_the_library_says(model, tokens, output, cached):
    """The short way to a price and the library's own come to the same, to the billionth of a dollar."""
    pricing = PriceLibrary().pricing("openai", "https://api.openai.com/v1", model)
    plain = Usage(tokens, output, cached_input_tokens=int(tokens * cached))
    whole = replace(plain, reasoning_tokens=min(output, 1))  # counted within the output, and not plain
    expected = pricing.cost(whole, NOW) if output else pricing.cost(plain, NOW)
    assert expected == pricing.cost(plain, NOW)
