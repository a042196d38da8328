"""What the headers of a refusal say of an application's limits, as its dialect's own provider says it."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from gateway.core.limit import LimitUse, Overrun
from gateway.core.ports import Headers
from gateway.wire.dialect import Dialect

LONGEST_RETRY = 120
"""Seconds. For a longer wait SDKs are told not to retry: OpenAI's would not, Anthropic's would sleep for all of it."""


def limit_headers(overrun: Overrun, dialect: Dialect) -> Headers:
    """Give the headers: when there is room again, and of requests and tokens what is limited, left and when it is new.

    Of several limits of a kind they tell the one that has the least left. Providers have no headers for spending.
    """
    fields: Headers = [(b"retry-after", b"%d" % overrun.wait)]
    if overrun.wait > LONGEST_RETRY:
        fields.append((b"x-should-retry", b"false"))
    for kind in ("requests", "tokens"):
        uses = [use for use in overrun.uses if use.limit.kind == kind]
        if uses:
            tightest = min(uses, key=lambda use: use.left)
            fields += _FORMS[dialect.name](kind, tightest, overrun.at)
    return fields


def _openai(kind: str, use: LimitUse, _at: float) -> Headers:
    told = {"limit": str(use.limit.amount), "remaining": str(use.left), "reset": _go_duration(use.idle_in)}
    return [(f"x-ratelimit-{name}-{kind}".encode(), text.encode()) for name, text in told.items()]


def _anthropic(kind: str, use: LimitUse, at: float) -> Headers:
    reset = datetime.fromtimestamp(math.ceil(at + use.idle_in), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {"limit": str(use.limit.amount), "remaining": str(use.left), "reset": reset}
    return [(f"anthropic-ratelimit-{kind}-{name}".encode(), text.encode()) for name, text in told.items()]


_FORMS: Mapping[str, Callable[[str, LimitUse, float], Headers]] = {"openai": _openai, "anthropic": _anthropic}


def _go_duration(seconds: float) -> str:
    """Write whole seconds, rounded up, as OpenAI writes a reset: `12s`, `6m0s`, `23h59m12s`."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
