"""Rollouts: every verb in every state, and the weight that each state gives."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.core import rollout as rules
from gateway.core.errors import VerbRefused
from gateway.core.plan import Plan, Step
from gateway.core.rollout import NOT_STARTED, TRANSITIONS, Rollout, RolloutState

CAREFUL = Plan(
    "careful",
    (
        Step(shadow_ppm=100_000, hold=60.0),
        Step(percent_ppm=50_000),
        Step(percent_ppm=250_000),
        Step(percent_ppm=1_000_000, bake=600.0),
    ),
)
STEP_STATES = (RolloutState.shadow, RolloutState.running, RolloutState.running, RolloutState.baking)
"""The state that each step of the careful plan stands for."""

WEIGHTS = (0, 50_000, 250_000, 1_000_000)
IN_STEP = frozenset(
    {RolloutState.shadow, RolloutState.running, RolloutState.baking, RolloutState.held, RolloutState.paused}
)
MOVING = IN_STEP - {RolloutState.paused}
OVER = frozenset(RolloutState) - IN_STEP
ACT = {"actor": "ada", "reason": "because", "now": 200.0}
VERBS: dict[str, Callable[[Rollout], Rollout]] = {
    "start": lambda rollout: rules.start(rollout, **ACT),
    "promote": lambda rollout: rules.promote(rollout, **ACT),
    "complete": lambda rollout: rules.promote(rollout, **ACT, full=True),
    "hold": lambda rollout: rules.hold(rollout, **ACT, holds=("signal",)),
    "clear": lambda rollout: rules.clear(rollout, **ACT),
    "pause": lambda rollout: rules.pause(rollout, **ACT),
    "resume": lambda rollout: rules.resume(rollout, **ACT),
    "rollback": lambda rollout: rules.rollback(rollout, **ACT),
    "undo": lambda rollout: rules.undo(rollout, **ACT),
    "supersede": lambda rollout: rules.supersede(rollout, **ACT),
    "retry": lambda rollout: rules.retry(rollout, new_id="r2", attempt=2, **ACT),
}
TAKEN = {
    "start": frozenset(),
    "promote": MOVING,
    "complete": MOVING,
    "hold": MOVING,
    "clear": {RolloutState.held},
    "pause": MOVING,
    "resume": {RolloutState.paused},
    "rollback": IN_STEP,
    "undo": {RolloutState.completed},
    "supersede": IN_STEP,
    "retry": {RolloutState.rolled_back},
}
"""The states, in a step or past it, in which each verb is taken."""

BECOMES = {
    "complete": RolloutState.completed,
    "hold": RolloutState.held,
    "pause": RolloutState.paused,
    "rollback": RolloutState.rolled_back,
    "undo": RolloutState.rolled_back,
    "supersede": RolloutState.superseded,
}
"""What each verb makes of a rollout; any other gives the state of the step."""

SAID = {"complete": "promote"}
"""What a person said for a verb that has no name of its own."""

REMEDIES = {
    RolloutState.held: "promote it, pause it or roll it back",
    RolloutState.shadow: "promote it, pause it or roll it back",
    RolloutState.running: "promote it, pause it or roll it back",
    RolloutState.baking: "promote it, pause it or roll it back",
    RolloutState.paused: "resume it or roll it back",
    RolloutState.completed: "undo it, or change the route's serve: line to start another",
    RolloutState.rolled_back: "retry it, or change the route's serve: line away and back",
    RolloutState.superseded: "see the route's latest rollout",
}


def a_rollout(state: RolloutState = RolloutState.held, step: int | None = None, plan: Plan = CAREFUL) -> Rollout:
    """A rollout of support from 1.0.0 to 1.1.0."""
    is_held = state is RolloutState.held
    return Rollout(
        id="r1",
        route="support",
        stable="1.0.0",
        candidate="1.1.0",
        attempt=1,
        state=state,
        step=step,
        plan=plan,
        reason="new",
        actor="policy",
        evidence={"old": True},
        started_at=100.0,
        updated_at=100.0,
        entered_at=100.0,
        holds=() if not is_held else (NOT_STARTED,) if step is None else ("min_requests", "stale"),
    )


def refusal(verb: str, rollout: Rollout) -> str:
    """What is said where a rollout does not take a verb."""
    with pytest.raises(VerbRefused) as caught:
        VERBS[verb](rollout)
    return caught.value.message


# Verbs


@pytest.mark.parametrize(("state", "verb"), list(product(RolloutState, VERBS)))
def test_every_verb_in_every_state(state: RolloutState, verb: str):
    """A verb moves as the table says, or is refused with the state, the verb and what can be done."""
    rollout = a_rollout(state, step=1)
    if state not in TAKEN[verb]:
        told = f"is {state} and does not take {SAID.get(verb, verb)}; {REMEDIES[state]}"
        assert f"the rollout of support from 1.0.0 to 1.1.0, attempt 1, {told}" == refusal(verb, rollout)
        return
    moved = VERBS[verb](rollout)
    assert (BECOMES.get(verb, RolloutState.running if verb != "retry" else RolloutState.shadow), "ada", "because") == (
        moved.state,
        moved.actor,
        moved.reason,
    )
    assert (200.0, None) == (moved.updated_at, moved.evidence)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_before_the_first_step(verb: str):
    """What a person must start can be started, rolled back or superseded, and nothing else."""
    rollout = a_rollout()
    if verb not in {"start", "rollback", "supersede"}:
        told = f"is held and does not take {SAID.get(verb, verb)}; start it or roll it back"
        assert refusal(verb, rollout).endswith(told)
        return
    moved = VERBS[verb](rollout)
    assert (BECOMES.get(verb, RolloutState.shadow), 0 if verb == "start" else None) == (moved.state, moved.step)


def test_the_table_has_no_further_pair():
    """What the rules allow is what these tests go through."""
    allowed = {(state, verb) for verb, states in TAKEN.items() if verb != "retry" for state in states}
    assert allowed | {(RolloutState.held, "start")} == set(TRANSITIONS)


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize(("state", "verb"), [(RolloutState.held, "clear"), (RolloutState.paused, "resume")])
def test_going_on_is_going_on_in_the_same_step(state: RolloutState, verb: str, step: int):
    """A hold that is gone, and a pause that is over, give back the state of the step, entered when it was."""
    moved = VERBS[verb](a_rollout(state, step))
    assert (STEP_STATES[step], step, 100.0, 100.0) == (moved.state, moved.step, moved.entered_at, moved.started_at)


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("is_held", [False, True])
def test_a_promotion_enters_the_state_of_the_next_step(step: int, is_held: bool):
    """From a held one as well: a person's word passes what the machine waits for, and passes one step."""
    moved = VERBS["promote"](a_rollout(RolloutState.held if is_held else STEP_STATES[step], step))
    assert (STEP_STATES[step + 1], step + 1, 200.0, 100.0) == (
        moved.state,
        moved.step,
        moved.entered_at,
        moved.started_at,
    )


