"""Limits of applications: how much of something they may use in a window, and how what they use is counted.

The law, for a limit of `amount` per `per` seconds: time is cut into windows of `per`, aligned to the epoch, and

    used = what is counted in this window + the share of the last window that lies within `per` of now

A request is let through while used < amount. So no window ever counts more than the amount and what was under way when
it was reached, and what one window has used up comes back bit by bit in the next, never all at once at its start.

Counts are whole numbers: requests, tokens, billionths of a US dollar. Times are wall seconds.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from gateway.core.duration import format_duration

LimitKind = Literal["requests", "tokens", "usd"]

LIMIT_KINDS: tuple[LimitKind, ...] = get_args(LimitKind)

NANO = 1_000_000_000

BLIND_SHARE = 100
"""While no answer has told what it used, one that may have used something counts as this part of a limit."""

REMEMBERED = 1_000
"""How many answers the usual use of an answer is that of, roughly."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` (requests, tokens, billionths of a US dollar) in `per` seconds."""

    kind: LimitKind
    amount: int
    per: float

    def __str__(self) -> str:
        return f"{self.said_of(self.amount)} per {format_duration(self.per)}"

    def said_of(self, amount: int) -> str:
        """Write an amount of what is limited, as in `600 requests` or `0.5 USD`."""
        if self.kind == "usd":
            return f"{amount / NANO:.9f}".rstrip("0").rstrip(".") + " USD"
        return f"{amount:,} {self.kind if amount != 1 else self.kind.removesuffix('s')}"

    def in_units(self, amount: int) -> int | float:
        """Give an amount as people count it: requests, tokens, US dollars."""
        return amount / NANO if self.kind == "usd" else amount


@dataclass(frozen=True, slots=True)
class AppUse:
    """What an application used in the window from `start`, by the ledger.

    Tokens and billionths of a US dollar are those of the answers that told them, which are counted beside them, and so
    are the answers that did not tell and may have used some.
    """

    app: str
    start: float
    requests: int
    tokens: int = 0
    answers_with_tokens: int = 0
    answers_without_tokens: int = 0
    nano_usd: int = 0
    answers_with_cost: int = 0
    answers_without_cost: int = 0

    def of(self, limit: Limit) -> int:
        """Give what counts against a limit; an answer that did not tell counts as the usual one."""
        if limit.kind == "requests":
            return self.requests
        told, known, unknown = self.answers(limit.kind)
        usual = Usual()
        usual.learn(told, known)
        return told + unknown * usual.amount(limit)

    def answers(self, kind: LimitKind) -> tuple[int, int, int]:
        """Give what answers told that they used, how many told it, and how many did not."""
        if kind == "tokens":
            return self.tokens, self.answers_with_tokens, self.answers_without_tokens
        return self.nano_usd, self.answers_with_cost, self.answers_without_cost


