"""Why a release was taken out, as a sentence: for the record, the status and whoever is called at night."""

from collections.abc import Mapping
from typing import Any


def reason_of(rule: str, evidence: Mapping[str, Any]) -> str:
    """Say a trip's rule and its evidence; `evidence` is that of the breaker's trip or of a served model."""
    said = _SENTENCES.get(rule, "")
    try:
        sentence = said.format_map(evidence) if said else ""
    except (KeyError, ValueError, TypeError):
        sentence = ""
    return f"{rule}: {sentence or ', '.join(f'{name} {value}' for name, value in evidence.items())}"


_SENTENCES: Mapping[str, str] = {
    "consecutive": "{failures_in_a_row} requests failed in a row, and the limit is {limit}",
    "failure_rate": "{failed} of {requests} requests failed within {window_seconds:g} s, and the limit is {limit:.0%}",
    "slow_rate": "{slow} of {requests} requests were slow within {window_seconds:g} s, and the limit is {limit:.0%}",
    "cusum": "{failed} of {requests} requests failed within {window_seconds:g} s, well over the {baseline:.1%} allowed",
    "guardrail": "{said}",
    "mismatch": "the provider served {served!r} in place of {pinned!r}",
}