def test_starting_enters_the_first_step():
    """Mirroring too is a step: the rollout has started, and its candidate serves nobody yet."""
    started = rules.start(a_rollout(), **ACT)
    assert (RolloutState.shadow, 0, 0, 100_000) == (
        started.state,
        started.step,
        started.weight_ppm,
        started.shadow_ppm,
    )
    assert (200.0, 200.0) == (started.started_at, started.entered_at)


def test_promoting_goes_step_by_step_and_completes_from_the_last():
    """Each promotion enters the next step; at the last one it is the rollout's end."""
    rollout, seen = rules.start(a_rollout(), **ACT), []
    while rollout.is_open:
        seen.append((rollout.state, rollout.weight_ppm))
        rollout = rules.promote(rollout, **ACT)
    assert list(zip(STEP_STATES, WEIGHTS, strict=True)) == seen
    assert (RolloutState.completed, 3, 1_000_000) == (rollout.state, rollout.step, rollout.weight_ppm)


@pytest.mark.parametrize("step", range(4))
def test_promoting_in_full_completes_at_once(step: int):
    """`full` skips every remaining step, a mirroring one too."""
    completed = rules.promote(a_rollout(STEP_STATES[step], step), **ACT, full=True)
    assert (RolloutState.completed, step, 1_000_000, 0) == (
        completed.state,
        completed.step,
        completed.weight_ppm,
        completed.shadow_ppm,
    )


def test_a_rollout_that_is_to_start_is_not_completed_by_a_promotion():
    """Neither one step nor all of them: nobody has said yet that it may begin."""
    plan = Plan.default()
    for full in (False, True):
        with pytest.raises(VerbRefused, match="does not take promote; start it or roll it back"):
            rules.promote(a_rollout(plan=plan), **ACT, full=full)


