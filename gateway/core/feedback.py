"""What applications say of answers, and the requests of an experiment with what was said of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.core.record import Record


@dataclass(frozen=True, slots=True)
class Feedback:
    """What an application said of a request at wall time `at`, by name: a number or a text, with who served it."""

    at: float
    request_id: str
    unit_digest: str | None
    app: str
    route: str
    release: str
    track: str
    split: str | None
    name: str
    value: float | None
    text: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Exposure:
    """A request that an experiment decided: its position in the ledger, and what was said of it, by name."""

    position: int
    record: Record
    feedback: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class ExposurePage:
    """Some exposures, perhaps none; `after` is where to go on, None at the end of the ledger."""

    exposures: Sequence[Exposure]
    after: int | None
