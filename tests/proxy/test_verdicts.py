"""What failed attempts are judged to be, and what the breakers are told of them."""

import pytest

from gateway.core.breaker import Permit
from gateway.core.outcome import Outcome
from gateway.core.route import Leg
from gateway.proxy.attempts import Failure
from gateway.proxy.verdicts import Verdicts
from tests.proxy.playbook import release, route

PERMIT = Permit(0)
STABLE = Leg(release("1.0.0"), "fallback", is_stable=True)
CANARY = Leg(release("1.1.0"), "canary", is_stable=False)
OLD = Leg(release("0.9.0"), "fallback", is_stable=False)
FORCED = Leg(release("1.1.0"), "forced", is_stable=False)


class Breakers:
    """Port `Breakers`: notes what is reported."""

    def __init__(self):
        self.heard = []

    def permit(self, route, release, now):
        raise NotImplementedError

    def report(self, _route, release, permit, outcome, _now):
        self.heard.append((release.version, permit, outcome.value))


def failure(outcome):
    """A failure of an outcome."""
    return Failure(Outcome(outcome), "message")


def judged(*failed, stable_accepts=False, stable_is_out=False):
    """The verdicts on failed attempts, in order, and what the breakers heard."""
    breakers = Breakers()
    verdicts = Verdicts(route(), breakers)
    for leg, outcome in failed:
        verdicts.failed(leg, PERMIT, failure(outcome), 0.0)
    if stable_is_out:
        verdicts.stable_is_out()
    if stable_accepts:
        verdicts.stable_accepted(0.0)
    verdicts.close(0.0)
    verdicts.close(0.0)
    return [verdict.outcome.value for verdict in verdicts], [heard[2] for heard in breakers.heard]


@pytest.mark.parametrize("outcome", ["failed", "client_fault", "rate_limited", "gateway_fault"])
@pytest.mark.parametrize("leg", [STABLE, OLD, FORCED], ids=["stable", "fallback", "forced"])
def test_stable_fallbacks_and_forced_releases_count_as_they_are(leg, outcome):
    """At once, whoever answers then."""
    breakers = Breakers()
    verdicts = Verdicts(route(), breakers)
    verdicts.failed(leg, PERMIT, failure(outcome), 0.0)
    assert [(leg.release.version, PERMIT, outcome)] == breakers.heard


@pytest.mark.parametrize("track", ["canary", "arm", "rule"])
@pytest.mark.parametrize("outcome", ["failed", "client_fault"])
def test_a_candidates_failure_waits_for_stable(track, outcome):
    """Nothing is told until it is known what stable makes of the request."""
    breakers = Breakers()
    verdicts = Verdicts(route(), breakers)
    verdicts.failed(Leg(release("1.1.0"), track, is_stable=False), PERMIT, failure(outcome), 0.0)
    assert ([], "<Verdicts 1 failed, 1 not judged>") == (breakers.heard, repr(verdicts))
    verdicts.stable_accepted(0.0)
    assert [("1.1.0", PERMIT, "failed")] == breakers.heard
    verdicts.close(0.0)
    assert 1 == len(breakers.heard)


@pytest.mark.parametrize("outcome", ["rate_limited", "gateway_fault"])
def test_a_candidates_limit_counts_at_once(outcome):
    """Stable's word does not matter to it."""
    assert ([outcome], [outcome]) == judged((CANARY, outcome), stable_accepts=True)


@pytest.mark.parametrize(
    ("own", "stable", "told"),
    [
        ("failed", "failed", "cancelled"),
        ("failed", "client_fault", "cancelled"),
        ("client_fault", "client_fault", "cancelled"),
        ("client_fault", "failed", "cancelled"),
        ("failed", "rate_limited", "failed"),
        ("failed", "gateway_fault", "failed"),
        ("client_fault", "rate_limited", "client_fault"),
    ],
)
def test_what_stable_repeats_is_excused(own, stable, told):
    """The record keeps what happened; only the breaker is told that it does not count."""
    assert ([own, stable], [stable, told]) == judged((CANARY, own), (STABLE, stable))


def test_what_happens_while_stable_is_out_is_excused():
    """It has nothing to be compared with."""
    assert (["failed"], ["cancelled"]) == judged((CANARY, "failed"), stable_is_out=True)


def test_what_stable_accepts_after_all_has_failed():
    """Its first failure does not excuse anyone then."""
    verdicts = judged((CANARY, "client_fault"), (STABLE, "failed"), stable_accepts=True)
    assert (["failed", "failed"], ["failed", "failed"]) == verdicts


def test_without_stables_word_a_failure_counts():
    """The client left before stable had answered."""
    assert (["failed"], ["failed"]) == judged((CANARY, "failed"))


def test_an_attempt_without_a_permit_is_not_reported():
    """It was sent in spite of the breaker."""
    breakers = Breakers()
    verdicts = Verdicts(route(), breakers)
    verdicts.failed(STABLE, None, failure("failed"), 0.0)
    assert ([], ["failed"]) == (breakers.heard, [verdict.outcome.value for verdict in verdicts])


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ([], None),
        ([(CANARY, "failed")], "1.1.0"),
        ([(CANARY, "client_fault"), (STABLE, "failed")], "1.0.0"),
        ([(CANARY, "failed"), (STABLE, "client_fault")], "1.0.0"),
        ([(STABLE, "failed"), (OLD, "client_fault")], "1.0.0"),
        ([(STABLE, "failed"), (OLD, "rate_limited")], "0.9.0"),
        ([(FORCED, "client_fault")], "1.1.0"),
        ([(CANARY, "client_fault")], None),
    ],
)
def test_the_client_hears_of_the_last_whose_word_is_good(failed, told):
    """That the request is at fault, only stable or a forced release says."""
    verdicts = Verdicts(route(), Breakers())
    for leg, outcome in failed:
        verdicts.failed(leg, PERMIT, failure(outcome), 0.0)
    assert told == (verdicts.told and verdicts.told.leg.release.version)
    assert any(leg is STABLE for leg, _ in failed) == verdicts.stable_failed
