"""A fault: what is done, what is promised, and what was found of each promise."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.rig import Rig
from tests.chaos.traffic import Ledger

RECOVERY_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Note:
    """One finding in words, and whether it is as promised; `is_timed` says that a slow machine may spoil it."""

    what: str
    is_ok: bool
    is_timed: bool = False


@dataclass
class Findings:
    """What a row has measured, promise by promise; `note` takes each as it is known."""

    notes: list[Note] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def note(self, what: str, *, ok: bool = True) -> None:
        """Take a finding in words, and whether it is as promised."""
        self.notes.append(Note(what, ok))

    def figure(self, name: str, value: float, most: float, unit: str = "s") -> None:
        """Take a measured value that is promised to be at most so much."""
        self.figures[name] = round(value, 4)
        self.notes.append(Note(f"{name} {value:.3g} {unit}", value <= most, is_timed=True))

    def none_failed(self, ledger: Ledger) -> None:
        """Hold that every request was answered whole."""
        self.note(ledger.told(), ok=bool(ledger.requests) and not ledger.not_whole)

    @property
    def is_ok(self) -> bool:
        """Whether every promise held."""
        return bool(self.notes) and all(note.is_ok for note in self.notes)

    def told(self) -> str:
        """All of it in words; what fell short is marked."""
        return "; ".join(note.what if note.is_ok else f"SHORT: {note.what}" for note in self.notes)

    def broken(self) -> list[str]:
        """What fell short that has nothing to do with time."""
        return [note.what for note in self.notes if not note.is_ok and not note.is_timed]


@dataclass(frozen=True, slots=True)
class Means:
    """What a row works with: the fleet, where it has one, a folder of its own, and how much of it is wanted."""

    rig: Rig | None
    folder: Path
    is_quick: bool = False

    def scaled(self, whole: int, quick: int) -> int:
        """Give a number for a whole run or a quick one."""
        return quick if self.is_quick else whole


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table. `run` injects and measures; a row with `needs_fleet` is run on the fleet, which is well.

    `is_fresh` asks for a fleet that has met nothing yet: pauses grow while absences of Redis follow on one another.
    `trips` is how many routes to trip it needs. A fleet with more routes is asked more slowly, so others have none.
    """

    name: str
    what: str
    expected: str
    run: Callable[[Means, Findings], Any]
    needs_fleet: bool = True
    is_fresh: bool = False
    trips: int = 0
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A fault that was tried."""

    fault: Fault
    findings: Findings
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return {
            "name": self.fault.name,
            "fault": self.fault.what,
            "expected": self.fault.expected,
            "measured": self.findings.told(),
            "figures": self.findings.figures,
            "ok": self.findings.is_ok,
            "seconds": round(self.seconds, 1),
        }


def tried(fault: Fault, means: Means) -> Row:
    """Try a fault: the fleet is well, the fault is injected and measured, it is healed, all is well and lawful again.

    A row that meets something unforeseen falls short, and says what it was.
    """
    began, findings = time.monotonic(), Findings()
    try:
        if fault.needs_fleet:
            means.rig.wait_healthy(RECOVERY_SECONDS)
        try:
            fault.run(means, findings)
        finally:
            if fault.needs_fleet:
                means.rig.heal()
        if fault.needs_fleet:
            means.rig.wait_healthy(RECOVERY_SECONDS)
            for broken in means.rig.broken_laws():
                findings.note(broken, ok=False)
    except Exception as error:  # noqa: BLE001 - one row's accident is not to be every row's
        findings.note(f"{type(error).__name__}: {str(error)[:2000]}", ok=False)
    return Row(fault, findings, time.monotonic() - began)
