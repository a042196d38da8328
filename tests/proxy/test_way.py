"""What is known of one request on its way."""

from gateway.core.assignment import Assignment
from gateway.core.outcome import Outcome
from gateway.core.unit import Unit
from gateway.proxy.attempts import Failure
from tests.proxy.playbook import Play, prompt, release, route


def way_of(play):
    """The way of a request that is being tried."""
    exchange, _ = play.ask(user="u-1")
    return exchange._way


def test_a_request_that_met_its_release_has_its_legs():
    """The first one speaks for it until another does."""
    way = way_of(Play())
    assert (Unit("u-1", "body:user"), "stable", way.legs[0]) == (way.unit, way.assignment.track, way.leg)
    way.assigned(Assignment(release("1.1.0"), "forced", "why"), None)
    assert (None, ["forced"], "forced") == (way.unit, [leg.track for leg in way.legs], way.leg.track)


def test_it_says_who_serves():
    """In the headers of every answer, the prompt's too where there is one."""
    way = way_of(Play(route(stable=release("1.0.0", prompt=prompt(text="t", inputs={})))))
    assert (
        (b"x-pinion-route", b"desk"),
        (b"x-pinion-release", b"desk/1.0.0"),
        (b"x-pinion-model", b"atlas@1.0.0"),
        (b"x-pinion-prompt", b"support@1.0.0"),
        (b"x-pinion-track", b"stable"),
    ) == way.headers
    way.leg = None
    assert () == way.headers


def test_stable_is_turned_to_once():
    """Not when it has failed, and never in a forced release's place."""
    old = release("0.9.0")
    way = way_of(Play(route(canary_ppm=1_000_000, more={"0.9.0": old}, fallback=(old,))))
    assert way.turn_to_stable()
    assert [("1.0.0", "fallback")] == [(leg.release.version, leg.track) for leg in way.legs]
    way.verdicts.failed(way.legs[0], None, Failure(Outcome.failed, "m"), 0.0)
    assert not way.turn_to_stable()
    for version in ("1.0.0", "1.1.0"):
        way = way_of(Play())
        way.assigned(Assignment(release(version), "forced", "why"), None)
        assert not way.turn_to_stable()


def test_a_stable_release_that_is_out_is_not_turned_to():
    """It is stable only because nothing else can be."""
    way = way_of(Play(route(canary_ppm=1_000_000, out={"1.0.0": "retired: it lies"})))
    assert not way.turn_to_stable()
    assert ["1.1.0", "1.0.0"] == [leg.release.version for leg in way.legs]


def test_overhead_is_the_first_sending_and_the_passing_on():
    """What lies between is the provider's."""
    way = way_of(Play())
    way.sending_seconds = None
    assert 0.0 == way.overhead_seconds
    way.sent(way.asked_at + 2)
    way.sent(way.asked_at + 50)
    way.content_passed(way.asked_at + 63, way.asked_at + 60)
    assert (5, way.asked_at + 60) == (way.overhead_seconds, way.first_content_at)