class Usual:
    """What an answer usually uses: the mean of the latest that told, which one that does not tell is taken for."""

    __slots__ = ("_answers", "_total")

    def __init__(self) -> None:
        self._total = 0
        self._answers = 0

    def learn(self, amount: int, answers: int = 1) -> None:
        """Take in answers that told; of many, the older ones count ever less."""
        self._total += amount
        self._answers += answers
        while self._answers >= 2 * REMEMBERED:
            self._total //= 2
            self._answers //= 2

    def amount(self, limit: Limit) -> int:
        """Give the usual amount, rounded up; while none is known, a hundredth of the limit."""
        if not self._answers:
            return -(-limit.amount // BLIND_SHARE)
        return -(-self._total // self._answers)


class _Window:
    """What is counted in one window.

    `own` nobody else knows of yet, and `told` they do. `shared` is what is known of all gateways together: what their
    common counter has come to, and the `base` that it lacks, as it was read from the ledger or the counter was lost.
    """

    __slots__ = ("base", "has_met", "own", "shared", "told")

    def __init__(self) -> None:
        self.own = self.shared = self.told = self.base = 0
        self.has_met = False

    def tell(self, amount: int, total: int) -> None:
        """Take in that an amount was told, and what the common counter has come to by that.

        A counter that lacks what is known was lost, or never had it. From then on that much stands beside it.
        """
        self.own -= amount
        self.told += amount
        lacking = max(0, self.shared + amount - total)
        self.base = max(self.base, lacking) if self.has_met else lacking
        self.shared = total + self.base
        self.has_met = True

    def restore(self, amount: int) -> None:
        """Take in what others, and this gateway in an earlier life, have used before this one began to count."""
        missing = max(0, amount + self.told - self.shared)
        self.base += missing
        self.shared += missing


class LimitCount:
    """What an application has used of one limit, in constant memory. The limit's amount is no part of it.

    A clock that goes back by less than a window stands still until it has caught up; one that goes back further was
    set, and what is counted is counted anew from there. Neither gives anything back. `replicas` are the gateways that
    share the limit: what one of them has counted since it last told, it takes to be what each of them has, so that none
    gives more than its share of what was left.
    """

    __slots__ = ("_current", "_index", "_previous", "_since", "per", "restored")

    def __init__(self, per: float, now: float) -> None:
        self.per = per
        self.restored = False
        self._since = now
        self._index = int(now // per)
        self._current, self._previous = _Window(), _Window()

    def __repr__(self) -> str:
        return f"<LimitCount per {self.per:g} s, {self._previous.own} then {self._current.own}>"

    @property
    def since(self) -> float:
        """When it began to count."""
        return self._since

    def add(self, now: float, amount: int) -> None:
        """Count some use."""
        self._roll(now)
        self._current.own += amount

    def used(self, now: float, replicas: int = 1) -> int:
        """Give what is used up now."""
        self._roll(now)
        current, previous = self._counts(replicas)
        if not previous:
            return current
        left = self._index + 1 - now / self.per  # the share of the previous window that lies within `per` of now
        return current + int(previous * min(1.0, max(0.0, left)))

    def wait(self, now: float, amount: int, replicas: int = 1) -> int:
        """Give in how many whole seconds there is room again under an amount, if nothing more comes: 0 there is now."""
        if self.used(now, replicas) < amount:
            return 0
        current, previous = self._counts(replicas)
        end = (self._index + 1) * self.per
        # The previous window must shrink to what the amount leaves, or the current one, once it is the previous.
        at = (
            end - self.per * (amount - current) / previous
            if current < amount
            else end + self.per * (1 - amount / current)
        )
        return math.floor(max(at - now, 0.0)) + 1

    def idle_in(self, now: float) -> float:
        """Give in how many seconds nothing is used any more, if nothing more comes."""
        self._roll(now)
        current, previous = self._counts(1)
        windows = 2 if current else 1 if previous else 0
        return max(0.0, (self._index + windows) * self.per - now) if windows else 0.0

    def windows(self, now: float) -> tuple[int, int]:
        """Give the numbers of this window and the one before; they begin at their number times `per`."""
        self._roll(now)
        return self._index, self._index - 1

    def has_untold(self, now: float) -> bool:
        """Say whether something was counted that the other gateways were not told yet."""
        self._roll(now)
        return bool(self._current.own or self._previous.own)

    def untold(self, index: int) -> int:
        """Give what was counted in a window and not told to the other gateways yet."""
        window = self._find(index)
        return 0 if window is None else window.own

    def told(self, index: int, amount: int, total: int) -> None:
        """Take in that `amount` of what was counted in a window has been told, and what all have come to by that."""
        if (window := self._find(index)) is not None:
            window.tell(amount, total)

    def restore(self, index: int, amount: int) -> None:
        """Take in what the ledger knows of a window from before `since`."""
        if (window := self._find(index)) is not None:
            window.restore(amount)

    def _find(self, index: int) -> _Window | None:
        return {self._index: self._current, self._index - 1: self._previous}.get(index)

    def _counts(self, replicas: int) -> tuple[int, int]:
        current, previous = self._current, self._previous
        return current.shared + replicas * current.own, previous.shared + replicas * previous.own

    def _roll(self, now: float) -> None:
        index = int(now // self.per)
        steps = index - self._index
        if steps in (0, -1):
            return
        if steps > 0:
            self._previous = self._current if steps == 1 else _Window()
            self._current = _Window()
        self._index = index


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How much of a limit is used, and in how many seconds nothing of it is any more."""

    limit: Limit
    used: int
    idle_in: float

    @property
    def left(self) -> int:
        """What may still be used."""
        return max(0, self.limit.amount - self.used)

    @property
    def ratio(self) -> float:
        """The share that is used: 1 is all of it, and more is what was under way when it was reached."""
        return self.used / self.limit.amount

    def describe(self) -> dict[str, Any]:
        """Give it as JSON for people: amounts in requests, tokens or US dollars, times in seconds."""
        limit = self.limit
        return {
            "limit": limit.kind,
            "amount": limit.in_units(limit.amount),
            "per": format_duration(limit.per),
            "per_seconds": limit.per,
            "used": limit.in_units(self.used),
            "left": limit.in_units(self.left),
            "used_ratio": round(self.ratio, 6),
            "idle_in_seconds": round(self.idle_in, 3),
        }


@dataclass(frozen=True, slots=True)
class Overrun:
    """A request that an application's limits do not let through, at wall time `at`.

    `limit` is the one that must be waited for the longest, `wait` whole seconds; `uses` are those of all its limits.
    """

    limit: Limit
    wait: int
    at: float
    uses: tuple[LimitUse, ...]
