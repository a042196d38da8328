"""The outcome: how one attempt ended, and whose fault that was."""

from enum import StrEnum

from gateway.core.members import at_hand


@at_hand
class Outcome(StrEnum):
    """How one attempt ended, told once its answer is complete.

    Only `ok`, `slow` and `failed` say something about a release. `client_fault` means: unless stable accepts
    the same request; then it was the release that failed.
    """

    ok = "ok"
    slow = "slow"
    failed = "failed"
    rate_limited = "rate_limited"
    client_fault = "client_fault"
    cancelled = "cancelled"
    gateway_fault = "gateway_fault"


GOOD = frozenset((Outcome.ok, Outcome.slow))
"""What speaks for a release: it answered, be it slowly."""

JUDGED = GOOD | {Outcome.failed}
"""What says something about a release, for it or against it."""

BAD_FOR_APPLICATIONS = frozenset((Outcome.failed, Outcome.gateway_fault))
"""What an application sees as a failure of the route. Its own faults, its leaving and a provider's limit of its rate
say nothing, either way."""

_CONFIGURATION = frozenset({401, 402, 403, 404, 407, 408})
"""Refusals that the application cannot have caused: Pinion sends its own credential, model name and bytes."""


def classify_status(status: int) -> Outcome:
    """Tell the outcome that an upstream status alone stands for.

    A redirect is a failure, because redirects are never followed, and so is a status outside HTTP's classes.
    """
    if 200 <= status < 300:
        return Outcome.ok
    if status == 429:
        return Outcome.rate_limited
    if 400 <= status < 500 and status not in _CONFIGURATION:
        return Outcome.client_fault
    return Outcome.failed


def counts_as_failure(outcome: Outcome) -> bool:
    """Say whether an outcome speaks against the release."""
    return outcome is Outcome.failed


def is_good(outcome: Outcome) -> bool:
    """Say whether an outcome speaks for the release: it answered, be it slowly."""
    return outcome in GOOD
