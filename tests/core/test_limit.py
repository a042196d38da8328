"""Limits: what counts in a window, when there is room, and what no stretch of time ever exceeds."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.limit import REMEMBERED, AppUse, Limit, LimitCount, LimitUse, Usual

MINUTE = 60.0
NOON = 1_790_000_040.0  # the start of a minute
REQUESTS = Limit("requests", 10, MINUTE)
TOKENS = Limit("tokens", 1_000, MINUTE)
USD = Limit("usd", 50_000_000_000, 86_400.0)


def count(*used: tuple[float, int], per: float = MINUTE, since: float = NOON) -> LimitCount:
    """A count of (seconds after noon, amount)."""
    made = LimitCount(per, since)
    for at, amount in used:
        made.add(NOON + at, amount)
    return made


def admitted(one: LimitCount, at: float, amount: int, replicas: int = 1) -> bool:
    """Ask for one request, and count it where there is room."""
    if one.used(at, replicas) >= amount:
        return False
    one.add(at, 1)
    return True


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (REQUESTS, "10 requests per 1m"),
        (Limit("requests", 1, 1.0), "1 request per 1s"),
        (Limit("tokens", 200_000, 60.0), "200,000 tokens per 1m"),
        (USD, "50 USD per 1d"),
        (Limit("usd", 500_000_000, 1.5), "0.5 USD per 1500ms"),
    ],
)
def test_a_limit_reads_as_it_is_written(limit, said):
    """Amount, kind and window."""
    assert said == str(limit)


def test_the_window_before_counts_by_the_share_that_is_near():
    """At a quarter of a window three quarters of the last one count, rounded down; after two windows nothing does."""
    one = count((0.0, 10))
    assert [10, 10, 7, 5, 0, 0] == [one.used(NOON + at) for at in (0, 59.9, 75, 90, 119.9, 120)]


def test_a_window_that_was_missed_clears_both():
    """Silence of more than a window leaves nothing."""
    assert (10, 0) == (count((0.0, 10)).used(NOON), count((0.0, 10)).used(NOON + 125))


def test_a_small_step_back_stands_still():
    """A clock that is set right by less than a window neither gives back nor loses anything."""
    one = count((0.0, 4), (61.0, 6))
    assert 6 + math.floor(4 * 59 / 60) == one.used(NOON + 61)
    assert 6 + 4 == one.used(NOON + 59)
    one.add(NOON + 58, 1)
    assert 7 + math.floor(4 * 59 / 60) == one.used(NOON + 61)


def test_a_clock_that_was_set_back_counts_on_from_there():
    """It does not wait a day for the time that was wrong; what was counted stays and ages from then."""
    one = count((7_200.0, 8))
    assert 8 == one.used(NOON)
    assert [4, 0] == [one.used(NOON + at) for at in (90, 120)]


def test_there_is_room_after_the_wait_and_not_before():
    """Whole seconds, at least one; none where there is room already."""
    one = count((0.0, 10))
    assert [0, 1] == [one.wait(NOON + 30, 11), count((0.0, 10)).wait(NOON + 59.99, 10)]
    wait = one.wait(NOON + 30, 10)
    assert (31, 9) == (wait, one.used(NOON + 30 + wait))


def test_what_was_overshot_is_waited_for_longer():
    """Three times the limit is worn off in the second window after."""
    one = count((0.0, 3_000))
    wait = one.wait(NOON, 1_000)
    assert (101, True) == (wait, one.used(NOON + wait) < 1_000)


def test_the_last_window_is_waited_for_until_it_leaves_room():
    """With half used in this window, until less than half of the last one counts."""
    one = count((0.0, 10), (75.0, 5))
    wait = one.wait(NOON + 75, 10)
    assert (16, True) == (wait, one.used(NOON + 75 + wait) < 10)


@pytest.mark.parametrize(("used", "idle_in"), [((), 0.0), (((0.0, 1),), 115.0), (((-50.0, 1),), 55.0)])
def test_it_is_known_when_nothing_counts_any_more(used, idle_in):
    """At the end of the next window, or of this one where only the last was used."""
    assert idle_in == count(*used, since=NOON - 50).idle_in(NOON + 5)


moves = st.lists(st.floats(0.001, 90.0), min_size=1, max_size=200)


@given(moves, st.integers(1, 20))
def test_no_window_admits_more_than_the_limit(steps, amount):
    """However requests come."""
    one, now, given_in = LimitCount(MINUTE, NOON), NOON, Counter()
    for step in steps:
        now += step / amount
        if admitted(one, now, amount):
            given_in[math.floor(now / MINUTE)] += 1
    assert max(given_in.values()) <= amount


@pytest.mark.untraced
@given(moves, st.lists(st.integers(1, 900), min_size=200, max_size=200))
def test_what_is_settled_later_overshoots_by_what_was_under_way(steps, tokens):
    """A request is let through by what is counted, and its own use comes later: limit and open ones are the most."""
    one, now, open_ones, windows = LimitCount(MINUTE, NOON), NOON, [], {}
    for step, amount in zip(steps, tokens, strict=False):
        now += step / 10
        if one.used(now) < 1_000:
            open_ones.append(amount)
        if len(open_ones) > 3 or (open_ones and one.used(now) >= 1_000):
            one.add(now, open_ones.pop(0))
        window = math.floor(now / MINUTE)
        windows[window] = max(windows.get(window, 0), one.used(now) - 4 * 900)
    assert max(windows.values()) < 1_000


@given(st.lists(st.tuples(st.floats(-200.0, 200.0), st.booleans()), max_size=100), st.integers(1, 10))
def test_a_clock_that_jumps_never_gives_more_than_the_limit_at_once(steps, amount):
    """Between two turns of its window, whichever way time goes, at most the limit is admitted."""
    one, now, since_turn, index = LimitCount(MINUTE, NOON), NOON, 0, None
    for step, asks in steps:
        now += step
        turned = one.windows(now)[0]
        since_turn = since_turn if turned == index or (index is not None and turned < index) else 0
        index = turned
        since_turn += asks and admitted(one, now, amount)
        assert since_turn <= amount


@given(st.lists(st.tuples(st.floats(0.0, 40.0), st.integers(0, 30)), min_size=1, max_size=20), st.integers(1, 50))
def test_after_the_wait_there_is_room(uses, amount):
    """Whatever was used, and however often it is asked."""
    one, now = LimitCount(MINUTE, NOON), NOON
    for step, used in uses:
        now += step
        one.add(now, used)
    wait = one.wait(now, amount)
    assert (wait == 0) is (one.used(now) < amount)
    assert one.used(now + wait) < amount


def test_what_is_not_told_yet_counts_for_every_gateway():
    """So each gives its share of what is left: of 10 to 3 gateways, four at most by this one, before it has told."""
    one = LimitCount(MINUTE, NOON)
    assert [True, True, True, True, False] == [admitted(one, NOON, 10, replicas=3) for _ in range(5)]
    assert one.wait(NOON, 10, replicas=3)
    one.told(one.windows(NOON)[0], 4, 4)
    assert [True, True, False] == [admitted(one, NOON, 10, replicas=3) for _ in range(3)]


class Fleet:
    """A shared counter, and gateways that exchange what they count whenever a test says so."""

    def __init__(self, replicas: int) -> None:
        self.total = 0
        self.counts = [LimitCount(MINUTE, NOON) for _ in range(replicas)]

    def exchange(self, one: LimitCount) -> None:
        """Tell what is not told yet, and hear the total."""
        window = one.windows(NOON)[0]
        untold = one.untold(window)
        self.total += untold
        one.told(window, untold, self.total)


@given(
    st.integers(2, 5),
    st.integers(1, 200),
    st.lists(st.lists(st.integers(0, 60), min_size=5, max_size=5), min_size=1, max_size=8),
)
def test_gateways_together_give_half_too_much_at_worst(replicas, amount, rounds):
    """Even if all of it comes between two exchanges: the limit and half of it, and one request for each gateway."""
    fleet, given_out = Fleet(replicas), 0
    for wanted in rounds:
        for one, number in zip(fleet.counts, wanted, strict=False):
            given_out += sum(admitted(one, NOON, amount, replicas) for _ in range(number))
            fleet.exchange(one)
    assert given_out <= 1.5 * amount + replicas


@given(st.integers(1, 5), st.integers(1, 100))
def test_gateways_give_all_of_it_in_the_end(replicas, amount):
    """Each takes what is left after each exchange, until nothing is."""
    fleet, given_out = Fleet(replicas), 0
    for _ in range(60):
        for one in fleet.counts:
            given_out += admitted(one, NOON, amount, replicas)
            fleet.exchange(one)
        for one in fleet.counts:
            fleet.exchange(one)
    assert min(amount, 60) <= given_out <= amount + replicas - 1


def test_a_counter_that_was_lost_is_known_by_what_it_had():
    """A fleet that begins anew at zero gives nobody anything back, and counts on."""
    one = count((0.0, 7))
    index = one.windows(NOON)[0]
    one.told(index, 7, 30)
    one.add(NOON, 2)
    one.told(index, 2, 2)
    assert 32 == one.used(NOON)
    one.told(index, 0, 5)
    assert 35 == one.used(NOON)


@pytest.mark.parametrize("told_first", [True, False])
@pytest.mark.parametrize("known", [0, 5, 20])
def test_what_the_ledger_knows_is_counted_once(told_first, known):
    """Where the other gateways have counted it already, it is the same; where they have lost it, it counts."""
    one = count((0.0, 3))
    index = one.windows(NOON)[0]
    acts = [lambda: one.told(index, 3, 3 + known), lambda: one.restore(index, 20)]
    for act in acts if told_first else reversed(acts):
        act()
    assert 23 == one.used(NOON)
    one.told(index, 0, 3 + known + 1)
    assert 24 == one.used(NOON)


def test_windows_that_are_over_are_passed_over():
    """What is learnt of them changes nothing."""
    one = count((0.0, 3))
    one.restore(1, 5)
    one.told(1, 5, 5)
    assert (3, 0) == (one.used(NOON), one.untold(1))


def test_an_answer_that_does_not_tell_counts_as_the_usual_one():
    """The mean of those that told, rounded up; a hundredth of the limit while none has. The latest count most."""
    usual = Usual()
    assert (10, 1, 500_000_000) == tuple(usual.amount(one) for one in (TOKENS, REQUESTS, USD))
    usual.learn(5)
    usual.learn(6)
    assert 6 == usual.amount(TOKENS)
    usual.learn(REMEMBERED * 1_000, REMEMBERED)
    for _ in range(20):
        usual.learn(REMEMBERED * 10, REMEMBERED)
    assert 10 == usual.amount(TOKENS)


def test_what_was_used_is_what_told_and_the_usual_for_what_did_not():
    """Of requests all count; of tokens and dollars the answers that did not tell are estimated."""
    use = AppUse("helpdesk", NOON, 9, 300, 3, 2, 4_000, 2, 1)
    assert (9, 500, 6_000) == tuple(use.of(one) for one in (REQUESTS, TOKENS, USD))
    assert 20 == AppUse("helpdesk", NOON, 2, answers_without_tokens=2).of(TOKENS)


def test_a_use_is_told_in_the_units_of_people():
    """US dollars, not billionths; what is left is never below nothing, and the share may be over one."""
    assert {
        "limit": "usd",
        "amount": 50.0,
        "per": "1d",
        "per_seconds": 86_400.0,
        "used": 55.0,
        "left": 0.0,
        "used_ratio": 1.1,
        "idle_in_seconds": 12.346,
    } == LimitUse(USD, 55_000_000_000, 12.3456).describe()


def test_a_count_shows_itself():
    """For who debugs."""
    assert "<LimitCount per 60 s, 0 then 3>" == repr(count((0.0, 3)))
