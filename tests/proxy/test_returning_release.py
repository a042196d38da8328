"""What a release whose breaker has just closed gets of its units, played through whole exchanges."""

import pytest

from gateway.core.breaker import BreakerPolicy
from gateway.core.bucket import Salt, return_salt
from gateway.core.outcome import Outcome
from gateway.core.rule import Rule
from tests.proxy.playbook import Play, provider, release, route

OPEN = 12.0
BUCKET = Salt(return_salt("desk", "1.0.0")).bucket
EARLY = next(unit for unit in map(str, range(1000)) if BUCKET(unit) < 100_000)
LATE = next(unit for unit in map(str, range(1000)) if BUCKET(unit) >= 500_000)
"""Units that come back to stable first and last."""


def returning(*versions: str, **changes) -> Play:
    """A route with two fallbacks, on which the breakers of some releases have just closed."""
    more = {version: release(version) for version in ("0.8.0", "0.9.0")}
    breaker = BreakerPolicy(open=OPEN, probes=1)
    play = Play(route(**{"more": more, "fallback": (more["0.9.0"], more["0.8.0"]), "breaker": breaker, **changes}))
    for version in versions:
        fail(play, version)
    play.clock.now += OPEN
    for version in versions:
        attempt(play, version, Outcome.ok)
        assert not play.breakers.is_open("desk", version)
    return play


def attempt(play: Play, version: str, outcome: Outcome) -> None:
    """One attempt at a release, by nobody's request."""
    one = play.route.releases[version]
    play.breakers.report(
        play.route, one, play.breakers.permit(play.route, one, play.clock.now), outcome, play.clock.now
    )


def fail(play: Play, version: str) -> None:
    """Fail a release until its breaker opens."""
    for _ in range(3):
        attempt(play, version, Outcome.failed)


def asked(play: Play, unit: str, **also) -> str:
    """The model that a unit's request is sent to first; it answers."""
    play.ask(user=unit, **also)
    play.upstream.last.answer()
    return play.upstream.last.json["model"].removeprefix("atlas-")


def test_units_come_back_by_their_buckets_and_stay():
    """In four steps, each unit once: whom stable has taken back it keeps, and the fallback answers the rest."""
    play = returning("1.0.0")
    units = [str(number) for number in range(40)]
    for share in (100_000, 250_000, 500_000, 1_000_000):
        expected = {unit: "1.0.0" if BUCKET(unit) < share else "0.9.0" for unit in units}
        assert expected == {unit: asked(play, unit) for unit in units}
        play.clock.now += OPEN / 3
    assert set() == play.breakers.returning


def test_who_is_put_off_is_answered_as_by_any_fallback():
    """On the track `fallback`, without a failed attempt and without an alarm."""
    play = returning("1.0.0")
    _, downstream = play.ask(user=LATE)
    play.upstream.last.answer()
    assert (200, "desk/0.9.0", "fallback") == (
        downstream.status,
        downstream.headers["x-pinion-release"],
        downstream.headers["x-pinion-track"],
    )
    assert [("0.9.0", "ok")] == [(tried.release, tried.outcome) for tried in play.record.attempts]
    assert "panic" not in [name for name, _ in play.journal.events]


@pytest.mark.parametrize("changes", [{"fallback": ()}, {"fallback": (), "canary_ppm": 0}])
def test_where_nothing_else_can_answer_all_come_back_at_once(changes):
    """Nobody is refused for the sake of a release that is well."""
    assert "1.0.0" == asked(returning("1.0.0", **changes), LATE)


def test_a_forced_release_is_not_put_off():
    """Who names it wants that one."""
    play = returning("1.0.0")
    assert "1.0.0" == asked(play, LATE, headers={"x-pinion-release": "1.0.0"})


def test_a_fallback_that_is_not_well_is_no_reason_to_wait():
    """Open ones are passed over, and one that comes back as well takes no more than its own."""
    play = returning("1.0.0")
    fail(play, "0.9.0")
    assert "0.8.0" == asked(play, LATE)
    fail(play, "0.8.0")
    assert "1.0.0" == asked(play, LATE)


