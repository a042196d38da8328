"""A record: the compact row that each request leaves in the ledger. It holds no prompt and no answer."""

from typing import Any

from gateway.core.outcome import GOOD, Outcome
from gateway.core.value import value

REVISION_DIGITS = 16
"""How many hexadecimal digits of a policy set's digest a record keeps: 64 bits, beyond any chance of two alike."""

UNCHARGED = frozenset(("count_tokens",))
"""Endpoints whose answers use nothing that is paid for."""

MAY_HAVE_USED = GOOD | {Outcome.cancelled}
"""Outcomes of requests that a provider has worked on; another may be of a stream that broke off, of status 200."""


@value
class Tried:
    """One attempt of a request: which release on which track, how it ended, the upstream's status (0: none).

    `excused` marks a failure that speaks against nobody, since stable failed on the same request or was out of service.
    """

    release: str
    track: str
    outcome: str
    status: int
    excused: bool = False


@value
class Record:
    """One request as it ended.

    Times are wall seconds (`at`) and durations in seconds; `cost_nano_usd` is None when unknown; `partial` marks usage
    of an answer that was cut; `shadow_of` names the request that a mirrored one copied; `split` is what decided the
    release: `EXPERIMENT/ARM`, the id of a rollout, or None; `revision` is the digest of the policy set that decided,
    cut to REVISION_DIGITS; `prompt_digest` is the SHA-256 of the prompt as it was sent, None where there was none.
    """

    request_id: str
    at: float
    app: str
    route: str
    release: str
    track: str
    why: str
    bucket: int | None
    unit_digest: str | None
    outcome: str
    status: int
    seconds: float
    first_token_seconds: float | None
    overhead_seconds: float
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cost_nano_usd: int | None
    cost_status: str
    partial: bool
    input_digest: str
    served_model: str | None
    fingerprint: str | None
    response_id: str | None
    upstream_request_id: str | None
    endpoint: str
    stream: bool
    sdk_retries: int
    attempts: tuple[Tried, ...]
    epoch: int
    shadow_of: str | None = None
    schema_valid: bool | None = None
    split: str | None = None
    revision: str | None = None
    prompt_digest: str | None = None

    @property
    def is_charged(self) -> bool:
        """Whether its endpoint is one whose answers are paid for."""
        return self.endpoint not in UNCHARGED

    @property
    def may_have_used(self) -> bool:
        """Whether a provider may have charged for it, whatever is known of how much."""
        return self.is_charged and (self.outcome in MAY_HAVE_USED or 200 <= self.status < 300)

    @property
    def tokens(self) -> int | None:
        """The input and output tokens together; None when they are not known."""
        return None if self.input_tokens is None else self.input_tokens + (self.output_tokens or 0)

    @property
    def cost_usd(self) -> float | None:
        """The cost in US dollars; None when unknown."""
        return None if self.cost_nano_usd is None else self.cost_nano_usd / 1e9

    def summary(self) -> dict[str, Any]:
        """Give what the log says of the request, cost in US dollars."""
        return {
            "request_id": self.request_id,
            "route": self.route,
            "release": self.release,
            "track": self.track,
            "app": self.app,
            "endpoint": self.endpoint,
            "outcome": self.outcome,
            "status": self.status,
            "seconds": round(self.seconds, 6),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "input_digest": self.input_digest,
            "attempts": len(self.attempts),
        }
