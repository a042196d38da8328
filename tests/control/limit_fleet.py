"""A fleet of gateways, for the tests of what they share: counters in memory, which can be away or lost."""

from collections import Counter
from collections.abc import Mapping

from gateway.core.errors import FleetFault


class Counters:
    """What a fleet shares."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self.gateways = 1
        self.away = False
        self.kept: dict[str, float] = {}
        self.adds: list[int] = []  # how many counters each call added to


class Fleet:
    """Port `Fleet`: adds to counters."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters

    async def add(self, amounts: Mapping[str, int], keep: float) -> Mapping[str, int]:
        self._reach()
        self.counters.adds.append(len(amounts))
        for key, amount in amounts.items():
            self.counters.totals[key] += amount
            self.counters.kept[key] = keep
        return {key: self.counters.totals[key] for key in amounts}

    async def replicas(self) -> int:
        self._reach()
        return self.counters.gateways

    def _reach(self) -> None:
        if self.counters.away:
            raise FleetFault("the fleet is away")