@pytest.mark.parametrize("step", [None, 2])
def test_a_rollback_keeps_its_evidence_and_its_step(step: int | None):
    """The record of a rollback tells on what evidence it was, and how far the rollout had come."""
    rolled_back = rules.rollback(a_rollout(RolloutState.held, step), **ACT, evidence={"failed": 3})
    assert ({"failed": 3}, step, False) == (rolled_back.evidence, rolled_back.step, rolled_back.is_open)


def test_promotions_and_undos_keep_their_evidence():
    """What a move rests on is that of the latest move alone."""
    promoted = rules.promote(a_rollout(RolloutState.running, 1), **ACT, evidence={"failed": 0})
    undone = rules.undo(a_rollout(RolloutState.completed, 3), **ACT, evidence={"failed": 9})
    assert ({"failed": 0}, {"failed": 9}) == (promoted.evidence, undone.evidence)
    assert rules.pause(promoted, **ACT).evidence is None


def test_an_undone_rollout_gives_its_candidate_nothing():
    """It ends like one that was rolled back."""
    undone = rules.undo(a_rollout(RolloutState.completed, 3), **ACT)
    assert (RolloutState.rolled_back, 3, 0, 0) == (undone.state, undone.step, undone.weight_ppm, undone.shadow_ppm)


# Holds


def test_a_hold_names_its_reasons():
    """They are codes, beside a sentence for people."""
    held = rules.hold(a_rollout(RolloutState.running, 1), "gateway", ("stale",), "old", 200.0)
    assert (RolloutState.held, ("stale",), "old", 1) == (
        held.state,
        held.holds,
        held.reason,
        held.step,
    )


def test_other_reasons_take_the_place_of_the_first():
    """A held rollout may be held for something else, and keeps its step."""
    assert (("signal",), 1) == ((held := VERBS["hold"](a_rollout(RolloutState.held, 1))).holds, held.step)


@pytest.mark.parametrize("verb", [verb for verb, states in TAKEN.items() if RolloutState.held in states - {"hold"}])
def test_every_other_move_clears_the_reasons(verb: str):
    """Only a held rollout has any."""
    expected = ("signal",) if verb == "hold" else ()
    assert expected == VERBS[verb](a_rollout(RolloutState.held, 1)).holds


@pytest.mark.parametrize("verb", ["start", "rollback", "supersede"])
def test_a_rollout_that_waited_to_be_started_waits_no_more(verb: str):
    """Its one reason is gone with the first move."""
    assert () == VERBS[verb](a_rollout()).holds


# Weights


@pytest.mark.parametrize("step", [None, *range(4)])
@pytest.mark.parametrize("state", RolloutState)
def test_weight_and_share_in_every_state(state: RolloutState, step: int | None):
    """An open rollout has those of its step, held and paused included; a completed one everything, others nothing."""
    rollout = a_rollout(state, step)
    is_in_step = state in IN_STEP and step is not None
    expected = 1_000_000 if state is RolloutState.completed else WEIGHTS[step or 0] if is_in_step else 0
    assert (expected, 100_000 if is_in_step and step == 0 else 0) == (rollout.weight_ppm, rollout.shadow_ppm)


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("state", RolloutState)
def test_what_a_state_means(state: RolloutState, step: int | None):
    """Open or over, in a step or before the first."""
    rollout = a_rollout(state, step)
    assert (state in IN_STEP, state in IN_STEP and step == 1, state is RolloutState.held and step is None) == (
        rollout.is_open,
        rollout.is_in_step,
        rollout.is_before_first_step,
    )


# Retries


def test_a_retry_is_a_new_rollout():
    """A retry runs from the first step under another id and attempt, so with other units."""
    previous = rules.rollback(a_rollout(RolloutState.running, step=2), **ACT, evidence={"failed": 3})
    again = rules.retry(previous, new_id="r2", attempt=2, actor="bob", reason="fixed", now=300.0)
    assert ("r2", 2, RolloutState.shadow, 0, None, ()) == (
        again.id,
        again.attempt,
        again.state,
        again.step,
        again.evidence,
        again.holds,
    )
    assert ("bob", "fixed", 300.0, 300.0, 300.0) == (
        again.actor,
        again.reason,
        again.started_at,
        again.entered_at,
        again.updated_at,
    )
    assert again.salt != previous.salt
    assert again.plan == previous.plan


def test_what_never_started_can_be_retried():
    """Rolled back before its first step, it starts like any other."""
    again = VERBS["retry"](rules.rollback(a_rollout(), **ACT))
    assert (RolloutState.shadow, 0) == (again.state, again.step)


