"""The generator's own account: a line for each request that has ended, written by one process and read by another."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.soak.asking import Asked


@dataclass(frozen=True, slots=True)
class Ended:
    """One request as its client saw it. `begun` is monotonic; `got` is how many events came of `events`."""

    unit: str
    kind: str
    ending: str
    status: int
    request_id: str
    leaving: str
    why: str
    begun: float
    seconds: float
    first_seconds: float
    events: int
    got: int
    missing: int
    reordered: int
    duplicated: int


def row(asked: Asked) -> Sequence[str | int | float]:
    """Give a request that has ended as a line's cells."""
    received = asked.received
    return (
        asked.unit,
        asked.kind,
        asked.ending or "",
        asked.status,
        asked.request_id,
        asked.leaving,
        asked.why,
        round(asked.begun, 4),
        round(asked.seconds, 6),
        round(asked.first_seconds, 6),
        asked.order.events,
        received.next - len(received.missing),
        len(received.missing),
        received.reordered,
        received.duplicated,
    )


def read(path: Path) -> Iterator[Ended]:
    """Read the account back."""
    with path.open(encoding="utf-8", newline="") as file:
        for cells in csv.reader(file):
            unit, kind, ending, status, request_id, leaving, why, begun, seconds, first, *counts = cells
            yield Ended(
                unit,
                kind,
                ending,
                int(status),
                request_id,
                leaving,
                why,
                float(begun),
                float(seconds),
                float(first),
                *map(int, counts),
            )
