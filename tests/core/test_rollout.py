"""Rollouts: every verb in every state, and what a loaded policy means for what is recorded."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.core import rollout as rules
from gateway.core.errors import VerbRefused
from gateway.core.plan import Plan, Step
from gateway.core.rollout import TRANSITIONS, Decision, Rollout, RolloutState, RouteRecord, reconcile

CAREFUL = Plan(
    "careful",
    (Step(shadow_ppm=100_000), Step(percent_ppm=50_000), Step(percent_ppm=250_000), Step(percent_ppm=1_000_000)),
)
ACT = {"actor": "ada", "reason": "because", "now": 200.0}
VERBS = {
    "start": lambda rollout: rules.start(rollout, **ACT),
    "promote": lambda rollout: rules.promote(rollout, **ACT),
    "complete": lambda rollout: rules.promote(rollout, **ACT, full=True),
    "rollback": lambda rollout: rules.rollback(rollout, **ACT),
    "supersede": lambda rollout: rules.supersede(rollout, **ACT),
}


def a_rollout(state: RolloutState = RolloutState.held, step: int | None = None) -> Rollout:
    """A rollout of support from 1.0.0 to 1.1.0."""
    return Rollout(
        id="r1",
        route="support",
        stable="1.0.0",
        candidate="1.1.0",
        attempt=1,
        state=state,
        step=step,
        plan=CAREFUL,
        reason="new",
        actor="policy",
        evidence={"old": True},
        started_at=100.0,
        updated_at=100.0,
    )


def a_record(rollout: Rollout | None = None, serve_line: str = "1.1.0", stable: str = "1.0.0") -> RouteRecord:
    """What is recorded of support, one attempt at 1.1.0 included."""
    return RouteRecord("support", stable, serve_line, rollout, {("1.0.0", "1.1.0"): 1})


def loaded(recorded: RouteRecord | None, serve: str, rollout_from: str | None = None, new_id: str = "r2") -> Decision:
    """What loading a policy with that serve line decides."""
    return reconcile(
        recorded, route="support", serve=serve, rollout_from=rollout_from, plan=CAREFUL, now=300.0, new_id=new_id
    )


# Verbs


@pytest.mark.parametrize(("state", "verb"), list(product(RolloutState, VERBS)))
def test_every_verb_in_every_state(state: RolloutState, verb: str):
    """A verb moves as the table says, or is refused with the state, the verb and what can be done."""
    rollout = a_rollout(state, step=1)
    expected = TRANSITIONS.get((state, verb))
    if expected is None:
        asked = {"complete": "promote"}.get(verb, verb)
        with pytest.raises(VerbRefused, match=rf"is {state} and does not take {asked}; \w+"):
            VERBS[verb](rollout)
    else:
        moved = VERBS[verb](rollout)
        assert (expected, "ada", "because", 200.0, None) == (
            moved.state,
            moved.actor,
            moved.reason,
            moved.updated_at,
            moved.evidence,
        )


def test_starting_enters_the_first_percent_step():
    """A start passes over mirroring, and gives the candidate the weight of its first percent."""
    started = rules.start(a_rollout(), **ACT)
    assert (1, 50_000, 200.0) == (started.step, started.weight_ppm, started.started_at)


def test_promoting_goes_step_by_step_and_completes_from_the_last():
    """Each promotion enters the next step; at the last one it is the rollout's end."""
    rollout, seen = rules.start(a_rollout(), **ACT), []
    while rollout.is_open:
        seen.append(rollout.weight_ppm)
        rollout = rules.promote(rollout, **ACT)
    assert [50_000, 250_000, 1_000_000] == seen
    assert (RolloutState.completed, 1_000_000) == (rollout.state, rollout.weight_ppm)


def test_promoting_in_full_completes_at_once():
    """`full` skips every remaining step."""
    completed = rules.promote(rules.start(a_rollout(), **ACT), **ACT, full=True)
    assert (RolloutState.completed, 1_000_000) == (completed.state, completed.weight_ppm)


@pytest.mark.parametrize("state", [s for s in RolloutState if s not in (RolloutState.running, RolloutState.completed)])
def test_only_a_running_rollout_gives_weight(state: RolloutState):
    """Held, rolled back or superseded, the candidate has no weight, whatever step it had come to."""
    assert 0 == a_rollout(state, step=2).weight_ppm


def test_a_rollback_keeps_its_evidence_and_its_step():
    """The record of a rollback tells on what evidence it was, and how far the rollout had come."""
    rolled_back = rules.rollback(a_rollout(RolloutState.running, step=2), **ACT, evidence={"failed": 3})
    assert ({"failed": 3}, 2, False) == (rolled_back.evidence, rolled_back.step, rolled_back.is_open)


