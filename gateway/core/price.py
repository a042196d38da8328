"""What an answer cost. Unknown is unknown, never zero."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.core.usage import Usage
from gateway.core.value import value

CostStatus = Literal["exact", "estimated", "unknown"]


@value
class Cost:
    """The price of one answer in billionths of a US dollar, or None with status `unknown`."""

    nano_usd: int | None
    status: CostStatus

    @property
    def usd(self) -> float | None:
        """The same in US dollars."""
        return None if self.nano_usd is None else self.nano_usd / 1e9


UNKNOWN_COST = Cost(None, "unknown")


class Pricing(Protocol):
    """Turns usage into cost."""

    def cost(self, usage: Usage, at: float) -> Cost:
        """Price `usage` of an answer given at wall time `at` (seconds since the epoch)."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """Rates that a policy file states, in US dollars per million tokens; a rate left out is the plain input rate."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None

    def cost(self, usage: Usage, at: float) -> Cost:
        """Price `usage`: cached and written tokens lie inside the input and are charged at their own rates."""
        del at  # stated rates do not change with time
        plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        short_writes = usage.cache_write_tokens - usage.cache_write_1h_tokens
        if plain < 0 or short_writes < 0:
            return UNKNOWN_COST
        write_rate = self.input if self.cache_write is None else self.cache_write
        millionths = (
            plain * self.input
            + usage.cached_input_tokens * (self.input if self.cached_input is None else self.cached_input)
            + short_writes * write_rate
            + usage.cache_write_1h_tokens * (write_rate if self.cache_write_1h is None else self.cache_write_1h)
            + usage.output_tokens * self.output
        )
        return Cost(round(millionths * 1000), "exact")


class NoPrice:
    """The pricing of a model that neither a policy file nor the price library knows."""

    def cost(self, usage: Usage, at: float) -> Cost:
        """Answer that the cost is unknown."""
        del usage, at
        return UNKNOWN_COST
