"""How many retries a provider is sent, by the counts alone and through whole exchanges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.breaker import BreakerPolicy
from gateway.proxy.exchange import State
from gateway.proxy.retry_budget import ALWAYS, RetryBudget
from tests.proxy.playbook import Play, provider, release, route

PATIENT = BreakerPolicy(min_requests=10_000, consecutive=10_000)
"""A breaker that lets a provider fail for long."""

ERROR = b'{"error":{"message":"overloaded"}}'


def failing(retries: int = 1, **changes) -> Play:
    """A route whose provider is tried again, behind a breaker that does not help."""
    stable = release("1.0.0", provider=provider(retries=retries))
    return Play(route(**{"stable": stable, "breaker": PATIENT, **changes}))


def budget_of(play: Play) -> tuple[int, int]:
    """The requests and the retries that are under way for the route's provider."""
    budget = play.around.retry_budgets["openai-sim"]
    return budget.requests, budget.retries


@given(requests=st.integers(0, 10_000), retries=st.integers(0, 3_000))
def test_a_fifth_of_the_requests_may_be_retries_and_a_few_always(requests: int, retries: int):
    """After one more there are at most a fifth, or three; one in the place of another adds none."""
    budget = RetryBudget()
    budget.requests, budget.retries = requests, retries
    assert (retries + 1 <= max(requests / 5, ALWAYS)) == budget.has_room(in_place=False)
    if retries:
        assert (retries <= max(requests / 5, ALWAYS)) == budget.has_room(in_place=True)
    assert f"<RetryBudget {retries} retries of {requests} requests>" == repr(budget)


@pytest.mark.parametrize(("requests", "retries"), [(1, 1), (10, 3), (19, 3), (20, 4), (60, 12)])
@pytest.mark.parametrize("failure", ["connect", "status"])
def test_of_requests_that_fail_together_a_fifth_is_tried_again(failure, requests, retries):
    """The others get the failure that they met, whole, at once, and are counted."""
    play = failing()
    downstreams = [play.ask()[1] for _ in range(requests)]
    for call in play.upstream.calls[:requests]:
        call.answer(ERROR, status=503) if failure == "status" else call.fail()
    assert retries == len(play.upstream.calls) - requests
    ended = [downstream for downstream in downstreams if downstream.ended]
    assert requests - retries == len(ended)
    for downstream in ended:
        assert ((503, ERROR) if failure == "status" else (502, downstream.body)) == (downstream.status, downstream.body)
        assert "false" == downstream.headers["x-should-retry"]
    assert [("desk", "1.0.0")] * (requests - retries) == play.meters.withheld
    for call in play.upstream.calls[requests:]:
        call.answer()
    assert [200] * retries == [each.status for each in downstreams if each not in ended]
    assert (0, 0) == budget_of(play)


def test_room_comes_back_as_retries_end():
    """Well or badly, or because their client has left."""
    play = failing()
    exchanges = [play.ask()[0] for _ in range(5)]
    for call in play.upstream.calls[:3]:
        call.fail()
    first, second, third = play.upstream.calls[5:]
    assert (5, 3) == budget_of(play)
    first.answer()
    second.fail()
    exchanges[2].client_gone()
    assert third.cancelled
    assert (2, 0) == budget_of(play)
    play.upstream.calls[3].fail()
    assert (9, (2, 1)) == (len(play.upstream.calls), budget_of(play))
    assert [] == play.meters.withheld


def test_a_second_retry_takes_the_place_of_the_first():
    """So one that has begun may go on while there is room for no other."""
    play = failing(retries=2)
    for _ in range(3):
        play.ask()
        play.upstream.last.fail()
    assert (3, 3) == budget_of(play)
    first_retry = play.upstream.calls[1]
    first_retry.head(500)
    assert (7, True, (3, 3)) == (len(play.upstream.calls), first_retry.cancelled, budget_of(play))


