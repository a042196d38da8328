"""The live breakers of every release."""

import dataclasses

import pytest

from gateway.control.breakers import Breakers
from gateway.core.breaker import BreakerPolicy
from gateway.core.outcome import Outcome
from tests.proxy import playbook


class Table:
    """A table of breakers over one route, with what it did."""

    def __init__(self, route) -> None:
        self.journal = playbook.Journal()
        self.trips: list[tuple[str, str, str]] = []
        self.live = playbook.Play(route=route).snapshots.current
        self.breakers = Breakers(
            lambda: self.live, lambda r, v, rule, _evidence: self.trips.append((r, v, rule)), self.journal
        )
        self.now = 0.0

    @property
    def route(self):
        return self.live.routes["desk"]

    def change(self, **changes) -> None:
        """Serve the route with changes."""
        self.live = dataclasses.replace(self.live, routes={"desk": dataclasses.replace(self.route, **changes)})

    def attempt(self, version: str, outcome: Outcome) -> bool:
        """One attempt a second; says whether it was permitted."""
        self.now += 1.0
        release = self.route.releases[version]
        permit = self.breakers.permit(self.route, release, self.now)
        if permit is not None:
            self.breakers.report(self.route, release, permit, outcome, self.now)
        return permit is not None


@pytest.fixture
def table() -> Table:
    return Table(playbook.route(canary_ppm=50_000))


def test_a_failing_candidate_trips_at_once_and_for_good(table):
    """Three failures in a row take the candidate out, told once."""
    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)

    assert [("desk", "1.1.0", "consecutive")] == table.trips
    assert table.breakers.is_open("desk", "1.1.0")


def test_a_release_that_is_out_gets_no_permit_whatever_snapshot_a_request_has(table):
    """The live snapshot decides, not the one that a request was routed by."""
    routed_by = table.route
    table.change(out={"1.1.0": "rolled back"})

    assert table.breakers.permit(routed_by, routed_by.releases["1.1.0"], 1.0) is None


def test_a_failing_stable_opens_its_breaker_and_is_probed_later(table):
    """Stable is never rolled back: its breaker opens, lets probes through after a while, and closes on good ones."""
    for _ in range(3):
        table.attempt("1.0.0", Outcome.failed)

    assert [] == table.trips
    assert ["breaker_open"] == [name for name, _ in table.journal.events]
    assert not table.attempt("1.0.0", Outcome.ok)

    table.now += 30.0
    assert [True] * 3 == [table.attempt("1.0.0", Outcome.ok) for _ in range(3)]
    assert not table.breakers.is_open("desk", "1.0.0")


def test_a_candidate_is_not_blamed_while_stable_fails_on_the_same_provider(table):
    """When both fail together, the provider is at fault; the candidate starts afresh."""
    for _ in range(2):
        table.attempt("1.0.0", Outcome.failed)
    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)

    assert [] == table.trips
    assert "trip_excused" in [name for name, _ in table.journal.events]
    assert table.attempt("1.1.0", Outcome.ok)


def test_a_candidate_is_not_blamed_while_stables_breaker_is_open(table):
    """An open stable on the same provider excuses the candidate as well."""
    for _ in range(3):
        table.attempt("1.0.0", Outcome.failed)
    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)

    assert [] == table.trips


def test_another_providers_failures_excuse_nothing():
    """A candidate on a provider of its own answers for itself."""
    elsewhere = playbook.release("1.1.0", provider=playbook.provider(name="elsewhere"))
    table = Table(playbook.route(canary_ppm=50_000, candidate=elsewhere))
    for _ in range(2):
        table.attempt("1.0.0", Outcome.failed)
    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)

    assert [("desk", "1.1.0", "consecutive")] == table.trips


def test_a_candidate_is_judged_against_stables_own_share(table):
    """Where stable fails one request in three, as many failures of the candidate trip no CUSUM."""
    for n in range(300):
        table.attempt("1.0.0", Outcome.failed if n % 3 == 0 else Outcome.ok)
    for n in range(60):
        table.attempt("1.1.0", Outcome.failed if n % 3 == 0 else Outcome.ok)

    assert [] == table.trips


def test_stable_fails_when_half_the_rate_that_trips_has_failed(table):
    """On the candidate's own provider, and on more than one failure; a stable that nobody asked fails nobody."""
    candidate = table.route.releases["1.1.0"]

    def fails() -> bool:
        return table.breakers.stable_fails(table.route, candidate, table.now)

    said = [fails()]
    for outcome in (Outcome.failed, Outcome.failed, Outcome.ok, Outcome.ok, *[Outcome.ok] * 5):
        table.attempt("1.0.0", outcome)
        said.append(fails())
    assert [False, False, True, True, True, True, True, True, True, False] == said


