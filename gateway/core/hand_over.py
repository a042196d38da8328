"""A hand-over: what the requests of one gateway have shown of a watched step, told to the other gateways of its store.

It has a source, which is a gateway's watch of one step, and a number; whoever hears it counts it once by these. It is
bounded: of too many requests it has a sample, and of the rest the numbers alone.
"""

import hmac
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.core.digest import canonical, hash_of
from gateway.core.message_field import is_number, number, rows, text, whole
from gateway.core.metric import is_feedback_name
from gateway.core.observation import SIDES, Observation, Side, packed, packed_length, unpacked
from gateway.core.outcome import Outcome

MOST_REQUESTS = 1_000
"""How many requests a hand-over has at most, one by one: some 32 KB, and four milliseconds of whoever hears it."""

MOST_FEEDBACK = 200

_LARGEST = 2**53
_OUTCOMES = tuple(outcome.value for outcome in Outcome)

Count = tuple[Side, str, int]
"""A side, an outcome by its name, and how often it was."""

Value = tuple[Side, str, float, int]
"""A side, the name of feedback, its value, and the unit by its hash."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a source has to tell since it last did, at wall time `at`.

    `stable` is the version that the step compares the candidate with, `requests` are packed observations, `others` the
    requests of which the hand-over has no more than their number, since they were too many.
    """

    route: str
    rollout: str
    step: int
    stable: str
    source: str
    number: int
    at: float
    requests: str = ""
    others: tuple[Count, ...] = ()
    feedback: tuple[Value, ...] = ()
    seal: str = ""

    @property
    def is_sample(self) -> bool:
        """Whether it has a sample of its requests."""
        return bool(self.others)

    @property
    def length(self) -> int:
        """How many characters it is as a message, about."""
        return 500 + len(self.requests) + 150 * len(self.feedback)

    def observations(self) -> Sequence[Observation]:
        """Give its requests one by one.

        Raises:
            ValueError: they are none.
        """
        return unpacked(self.requests, self.at)

    def sealed_with(self, secret: bytes) -> str:
        """Give the seal that it has from a gateway of the store, which alone tells the secret."""
        told = asdict(self)
        del told["seal"]
        return hmac.new(secret, canonical(told), "sha256").hexdigest()

    def is_sealed_with(self, secret: bytes) -> bool:
        """Say whether its seal is that of a gateway of the store."""
        return hmac.compare_digest(self.seal.encode(), self.sealed_with(secret).encode())

    def written(self) -> Mapping[str, Any]:
        """Write it as a message."""
        return {"kind": "evidence", **asdict(self)}


def read_hand_over(message: Mapping[str, Any]) -> HandOver:
    """Read a message; its requests are read once its seal is known to be good.

    Raises:
        ValueError: it is not as a hand-over is.
    """
    counts = rows(message, "others", 3, len(SIDES) * len(_OUTCOMES))
    values = rows(message, "feedback", 4, MOST_FEEDBACK)
    return HandOver(
        route=text(message, "route"),
        rollout=text(message, "rollout"),
        step=whole(message, "step", -1, _LARGEST),
        stable=text(message, "stable"),
        source=text(message, "source", 40),
        number=whole(message, "number", 1, _LARGEST),
        at=number(message, "at"),
        requests=text(message, "requests", packed_length(MOST_REQUESTS)),
        others=tuple(_count(*row) for row in counts),
        feedback=tuple(_value(*row) for row in values),
        seal=text(message, "seal", 64),
    )


def _count(side: Any, outcome: Any, count: Any) -> Count:
    if side not in SIDES or outcome not in _OUTCOMES:
        raise ValueError("its others are of no side, or of no outcome")
    return side, outcome, whole({"count": count}, "count", 0, _LARGEST)


def _value(side: Any, name: Any, value: Any, unit: Any) -> Value:
    if side not in SIDES or not isinstance(name, str) or not is_feedback_name(name):
        raise ValueError("its feedback is of no side, or has no name")
    if not is_number(value):
        raise ValueError("its feedback has a value that is no number")
    return side, name, float(value), whole({"unit": unit}, "unit", 0, 2**64 - 1)


class Gathered:
    """What is to be handed over next, in bounded memory.

    Of more requests than fit, a hand-over has those whose ids have the smallest hashes: a sample of both sides alike
    that nothing about a request can bend, neither how it ended nor when.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.number = 1
        self._requests: list[tuple[int, Observation]] = []
        self._others: Counter[tuple[Side, str]] = Counter()
        self._feedback: list[tuple[int, Value]] = []

    def __repr__(self) -> str:
        return f"<Gathered {len(self._requests)} requests for {self.source} {self.number}>"

    def __bool__(self) -> bool:
        return bool(self._requests or self._feedback)

    def add(self, request_id: str, seen: Observation) -> None:
        """Take what a request showed."""
        self._requests.append((hash_of(request_id), seen))
        if len(self._requests) >= 2 * MOST_REQUESTS:
            self._thin_out()

    def add_feedback(self, request_id: str, value: Value) -> None:
        """Take feedback on a request; what is too much of it is lost to others."""
        self._feedback.append((hash_of(f"{request_id} {value[1]}"), value))
        if len(self._feedback) >= 2 * MOST_FEEDBACK:
            self._thin_out_feedback()

    def hand_over(self, route: str, rollout: str, step: int, stable: str) -> HandOver:
        """Give all of it, and begin with the next number."""
        self._thin_out()
        self._thin_out_feedback()
        seen = [each for _, each in self._requests]
        told = HandOver(
            route=route,
            rollout=rollout,
            step=step,
            stable=stable,
            source=self.source,
            number=self.number,
            at=max((each.at for each in seen), default=0.0),
            requests=packed(seen),
            others=tuple((side, outcome, count) for (side, outcome), count in self._others.items()),
            feedback=tuple(value for _, value in self._feedback),
        )
        self.number += 1
        self._requests, self._feedback = [], []
        self._others.clear()
        return told

    def _thin_out(self) -> None:
        if len(self._requests) > MOST_REQUESTS:
            self._requests.sort(key=_place)
            self._others.update((each.side, each.outcome) for _, each in self._requests[MOST_REQUESTS:])
            del self._requests[MOST_REQUESTS:]

    def _thin_out_feedback(self) -> None:
        if len(self._feedback) > MOST_FEEDBACK:
            self._feedback.sort(key=_place)
            del self._feedback[MOST_FEEDBACK:]


def _place(placed: tuple[int, Any]) -> int:
    return placed[0]
