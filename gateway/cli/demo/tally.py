"""What the callers saw, and what can be counted of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from gateway.cli.demo.policies import ReleaseName
from gateway.cli.demo.readings import Readings

Ending = Literal["whole", "cut", "error"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its caller saw it.

    `release` (the version) and `track` are what the answer's headers say, `model` what its body says; None where there
    was none. Times are wall seconds. `fault` is the message of an error.
    """

    user: str
    route: str
    release: str | None
    track: str | None
    model: str | None
    stream: bool
    asked_at: float
    ended_at: float
    ending: Ending = "whole"
    fault: str = ""

    @property
    def seconds(self) -> float:
        """How long its caller waited for all of it."""
        return self.ended_at - self.asked_at

    @property
    def harmed(self) -> bool:
        """Whether its caller did not get a whole answer."""
        return self.ending != "whole"


@dataclass(frozen=True, slots=True)
class Copy:
    """A mirrored request, as the gateway's log tells it; `seconds` is its answer's time."""

    outcome: str
    seconds: float


@dataclass(slots=True)
class Tally:
    """Everything observed so far. Answers are in the order in which they ended; times are wall seconds."""

    answers: list[Answer] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    readings: Readings = field(default_factory=Readings)
    shadowed_at: float | None = None

    def of(self, name: ReleaseName) -> list[Answer]:
        """Give the answers that a release gave."""
        return [one for one in self.answers if (one.route, one.release) == (name.route, name.version)]


def users_of(answers: Iterable[Answer]) -> set[str]:
    """Give the users who got these answers."""
    return {answer.user for answer in answers}


def latest_releases(answers: Iterable[Answer]) -> dict[str, str | None]:
    """Give the release that each user's latest request was assigned; answers that stood in for another do not count."""
    latest: dict[str, Answer] = {}
    for answer in answers:
        known = latest.get(answer.user)
        if answer.track != "fallback" and (known is None or known.asked_at <= answer.asked_at):
            latest[answer.user] = answer
    return {user: answer.release for user, answer in latest.items()}


def changed_release(answers: Iterable[Answer]) -> set[str]:
    """Give the users who were assigned two releases of one route; answers that stood in for another do not count."""
    seen: dict[tuple[str, str], set[str | None]] = {}
    for answer in answers:
        if answer.track != "fallback":
            seen.setdefault((answer.user, answer.route), set()).add(answer.release)
    return {user for (user, _), releases in seen.items() if len(releases) > 1}


def p50(seconds: Iterable[float]) -> float | None:
    """Give the median, or None of nothing."""
    held = list(seconds)
    return median(held) if held else None
