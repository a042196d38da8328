"""What gateways tell each other of limits: everything that is used, and little of what is not."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.control.limit_exchange import GROUPS, MOST_LIMITS, LimitExchange
from gateway.core.errors import FleetFault
from gateway.core.limit import LimitCount
from tests.control.limit_fleet import Counters, Fleet

pytestmark = pytest.mark.anyio

MINUTE = 60.0
NOW = 1_000_020.0
"""Within a minute, so that nothing of one before is in the way."""


class One:
    """One gateway: its counts of some limits, and its exchange of them."""

    def __init__(self, counters: Counters, limits: int = 1) -> None:
        self.counts = {f"app-{number}/requests": LimitCount(MINUTE, NOW) for number in range(limits)}
        self.exchange = LimitExchange(Fleet(counters), MINUTE, self.counts)

    def use(self, number: int, amount: int = 1) -> None:
        """A limit is used."""
        self.counts[f"app-{number}/requests"].add(NOW, amount)

    def used(self, number: int) -> int:
        """What is known to be used of a limit."""
        return self.counts[f"app-{number}/requests"].used(NOW)

    async def second(self, counters: Counters, now: float = NOW) -> list[int]:
        """Exchange once; give how many counters each trip named."""
        before = len(counters.adds)
        await self.exchange.run(now)
        return counters.adds[before:]


async def test_what_is_not_used_costs_nothing():
    """A thousand limits, once they were read: a trip for the groups alone, as many as there are at most."""
    counters = Counters()
    one, few = One(counters, 1_000), One(counters, 3)
    for each in (one, one, few):
        await each.second(counters)
    assert ([GROUPS], [3]) == (await one.second(counters), await few.second(counters))
    assert "<LimitExchange of 3 limits per 60 s, 0 due>" == repr(few.exchange)


async def test_what_one_uses_all_know():
    """In their next second, though nobody asks them for it; the others of its group are read with it, and no more."""
    counters = Counters()
    one, other = One(counters, 1_000), One(counters, 1_000)
    for each in (one, one, other, other):
        await each.second(counters)
    one.use(7, 3)
    assert [2 + GROUPS] == await one.second(counters)
    told, read = await other.second(counters)
    assert (GROUPS, 3) == (told, other.used(7))
    assert 2 <= read <= 2 * 30
    assert [GROUPS] == await other.second(counters) == await one.second(counters)


async def test_a_trip_has_a_bound_and_each_has_its_turn():
    """Of more limits than one trip takes, all of them busy every second."""
    counters = Counters()
    one, limits = One(counters, 1_200), range(1_200)
    for _ in range(3):
        for number in limits:
            one.use(number)
        assert [2 * MOST_LIMITS + GROUPS] == [each for each in await one.second(counters) if each > GROUPS]
    told = Counter({key.split("/")[1]: total for key, total in counters.totals.items() if total and "limit/" in key})
    assert 1_200 == len(told)


async def test_what_a_fault_kept_from_being_read_is_read_later():
    """The others told something while this one was away, or the counters were lost: what was known stays known."""
    counters = Counters()
    one, other = One(counters, 9), One(counters, 9)
    for each in (one, other):
        await each.second(counters)
    one.use(4, 5)
    await one.second(counters)
    counters.away = True
    with pytest.raises(FleetFault):
        await other.second(counters)
    counters.away = False
    await other.second(counters)
    assert 5 == other.used(4)
    counters.totals.clear()
    for each in (one, other):
        await each.second(counters)
    for each in (one, other, one):
        each.use(4)
        await each.second(counters)
    await other.second(counters)
    assert (8, 8) == (one.used(4), other.used(4))


async def test_late_use_of_the_window_before_is_told():
    """An answer that ends after its window counts in it, at every gateway."""
    counters = Counters()
    one, other = One(counters), One(counters)
    later = NOW + MINUTE
    for each in (one, other):
        await each.second(counters, later)
    one.use(0, 8)
    await one.second(counters, later)
    await other.second(counters, later)
    (left,) = {each.counts["app-0/requests"].used(later) for each in (one, other)}
    assert 0 < left <= 8


LIMITS = 6
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 2), st.integers(0, LIMITS - 1)),
        st.tuples(st.just("exchange"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("away"), st.integers(0, 2), st.just(0)),
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=60)
async def test_all_come_to_know_all(steps):
    """Whoever uses what, and whoever is away when: after two rounds without news each knows what all have used."""
    counters = Counters()
    fleet, used = [One(counters, LIMITS) for _ in range(3)], Counter()
    for act, index, number in steps:
        if act == "use":
            fleet[index].use(number)
            used[number] += 1
        elif act == "exchange":
            await fleet[index].second(counters)
        else:
            counters.away = True
            with pytest.raises(FleetFault):
                await fleet[index].second(counters)
            counters.away = False
    for _ in range(2):
        for each in fleet:
            await each.second(counters)
    assert [[used[number] for number in range(LIMITS)]] * 3 == [[e.used(n) for n in range(LIMITS)] for e in fleet]
