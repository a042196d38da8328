"""A bucket: the unit's place in a split, 0 to 999,999 parts per million. Algorithm v1.

    bucket = (BLAKE2b-64(NFC(unit) as UTF-8, key = SHA-256(salt)) as a big-endian integer) * 1,000,000 >> 64

The law: a bucket depends on its salt and the unit alone, so that it is the same in every process and no state
is kept; a salt never names a percentage, so that growth keeps everyone who is in; and every salt names its
kind, so that the splits of a rollout, an experiment, a mirror, a rule and a return are independent of each other.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

ALGORITHM = "v1"
BUCKETS = 1_000_000
_PPM_PER_PERCENT = BUCKETS // 100


@lru_cache(maxsize=10_000)
def salt(text: str) -> "Salt":
    """Give the salt of a text, prepared once: a snapshot of many routes is made anew at every change of one."""
    return Salt(text)


@dataclass(frozen=True, slots=True)
class Salt:
    """What makes one split independent of all others.

    The keyed hash is prepared once and copied for each unit. Its key is a digest, since BLAKE2b takes keys of
    up to 64 bytes and a salt may be longer.
    """

    text: str
    _keyed: hashlib.blake2b = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = hashlib.sha256(self.text.encode()).digest()
        object.__setattr__(self, "_keyed", hashlib.blake2b(key=key, digest_size=8))

    def bucket(self, unit: str) -> int:
        """Give the bucket of a unit, 0 to 999,999.

        The unit is normalised to NFC, so that an accent typed in two ways is one unit. Lone surrogates, which
        JSON can carry, are hashed as they stand.
        """
        if not unit.isascii():
            unit = unicodedata.normalize("NFC", unit)
        keyed = self._keyed.copy()
        keyed.update(unit.encode("utf-8", "surrogatepass"))
        return int.from_bytes(keyed.digest(), "big") * BUCKETS >> 64


def rollout_salt(route: str, stable: str, candidate: str, attempt: int) -> str:
    """Name the split of one attempt to move `route` from the version `stable` to the version `candidate`.

    Raises:
        ValueError: a name holds a slash, as for every salt.
    """
    return _salt("rollout", route, stable, candidate, str(attempt))


def experiment_salt(route: str, name: str) -> str:
    """Name the split between an experiment's arms."""
    return _salt("experiment", route, name)


def shadow_salt(route: str, release: str) -> str:
    """Name the sample of requests that are mirrored to the version `release`."""
    return _salt("shadow", route, release)


def rule_salt(route: str, index: int) -> str:
    """Name the share of units that the rule at `index`, from 0, takes."""
    return _salt("rule", route, str(index))


def return_salt(route: str, release: str) -> str:
    """Name the order in which units come back to the version `release` after its breaker has closed."""
    return _salt("return", route, release)


def _salt(kind: str, *names: str) -> str:
    for name in names:
        if "/" in name:
            raise ValueError(f"the name {name!r} may not hold a slash, which separates the parts of a salt")
    return "/".join((ALGORITHM, kind, *names))


@dataclass(frozen=True, slots=True)
class Range:
    """Buckets from `start` up to and without `end`."""

    start: int
    end: int

    def holds(self, bucket: int) -> bool:
        """Say whether a bucket lies within."""
        return self.start <= bucket < self.end


def parts_per_million(percent: float | Decimal | str) -> int:
    """Turn a percent with up to four decimals into whole parts per million, exactly.

    Raises:
        ValueError: it is no number, is outside 0 to 100, or has more decimals.
    """
    try:
        # By way of its shortest decimal form, a float is the number that a person wrote.
        exact = Decimal(str(percent))
    except InvalidOperation:
        raise ValueError(f"{percent!r} is not a percentage; write a number from 0 to 100") from None
    if not exact.is_finite() or not 0 <= exact <= 100:
        raise ValueError(f"{percent} is not a percentage; write a number from 0 to 100")
    ppm = Fraction(exact) * _PPM_PER_PERCENT
    if ppm.denominator != 1:
        raise ValueError(f"{percent} percent is finer than a millionth; write up to four decimals")
    return ppm.numerator


def arm_ranges(percents_ppm: Sequence[int]) -> list[Range]:
    """Reserve a range of buckets for each arm, given its share in parts per million.

    Two arms grow towards each other from the two ends, so either may grow or shrink alone without moving a
    unit between them. Three or more start at their cumulative share of the normalised weights: arms that grow
    in proportion keep their starts, and so everyone they have.

    Raises:
        ValueError: a share is negative, or together they are over 1,000,000.
    """
    total = sum(percents_ppm)
    if total > BUCKETS or any(share < 0 for share in percents_ppm):
        raise ValueError(f"the arms' shares {list(percents_ppm)} must be 0 or more and at most {BUCKETS} together")
    if len(percents_ppm) <= 2:
        ranges = [Range(0, share) for share in percents_ppm[:1]]
        return ranges + [Range(BUCKETS - share, BUCKETS) for share in percents_ppm[1:]]
    starts = [before * BUCKETS // total if total else 0 for before in accumulate(percents_ppm[:-1], initial=0)]
    return [Range(start, start + share) for start, share in zip(starts, percents_ppm, strict=True)]