def test_a_retry_is_a_new_rollout():
    """A retry runs from the first percent step under another id and attempt, so with other units."""
    previous = rules.rollback(a_rollout(RolloutState.running, step=2), **ACT, evidence={"failed": 3})
    again = rules.retry(previous, new_id="r2", attempt=2, **ACT)
    assert ("r2", 2, RolloutState.running, 1, None) == (
        again.id,
        again.attempt,
        again.state,
        again.step,
        again.evidence,
    )
    assert again.salt != previous.salt


@pytest.mark.parametrize("state", [s for s in RolloutState if s is not RolloutState.rolled_back])
def test_only_what_was_rolled_back_is_retried(state: RolloutState):
    """Anything else refuses a retry."""
    with pytest.raises(VerbRefused, match="does not take retry"):
        rules.retry(a_rollout(state), new_id="r2", attempt=2, **ACT)


def test_the_salt_stays_from_step_to_step():
    """Steps change the weight and never the split."""
    first = rules.start(a_rollout(), **ACT)
    assert "v1/rollout/support/1.0.0/1.1.0/1" == first.salt == rules.promote(first, **ACT).salt


# Loading a policy


@pytest.mark.parametrize("rollout_from", [None, "1.1.0"])
def test_nothing_recorded_is_a_first_deployment(rollout_from: str | None):
    """Without another release to roll out from, what should serve serves."""
    decision = loaded(None, "1.1.0", rollout_from)
    assert Decision(RouteRecord("support", "1.1.0", "1.1.0")) == decision


def test_nothing_recorded_with_a_release_to_roll_out_from_is_held():
    """A store with nothing in it exposes nobody: the older release serves until a person starts the rollout."""
    record, events = (decision := loaded(None, "1.1.0", "1.0.0")).record, decision.events
    rollout = record.rollout
    assert rollout is not None
    assert ("1.0.0", "1.1.0", {("1.0.0", "1.1.0"): 1}) == (record.stable, record.serve_line, record.attempts)
    assert (RolloutState.held, None, 0, "r2", 1) == (
        rollout.state,
        rollout.step,
        rollout.weight_ppm,
        rollout.id,
        rollout.attempt,
    )
    assert "pinion rollout start support" in rollout.reason
    assert (("hold", rollout),) == events


@pytest.mark.parametrize("state", RolloutState)
def test_an_unchanged_line_changes_nothing(state: RolloutState):
    """Whatever state the rollout is in, loading the same line again, with any plan, leaves it so."""
    recorded = a_record(replace(a_rollout(state, step=1), plan=Plan.default()))
    decision = loaded(recorded, "1.1.0", "1.0.0")
    assert recorded is decision.record
    assert () == decision.events


@pytest.mark.parametrize("state", [RolloutState.held, RolloutState.running])
def test_changing_back_to_stable_aborts(state: RolloutState):
    """An open rollout is rolled back, with the reason in its record, and nothing else is started."""
    decision = loaded(a_record(a_rollout(state, step=1)), "1.0.0")
    aborted = decision.record.rollout
    assert aborted is not None
    assert (RolloutState.rolled_back, "policy", 0) == (aborted.state, aborted.actor, aborted.weight_ppm)
    assert "changed back to 1.0.0" in aborted.reason
    assert (("rollback", aborted),) == decision.events
    assert ("1.0.0", "1.0.0") == (decision.record.stable, decision.record.serve_line)


@pytest.mark.parametrize("rollout", [None, a_rollout(RolloutState.rolled_back)])
def test_changing_back_to_stable_is_noted_when_nothing_is_open(rollout: Rollout | None):
    """The line is recorded, so that changing it again starts anew."""
    decision = loaded(a_record(rollout), "1.0.0")
    assert Decision(a_record(rollout, serve_line="1.0.0")) == decision


@pytest.mark.parametrize("state", [RolloutState.held, RolloutState.running])
def test_another_candidate_supersedes_an_open_rollout(state: RolloutState):
    """The open rollout ends without becoming stable, and the new one starts by itself."""
    decision = loaded(a_record(a_rollout(state, step=1)), "1.2.0")
    (first, superseded), (second, started) = decision.events
    assert ("supersede", RolloutState.superseded) == (first, superseded.state)
    assert ("start", RolloutState.running, "1.0.0", "1.2.0", 1, 1) == (
        second,
        started.state,
        started.stable,
        started.candidate,
        started.attempt,
        started.step,
    )
    assert started == decision.record.rollout
    assert {("1.0.0", "1.1.0"): 1, ("1.0.0", "1.2.0"): 1} == decision.record.attempts


