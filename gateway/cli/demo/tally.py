"""What the callers saw, and what can be counted of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from gateway.cli.demo.course import Course
from gateway.cli.demo.policies import FIRST, ReleaseName
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
    """A mirrored request of a version, as the gateway's log tells it; `seconds` is its answer's time."""

    release: str
    outcome: str
    seconds: float


@dataclass(slots=True)
class Tally:
    """Everything observed so far. Answers are in the order in which they ended, courses in that of their beginning."""

    answers: list[Answer] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    readings: Readings = field(default_factory=Readings)

    def of(self, name: ReleaseName) -> list[Answer]:
        """Give the answers that a release gave."""
        return [one for one in self.answers if (one.route, one.release) == (name.route, name.version)]

    @property
    def stable(self) -> str:
        """The version that the first rollout began with, or the latest that completed one."""
        done = [course.release for course in self.courses if course.end is not None and course.end.state == "completed"]
        return done[-1] if done else FIRST.version

    def course_of(self, version: str) -> Course | None:
        """Give the latest rollout to a version."""
        return next((course for course in reversed(self.courses) if course.release == version), None)


def users_of(answers: Iterable[Answer]) -> set[str]:
    """Give the users who got these answers."""
    return {answer.user for answer in answers}


def placed(answers: Iterable[Answer], candidate: str) -> dict[str, str | None]:
    """Give the version that each user's first request of these was assigned.

    An answer in which stable stood in is one of the candidate's requests.
    """
    first: dict[str, Answer] = {}
    for answer in answers:
        known = first.get(answer.user)
        if known is None or answer.asked_at < known.asked_at:
            first[answer.user] = answer
    return {user: candidate if one.track == "fallback" else one.release for user, one in first.items()}


def unsteady_users(answers: Iterable[Answer], course: Course, until: float) -> set[str]:
    """Give the users who did not keep their release in a rollout, which is looked at up to `until`, wall seconds.

    They had two releases in one step, or had the candidate and then another while it was not rolled back. Only answers
    that ended before the rollback count; those in which stable stood in are no assignment.
    """
    end = course.end
    until = end.at if end is not None and end.state == "rolled_back" else until
    began = course.entries[0].at if course.entries else until
    counted = [one for one in answers if one.track != "fallback" and one.asked_at >= began and one.ended_at < until]
    in_steps = (
        _of_two_releases(one for one in counted if span.entry.at <= one.asked_at and one.ended_at < span.until)
        for span in course.spans(until)
    )
    return set().union(_gone_back(counted, course.release), *in_steps)


def _of_two_releases(answers: Iterable[Answer]) -> set[str]:
    seen: dict[str, set[str | None]] = {}
    for answer in answers:
        seen.setdefault(answer.user, set()).add(answer.release)
    return {user for user, releases in seen.items() if len(releases) > 1}


def _gone_back(answers: Iterable[Answer], candidate: str) -> Iterator[str]:
    moved: set[str] = set()
    for answer in sorted(answers, key=lambda one: one.asked_at):
        if answer.release == candidate:
            moved.add(answer.user)
        elif answer.user in moved:
            yield answer.user


def p50(seconds: Iterable[float]) -> float | None:
    """Give the median, or None of nothing."""
    held = list(seconds)
    return median(held) if held else None
