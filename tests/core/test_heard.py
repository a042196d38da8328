"""What others took out of traffic, put upon what is recorded."""

from dataclasses import replace

import pytest

from gateway.core import rollout as rules
from gateway.core.api_key import IssuedKey
from gateway.core.fleet_message import KeyOut, RolloutOut, VersionOut
from gateway.core.heard import put
from gateway.core.plan import Plan, Step
from gateway.core.recorded import ArmOut, ExperimentStart, Recorded
from gateway.core.review import Review
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import Former, RouteRecord
from gateway.core.standing import Standing

PLAN = Plan(None, (Step(percent_ppm=500_000), Step(percent_ppm=1_000_000)))
RUNNING = Rollout(
    "r-1", "desk", "1.0.0", "1.1.0", 1, RolloutState.running, 0, PLAN, "", "policy", None, 1.0, 1.0, entered_at=1.0
)
BACK = RolloutOut("desk", "r-1", "rollback", "1.0.0", "ada", "broken", 5.0, {"rule": "manual"})
UNDO = replace(BACK, verb="undo")
MODEL = Standing("model", "atlas", "1", "d", "f", 1.0)
RELEASE = Standing("release", "desk", "1.1.0", "d", "f", 1.0)
KEY = IssuedKey("k", "app", "help", "00", 1.0, "ada")
START = ExperimentStart("desk", "length", 1.0, (("a", "1.0.0", 1), ("b", "1.1.0", 1)))
ARM = ArmOut("desk", "length", "1.1.0", "bad", 5.0)


def known(record=None, **more) -> Recorded:
    """A store that holds one route."""
    record = record or RouteRecord("desk", "1.0.0", "1.1.0", RUNNING, revision=3)
    return Recorded(7, {"desk": record}, standings=(MODEL, RELEASE), keys=(KEY,), experiments=(START,), **more)


def test_a_rollback_takes_the_candidate_out_once():
    """As it was done elsewhere; a second time there is nothing to do."""
    after = put(known(), BACK)
    record = after.routes["desk"]
    assert (RolloutState.rolled_back, "ada", "broken", 4) == (
        record.rollout.state,
        record.rollout.actor,
        record.rollout.reason,
        record.revision,
    )
    assert {"1.1.0": "rolled back: broken"} == record.out
    assert 7 == after.epoch
    assert put(after, BACK) is None


def test_an_undo_goes_back_to_a_release_that_is_warm_here():
    """To the one that was said where it is warm, else to the latest; where none is, to none."""
    done = rules.promote(RUNNING, "ada", "", 2.0, full=True)
    record = RouteRecord("desk", "1.1.0", "1.1.0", done, former=(Former("1.0.0", 2.0), Former("0.9.0", 1.0)))
    assert "0.9.0" == put(known(record), replace(UNDO, target="0.9.0")).routes["desk"].stable
    assert "1.0.0" == put(known(record), replace(UNDO, target="6.6.6")).routes["desk"].stable
    assert put(known(replace(record, former=())), UNDO) is None
    assert put(known(record), BACK) is None


@pytest.mark.parametrize(
    "out",
    [
        replace(BACK, route="other"),
        replace(BACK, rollout="r-2"),
        UNDO,
        replace(ARM, experiment="other"),
        replace(ARM, release="6.6.6"),
        VersionOut(("model", "atlas", "2"), "leaks", 5.0),
        KeyOut("other", "ada", 5.0),
    ],
    ids=repr,
)
def test_what_is_not_known_here_changes_nothing(out):
    """Another rollout than the one that runs, an arm of no experiment, a version or key that nobody registered."""
    assert put(known(), out) is None


def test_a_route_without_a_rollout_has_none_to_take_out():
    """Neither rolled back nor undone."""
    assert put(known(RouteRecord("desk", "1.0.0", "1.0.0")), BACK) is None


def test_an_arm_a_version_and_a_key_are_out_once():
    """Each as it was done elsewhere; what else is recorded stays."""
    after = put(known(), ARM)
    assert (ARM,) == after.arms_out
    assert put(after, ARM) is None
    for standing in (MODEL, RELEASE):
        out = VersionOut(standing.key, "leaks", 5.0)
        after = put(known(), out)
        found = next(each for each in after.standings if each.key == standing.key)
        assert (Review.revoked, "leaks", 2, 2) == (found.review, found.reason, found.revision, len(after.standings))
        assert put(after, out) is None
    out = KeyOut("k", "ada", 5.0)
    after = put(known(), out)
    assert [(5.0, "ada")] == [(key.revoked_at, key.revoked_by) for key in after.keys]
    assert put(after, out) is None
