"""The clock and the journal of whatever adapter is tested."""

from dataclasses import dataclass, field


@dataclass
class Clock:
    """Port `Clock`, moved by hand."""

    now: float = 0.0

    def monotonic(self):
        return self.now

    def wall(self):
        return self.now


@dataclass
class Journal:
    """Port `Journal` that keeps its events: name, level, fields."""

    events: list = field(default_factory=list)

    def event(self, name, /, *, level="info", **fields):
        self.events.append((name, level, fields))

    def named(self, name):
        """The fields of each event of a name."""
        return [fields for found, _, fields in self.events if found == name]
