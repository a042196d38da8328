"""What a release has shown on live requests: counts and quantiles, added up from many, in constant memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.outcome import Outcome
from gateway.core.record import Tried
from gateway.core.sketch import Sketch


@dataclass(slots=True)
class ReleaseFigures:
    """The figures of one release, of requests that were no copies.

    `requests` ended with it, `answered` of them with an answer of its own that was not a count of tokens. `failed` and
    `good` count its attempts. `cost_nano_usd` and the tokens are sums over the answers for which they are known.
    """

    requests: int = 0
    answered: int = 0
    good: int = 0
    failed: int = 0
    cost_known: int = 0
    cost_nano_usd: int = 0
    tokens_known: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: Sketch = field(default_factory=Sketch)
    first_token_seconds: Sketch = field(default_factory=Sketch)

    def add_failures(self, release: str, attempts: Sequence[Tried]) -> None:
        """Count the attempts of a release that failed, in a request's; those that speak against nobody apart."""
        self.failed += sum(
            each.release == release and each.outcome == Outcome.failed and not each.excused for each in attempts
        )

    @property
    def error_rate(self) -> float | None:
        """The failed share of its attempts; None without any."""
        return self.failed / (self.failed + self.good) if self.failed + self.good else None

    @property
    def cost_per_1000_requests(self) -> float | None:
        """US dollars for a thousand answers, by those of known cost; None without any."""
        return self.cost_nano_usd / self.cost_known / 1e6 if self.cost_known else None

    def to_json(self) -> dict[str, Any]:
        """Write the figures as a JSON object, each with the number that it rests on; what is undefined is null."""
        return {
            "requests": self.requests,
            "error_rate": {
                "value": _rounded(self.error_rate),
                "failed": self.failed,
                "n": self.failed + self.good,
            },
            "seconds": _quantiles(self.seconds, (50, 95, 99)),
            "first_token_seconds": _quantiles(self.first_token_seconds, (50, 95)),
            "cost_per_1000_requests_usd": {
                "value": _rounded(self.cost_per_1000_requests),
                "n": self.cost_known,
                "unknown": self.answered - self.cost_known,
            },
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "n": self.tokens_known,
                "unknown": self.answered - self.tokens_known,
            },
        }


def _quantiles(sketch: Sketch, percents: Sequence[int]) -> dict[str, Any]:
    return {**{f"p{percent}": _rounded(sketch.quantile(percent / 100)) for percent in percents}, "n": sketch.count}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
