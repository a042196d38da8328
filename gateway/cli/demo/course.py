"""The course of a rollout, as the gateway's log tells it while it happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.core.rollout import CLOSED


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that was entered, or the end: when in wall seconds, as which step (from 0), and the gateway's reason.

    `percent` is the candidate's part of the users from then on.
    """

    at: float
    state: str
    step: int | None
    percent: float
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_end(self) -> bool:
        """Whether the rollout is over."""
        return self.state in CLOSED


@dataclass(frozen=True, slots=True)
class Span:
    """A step from its beginning to its end, in wall seconds."""

    entry: Entry
    until: float

    def holds(self, at: float) -> bool:
        """Say whether a moment lies in it."""
        return self.entry.at <= at < self.until


@dataclass(slots=True)
class Course:
    """One rollout: what it entered so far, and what it is held by now, in the gateway's words."""

    id: str
    release: str
    stable: str
    entries: list[Entry] = field(default_factory=list)
    waits: str = ""

    @property
    def end(self) -> Entry | None:
        """How it ended, None while it goes on."""
        return self.entries[-1] if self.entries and self.entries[-1].is_end else None

    def spans(self, now: float) -> list[Span]:
        """Give the steps so far; the one under way ends `now`, in wall seconds."""
        ends = [entry.at for entry in self.entries[1:]] + [now]
        return [Span(entry, until) for entry, until in zip(self.entries, ends, strict=True) if not entry.is_end]

    def hear(self, event: Mapping[str, Any]) -> Entry | None:
        """Take a line of the log about this rollout; give what it entered by that, if anything."""
        state, step = event["state"], event["step"] - 1
        if state == "held":
            self.waits = event["reason"]
            return None
        self.waits = ""
        last = self.entries[-1] if self.entries else None
        if last is not None and (last.step, last.is_end) == (step, state in CLOSED):
            return None
        evidence = event.get("evidence") or {}
        entry = Entry(moment(event), state, step, event["weight_ppm"] / 10_000, event["reason"], evidence)
        self.entries.append(entry)
        return entry


def hear(courses: list[Course], event: Mapping[str, Any]) -> Entry | None:
    """Take a line of the log: put it to the rollout that it is about; give what was entered by that, if anything."""
    if event["event"] != "rollback" and not event["event"].startswith("rollout_"):
        return None
    if not courses or courses[-1].id != event["rollout"]:
        courses.append(Course(event["rollout"], event["release"], event["stable"]))
    return courses[-1].hear(event)


def moment(event: Mapping[str, Any]) -> float:
    """Give the time of a line of the log in wall seconds."""
    return datetime.fromisoformat(event["timestamp"]).timestamp()
