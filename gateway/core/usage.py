"""What one answer used, in words that every provider's counts are brought to."""

from collections.abc import Collection
from typing import Any, Self

from gateway.core.value import value

_MOST = 1 << 50
"""No answer counts this much: a larger number is a provider's mistake, and may not fit a ledger's column."""


_TOTALS = frozenset(("input_tokens", "output_tokens"))
_COUNTS = frozenset((int,))


@value
class Usage:
    """The tokens of one answer. The counts are totals, and every part lies inside its total.

    A usage that is not known is None, never a Usage of zeros: zero is a count that a provider gave.

    Attributes:
        input_tokens: all input, cache reads and writes included.
        output_tokens: all output, reasoning included.
        cached_input_tokens: the input that was read from a cache.
        cache_write_tokens: the input that was written to a cache, whatever its life.
        cache_write_1h_tokens: the part of the writes with the longer life (an hour or more).
        reasoning_tokens: the output that was thinking.
        audio_input_tokens: the input that was audio.
        audio_output_tokens: the output that was audio.
        web_searches: searches that the provider ran, which it bills one by one.
        service_tier: the tier that served, as the provider spells it.
        speed: the speed that served, where the provider has several.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    web_searches: int = 0
    service_tier: str | None = None
    speed: str | None = None

    @classmethod
    def checked(cls, *, service_tier: object = None, speed: object = None, **counts: object) -> Self | None:
        """A usage from values that a provider sent, or None when they cannot be one.

        `counts` are the fields of this class. A part that is None was not sent and counts 0; a total that
        is None, and any count that is not a whole number from 0 up or that is larger than what it is a part
        of, makes the whole usage unknown. A tier or speed that is not text is left out.
        """
        sent = {name: count for name, count in counts.items() if count is not None}
        if not (sent.keys() >= _TOTALS and _are_counts(sent.values())):
            return None
        usage = cls(
            **sent,  # type: ignore[arg-type]  # every value was just found to be a count
            service_tier=service_tier if isinstance(service_tier, str) else None,
            speed=speed if isinstance(speed, str) else None,
        )
        return usage if usage._adds_up() else None

    @classmethod
    def plain(cls, input_tokens: object, output_tokens: object, service_tier: str | None) -> Self | None:
        """A usage of nothing but the two totals, as `checked` makes it."""
        if type(input_tokens) is not int or type(output_tokens) is not int:
            return None
        if not (0 <= input_tokens < _MOST and 0 <= output_tokens < _MOST):
            return None
        return cls(input_tokens, output_tokens, service_tier=service_tier)

    def _adds_up(self) -> bool:
        return (
            self.cached_input_tokens + self.cache_write_tokens <= self.input_tokens
            and self.cache_write_1h_tokens <= self.cache_write_tokens
            and self.reasoning_tokens <= self.output_tokens
            and self.audio_input_tokens <= self.input_tokens
            and self.audio_output_tokens <= self.output_tokens
        )


def _are_counts(values: Collection[Any]) -> bool:
    return _COUNTS.issuperset(map(type, values)) and min(values) >= 0 and max(values) < _MOST
