"""What a soak has found: the samples of its loads, and what was there when each had drained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from loadtests.soak.plan import Plan
from loadtests.soak.reconciliation import Account
from loadtests.soak.requests_file import Ended
from loadtests.soak.workers import Look


@dataclass(slots=True)
class Load:
    """One load: when it began (monotonic), how many seconds it lasted, the looks at its workers, and what was done."""

    began: float
    seconds: float
    looks: list[Look] = field(default_factory=list)
    acts: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many workers were replaced by new processes, in how many seconds, and how many it might have taken."""

    new: int
    seconds: float
    allowed: float


@dataclass(slots=True)
class Findings:
    """All of it. `baseline` and each of `drained` are what every worker holds while nothing is asked of it.

    `reloads` counts those taken and those not, over all workers, `written` how many there should be; `lag` is the
    generator's own, the greatest of each half second in seconds.
    """

    date: datetime
    machine: Mapping[str, Any]
    plan: Plan
    baseline: Sequence[Mapping[str, int]] = ()
    loads: list[Load] = field(default_factory=list)
    drained: list[Sequence[Mapping[str, int]]] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)
    reloads: tuple[int, int] = (0, 0)
    written: int = 0
    replaced: Replaced | None = None
    audit: str = "not verified"
    exit_code: int | None = None
    ended: Sequence[Ended] = ()
    account: Account = field(default_factory=Account)
    lag: list[float] = field(default_factory=list)
    touches: int = 0

    @property
    def workers(self) -> range:
        """The workers by number."""
        return range(self.plan.workers)

    def as_json(self) -> dict[str, Any]:
        """Give the document, requests added up and not one by one."""
        return {
            "date": self.date.isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "plan": asdict(self.plan),
            "baseline": [dict(each) for each in self.baseline],
            "drained": [[dict(each) for each in drained] for drained in self.drained],
            "surplus": self.surplus,
            "loads": [asdict(load) for load in self.loads],
            "account": {**asdict(self.account), "endings": dict(self.account.endings)},
            "touches": self.touches,
            "generator_lag": self.lag,
        }
