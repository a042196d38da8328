"""What gateways tell each other of limits: what each has counted of them, in counters that all of them share.

Beside the counters of the limits there is one for each group of limits, which grows whenever somebody tells something
of one in it. A gateway tells what it has counted since, and reads of what others told in the groups that have moved,
so that a limit which nobody uses is neither told nor read, and one that is used anywhere is known everywhere.
"""

from collections.abc import Mapping
from itertools import islice
from zlib import crc32

from gateway.core.duration import format_duration
from gateway.core.limit import LimitCount
from gateway.core.ports import Fleet

KEEP_SECONDS = 60.0
"""How long a shared counter outlives the two windows in which it matters."""

GROUPS = 128
"""Into how many groups limits of one length of window fall: to read them costs as much as a few dozen limits."""

MOST_LIMITS = 500
"""How many limits of one length of window are told and read at a time; the others are next."""


class LimitExchange:
    """Exchanges what is counted of limits whose windows are `per` seconds long, by names that all gateways know."""

    def __init__(self, fleet: Fleet, per: float, counts: Mapping[str, LimitCount]) -> None:
        """`counts` go by application and kind."""
        self._fleet = fleet
        self._per = per
        self._counts = {f"limit/{name}/{format_duration(per)}": count for name, count in counts.items()}
        self._groups: dict[str, list[str]] = {}
        for name in self._counts:
            group = f"limits/{format_duration(per)}/{crc32(name.encode()) % GROUPS}"
            self._groups.setdefault(group, []).append(name)
        self._seen: dict[str, int] = {}
        self._due = dict.fromkeys(self._counts)  # what others may have told something of since, the oldest first

    def __repr__(self) -> str:
        return f"<LimitExchange of {len(self._counts)} limits per {self._per:g} s, {len(self._due)} due>"

    async def run(self, now: float) -> None:
        """Tell what was counted, and learn what the others have, at wall time `now`.

        The first trip tells, and finds the groups in which others have told something; a second one reads what.
        What a fault leaves in doubt is told again, and then counts twice.

        Raises:
            FleetFault: the fleet is away.
        """
        self._due |= dict.fromkeys(name for name, count in self._counts.items() if count.has_untold(now))
        names = list(islice(self._due, MOST_LIMITS))
        await self._exchange(names, now, looks=True)
        if more := list(islice(self._due, MOST_LIMITS - len(names))):
            await self._exchange(more, now, looks=False)

    async def _exchange(self, names: list[str], now: float, *, looks: bool) -> None:
        """Tell and read these limits; one that `looks` finds out of which others there is something to read."""
        places = {f"{name}/{index}": (name, index) for name in names for index in self._counts[name].windows(now)}
        amounts = {key: self._counts[name].untold(index) for key, (name, index) in places.items()}
        told = {places[key][0] for key, amount in amounts.items() if amount}
        moved = {group: int(not told.isdisjoint(members)) for group, members in self._groups.items()}
        moves = {group: move for group, move in moved.items() if move or looks}
        totals = await self._fleet.add({**amounts, **moves}, 2 * self._per + KEEP_SECONDS)
        for key, (name, index) in places.items():
            self._counts[name].told(index, amounts[key], totals[key])
        for group, move in moves.items():
            if totals[group] != self._seen.get(group, 0) + move:
                self._due |= dict.fromkeys(self._groups[group])
            self._seen[group] = totals[group]
        for name in names:
            del self._due[name]