def test_the_salt_stays_from_step_to_step():
    """Steps change the weight and never the split."""
    first = rules.start(a_rollout(), **ACT)
    assert "v1/rollout/support/1.0.0/1.1.0/1" == first.salt == rules.promote(first, **ACT).salt


# The whole life

STEPS = st.lists(
    st.builds(Step, percent_ppm=st.integers(0, 1_000_000), bake=st.none() | st.just(60.0))
    | st.builds(Step, shadow_ppm=st.integers(1, 1_000_000)),
    max_size=4,
)


class AnyLife(RuleBasedStateMachine):
    """Any order of verbs on one rollout, with any plan."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.rollout = a_rollout()
        self.has_moved = False
        self.salts = {self.rollout.salt}

    @precondition(lambda self: not self.has_moved)
    @rule(before=STEPS, after=STEPS)
    def plan(self, before: list[Step], after: list[Step]) -> None:
        """The rollout has another plan."""
        steps = (*before, Step(percent_ppm=500_000), *after)
        self.rollout = replace(self.rollout, plan=Plan("any", steps))

    @rule(seconds=st.floats(0, 3600))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(verb=st.sampled_from(sorted(VERBS)), full=st.booleans(), holds=st.sampled_from([("stale",), ("a", "b")]))
    def act(self, verb: str, full: bool, holds: tuple[str, ...]) -> None:
        """Somebody, or the machine, acts."""
        before, act = self.rollout, {"actor": "ada", "reason": verb, "now": self.now}
        extra: dict[str, object] = {}
        if verb in {"promote", "complete"}:
            extra = {"full": full or verb == "complete"}
        elif verb == "hold":
            extra = {"holds": holds}
        elif verb == "retry":
            extra = {"new_id": f"{before.id}+", "attempt": before.attempt + 1}
        try:
            after = getattr(rules, "promote" if verb == "complete" else verb)(before, **act, **extra)
        except VerbRefused:
            return
        self.has_moved = True
        self.rollout = after
        self._is_lawful(verb, before, after)

    def _is_lawful(self, verb: str, before: Rollout, after: Rollout) -> None:
        if verb == "retry":
            assert after.salt not in self.salts
            self.salts.add(after.salt)
            return
        if before.state in OVER:
            assert ("undo", RolloutState.completed, RolloutState.rolled_back) == (verb, before.state, after.state)
        if verb in {"hold", "pause", "clear", "resume"}:
            assert (before.step, before.weight_ppm, before.shadow_ppm) == (
                after.step,
                after.weight_ppm,
                after.shadow_ppm,
            )
            assert before.entered_at == after.entered_at
        if before.state is RolloutState.paused:
            assert verb in {"resume", "rollback", "supersede"}
        if after.is_in_step and after.step != before.step:
            assert (0 if before.step is None else before.step + 1) == after.step
        assert (before.id, before.attempt, before.salt, before.plan) == (
            after.id,
            after.attempt,
            after.salt,
            after.plan,
        )

    @invariant()
    def weight_needs_an_open_step_of_percent_or_the_end(self) -> None:
        """Nothing else gives a candidate requests."""
        rollout, step = self.rollout, None if self.rollout.step is None else self.rollout.plan.steps[self.rollout.step]
        if rollout.weight_ppm and rollout.state is not RolloutState.completed:
            assert rollout.is_in_step
            assert step is not None
            assert rollout.weight_ppm == step.percent_ppm
        if rollout.shadow_ppm:
            assert rollout.is_in_step
            assert 0 == rollout.weight_ppm

    @invariant()
    def times_are_in_order(self) -> None:
        """Started, entered, updated."""
        assert self.rollout.started_at <= self.rollout.entered_at <= self.rollout.updated_at <= self.now

    @invariant()
    def only_a_held_rollout_has_reasons(self) -> None:
        """And it always has one."""
        assert (self.rollout.state is RolloutState.held) == bool(self.rollout.holds)

    @invariant()
    def the_state_tells_the_step(self) -> None:
        """Shadow, running and baking are what their steps stand for."""
        rollout = self.rollout
        if rollout.state in MOVING - {RolloutState.held}:
            step = rollout.plan.steps[rollout.step or 0]
            kind = RolloutState.running if step.bake is None else RolloutState.baking
            assert (RolloutState.shadow if step.shadow_ppm is not None else kind) is rollout.state


AnyLife.TestCase.__doc__ = "Whatever is done in whatever order, the law of rollouts holds."
AnyLife.TestCase.settings = settings(stateful_step_count=30)
TestAnyLife = pytest.mark.untraced(AnyLife.TestCase)
