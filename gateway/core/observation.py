"""An observation: what one settled request showed of a side of a comparison, and how many are packed into a text."""

import base64
import binascii
import math
import struct
from collections.abc import Iterable, Sequence
from typing import Literal

from gateway.core.outcome import Outcome
from gateway.core.unit_cells import ALIKE
from gateway.core.value import value

Side = Literal["stable", "candidate"]

SIDES: tuple[Side, ...] = ("stable", "candidate")

_OUTCOMES = tuple(outcome.value for outcome in Outcome)
_OF_SCHEMA = (None, True, False)
_ROW = struct.Struct("<BBHffdI")
_MOST_SECONDS, _MOST_COST, _MOST_TOKENS = 1e9, 1e9, 2**32 - 1


@value
class Answer:
    """What a side's own good answer showed, with None for what is not known.

    `pace` is the seconds that tell whether it was slow, `cost` is US dollars, `tokens` input and output together.
    """

    seconds: float
    pace: float
    first_token_seconds: float | None = None
    cost: float | None = None
    tokens: int | None = None
    schema_valid: bool | None = None


@value
class Observation:
    """An outcome by its name, of a unit by its hash, at wall seconds, and the side's own answer if it was good."""

    side: Side
    outcome: str
    unit: int
    at: float
    answer: Answer | None


def packed(seen: Iterable[Observation]) -> str:
    """Pack observations into 32 characters each, for one that unpacks them to count them.

    Of a unit remains what cells tell apart, of how long it took the first seven digits, and of when it was nothing.
    """
    return base64.b64encode(b"".join([_row(each) for each in seen])).decode()


def packed_length(count: int) -> int:
    """Give how many characters so many observations are."""
    return 4 * math.ceil(count * _ROW.size / 3)


def unpacked(text: str, at: float) -> Sequence[Observation]:
    """Give what `packed` packed, as of wall seconds `at`.

    Raises:
        ValueError: it is nothing that was packed so.
    """
    try:
        raw = base64.b64decode(text, validate=True)
        return [_read(at, *fields) for fields in _ROW.iter_unpack(raw)]
    except (binascii.Error, struct.error, IndexError) as error:
        raise ValueError("its rows are none") from error


def _row(seen: Observation) -> bytes:
    answer, unit = seen.answer, seen.unit % ALIKE
    what = _OUTCOMES.index(seen.outcome) | (seen.side == "candidate") << 3
    if answer is None:
        return _ROW.pack(what, 0, unit, 0, 0, 0, 0)
    first, cost, tokens = answer.first_token_seconds, answer.cost, answer.tokens
    has_cost = cost is not None and cost >= 0  # a negative one is as good as unknown
    what |= 1 << 4 | (first is not None) << 5 | has_cost << 6 | (tokens is not None) << 7
    of_answer = _OF_SCHEMA.index(answer.schema_valid) | (answer.pace != answer.seconds) << 2
    return _ROW.pack(
        what,
        of_answer,
        unit,
        _bounded(answer.seconds, _MOST_SECONDS),
        _bounded(first or 0.0, _MOST_SECONDS),
        _bounded(cost or 0.0, _MOST_COST),
        min(max(tokens or 0, 0), _MOST_TOKENS),
    )


def _bounded(number: float, most: float) -> float:
    """Give a number between nothing and the most; what is no number, which is slow, as the most."""
    return max(0.0, number) if number <= most else most


def _read(
    at: float, what: int, of_answer: int, unit: int, seconds: float, first: float, cost: float, tokens: int
) -> Observation:
    if not (0 <= seconds <= _MOST_SECONDS and 0 <= first <= _MOST_SECONDS and 0 <= cost <= _MOST_COST):
        raise ValueError("its rows hold what no answer has")
    side, outcome = SIDES[what >> 3 & 1], _OUTCOMES[what & 7]
    if not what & 1 << 4:
        return Observation(side, outcome, unit, at, None)
    has_first = bool(what & 1 << 5)
    return Observation(
        side,
        outcome,
        unit,
        at,
        Answer(
            seconds=seconds,
            pace=first if has_first and of_answer & 1 << 2 else seconds,
            first_token_seconds=first if has_first else None,
            cost=cost if what & 1 << 6 else None,
            tokens=tokens if what & 1 << 7 else None,
            schema_valid=_OF_SCHEMA[of_answer & 3],
        ),
    )
