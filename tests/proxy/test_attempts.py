"""What the failure of an attempt was, and which attempt it lets come next."""

import pytest

from gateway.core.errors import Malformed, UpstreamFault
from gateway.core.outcome import Outcome
from gateway.proxy.attempts import fault_failure, in_band_failure, next_leg, put_off, status_failure
from tests.proxy.playbook import provider, release, route


def planned(track, version, *, retries=0):
    """The legs of a request to a route with two fallbacks."""
    more = {name: release(name) for name in ("0.8.0", "0.9.0")}
    stable = release("1.0.0", provider=provider(retries=retries))
    one = route(stable=stable, more=more, fallback=tuple(more.values()))
    return one.legs(one.releases[version], track)


REPEATABLE = [
    fault_failure(UpstreamFault("connect", "connect")),
    fault_failure(UpstreamFault("protocol", "protocol")),
    fault_failure(UpstreamFault("cut", "cut"), 200),
    status_failure(500, []),
    status_failure(503, []),
    status_failure(529, []),
]
FINAL = [
    fault_failure(UpstreamFault("pool", "pool")),
    fault_failure(UpstreamFault("local", "local")),
    fault_failure(UpstreamFault("first_byte", "first_byte")),
    fault_failure(UpstreamFault("idle", "idle")),
    fault_failure(UpstreamFault("total", "total")),
    status_failure(302, []),
    status_failure(401, []),
    status_failure(404, []),
    status_failure(429, []),
    in_band_failure(200, "overloaded"),
]


@pytest.mark.parametrize("failure", REPEATABLE, ids=lambda failure: f"{failure.status} {failure.fault!r}")
def test_connection_errors_and_5xx_may_be_tried_again(failure):
    """On the same release, as long as it has retries; then the next release is tried."""
    legs = planned("stable", "1.0.0", retries=2)
    assert [1, 2, 3, 4, None] == [next_leg(legs, current, failure) for current in range(5)]


@pytest.mark.parametrize("failure", FINAL, ids=lambda failure: f"{failure.status} {failure.fault!r}")
def test_nothing_else_is_tried_again_on_the_same_release(failure):
    """The next release may still answer."""
    legs = planned("stable", "1.0.0", retries=2)
    assert [3, 3, 3, 4, None] == [next_leg(legs, current, failure) for current in range(5)]


@pytest.mark.parametrize("failure", REPEATABLE, ids=lambda failure: f"{failure.status} {failure.fault!r}")
def test_without_room_for_a_retry_the_next_release_is_tried(failure):
    """A fallback is none, and needs no room."""
    legs = planned("stable", "1.0.0", retries=2)
    assert [3, 3, 3, 4, None] == [next_leg(legs, current, failure, may_retry=False) for current in range(5)]


def test_what_is_put_off_is_tried_last():
    """With its retries, and the order of all others is kept."""
    legs = planned("rule", "1.1.0", retries=1)
    assert ["1.1.0", "1.0.0", "1.0.0", "0.8.0", "0.9.0"] == [leg.release.version for leg in legs]
    assert (*legs[:1], *legs[3:], *legs[1:3]) == put_off(legs, {"1.0.0"})
    assert (legs[1], legs[2], legs[4], legs[0], legs[3]) == put_off(legs, {"1.1.0", "0.8.0"})


def test_a_clients_fault_is_final_only_when_stable_says_so():
    """What another release refuses, the next may take."""
    legs = planned("canary", "1.1.0")
    failure = status_failure(400, [])
    assert [1, None, 3, None] == [next_leg(legs, current, failure) for current in range(4)]


def test_a_forced_release_has_no_next():
    """Whatever its failure."""
    legs = planned("forced", "1.1.0")
    assert next_leg(legs, 0, status_failure(500, [])) is None


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (fault_failure(UpstreamFault("pool", "full")), Outcome.gateway_fault),
        (fault_failure(UpstreamFault("local", "no descriptors")), Outcome.gateway_fault),
        (fault_failure(UpstreamFault("connect", "refused")), Outcome.failed),
        (fault_failure(Malformed("variable")), Outcome.client_fault),
        (status_failure(429, []), Outcome.rate_limited),
        (status_failure(400, []), Outcome.client_fault),
        (status_failure(500, []), Outcome.failed),
        (in_band_failure(200, "overloaded"), Outcome.failed),
    ],
    ids=repr,
)
def test_each_failure_has_its_outcome(failure, outcome):
    """By whose fault it is."""
    assert outcome is failure.outcome


@pytest.mark.parametrize(
    ("status", "body", "refuses"),
    [
        (400, b'{"error":{"message":"unknown: stream_options"}}', True),
        (422, b"stream_options: extra fields not permitted", True),
        (400, b"{}", False),
        (500, b"stream_options", False),
    ],
)
def test_a_refusal_of_usage_names_it(status, body, refuses):
    """Another 400 is about something else."""
    assert refuses == status_failure(status, [], body).refuses_usage
