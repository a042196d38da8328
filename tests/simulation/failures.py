"""What fails, as the seed draws it: each failure has its time, and an end. At the end of a run all is well again."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

Act = Callable[["Failures", str], tuple[Callable[[], None], Callable[[], None]]]
"""Makes of one replica's name what breaks and what mends it."""


class Failures:
    """Breaks what a world has, one thing after another, and mends it after a while."""

    def __init__(self, world: Any, random: Random) -> None:
        self._world, self._random = world, random
        self._mending: list[Callable[[], None]] = []
        self.kinds = [
            self._store_down,
            self._store_flaky,
            self._store_slow,
            self._store_away,
            self._bus_down,
            self._bus_lossy,
            self._bus_frozen,
            self._bus_flushed,
            self._alone,
            self._crash,
            self._crash,
            self._pause,
            self._pause,
            self._wall_jump,
            self._swizzle,
        ]

    async def run(self, until: float) -> None:
        """Break things until a time of the loop, then mend everything."""
        loop, random = self._world.loop, self._random
        chosen = [kind for kind in self.kinds if random.random() < 0.6] or [self._crash]
        pace = random.choice((0.5, 1.5, 4.0))
        while loop.now < until:
            await asyncio.sleep(random.expovariate(1.0 / pace))
            kind = random.choice(chosen)
            who = random.choice(self._world.names)
            self._world.tell("world", f"{kind.__name__.strip('_')} {who}")
            kind(who)
        for mend in self._mending:
            mend()
        self._world.mend_all()

    def _for_a_while(self, mend: Callable[[], None], seconds: float | None = None) -> None:
        self._mending.append(mend)
        lasts = self._random.expovariate(0.25) if seconds is None else seconds
        self._world.loop.call_later(min(lasts, 25.0), self._mend, mend)

    def _mend(self, mend: Callable[[], None]) -> None:
        if mend in self._mending:
            self._mending.remove(mend)
            mend()

    def _link(self, link: Any, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(link, name, value)
        self._world.foul()
        self._for_a_while(link.heal)

    def _store_down(self, who: str) -> None:
        self._link(self._world.machines[who].store_link, is_up=False)

    def _store_flaky(self, who: str) -> None:
        chances = self._random.choice(((0.3, 0.0), (0.0, 0.3), (0.2, 0.2)))
        self._link(self._world.machines[who].store_link, fails_before=chances[0], loses_reply=chances[1])

    def _store_slow(self, who: str) -> None:
        self._link(self._world.machines[who].store_link, slow=self._random.uniform(0.1, 0.6))

    def _store_away(self, _who: str) -> None:
        for machine in self._world.machines.values():
            self._link(machine.store_link, is_up=False)

    def _bus_down(self, who: str) -> None:
        self._link(self._world.machines[who].bus_link, is_up=False)
        self._for_a_while(self._world.bus_back)

    def _bus_lossy(self, who: str) -> None:
        lossy = {"lost": self._random.uniform(0.0, 0.7), "doubled": self._random.uniform(0.0, 0.5), "slow": 0.3}
        self._link(self._world.machines[who].bus_link, **lossy)

    def _bus_frozen(self, _who: str) -> None:
        self._world.bus.is_frozen = True
        self._for_a_while(self._thaw)

    def _thaw(self) -> None:
        self._world.bus.is_frozen = False
        self._world.bus_back()

    def _bus_flushed(self, _who: str) -> None:
        self._world.bus.flush()

    def _alone(self, who: str) -> None:
        machine = self._world.machines[who]
        self._link(machine.bus_link, is_up=False)
        self._link(machine.store_link, is_up=False)

    def _crash(self, who: str) -> None:
        self._world.crash(who)
        self._world.loop.call_later(self._random.uniform(0.05, 5.0), self._world.start, who)

    def _pause(self, who: str) -> None:
        self._world.pause(who)
        self._for_a_while(lambda: self._world.resume(who), self._random.choice((0.5, 3.0, 12.0, 20.0)))

    def _wall_jump(self, who: str) -> None:
        machine = self._world.machines[who]
        machine.skew = self._random.choice((-3_600.0, 3_600.0, -20.0, 20.0, 0.5))
        self._for_a_while(lambda: setattr(machine, "skew", 0.0))

    def _swizzle(self, _who: str) -> None:
        """Links of some stop one by one, and come back in another order."""
        world, random = self._world, self._random
        links = [link for machine in world.machines.values() for link in (machine.store_link, machine.bus_link)]
        chosen = random.sample(links, random.randint(1, len(links)))
        at = 0.0
        for link in chosen:
            at += random.uniform(0.0, 0.8)
            world.loop.call_later(at, self._clog, link)
        random.shuffle(chosen)
        for link in chosen:
            at += random.uniform(0.0, 0.8)
            self._for_a_while(link.heal, at)
        self._for_a_while(world.bus_back, at + 0.01)

    def _clog(self, link: Any) -> None:
        if not self._world.is_fair:
            link.is_up = False
            self._world.foul()
