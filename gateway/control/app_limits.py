"""The limits of applications, live: asked before each request, told of each settled one, shared by the gateways.

What is counted is kept by application, kind and window, apart from the snapshots that come and go: a limit whose amount
is changed goes on with what is counted. What was used before it began to count is read from the ledger.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.control.fleet_size import FleetSize
from gateway.control.limit_exchange import LimitExchange
from gateway.control.live import Live
from gateway.core.app import App
from gateway.core.errors import FleetFault, RateLimited, StoreFault, UnknownSubject
from gateway.core.limit import AppUse, Limit, LimitCount, LimitKind, LimitUse, Overrun, Usual
from gateway.core.ports import Fleet, Ledger
from gateway.core.record import Record

Counted = tuple[Limit, LimitCount]


class AppLimits:
    """Every application's limits, as `live` has them.

    With a `fleet`, each gateway gives at most its share of what was left when they last exchanged what they had
    counted. Without one, it is the only one that counts, or one of so many `workers` that each give their share.
    """

    def __init__(self, live: Live, fleet: Fleet | None, workers: int = 1) -> None:
        self._live = live
        self._meters = live.world.meters
        self._journal = live.world.journal
        self._clock = live.world.clock
        self._fleet = fleet
        self._followed: Mapping[str, App] = {}
        self._of: dict[str, tuple[Counted, ...]] = {}
        self._usual: dict[tuple[str, LimitKind], Usual] = {}
        self._size = FleetSize(live, fleet, workers)
        self._replicas = workers
        self._exchanges: tuple[LimitExchange, ...] = ()
        self._fleet_is_away = False

    def __repr__(self) -> str:
        return f"<AppLimits of {len(self._of)} applications>"

    def follow(self, _snapshot: object = None) -> None:
        """Take the limits that are declared now. What they have in common with the last ones goes on being counted."""
        self._replicas = self._size.number
        declared, now = self._live.state.policies.callers, self._clock.wall()
        if declared is self._followed:
            return
        self._followed = declared
        known = {(app, limit.kind, limit.per): count for app, counts in self._of.items() for limit, count in counts}
        self._of = {
            app.name: tuple(
                (limit, known.get((app.name, limit.kind, limit.per)) or LimitCount(limit.per, now))
                for limit in app.limits
            )
            for app in declared.values()
            if app.limits
        }
        self._usual = {
            (app, limit.kind): self._usual.get((app, limit.kind)) or Usual()
            for app, counts in self._of.items()
            for limit, _ in counts
        }
        if self._fleet is not None:
            self._exchanges = tuple(LimitExchange(self._fleet, *window) for window in self._by_window().items())

    def _by_window(self) -> Mapping[float, Mapping[str, LimitCount]]:
        """Give the counts by the length of their windows, and by application and kind."""
        found: dict[float, dict[str, LimitCount]] = {}
        for app, counts in self._of.items():
            for limit, count in counts:
                found.setdefault(limit.per, {})[f"{app}/{limit.kind}"] = count
        return found

    # On a request's way

    def take(self, app: str, now: float) -> None:
        """Count a request of an application that has limits, at wall time `now`.

        Raises:
            RateLimited: one of them is used up; the request does not count.
        """
        counts = self._of.get(app, ())
        for limit, count in counts:
            if count.used(now, self._replicas) >= limit.amount:
                raise self._refusal(app, counts, now)
        for limit, count in counts:
            if limit.kind == "requests":
                count.add(now, 1)

    def hear(self, record: Record) -> None:
        """Count what a settled request has used. One that does not tell, and may have, counts as a usual one."""
        for limit, count in self._of.get(record.app, ()):
            if limit.kind != "requests" and record.is_charged:
                usual = self._usual[record.app, limit.kind]
                amount = record.tokens if limit.kind == "tokens" else record.cost_nano_usd
                if amount is not None:
                    usual.learn(amount)
                elif record.may_have_used:
                    amount = usual.amount(limit)
                count.add(record.at, amount or 0)

    def _refusal(self, app: str, counts: Iterable[Counted], now: float) -> RateLimited:
        waits = [(self._wait(limit, count, now), limit) for limit, count in counts]
        wait, limit = max(waits, key=lambda each: each[0])
        self._meters.limited(app, limit.kind)
        uses = tuple(_use(limit, count, now, self._replicas) for limit, count in counts)
        return RateLimited(app, Overrun(limit, wait, now, uses))

    def _wait(self, limit: Limit, count: LimitCount, now: float) -> int:
        """Give in how many seconds there is room; where the others have left some, once it is shared anew."""
        wait = count.wait(now, limit.amount, self._replicas)
        return 1 if wait and self._is_shared and count.used(now) < limit.amount else wait

    # Beside the requests

    async def keep(self, ledger: Ledger) -> None:
        """Share what was counted, and learn what was used before a limit that has come since; once a second."""
        await self.share()
        await self._size.record()
        await self.learn(ledger)

    async def learn(self, ledger: Ledger) -> None:
        """Read from the ledger what was used before the counting began, where that is not known yet."""
        for (per, since), apps in self._unknown().items():
            windows = LimitCount(per, since).windows(since)
            try:
                found = await ledger.app_use(sorted(apps), windows[-1] * per, since, per)
            except StoreFault:
                return  # it is asked again
            for app in apps:
                uses = [use for use in found if use.app == app]
                for limit, count in self._of.get(app, ()):
                    if (count.per, count.since) == (per, since):
                        self._restore(limit, count, uses)

    def _restore(self, limit: Limit, count: LimitCount, uses: Iterable[AppUse]) -> None:
        count.restored = True
        for use in uses:
            count.restore(round(use.start / limit.per), use.of(limit))
            if limit.kind != "requests":
                told, known, _ = use.answers(limit.kind)
                self._usual[use.app, limit.kind].learn(told, known)

    def _unknown(self) -> Mapping[tuple[float, float], set[str]]:
        unknown: dict[tuple[float, float], set[str]] = {}
        for app, counts in self._of.items():
            for _, count in counts:
                if not count.restored:
                    unknown.setdefault((count.per, count.since), set()).add(app)
        return unknown

    async def share(self) -> None:
        """Tell the other gateways what was counted, and learn what they did. While they are away, the shares stay."""
        if self._fleet is None:
            return
        try:
            await self._size.count()
            for exchange in self._exchanges:
                await exchange.run(self._clock.wall())
        except FleetFault as fault:
            self._note_fleet(is_away=True, message=fault.message)
        else:
            self._note_fleet(is_away=False)
        finally:
            self._replicas = self._size.number

    def _note_fleet(self, *, is_away: bool, **fields: Any) -> None:
        """Tell the journal once when the others are away, and once when they are back."""
        if is_away is not self._fleet_is_away and self._of:
            self._fleet_is_away = is_away
            name, level = ("limits_alone", "warning") if is_away else ("limits_shared", "info")
            self._journal.event(name, level=level, replicas=self._replicas, **fields)

    @property
    def _is_shared(self) -> bool:
        return self._fleet is not None and not self._fleet_is_away

    # What is told

    def uses(self) -> Iterator[tuple[str, LimitUse]]:
        """Give how much is used of every limit, by application."""
        now = self._clock.wall()
        for app, counts in self._of.items():
            for limit, count in counts:
                yield app, _use(limit, count, now)

    def describe(self, app: str | None = None) -> dict[str, Any]:
        """Give the limits of an application, or of all that have some, as JSON for people.

        Raises:
            UnknownSubject: no such application is declared.
        """
        declared = self._live.state.policies.callers
        if app is not None and app not in declared:
            raise UnknownSubject(f"no application {app[:100]!r}; there is {', '.join(sorted(declared)) or 'none'}")
        told: dict[str, list[dict[str, Any]]] = {}
        for name, use in self.uses():
            if app in (None, name):
                told.setdefault(name, []).append(use.describe())
        return {
            "apps": [{"app": name, "limits": limits} for name, limits in sorted(told.items())],
            "replicas": self._replicas,
            "shared": self._is_shared,
        }


def _use(limit: Limit, count: LimitCount, now: float, replicas: int = 1) -> LimitUse:
    return LimitUse(limit, count.used(now, replicas), count.idle_in(now))
