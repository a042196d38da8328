"""A rule: the first one that matches decides the release, before rollout and experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.bucket import Range, Salt


class RuleFacts(Protocol):
    """What a rule may look at."""

    @property
    def app(self) -> str:
        """The application's name."""
        ...

    @property
    def unit(self) -> str | None:
        """The unit, where the request has one."""
        ...

    @property
    def input_chars(self) -> int:
        """How many characters of text the request's input has."""
        ...

    def header(self, name: str) -> str | None:
        """The value of a request header, by lower-case name."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """All of its conditions must hold; one that is left out always does.

    `name` is its place in the file (`rule 1`). `share` with its own `salt` takes part of the units: a flag; a request
    without a unit does not match it. `input_over` and `input_under` compare characters of input, both exclusive.
    """

    name: str
    release: str
    apps: frozenset[str] | None = None
    units: frozenset[str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    input_over: int | None = None
    input_under: int | None = None
    share: Range | None = None
    salt: Salt | None = None

    def matches(self, facts: RuleFacts) -> bool:
        """Say whether every condition holds for a request."""
        if self.apps is not None and facts.app not in self.apps:
            return False
        if self.units is not None and facts.unit not in self.units:
            return False
        if self.input_over is not None and facts.input_chars <= self.input_over:
            return False
        if self.input_under is not None and facts.input_chars >= self.input_under:
            return False
        if any(facts.header(name) != value for name, value in self.headers.items()):
            return False
        return self._in_share(facts.unit)

    def _in_share(self, unit: str | None) -> bool:
        if self.share is None or self.salt is None:
            return True
        return unit is not None and self.share.holds(self.salt.bucket(unit))
