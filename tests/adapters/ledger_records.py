"""Sample records for the tests of the ledger."""

from dataclasses import replace
from typing import Any

from gateway.core.record import Record, Tried

FULL = Record(
    request_id="req-1",
    at=1000.0,
    app="helpdesk",
    route="support",
    release="1.0.0",
    track="stable",
    why="no rollout or experiment is running",
    bucket=123_456,
    unit_digest="0f",
    outcome="ok",
    status=200,
    seconds=1.5,
    first_token_seconds=0.25,
    overhead_seconds=0.001,
    input_tokens=1000,
    output_tokens=100,
    cached_input_tokens=10,
    cost_nano_usd=3_500_000,
    cost_status="exact",
    partial=False,
    input_digest="1e",
    served_model="gpt-4o-2024-08-06",
    fingerprint="fp_1",
    response_id="resp_1",
    upstream_request_id="up-1",
    endpoint="responses",
    stream=True,
    sdk_retries=1,
    attempts=(Tried("1.1.0", "canary", "failed", 503), Tried("1.0.0", "fallback", "ok", 200)),
    epoch=7,
    shadow_of=None,
    schema_valid=True,
)


def record(number: int, **changes: Any) -> Record:
    """A record with this number in its ids and its time."""
    ids = {"request_id": f"req-{number}", "response_id": f"resp_{number}", "at": float(number)}
    return replace(FULL, **{**ids, **changes})