def test_stable_fails_while_its_breaker_is_open(table):
    """Until its probes have been answered well; a failing release elsewhere is no reason to spare a candidate."""
    candidate = table.route.releases["1.1.0"]
    for _ in range(3):
        table.attempt("1.0.0", Outcome.failed)
    elsewhere = playbook.release("1.2.0", provider=playbook.provider(name="elsewhere"))
    assert (True, False) == tuple(
        table.breakers.stable_fails(table.route, release, table.now + 600) for release in (candidate, elsewhere)
    )
    table.now += 600
    for _ in range(3):
        table.attempt("1.0.0", Outcome.ok)
    assert not table.breakers.stable_fails(table.route, candidate, table.now)


def test_forgetting_starts_a_release_afresh(table):
    """A new attempt at a rollout has a new breaker."""
    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)
    table.breakers.forget("desk", "1.1.0")

    assert not table.breakers.is_open("desk", "1.1.0")
    assert {"state": "closed"} == table.breakers.describe("desk", "1.1.0", table.now)


def test_a_changed_policy_makes_a_new_breaker(table):
    """A reload that changes the breaker's numbers counts from zero."""
    for _ in range(2):
        table.attempt("1.1.0", Outcome.failed)
    table.change(breaker=BreakerPolicy(consecutive=4))
    for _ in range(2):
        table.attempt("1.1.0", Outcome.failed)

    assert [] == table.trips


def test_a_breaker_is_described_with_its_counts(table):
    """The status shows what a breaker rests on."""
    table.attempt("1.0.0", Outcome.ok)

    assert "closed" == table.breakers.describe("desk", "1.0.0", table.now)["state"]
    assert "<Breakers 1 of 1 closed>" == repr(table.breakers)


def test_others_fail_when_another_release_of_the_provider_does(table):
    """Whatever its route; a release alone on its provider has none to tell."""
    candidate = table.route.releases["1.1.0"]

    def fail() -> bool:
        return table.breakers.others_fail(candidate, table.now)

    assert not fail()
    table.attempt("1.1.0", Outcome.failed)
    table.attempt("1.1.0", Outcome.failed)
    assert not fail()
    table.attempt("1.0.0", Outcome.failed)
    assert not fail()
    table.attempt("1.0.0", Outcome.failed)
    assert fail()
    model = candidate.model
    elsewhere = dataclasses.replace(model, provider=dataclasses.replace(model.provider, name="elsewhere"))
    assert not table.breakers.others_fail(dataclasses.replace(candidate, model=elsewhere), table.now)
    table.live = dataclasses.replace(table.live, routes={})
    assert not fail()


def test_a_stable_trip_is_told_unless_it_is_of_this_gateway_alone(table):
    """What others have just found well fails by the own way; their requests go on."""
    told = []
    table.breakers.on_open = lambda *trip: told.append(trip)
    for _ in range(3):
        table.attempt("1.0.0", Outcome.failed)
    assert [("desk", "1.0.0", "consecutive")] == told

    table.now += 30.0
    assert table.breakers.close("desk", "1.0.0", table.now, 0.0)
    for _ in range(3):
        table.attempt("1.0.0", Outcome.failed)
    assert table.breakers.is_open("desk", "1.0.0")
    assert 1 == len(told)

    for _ in range(3):
        table.attempt("1.1.0", Outcome.failed)
    assert 1 == len(told)  # a candidate's trip is a rollback


def test_a_trip_elsewhere_opens_what_serves_and_no_candidate(table):
    """Also a release that had no request here yet. A route or release that is not known here is passed over."""
    assert table.breakers.open("desk", "1.0.0", "failure_rate", 1.0)
    assert not table.breakers.open("desk", "1.0.0", "failure_rate", 1.5)
    assert (True, False) == (table.breakers.is_open("desk", "1.0.0"), table.attempt("1.0.0", Outcome.ok))
    assert ["breaker_open_elsewhere"] == [name for name, _ in table.journal.events]

    for route, version in (("desk", "1.1.0"), ("desk", "6.6.6"), ("other", "1.0.0")):
        assert not table.breakers.open(route, version, "consecutive", 2.0)
    table.change(out={"1.0.0": "revoked"})
    assert not table.breakers.open("desk", "1.0.0", "probe", 3.0)
