"""Delivery: when what did not arrive is sent again, when it is given up, and how far a target has come."""

from dataclasses import dataclass
from typing import Literal

DeliveryResult = Literal["delivered", "failed", "given_up"]
"""What becomes of one try; `given_up` is that of a message, beside its last `failed`."""

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0

GIVE_UP_SECONDS = 3 * 86_400.0
"""For how long a message is sent again and again before those after it go on without it."""

LEAST_TRIES = 8
"""How often this process has tried in any case: after a long rest sender and receiver need not come back at once."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a target has come in the audit trail: it has what the entries up to `seq` tell.

    `failing_since` is the wall time of the first of its failures since anything arrived there.
    """

    target: str
    seq: int
    failing_since: float | None = None


def pause_after(failures: int, jitter: float) -> float:
    """Give for how many seconds to wait after so many failures, from 1, in a row.

    `jitter`, from 0 to 1, spreads it between half and the whole, so that many who failed at once come back apart.
    """
    whole = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_SECONDS)
    return whole * (0.5 + jitter / 2)


def is_given_up(now: float, happened: float, failing_since: float, tries: int) -> bool:
    """Say whether a message of wall time `happened` is sent no more, to a target that fails since `failing_since`."""
    return tries >= LEAST_TRIES and now - max(happened, failing_since) >= GIVE_UP_SECONDS