def test_fallbacks_need_no_room():
    """Another release is asked in the place of a retry that there is no room for; so does stable after a candidate."""
    old = release("0.9.0")
    play = failing(more={"0.9.0": old}, fallback=(old,))
    for _ in range(4):
        play.ask()
    for call in play.upstream.calls[:4]:
        call.head(500)
    assert ["atlas-1.0.0"] * 3 + ["atlas-0.9.0"] == [call.json["model"] for call in play.upstream.calls[4:]]
    assert [("desk", "1.0.0")] == play.meters.withheld

    play = failing(canary_ppm=1_000_000)
    for _ in range(4):
        play.ask()
    for call in play.upstream.calls[:4]:
        call.head(500)
    assert (["atlas-1.0.0"] * 4, (4, 0)) == ([call.json["model"] for call in play.upstream.calls[4:]], budget_of(play))


def test_requests_of_one_provider_count_whatever_their_route_serves_and_those_of_others_do_not():
    """By the provider of the stable release, which alone is tried again."""
    play = failing(canary_ppm=1_000_000, candidate=release("1.1.0", provider=provider(name="other")))
    play.ask()
    assert (1, 0) == budget_of(play)
    assert {"openai-sim"} == play.around.retry_budgets.keys()


def test_what_never_came_to_a_route_counts_for_no_provider():
    """A request that is refused, and one whose forced release takes none."""
    play = failing(out={"1.1.0": "rolled back"})
    play.ask(model="no-such-route")
    play.ask(headers={"x-pinion-release": "1.1.0"})
    assert (0, 0) == budget_of(play)


class AnyTraffic(RuleBasedStateMachine):
    """Requests in any order that fail, are answered, stream, are left by their client or ended by a drain."""

    def __init__(self) -> None:
        super().__init__()
        old = release("0.9.0")
        self.play = failing(retries=2, more={"0.9.0": old}, fallback=(old,), canary_ppm=500_000)
        self.open = []

    def one(self, number: int):
        """Any request under way."""
        return self.open[number % len(self.open)]

    @rule(user=st.sampled_from(["u-1", "u-2", "u-3"]), stream=st.booleans(), times=st.integers(1, 8))
    def ask(self, user: str, stream: bool, times: int) -> None:
        """Requests come."""
        self.open += [self.play.ask(user=user, stream=stream)[0] for _ in range(times)]

    @precondition(lambda self: self.open)
    @rule(number=st.integers(0, 50), how=st.sampled_from(["connect", "first_byte", "500", "400", "good", "begins"]))
    def hear(self, number: int, how: str) -> None:
        """The provider answers an attempt, or fails it."""
        attempt = self.one(number)._attempt
        (call,) = [call for call in self.play.upstream.calls if call.listener is attempt]
        if how in ("connect", "first_byte"):
            call.fail(how)
        elif attempt.status:
            call.end()
        elif how == "begins":
            call.head()
        elif how == "good":
            call.answer()
        else:
            call.answer(ERROR, status=int(how))

    @precondition(lambda self: self.open)
    @rule(number=st.integers(0, 50), leaves=st.booleans())
    def end(self, number: int, leaves: bool) -> None:
        """A client leaves, or the gateway stops."""
        exchange = self.one(number)
        exchange.client_gone() if leaves else exchange.drain()

    @invariant()
    def the_counts_are_what_is_under_way(self) -> None:
        """No more and no less, after every event; none of them is under way for ever."""
        self.open = [exchange for exchange in self.open if exchange.state is not State.closed]
        retries = sum(exchange._attempt.leg.retry for exchange in self.open)
        assert (len(self.open), retries) == budget_of(self.play)

    def teardown(self) -> None:
        """All leave, and nothing stays behind."""
        for exchange in self.open:
            exchange.client_gone()
        assert (0, 0) == budget_of(self.play)


AnyTraffic.TestCase.__doc__ = "Whatever becomes of requests, the counts are those of what is under way."
TestAnyTraffic = pytest.mark.untraced(AnyTraffic.TestCase)
