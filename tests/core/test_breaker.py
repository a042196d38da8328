"""The breaker: what trips it, what it does while open, and how it lets a release back."""

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core.breaker import (
    RETURN_STEPS,
    TRANSITIONS,
    Breaker,
    BreakerPolicy,
    BreakerState,
    Permit,
    Trip,
    returned_ppm,
)
from gateway.core.bucket import BUCKETS
from gateway.core.outcome import Outcome
from gateway.core.window import Counts

OK, SLOW, FAILED = Outcome.ok, Outcome.slow, Outcome.failed
SILENT = (Outcome.rate_limited, Outcome.client_fault, Outcome.cancelled, Outcome.gateway_fault)


def granted(breaker: Breaker, now: float) -> Permit:
    """A permit, where one must be given."""
    permit = breaker.permit(now)
    assert permit is not None
    return permit


def feed(breaker: Breaker, outcomes: list[Outcome], now: float = 0.0, **also: float | bool | None) -> list[str | None]:
    """Report outcomes one after the other at one time; give the rule of the trip that each made."""
    trips = [breaker.report(granted(breaker, now), outcome, now, **also) for outcome in outcomes]
    return [None if trip is None else trip.rule for trip in trips]


def tripped(policy: BreakerPolicy | None = None, now: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(policy or BreakerPolicy())
    assert [None, None, "consecutive"] == feed(breaker, [FAILED] * 3, now)
    return breaker


def half_open(policy: BreakerPolicy | None = None) -> tuple[Breaker, Permit]:
    """A breaker that has just let its first probe through, at 15 s."""
    breaker = tripped(policy)
    return breaker, granted(breaker, 15.0)


# Closed


def test_three_failures_in_a_row_trip():
    """The third consecutive failure opens the breaker, and the trip says what it rests on."""
    breaker = Breaker(BreakerPolicy())
    permits = [granted(breaker, 0.0) for _ in range(3)]
    trips = [breaker.report(permit, FAILED, 7.0) for permit in permits]
    evidence = {
        "window_seconds": 30.0,
        "requests": 3,
        "failed": 3,
        "slow": 0,
        "failures_in_a_row": 3,
        "cusum": 0.0,
        "limit": 3,
    }
    assert [None, None, Trip("consecutive", evidence, 7.0)] == trips
    assert BreakerState.open is breaker.state


def test_a_success_ends_a_row():
    """Failures with a success between them are no row."""
    assert [None] * 6 == feed(Breaker(BreakerPolicy(failure_rate=1.0)), [FAILED, FAILED, OK, FAILED, FAILED, OK])


def test_a_share_of_failures_trips_once_there_are_enough_requests():
    """Half the window failing trips at the fifth request, and not before."""
    assert [None] * 4 + ["failure_rate"] == feed(Breaker(BreakerPolicy()), [FAILED, OK, FAILED, OK, FAILED])
    assert [None] * 5 == feed(Breaker(BreakerPolicy()), [FAILED, OK, FAILED, OK, OK])


def test_the_window_forgets():
    """Failures older than the window do not count."""
    breaker = Breaker(BreakerPolicy())
    feed(breaker, [FAILED, OK, FAILED, OK], 0.0)
    assert [None] * 4 == feed(breaker, [FAILED, OK, OK, OK], 31.0)
    assert (4, 1) == breaker.counts(31.0)
    assert (0, 0) == breaker.counts(62.0)


def test_slow_answers_trip_where_the_policy_says_what_slow_is():
    """Four slow of five trip with `slow_over`; without it slow answers are good answers."""
    outcomes = [SLOW, SLOW, OK, SLOW, SLOW]
    assert [None] * 4 + ["slow_rate"] == feed(Breaker(BreakerPolicy(slow_over=8.0)), outcomes)
    assert [None] * 5 == feed(Breaker(BreakerPolicy()), outcomes)


def test_a_failure_may_be_slow_too():
    """A failing answer that was slow counts for both shares."""
    policy = BreakerPolicy(slow_over=8.0, consecutive=100, failure_rate=1.1)
    assert [None] * 4 + ["slow_rate"] == feed(Breaker(policy), [FAILED] * 5, slow=True)


def test_the_cusum_trips_against_the_baseline():
    """Scattered failures that neither rule of the window sees trip the CUSUM; its evidence names both hypotheses."""
    breaker = Breaker(BreakerPolicy())
    for number in range(200):
        trip = breaker.report(
            granted(breaker, 60.0 * number), FAILED if number % 4 == 0 else OK, 60.0 * number, baseline=0.005
        )
        if trip is not None:
            break
    assert trip is not None
    assert ("cusum", 0.02, 0.2, 6.908) == (
        trip.rule,
        trip.evidence["baseline"],
        trip.evidence["suspected"],
        trip.evidence["limit"],
    )
    assert number < 20


def test_without_a_baseline_the_cusum_does_not_judge():
    """Stable is not judged against itself."""
    breaker = Breaker(BreakerPolicy())
    for number in range(200):
        feed(breaker, [FAILED if number % 4 == 0 else OK], 60.0 * number)
    assert BreakerState.closed is breaker.state


@pytest.mark.parametrize("outcome", SILENT)
def test_outcomes_that_say_nothing_change_nothing(outcome: Outcome):
    """Rate limits, the client's faults, cancellations and Pinion's own faults neither count nor end a row."""
    breaker = Breaker(BreakerPolicy())
    assert [None] * 20 == feed(breaker, [outcome] * 20, baseline=0.02)
    assert (0, 0) == breaker.counts(0.0)
    assert [None, None, None, "consecutive"] == feed(breaker, [FAILED, FAILED, outcome, FAILED])


# Open


def test_a_burst_in_flight_trips_once():
    """Of ten requests that fail together, one makes the trip, and the rest are of an earlier generation."""
    breaker = Breaker(BreakerPolicy())
    permits = [granted(breaker, 0.0) for _ in range(10)]
    assert 1 == sum(breaker.report(permit, FAILED, 1.0) is not None for permit in permits)
    assert 1 == breaker.trips


def test_late_results_of_an_earlier_generation_change_nothing():
    """What was admitted before the trip neither closes nor opens anything afterwards."""
    breaker = Breaker(BreakerPolicy())
    late = [granted(breaker, 0.0) for _ in range(10)]
    feed(breaker, [FAILED] * 3)
    granted(breaker, 15.0)
    assert [None] * 10 == [
        breaker.report(permit, outcome, 16.0) for permit, outcome in zip(late, [OK, FAILED] * 5, strict=True)
    ]
    assert BreakerState.half_open is breaker.state
    assert 0 == breaker.snapshot(16.0)["good_probes"]


def test_open_permits_nothing_until_its_time_is_over():
    """Fifteen seconds long there is no permit, then a probe."""
    breaker = tripped()
    assert breaker.permit(14.999) is None
    assert BreakerState.open is breaker.state
    assert Permit(1, 1) == breaker.permit(15.0)
    assert BreakerState.half_open is breaker.state


# Half open


def test_probes_are_few_at_a_time():
    """Three probes may be in flight; each result lets the next one go."""
    breaker, first = half_open()
    granted(breaker, 15.0)
    granted(breaker, 15.0)
    assert breaker.permit(15.0) is None
    breaker.report(first, OK, 16.0)
    assert breaker.permit(16.0) is not None
    assert breaker.permit(16.0) is None


@pytest.mark.parametrize("outcome", SILENT)
def test_a_probe_that_says_nothing_gives_its_slot_back(outcome: Outcome):
    """A cancelled or refused probe neither closes nor opens, and the next may go."""
    breaker, first = half_open(BreakerPolicy(probes=1))
    assert breaker.permit(15.0) is None
    assert breaker.report(first, outcome, 16.0) is None
    assert BreakerState.half_open is breaker.state
    assert breaker.permit(16.0) is not None


def test_a_probe_that_never_returns_frees_its_slot():
    """After its deadline a hung probe no longer keeps others out, and its late result still counts."""
    breaker, hung = half_open(BreakerPolicy(probes=1))
    assert breaker.permit(44.9) is None
    assert breaker.permit(45.0) is not None
    breaker.report(hung, OK, 100.0)
    assert BreakerState.closed is breaker.state


def test_enough_good_probes_close():
    """The third good probe closes the breaker; others in flight then count as any result."""
    breaker, first = half_open()
    probes = [first, granted(breaker, 15.0), granted(breaker, 15.0)]
    assert [None, None, None] == [breaker.report(probe, OK, 16.0) for probe in probes]
    assert BreakerState.closed is breaker.state
    assert [None, None, "consecutive"] == feed(breaker, [FAILED] * 3, 17.0)


def test_one_bad_probe_opens_again():
    """A single failure reopens the breaker, for twice as long."""
    breaker, first = half_open()
    trip = breaker.report(first, FAILED, 20.0)
    assert trip is not None
    assert ("probe", 0, 3, True) == (
        trip.rule,
        trip.evidence["good_probes"],
        trip.evidence["limit"],
        trip.evidence["probe_failed"],
    )
    assert breaker.permit(49.9) is None
    assert breaker.permit(50.0) is not None


def test_a_slow_probe_is_bad_where_slow_is_judged():
    """With `slow_over` a slow probe reopens; without it, it is a good one."""
    breaker, first = half_open(BreakerPolicy(slow_over=8.0))
    trip = breaker.report(first, SLOW, 16.0)
    assert trip is not None
    assert not trip.evidence["probe_failed"]
    breaker, first = half_open(BreakerPolicy(probes=1))
    breaker.report(first, SLOW, 16.0)
    assert BreakerState.closed is breaker.state


# How long it stays open


def test_the_open_time_grows_up_to_its_limit():
    """Each failed probe doubles the open time until it is five minutes."""
    breaker, now, waits = tripped(), 0.0, []
    for _ in range(7):
        waits.append(breaker.snapshot(now)["probes_in_seconds"])
        now += waits[-1]
        breaker.report(granted(breaker, now), FAILED, now)
    assert [15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0] == waits


@pytest.mark.parametrize(("calm", "wait"), [(0.0, 30.0), (29.0, 30.0), (30.0, 15.0), (3000.0, 15.0)])
def test_the_open_time_comes_back_while_closed(calm: float, wait: float):
    """Flapping opens for longer; each whole window spent closed takes one such step back."""
    breaker, first = half_open(BreakerPolicy(probes=1))
    breaker.report(first, OK, 15.0)
    assert wait == breaker.snapshot(15.0 + calm)["next_open_seconds"]
    feed(breaker, [FAILED] * 3, 15.0 + calm)
    assert wait == breaker.snapshot(15.0 + calm)["probes_in_seconds"]


# How units come back


@given(whole=st.floats(1e-3, 1e6), moments=st.lists(st.floats(0.0, 2.0), min_size=1))
def test_the_share_that_is_back_never_falls_and_is_all_in_the_end(whole: float, moments: list[float]):
    """At any times after a closing: a tenth at least from the first moment, and then only more."""
    shares = [returned_ppm(moment * whole, whole) for moment in sorted(moments)]
    assert sorted(shares) == shares
    assert {*shares} <= {*RETURN_STEPS, BUCKETS}
    assert (RETURN_STEPS[0], BUCKETS) == (returned_ppm(0.0, whole), returned_ppm(whole, whole))


def test_units_come_back_in_steps_of_one_open_time():
    """A tenth, a quarter and a half for a third of it each; the permits themselves are not withheld."""
    breaker, first = half_open(BreakerPolicy(probes=1))
    assert 0 == breaker.share_ppm(15.0)
    breaker.report(first, OK, 20.0)
    moments = {20.0: 100_000, 24.9: 100_000, 25.0: 250_000, 30.0: 500_000, 34.9: 500_000, 35.0: BUCKETS, 9e9: BUCKETS}
    assert moments == {moment: breaker.share_ppm(moment) for moment in moments}
    assert 250_000 == breaker.snapshot(25.0)["share_ppm"]
    granted(breaker, 20.0)


def test_one_that_never_tripped_takes_all():
    """However soon after the machine's start."""
    assert BUCKETS == Breaker(BreakerPolicy()).share_ppm(0.0)


def test_it_trips_while_units_come_back_as_ever():
    """Three failures in a row open it for twice as long; closed again, the steps begin anew."""
    breaker, first = half_open(BreakerPolicy(probes=1))
    breaker.report(first, OK, 15.0)
    assert [None, None, "consecutive"] == feed(breaker, [FAILED] * 3, 16.0)
    assert 0 == breaker.share_ppm(16.0)
    assert breaker.close(46.0, 0.0)
    assert (100_000, 250_000) == (breaker.share_ppm(46.0), breaker.share_ppm(51.0))


# Status


def test_a_snapshot_is_for_people_and_machines():
    """The status is JSON, names the state and counts, and forgets what the window forgets."""
    breaker = Breaker(BreakerPolicy())
    feed(breaker, [FAILED, OK], 5.0, baseline=0.02)
    status = breaker.snapshot(5.0)
    assert status == json.loads(json.dumps(status))
    assert ("closed", 0, 2, 1) == (status["state"], status["trips"], status["requests"], status["failed"])
    assert 0 == breaker.snapshot(500.0)["requests"]
    assert "<Breaker closed, 0 of 0 failed, 0 trips>" == repr(breaker)


def test_the_table_says_every_move():
    """What the table does not name raises, and leaves the state as it was."""
    for state, event in product(BreakerState, {event for _, event in TRANSITIONS}):
        breaker = Breaker(BreakerPolicy())
        breaker.state = state
        if (state, event) in TRANSITIONS:
            breaker._move(event)
            assert TRANSITIONS[state, event] is breaker.state
        else:
            with pytest.raises(KeyError):
                breaker._move(event)
            assert state is breaker.state


class AnyBreaker(RuleBasedStateMachine):
    """Any order of permits, results and pauses, the results of old permits among them."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = BreakerPolicy(slow_over=1.0)
        self.breaker = Breaker(self.policy)
        self.now = 0.0
        self.permits: list[tuple[Permit, float]] = []

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def ask(self) -> None:
        """A request asks for leave."""
        permit = self.breaker.permit(self.now)
        if permit is not None:
            self.permits.append((permit, self.now))

    @rule(by_probe=st.booleans())
    def hear_of_a_trip(self, by_probe: bool) -> None:
        """Another gateway's has tripped."""
        before, state = self.breaker.trips, self.breaker.state
        has_opened = self.breaker.open(self.now, by_probe=by_probe)
        assert BreakerState.open is self.breaker.state
        assert has_opened == (by_probe or state is not BreakerState.open)
        assert before + has_opened == self.breaker.trips

    @rule(probed=st.floats(0, 40))
    def hear_of_a_closing(self, probed: float) -> None:
        """Another gateway's probes were good."""
        state = self.breaker.state
        has_closed = self.breaker.close(self.now, probed)
        assert has_closed == (self.breaker.state is not state)
        assert not has_closed or RETURN_STEPS[0] == self.breaker.share_ppm(self.now)

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), slow=st.booleans())
    def end(self, data: st.DataObject, outcome: Outcome, slow: bool) -> None:
        """Any attempt in flight ends."""
        permit, _ = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        before, state = self.breaker.trips, self.breaker.state
        trip = self.breaker.report(permit, outcome, self.now, slow=slow, baseline=0.02)
        assert (trip is not None) == (self.breaker.trips == before + 1)
        if permit.generation != before:
            assert (None, state) == (trip, self.breaker.state)

    @invariant()
    def young_probes_are_within_their_limit(self) -> None:
        """Half open, at most so many probes are in flight within their deadline."""
        if self.breaker.state is BreakerState.half_open:
            oldest = self.now - self.policy.probe_deadline
            young = [p for p, at in self.permits if p.generation == self.breaker.trips and at > oldest]
            assert len(young) <= self.policy.probes

    @invariant()
    def units_are_taken_while_it_is_closed_alone(self) -> None:
        """Open and half-open it takes probes and no units."""
        assert (self.breaker.state is BreakerState.closed) == (self.breaker.share_ppm(self.now) > 0)

    @invariant()
    def open_is_never_for_longer_than_its_limit(self) -> None:
        """The wait for the next probe is bounded."""
        assert 0.0 <= self.breaker.snapshot(self.now)["probes_in_seconds"] <= self.policy.max_open


