"""The prices of public models, from the library genai-prices as it was installed. Nothing is fetched.

Who is paid is read from the base URL where the library knows its host. Behind any other host (a company's own proxy, a
simulator) the price is that of the dialect's public provider, and the cost an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from gateway.core.price import UNKNOWN_COST, Cost
from gateway.core.provider import DialectName
from gateway.core.usage import Usage

if TYPE_CHECKING:  # the library takes a tenth of the start and 12 MB, which a gateway with stated prices need not pay
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider
    from genai_prices.types import Usage as LibraryUsage

_PUBLIC_PROVIDER: Mapping[DialectName, str] = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}

_STANDARD = frozenset({"default", "standard", "on_demand"})
"""How providers spell the tier or speed that has no price of its own: OpenAI, Anthropic, Groq."""

_TOTALS = {"input_tokens": "input_mtok", "output_tokens": "output_mtok"}
_EXTRAS = {"web_searches": "web_searches_kcount", "cache_write_1h_tokens": "cache_write_1h_mtok"}
"""Counts of ours that are billed at a rate of their own, each with the library's name of that rate."""


class PriceLibrary:
    """The port `PriceBook`, over the prices that are installed with Pinion, which are read when first asked for."""

    @cached_property
    def _snapshot(self) -> DataSnapshot:
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see above

        return get_snapshot()

    def __repr__(self) -> str:
        return f"PriceLibrary({sum(len(provider.models) for provider in self._snapshot.providers)} models)"

    def pricing(self, dialect: DialectName, base_url: str, upstream_model: str) -> LibraryPricing | None:
        """Give the pricing of an upstream model, or None when the library does not know it at that provider."""
        host = _provider_at(self._snapshot, base_url)
        try:
            provider, model = self._snapshot.find_provider_model(
                upstream_model, host, None if host else _PUBLIC_PROVIDER[dialect], None
            )
        except LookupError:
            return None
        return LibraryPricing(provider, model, is_estimate=host is None)


@dataclass(frozen=True, slots=True, eq=False)
class LibraryPricing:
    """The port `Pricing` of one model, found once. `is_estimate` says that who is paid was guessed."""

    provider: Provider
    model: ModelInfo
    is_estimate: bool

    def __repr__(self) -> str:
        return f"LibraryPricing({self.provider.id}/{self.model.id})"

    def cost(self, usage: Usage, at: float) -> Cost:
        """Price `usage` at wall time `at`, at the rates of that time and, where it has its own, of its tier.

        The cost is estimated when the tier or speed has no rate that is known, or something that is billed apart has
        none; it is unknown when the counts contradict each other or the tokens have no rate at all.
        """
        if _is_plain(usage) and (rates := _plain_rates(self, int(at // 60))) is not None:
            return rates.cost(usage, is_exact=not self.is_estimate)
        moment = datetime.fromtimestamp(at, UTC)
        context = {"service_tier": usage.service_tier, "speed": usage.speed}
        special = {key: value for key, value in context.items() if value and value not in _STANDARD}
        known = {key: value for key, value in special.items() if self._has_variant(key, value, moment)}
        try:
            calculation = self.model.calc_price(
                _counts(usage), self.provider, genai_request_timestamp=moment, price_context=known or None
            )
        except (LookupError, ValueError):
            return UNKNOWN_COST
        if _lacks_rate(calculation.model_price, usage, _TOTALS):
            return UNKNOWN_COST
        is_exact = known == special and not _lacks_rate(calculation.model_price, usage, _EXTRAS)
        nano_usd = int((calculation.total_price * 10**9).to_integral_value())
        return Cost(nano_usd, "exact" if is_exact and not self.is_estimate else "estimated")

    def _has_variant(self, key: str, value: str, moment: datetime) -> bool:
        """Whether the library has rates for this tier or speed: it would silently take the standard ones otherwise.

        It keeps a provider's variants from models that another provider lends it, and so does this.
        """
        is_own = any(self.model is model for model in self.provider.models)
        return is_own and any(
            variant.when == {key: value} and (variant.constraint is None or variant.constraint.active(moment))
            for variant in self.model.price_variants or ()
        )


@dataclass(frozen=True, slots=True)
class _PlainRates:
    """Rates that do not depend on how much is used, in billionths of a US dollar a token."""

    input: Decimal
    cached_input: Decimal
    output: Decimal

    def cost(self, usage: Usage, *, is_exact: bool) -> Cost:
        """Price a usage of nothing but input, cached input and output, as the library does."""
        total = (
            (usage.input_tokens - usage.cached_input_tokens) * self.input
            + usage.cached_input_tokens * self.cached_input
            + usage.output_tokens * self.output
        )
        return Cost(int(total.to_integral_value()), "exact" if is_exact else "estimated")


def _is_plain(usage: Usage) -> bool:
    """Whether nothing was used that has a price of its own, but input, cached input and output."""
    extras = (
        usage.cache_write_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        usage.reasoning_tokens,
        usage.web_searches,
        usage.speed,
    )
    is_standard = usage.service_tier is None or usage.service_tier in _STANDARD
    return is_standard and not any(extras) and usage.cached_input_tokens <= usage.input_tokens


@lru_cache(maxsize=4096)
def _plain_rates(pricing: LibraryPricing, minute: int) -> _PlainRates | None:
    """The rates of one minute since the epoch, where they are plain: the library takes a while over each answer."""
    price = pricing.model.get_prices(datetime.fromtimestamp(minute * 60, UTC))
    plain = [getattr(price, name, None) for name in ("input_mtok", "cache_read_mtok", "output_mtok")]
    given, cached, output = (rate * 1000 if isinstance(rate, Decimal) else rate for rate in plain)
    cached = given if cached is None else cached
    if isinstance(given, Decimal) and isinstance(cached, Decimal) and isinstance(output, Decimal):
        return _PlainRates(given, cached, output)
    return None


def _provider_at(snapshot: DataSnapshot, base_url: str) -> Provider | None:
    try:
        return snapshot.find_provider(None, None, base_url)
    except LookupError:
        return None


def _counts(usage: Usage) -> LibraryUsage:
    """Our counts in the library's words: as with ours, each part lies inside its total."""
    parts = {
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "input_audio_tokens": usage.audio_input_tokens,
        "output_audio_tokens": usage.audio_output_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "web_searches": usage.web_searches,
    }
    counted = {name: count for name, count in parts.items() if count}
    from genai_prices.types import Usage as LibraryUsage  # noqa: PLC0415 - see above

    return LibraryUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, **counted)


def _lacks_rate(price: ModelPrice, usage: Usage, rates: Mapping[str, str]) -> bool:
    """Whether something was used that the price says nothing of, which the library would count as free."""
    return any(getattr(usage, count) and getattr(price, rate) is None for count, rate in rates.items())
