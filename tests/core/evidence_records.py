"""Records as evidence hears them, for its tests: stable is 1.0.0, the candidate 1.1.0."""

from dataclasses import replace
from typing import Any

from gateway.core.record import Record, Tried
from tests.adapters.ledger_records import FULL

STABLE, CANDIDATE = "1.0.0", "1.1.0"
SINCE = 1000.0


def digest_of(unit: int) -> str:
    """A digest that spreads as those of units do."""
    return f"{unit * 0x9E3779B97F4A7C15 % (1 << 64):016x}{unit:016x}"


def answered(track: str, unit: int, outcome: str = "ok", **changes: Any) -> Record:
    """A request that the release of this track ended by itself."""
    release = STABLE if track == "stable" else CANDIDATE
    attempts = (Tried(release, track, outcome, 200 if outcome in {"ok", "slow"} else 503),)
    own = {"release": release, "track": track, "outcome": outcome, "attempts": attempts, "at": SINCE + 1}
    ids = {"request_id": f"req-{unit}", "unit_digest": digest_of(unit), "bucket": 5, "split": "rollout-1"}
    return replace(FULL, **{**own, **ids, **changes})


def failed_over(unit: int, **changes: Any) -> Record:
    """A request that the candidate failed and stable answered."""
    attempts = (Tried(CANDIDATE, "canary", "failed", 503), Tried(STABLE, "fallback", "ok", 200))
    return replace(answered("stable", unit, attempts=attempts, **changes), track="fallback")