AnyBreaker.TestCase.__doc__ = "Whatever happens in whatever order, the breaker keeps its law."
TestAnyBreaker = pytest.mark.untraced(AnyBreaker.TestCase)


def test_what_other_gateways_counted_is_judged_by_the_rules_of_rates_alone():
    """Their failures are in the window, and no failures in a row here; while it is open they say nothing."""
    breaker = Breaker(BreakerPolicy(min_requests=6, consecutive=3, slow_rate=0.8))
    assert breaker.take(Counts(5, 4, 0), 1.0) is None
    assert (5, 4) == breaker.counts(1.0)
    assert (0, 0, 0) == (breaker.own.requests, breaker.own.failed, breaker.own.slow)
    trip = breaker.take(Counts(1, 0, 0), 1.0)
    assert ("failure_rate", 6, 0) == (trip.rule, trip.evidence["requests"], trip.evidence["failures_in_a_row"])
    assert breaker.take(Counts(9, 9, 9), 1.0) is None
    assert (0, 0) == breaker.counts(1.0)
    assert "slow_rate" == Breaker(BreakerPolicy()).take(Counts(5, 0, 4), 1.0).rule


def test_good_probes_elsewhere_close_it_unless_it_opened_since():
    """From open and from half-open; what was in flight then still counts, as after good probes here."""
    breaker = Breaker(BreakerPolicy(consecutive=1, open=10.0))
    assert not breaker.close(0.0, 0.0)
    breaker.report(breaker.permit(100.0), Outcome.failed, 100.0)
    assert (False, True) == (breaker.is_due(109.9), breaker.is_due(110.0))
    assert not breaker.close(111.0, 12.0)
    assert breaker.close(111.0, 1.0)
    assert (BreakerState.closed, 1) == (breaker.state, breaker.trips)
    breaker.report(breaker.permit(112.0), Outcome.failed, 112.0)
    probe = breaker.permit(140.0)
    assert (BreakerState.half_open, True, 8.0) == (breaker.state, breaker.is_due(140.0), breaker.probed(140.0))
    assert breaker.close(141.0, 1.0)
    assert breaker.report(probe, Outcome.ok, 142.0) is None
    assert (1, 0) == breaker.counts(142.0)


