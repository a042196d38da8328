"""What serves a route on which track, and what of it has begun or ended."""

from dataclasses import replace

from gateway.core.bucket import Range, Salt
from gateway.core.deployment import Change, Deployment, changed, tracks_of
from gateway.core.route import Arm, Experiment, Shadow
from gateway.core.rule import Rule
from tests.proxy.playbook import release, route

WORDS = {"desk": ("the line asks for it", "policy")}


def tracks(one):
    """The tracks of a route's releases, as a set."""
    return set(tracks_of(one))


def difference(lasting, *routes, at=50.0):
    """What changes."""
    return changed(lasting, routes, WORDS, environment="default", at=at)


def test_every_place_where_a_release_serves_is_a_track():
    """Stable, canary, rule, fallback and shadow; each with the digest of its release."""
    one = route(canary_ppm=50_000, more={"0.9.0": release("0.9.0")})
    one = replace(
        one,
        fallback=(one.releases["0.9.0"],),
        rules=(Rule("beta", "0.9.0"),),
        shadow=Shadow(one.releases["0.9.0"], 10_000, Salt("v1/s")),
    )
    assert {
        ("1.0.0", "stable"),
        ("1.1.0", "canary"),
        ("0.9.0", "fallback"),
        ("0.9.0", "rule"),
        ("0.9.0", "shadow"),
    } == tracks(one)
    assert one.stable.digest == tracks_of(one)["1.0.0", "stable"]


def test_an_arm_that_holds_buckets_serves():
    """One that holds none does not."""
    one = route()
    arms = (Arm("a", one.stable, Range(0, 500_000)), Arm("b", release("1.1.0"), Range(500_000, 500_000)))
    one = replace(one, experiment=Experiment("e", Salt("v1/e"), arms))
    assert {("1.0.0", "stable"), ("1.0.0", "arm")} == tracks(one)


def test_what_is_out_serves_nobody():
    """On no track; but the mirror of a step goes on, whose candidate has no weight."""
    one = route(canary_ppm=50_000, out={"1.1.0": "rolled back"})
    assert {("1.0.0", "stable")} == tracks(one)
    mirrored = Shadow(one.releases["1.1.0"], 10_000, Salt("v1/s"))
    assert {("1.0.0", "stable")} == tracks(replace(one, shadow=mirrored))
    assert ("1.1.0", "shadow") in tracks(replace(one, shadow=replace(mirrored, is_step=True)))
    assert {("1.0.0", "stable")} == tracks(replace(one, shadow=replace(mirrored, is_step=True, ppm=0)))


def test_a_canary_without_weight_does_not_serve():
    """Its step says so, or it has not begun."""
    assert {("1.0.0", "stable")} == tracks(route(canary_ppm=0))


def test_what_begins_says_why():
    """On whose word, when, and in which environment."""
    one = route()
    made = Deployment("default", one.name, "1.0.0", "stable", one.stable.digest, 50.0, *WORDS[one.name])
    assert Change("default", (made,), (), 50.0) == difference([], one)


def test_what_lasts_is_no_change():
    """The same place again, whoever has recorded it."""
    begun = difference([], route()).begun
    assert not difference(begun, route(), at=60.0)


def test_what_serves_no_more_has_ended():
    """A track that is gone, and a route that is."""
    lasting = difference([], route(canary_ppm=50_000)).begun
    ended = difference(lasting, route(), at=60.0)
    assert (("desk", "1.1.0", "canary"),) == ended.ended
    assert ((), 60.0, True) == (ended.begun, ended.at, bool(ended))
    assert {each.place for each in lasting} == set(difference(lasting).ended)