def test_away_and_back_is_another_attempt():
    """After a rollback, changing the line away and back tries the candidate again, with other units."""
    back = loaded(a_record(a_rollout(RolloutState.rolled_back)), "1.0.0").record
    again = loaded(back, "1.1.0").record
    assert again.rollout is not None
    assert (2, RolloutState.running) == (again.rollout.attempt, again.rollout.state)
    assert {("1.0.0", "1.1.0"): 2} == again.attempts


def test_after_completion_the_old_release_is_a_candidate_like_any():
    """Once 1.1.0 is stable, a line that names 1.0.0 rolls out in that direction."""
    record = a_record(a_rollout(RolloutState.completed, step=3), stable="1.1.0")
    started = loaded(record, "1.0.0").record.rollout
    assert started is not None
    assert ("1.1.0", "1.0.0", RolloutState.running) == (started.stable, started.candidate, started.state)


class AnyRoute(RuleBasedStateMachine):
    """Any order of edits, reloads, verbs and trips on one route."""

    def __init__(self) -> None:
        super().__init__()
        self.record = loaded(None, "1.0.0").record
        self.salts: set[str] = set()
        self.made = 0

    @rule(serve=st.sampled_from(["1.0.0", "1.1.0", "1.2.0"]))
    def load(self, serve: str) -> None:
        """The file is edited and loaded."""
        self.made += 1
        decision = loaded(self.record, serve, new_id=f"r{self.made}")
        made = [rollout for verb, rollout in decision.events if verb == "start"]
        for rollout in made:
            assert rollout.salt not in self.salts
            self.salts.add(rollout.salt)
        self.record = decision.record

    @rule(verb=st.sampled_from(sorted(VERBS)))
    def act(self, verb: str) -> None:
        """An operator, or a trip, acts on the latest rollout."""
        if self.record.rollout is None:
            return
        try:
            rollout = VERBS[verb](self.record.rollout)
        except VerbRefused:
            return
        stable = rollout.candidate if rollout.state is RolloutState.completed else self.record.stable
        self.record = replace(self.record, rollout=rollout, stable=stable)

    @invariant()
    def loading_again_changes_nothing(self) -> None:
        """The same file twice is the same file once: what was rolled back does not come back."""
        assert self.record is loaded(self.record, self.record.serve_line).record

    @invariant()
    def weight_needs_a_running_rollout(self) -> None:
        """A candidate that is not stable has weight only while its rollout runs."""
        rollout = self.record.rollout
        if rollout is not None and rollout.candidate != self.record.stable and rollout.weight_ppm:
            assert RolloutState.running is rollout.state


AnyRoute.TestCase.__doc__ = "Whatever is edited and commanded in whatever order, the law of rollouts holds."
AnyRoute.TestCase.settings = settings(stateful_step_count=30)
TestAnyRoute = AnyRoute.TestCase


def test_what_was_rolled_back_stays_out_beyond_its_rollout():
    """A rolled back version is out while another candidate rolls out, and until a new attempt of its own starts."""
    first = reconcile(None, route="r", serve="1", rollout_from=None, plan=Plan.default(), now=0.0, new_id="a").record
    second = reconcile(first, route="r", serve="2", rollout_from=None, plan=Plan.default(), now=1.0, new_id="b").record
    assert second.rollout is not None
    back = second.moved(rules.rollback(second.rollout, "gateway", "cusum", 2.0))
    third = reconcile(back, route="r", serve="3", rollout_from=None, plan=Plan.default(), now=3.0, new_id="c").record
    again = reconcile(third, route="r", serve="2", rollout_from=None, plan=Plan.default(), now=4.0, new_id="d").record

    assert {"2": "rolled back: cusum"} == back.out
    assert {"2": "rolled back: cusum"} == third.out
    assert {} == again.out
    assert again.rollout is not None
    assert 2 == again.rollout.attempt


def test_a_completed_rollout_makes_its_candidate_stable():
    """The record's stable version follows a completed rollout, and nothing is out."""
    first = reconcile(None, route="r", serve="1", rollout_from=None, plan=Plan.default(), now=0.0, new_id="a").record
    second = reconcile(first, route="r", serve="2", rollout_from=None, plan=Plan.default(), now=1.0, new_id="b").record
    assert second.rollout is not None
    done = second.moved(rules.promote(second.rollout, "ana", "good", 2.0))

    assert "2" == done.stable
    assert {} == done.out
