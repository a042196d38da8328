"""What each change to the store means for the audit trail."""

from dataclasses import replace

import pytest

from gateway.core.audit import BY_POLICY, Origin, Target
from gateway.core.audit_acts import act_of_arm_out, act_of_experiment, act_of_served, acts_of_move
from gateway.core.plan import Plan
from gateway.core.recorded import ArmOut, ExperimentStart, RolloutEvent, RouteMove, ServedVersion
from gateway.core.rollout import pause, rollback
from gateway.core.route_record import ServeLine, reconcile

PERSON = Origin("person", "operator", "token")


def started():
    """The decision that a changed line starts a rollout, and the record before."""
    asked = {"route": "desk", "rollout_from": None, "plan": Plan.default(), "now": 5.0, "new_id": "r1"}
    before = reconcile(None, line=ServeLine("1.0.0"), **asked).record
    return before, reconcile(before, line=ServeLine("1.1.0"), **asked)


def test_each_event_is_an_act():
    """Whoever did it, on what, with which state before and after; a rollback names its evidence by digest."""
    before, decision = started()
    out = rollback(decision.record.rollout, "ada", "bad answers", 9.0, evidence={"failed": float("inf")})
    events = (RolloutEvent(5.0, "start", decision.record.rollout), RolloutEvent(9.0, "rollback", out))
    start, end = acts_of_move(RouteMove(decision.record.moved(out), events, 1, before, PERSON), 0.0)
    assert ("rollout.start", 5.0, "policy") == (start.action, start.at, start.actor)
    assert ("rollout.rollback", 9.0, "ada", "bad answers") == (end.action, end.at, end.actor, end.reason)
    assert 2 * [PERSON] == [start.origin, end.origin]
    assert Target("route", "desk", "1.1.0") == start.target
    assert {"rollout": "r1", "stable": "1.0.0", "state": "rolled_back", "attempt": "1", "step": "1"} == {
        name: held for name, held in end.details.items() if name != "evidence"
    }
    assert 64 == len(end.details["evidence"])
    assert "evidence" not in start.details
    assert start.before_digest != start.after_digest


def test_a_held_rollout_has_no_step():
    """Before its first step there is none to tell."""
    held = reconcile(
        None, route="desk", line=ServeLine("1.1.0"), rollout_from="1.0.0", plan=Plan.default(), now=1.0, new_id="r1"
    )
    events = tuple(RolloutEvent(1.0, *event) for event in held.events)
    (act,) = acts_of_move(RouteMove(held.record, events, 0, None, BY_POLICY), 0.0)
    assert ("rollout.hold", None, "held") == (act.action, act.before_digest, act.details["state"])
    assert "step" not in act.details


@pytest.mark.parametrize(("after", "action"), [(0, "route.deploy"), (3, "route.serve_line")])
def test_a_record_without_an_event_is_an_act_too(after, action):
    """The first deployment serves at once, and a line may change without a rollout."""
    before, _ = started()
    (act,) = acts_of_move(RouteMove(before, (), after, None, BY_POLICY), 7.0)
    assert (action, 7.0, "policy", "1.0.0") == (act.action, act.at, act.actor, act.details["serve"])
    assert Target("route", "desk", "1.0.0") == act.target


def test_reasons_do_not_show_in_digests():
    """What serves is digested; people's words are not, since a digest without salt could be guessed."""
    before, decision = started()
    records = [
        decision.record.moved(pause(decision.record.rollout, who, why, 6.0)) for who, why in (("a", "b"), ("c", "d"))
    ]
    acts = [next(acts_of_move(RouteMove(record, (), 2, before), 0.0)) for record in records]
    assert acts[0].after_digest == acts[1].after_digest != acts[0].before_digest
    other = replace(records[0], stable="9.9.9")
    assert acts[0].after_digest != next(acts_of_move(RouteMove(other), 0.0)).after_digest


def test_experiments_arms_and_versions():
    """Each says what it is of, in texts."""
    start = act_of_experiment(ExperimentStart("desk", "length", 4.0, (("short", "1.0.0", 500_000),)))
    assert ("experiment.start", "desk/length", {"arm.short": "1.0.0 500000"}) == (
        start.action,
        start.target.id,
        start.details,
    )
    out = act_of_arm_out(ArmOut("desk", "length", "1.1.0", "breaker", 4.0, {"failed": 3}))
    assert ("experiment.arm_out", "gateway", "breaker", "1.1.0") == (
        out.action,
        out.actor,
        out.reason,
        out.target.version,
    )
    served = act_of_served(ServedVersion("model", "gpt-4o", "2024-08-06", "d1"), 3.0)
    assert (Target("model", "gpt-4o", "2024-08-06", "d1"), 3.0) == (served.target, served.at)
