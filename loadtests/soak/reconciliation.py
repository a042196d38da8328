"""The two accounts of one soak held against each other: what clients sent and saw, and what the ledger has."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.core.unit import unit_digest
from loadtests.soak.requests_file import Ended

OUTCOMES = {
    "succeeded": {"ok", "slow"},
    "failed": {"failed", "gateway_fault"},
    "cancelled": {"cancelled", "ok"},  # its end may have been on its way when the client left
}
"""What the ledger may say of a request, by how it ended for its client; one that was refused is not in it."""

SHOWN = 20
"""Differences that are told one by one."""


@dataclass(frozen=True, slots=True)
class Row:
    """A request in the ledger."""

    request_id: str
    unit_digest: str | None
    outcome: str


@dataclass(slots=True)
class Account:
    """What came of holding them against each other. `unseen` broke off before the gateway can have read all of them.

    `differences` tells what does not agree; `count` is how many there are.
    """

    sent: int = 0
    rows: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    unseen: int = 0
    count: int = 0
    differences: list[str] = field(default_factory=list)

    def differs(self, what: str) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.differences) < SHOWN:
            self.differences.append(what)

    def told(self) -> str:
        """Tell both sides in a line."""
        endings = ", ".join(f"{count:,} {ending}" for ending, count in sorted(self.endings.items()))
        return f"{self.sent:,} sent ({endings}), {self.rows:,} in the ledger, {self.count:,} differences"


def reconcile(sent: Iterable[Ended], count_sent: int, rows: Sequence[Row]) -> Account:
    """Hold each request against its row; `count_sent` is how many the generator says that it has sent."""
    account = Account(rows=len(rows))
    by_unit: dict[str | None, list[Row]] = {}
    for row in rows:
        by_unit.setdefault(row.unit_digest, []).append(row)
    for ended in sent:
        account.sent += 1
        account.endings[ended.ending or "without an end"] += 1
        _hold(account, ended, by_unit.pop(unit_digest(ended.unit), []))
    for left in by_unit.values():
        for row in left:
            account.differs(f"{row.request_id} ({row.outcome}) is in the ledger and nobody sent it")
    if account.sent != count_sent:
        account.differs(f"{count_sent:,} were sent and {account.sent:,} have ended")
    return account


def _hold(account: Account, ended: Ended, found: Sequence[Row]) -> None:
    """Hold one request against its rows, of which there is to be one, or for a refused one none."""
    said = f"{ended.unit} {ended.request_id or 'without an id'} ({ended.kind}, {ended.ending} {ended.why})"
    if ended.ending == "refused":
        if found:
            account.differs(f"{said} was refused and is in the ledger")
    elif not found:
        if ended.leaving in ("resets", "leaves twice") and not ended.status:
            account.unseen += 1  # a broken connection takes with it what the gateway has not read yet
        else:
            account.differs(f"{said} is not in the ledger")
    elif len(found) > 1:
        account.differs(f"{said} is in the ledger {len(found)} times")
    elif found[0].outcome not in OUTCOMES.get(ended.ending, ()):
        account.differs(f"{said} is {found[0].outcome} in the ledger")
    elif ended.request_id not in ("", found[0].request_id):
        account.differs(f"{said} is {found[0].request_id} in the ledger")