def test_when_the_fallbacks_fail_who_was_put_off_is_answered_all_the_same():
    """By the release that comes back, with its retries, and by a permit of its own, so that it counts."""
    play = returning("1.0.0", stable=release("1.0.0", provider=provider(retries=1)))
    _, downstream = play.ask(user=LATE)
    for _ in range(3):
        play.upstream.last.fail()
    play.upstream.last.answer()
    assert ["0.9.0", "0.8.0", "1.0.0", "1.0.0"] == [tried.release for tried in play.record.attempts]
    assert (200, "stable") == (downstream.status, downstream.headers["x-pinion-track"])
    told = play.breakers.describe("desk", "1.0.0", play.clock.now)
    assert (2, 1) == (told["requests"], told["failed"])


def test_a_failure_of_another_release_is_brought_before_stable_at_once():
    """What stable makes of it is what a candidate is judged by; and there are few."""
    play = returning("1.0.0", canary_ppm=1_000_000)
    play.ask(user=LATE)
    play.upstream.last.fail()
    play.upstream.last.answer()
    assert [("1.1.0", "failed"), ("1.0.0", "ok")] == [(tried.release, tried.outcome) for tried in play.record.attempts]


def test_a_release_of_a_rule_comes_back_step_by_step_too():
    """Stable answers meanwhile."""
    play = returning("1.1.0", rules=(Rule("rule 1", "1.1.0"),))
    bucket = Salt(return_salt("desk", "1.1.0")).bucket
    units = [str(number) for number in range(20)]
    expected = {unit: "1.1.0" if bucket(unit) < 100_000 else "1.0.0" for unit in units}
    assert expected == {unit: asked(play, unit) for unit in units}


def test_a_fallback_comes_back_step_by_step_where_another_can_answer():
    """While stable is out the second fallback spares the first."""
    play = returning("0.9.0")
    fail(play, "1.0.0")
    bucket = Salt(return_salt("desk", "0.9.0")).bucket
    units = [str(number) for number in range(20)]
    expected = {unit: "0.9.0" if bucket(unit) < 100_000 else "0.8.0" for unit in units}
    assert expected == {unit: asked(play, unit) for unit in units}


def test_a_request_without_a_unit_goes_by_its_own_id():
    """So that not all such requests move together."""
    play = returning("1.0.0", sticky_by=())
    ids = [f"req-{number}" for number in range(1, 21)]
    expected = ["1.0.0" if BUCKET(request_id) < 100_000 else "0.9.0" for request_id in ids]
    assert expected == [asked(play, LATE) for _ in ids]


def test_failures_while_units_come_back_trip_as_ever():
    """Three in a row, and every unit is the fallback's again; probes go on."""
    play = returning("1.0.0")
    for _ in range(3):
        play.ask(user=EARLY)
        play.upstream.last.fail()
        play.upstream.last.answer()
    assert play.breakers.is_open("desk", "1.0.0")
    assert ["0.9.0", "0.9.0"] == [asked(play, EARLY), asked(play, LATE)]
    play.clock.now += 2 * OPEN
    assert "1.0.0" == asked(play, LATE)


def test_one_that_another_gateway_found_well_takes_units_back_from_when_it_heard_so():
    """Each gateway for itself; a release that is not there to close takes none."""
    play = returning()
    fail(play, "1.0.0")
    play.clock.now += 5.0
    assert play.breakers.close("desk", "1.0.0", play.clock.now, 0.0)
    assert not play.breakers.close("desk", "9.9.9", play.clock.now, 0.0)
    assert ["1.0.0", "0.9.0"] == [asked(play, EARLY), asked(play, LATE)]
    play.clock.now += OPEN
    assert "1.0.0" == asked(play, LATE)


def test_a_release_that_starts_afresh_takes_all_at_once():
    """Nothing is known against it any more."""
    play = returning("1.0.0")
    play.breakers.forget("desk", "1.0.0")
    assert "1.0.0" == asked(play, LATE)
    assert set() == play.breakers.returning
