"""What access was used, coarsely: which key when, and which operator did what on which day."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_SECONDS = 86_400.0

STALE_DAYS = 90
"""After how many days without use a grant counts as unused."""


def day_of(now: float) -> int:
    """Give the day of a wall time, counted from 1970-01-01 UTC."""
    return int(now // DAY_SECONDS)


@dataclass(frozen=True, slots=True)
class AccessUse:
    """The latest use of keys, by the SHA-256 in hexadecimal, in wall seconds; of grants, by operator and permission.

    Days are counted from 1970-01-01 UTC.
    """

    keys: Mapping[str, float] = field(default_factory=dict, repr=False)
    grants: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def joined(self, other: "AccessUse") -> "AccessUse":
        """Give the later of each."""
        keys = {each: max(self.keys.get(each, 0.0), other.keys.get(each, 0.0)) for each in {*self.keys, *other.keys}}
        both = {*self.grants, *other.grants}
        return AccessUse(keys, {each: max(self.grants.get(each, 0), other.grants.get(each, 0)) for each in both})
