"""What a refusal's headers say of an application's limits."""

import pytest

from gateway.core.limit import Limit, LimitUse, Overrun
from gateway.proxy.limit_headers import limit_headers
from gateway.wire.dialects import DIALECTS

NOW = 1_790_000_000.0
MINUTE = Limit("requests", 600, 60.0)
DAY = Limit("requests", 10_000, 86_400.0)
TOKENS = Limit("tokens", 200_000, 60.0)
USD = Limit("usd", 50_000_000_000, 86_400.0)

USES = (
    LimitUse(DAY, 9_000, 90_000.0),
    LimitUse(MINUTE, 600, 75.2),
    LimitUse(TOKENS, 1_000, 3.0),
    LimitUse(USD, 0, 0.0),
)


def told(dialect: str, overrun: Overrun) -> dict[str, str]:
    """The headers of a dialect, each once."""
    fields = limit_headers(overrun, DIALECTS[dialect])
    assert len(fields) == len(dict(fields))
    return {name.decode(): value.decode() for name, value in fields}


def test_openais_sdks_read_what_openai_sends():
    """When to come back, and of requests and tokens the limit that has the least left."""
    assert {
        "retry-after": "16",
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m16s",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "199000",
        "x-ratelimit-reset-tokens": "3s",
    } == told("openai", Overrun(MINUTE, 16, NOW, USES))


def test_anthropics_sdks_read_what_anthropic_sends():
    """The same under its own names, the reset as a time."""
    assert {
        "retry-after": "16",
        "anthropic-ratelimit-requests-limit": "600",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:36Z",
        "anthropic-ratelimit-tokens-limit": "200000",
        "anthropic-ratelimit-tokens-remaining": "199000",
        "anthropic-ratelimit-tokens-reset": "2026-09-21T14:13:23Z",
    } == told("anthropic", Overrun(MINUTE, 16, NOW, USES))


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(("wait", "more"), [(120, {}), (121, {"x-should-retry": "false"})])
def test_nobody_sleeps_for_hours(dialect, wait, more):
    """A wait over two minutes is told as it is, and SDKs are told not to wait for it; spending has no other header."""
    overrun = Overrun(USD, wait, NOW, (LimitUse(USD, 60_000_000_000, 100_000.0),))
    assert {"retry-after": str(wait), **more} == told(dialect, overrun)


def test_hours_are_told_as_openai_does():
    """`25h0m0s`, not in seconds."""
    overrun = Overrun(DAY, 100, NOW, (LimitUse(DAY, 10_000, 90_000.0),))
    assert "25h0m0s" == told("openai", overrun)["x-ratelimit-reset-requests"]
