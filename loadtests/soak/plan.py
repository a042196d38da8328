"""What a soak does, and for how long: all of it follows from its length and the number of streams."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

RAMP_PER_SECOND = 200
"""Streams that are opened in a second, at most, until all are."""

SECONDS_PER_SLOT = 0.03
"""The longest stream's seconds for each that is held, so that these begin anew some 50 times a second at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the generator sends: `slots` streams are held, each followed by another; the others are starts a second.

    A stream has events `every` so many seconds and lasts from `shortest` to `longest` seconds. `wholes` are whole
    answers, `shorts` short streams, `touches` connections that ask nothing or half a request, `cancels` streams that
    their client leaves, `resets` streams that the provider breaks off (while they are wanted), `refusals` requests that
    are no good.
    """

    slots: int
    every: float
    shortest: float
    longest: float
    wholes: float = 10.0
    shorts: float = 10.0
    touches: float = 20.0
    cancels: float = 10.0
    resets: float = 4.0
    refusals: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """Give it as an object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """One soak. All in seconds.

    `first` and `second` are the two loads, the second after the first has drained, or none for 0; `warm` is a small
    load before both. Within them a reload follows `reload_every`, a fault of one kind after another `fault_every`; a
    fault lasts `fault`. `sample` is between two looks at the workers; `settle` is how long what is left of a load may
    take to be gone. Providers close connections that are idle for `idle`.
    """

    workers: int
    pace: Pace
    warm: float
    first: float
    second: float
    reload_every: float
    fault_every: float
    fault: float
    sample: float
    settle: float
    idle: float = 5.0

    @property
    def drain_grace(self) -> float:
        """How long a worker that is replaced may take: its longest stream, and twice that on a slow machine."""
        return 2 * self.pace.longest + 30

    @property
    def warm_pace(self) -> Pace:
        """The small load: every kind of request, a few of the streams, all of them short."""
        pace = self.pace
        return replace(pace, slots=min(pace.slots, 20), shortest=pace.every * 2, longest=pace.every * 6)


def planned(seconds: float, streams: int, workers: int = 2) -> Plan:
    """Plan a soak of about so many seconds, with so many streams for each worker."""
    slots = streams * workers
    longest = min(120.0, max(6.0, seconds / 30, min(seconds / 6, slots * SECONDS_PER_SLOT)))
    return Plan(
        workers=workers,
        pace=Pace(slots=slots, every=0.5, shortest=longest / 3, longest=longest),
        warm=min(30.0, max(10.0, seconds / 60)),
        first=seconds * 0.7,
        second=seconds * 0.2,
        reload_every=min(60.0, max(5.0, seconds / 60)),
        fault_every=min(180.0, max(10.0, seconds / 20)),
        fault=min(5.0, max(2.0, seconds / 200)),
        sample=min(5.0, max(1.0, seconds / 300)),
        settle=120.0,
    )


SHORT = Plan(
    workers=2,
    pace=Pace(slots=12, every=0.05, shortest=0.5, longest=1.5),
    warm=3.0,
    first=4.0,
    second=0.0,
    reload_every=3.5,
    fault_every=1.0,
    fault=0.5,
    sample=0.25,
    settle=60.0,
    idle=1.0,
)
"""What `make test` does of it."""

FAULTS = ("redis", "postgres", "resets")
"""Redis is frozen, PostgreSQL restarted, the provider breaks streams off; in this order, again and again."""


APART_SECONDS = 3.0
"""How far a reload keeps from PostgreSQL's absence, in which it is rejected and tried again when that is over."""


def acts(length: float, plan: Plan) -> Iterator[tuple[float, str]]:
    """Give what is done within a load of so many seconds, and when; the last fault is over before its end."""
    found: list[tuple[float, str]] = []
    number = 0
    while (begin := (number + 0.7) * plan.fault_every) + plan.fault < length:
        name = FAULTS[number % len(FAULTS)]
        found += [(begin, f"{name} begins"), (begin + plan.fault, f"{name} ends")]
        number += 1
    begun = [moment for moment, name in found if name == "postgres begins"]
    apart = min(APART_SECONDS, plan.fault)
    for number in range(1, int(length / plan.reload_every) + 1):
        moment = number * plan.reload_every
        if not any(begin - apart <= moment <= begin + plan.fault + apart for begin in begun):
            found.append((moment, "reload"))
    yield from sorted((moment, name) for moment, name in found if moment < length)