def test_a_trip_elsewhere_opens_it_and_several_over_one_failing_are_one():
    """It waits as after a trip of its own, and longer only after a bad probe; what was in flight says nothing."""
    breaker = Breaker(BreakerPolicy(consecutive=1, open=10.0, growth=2.0))
    permit = breaker.permit(0.0)
    assert breaker.open(0.0, by_probe=False)
    assert not breaker.open(1.0, by_probe=False)
    assert breaker.report(permit, Outcome.failed, 2.0) is None
    assert (False, True, 1) == (breaker.is_due(9.9), breaker.is_due(10.0), breaker.trips)
    assert breaker.open(10.0, by_probe=True)
    assert (False, True) == (breaker.is_due(29.9), breaker.is_due(30.0))
    assert breaker.permit(30.0) is not None
    assert breaker.open(31.0, by_probe=False)
    assert BreakerState.open is breaker.state


def test_one_that_fails_soon_after_others_found_it_well_is_alone():
    """Until its own probes are good, or another one trips as well; one that fails a whole window later is not."""
    breaker = Breaker(BreakerPolicy(consecutive=1, open=10.0, window=30.0, probes=1))
    breaker.report(breaker.permit(0.0), Outcome.failed, 0.0)
    assert not breaker.fails_alone
    assert breaker.close(10.0, 0.0)
    breaker.report(breaker.permit(11.0), Outcome.failed, 11.0)
    assert breaker.fails_alone
    breaker.report(breaker.permit(50.0), Outcome.failed, 50.0)
    assert breaker.fails_alone  # a bad probe says the same again
    breaker.report(breaker.permit(200.0), Outcome.ok, 200.0)
    assert (BreakerState.closed, False) == (breaker.state, breaker.fails_alone)
    breaker.report(breaker.permit(201.0), Outcome.failed, 201.0)
    assert not breaker.fails_alone

    assert breaker.close(300.0, 0.0)
    breaker.report(breaker.permit(301.0), Outcome.failed, 301.0)
    assert (True, False, False) == (breaker.fails_alone, breaker.open(302.0, by_probe=False), breaker.fails_alone)
    assert breaker.close(400.0, 0.0)
    breaker.report(breaker.permit(430.0), Outcome.failed, 430.0)
    assert not breaker.fails_alone
