"""What is recorded of a route: what a loaded policy makes of it, and what is stable, former, warm and out."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.core import rollout as rules
from gateway.core.errors import VerbRefused
from gateway.core.plan import Plan
from gateway.core.rollout import Rollout, RolloutState
from gateway.core.route_record import UNDO_SECONDS, Decision, Former, RouteRecord, ServeLine, reconcile
from tests.core.test_rollout import ACT, CAREFUL, IN_STEP, TAKEN, VERBS, a_rollout

OPEN = sorted(IN_STEP)


def a_record(rollout: Rollout | None = None, serve_line: str = "1.1.0", stable: str = "1.0.0") -> RouteRecord:
    """What is recorded of support, one attempt at 1.1.0 included."""
    return RouteRecord("support", stable, serve_line, rollout, {("1.0.0", "1.1.0"): 1})


def loaded(
    recorded: RouteRecord | None,
    serve: str,
    rollout_from: str | None = None,
    new_id: str = "r2",
    *,
    plan: Plan = CAREFUL,
    now: float = 300.0,
) -> Decision:
    """What loading a policy with that serve line decides."""
    return reconcile(
        recorded, route="support", line=ServeLine(serve), rollout_from=rollout_from, plan=plan, now=now, new_id=new_id
    )


def started(record: RouteRecord, serve: str, now: float) -> RouteRecord:
    """The record after the serve line was changed, and its rollout started."""
    after = loaded(record, serve, new_id=f"{record.revision}", plan=Plan.default(), now=now).record
    assert after.rollout is not None
    assert RolloutState.running is after.rollout.state
    return after


def completed(record: RouteRecord, serve: str, now: float) -> RouteRecord:
    """The record after a rollout to `serve` has begun and ended well."""
    after = started(record, serve, now)
    return after.moved(rules.promote(after.rollout, "ana", "good", now))


def undone(record: RouteRecord, target: str, now: float) -> RouteRecord:
    """The record after its completed rollout was taken back."""
    return record.undone(rules.undo(record.rollout, "ana", "worse", now), target)


FIRST = loaded(None, "1").record


# Loading a policy


@pytest.mark.parametrize("rollout_from", [None, "1.1.0"])
def test_nothing_recorded_is_a_first_deployment(rollout_from: str | None):
    """Without another release to roll out from, what should serve serves."""
    assert Decision(RouteRecord("support", "1.1.0", "1.1.0")) == loaded(None, "1.1.0", rollout_from)


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
    assert ("policy", ("not_started",), 300.0) == (rollout.actor, rollout.holds, rollout.entered_at)
    assert "pinion rollout start support" in rollout.reason
    assert (("hold", rollout),) == events


@pytest.mark.parametrize("state", RolloutState)
def test_an_unchanged_line_changes_nothing(state: RolloutState):
    """Whatever state the rollout is in, loading the same line again, with any plan, leaves it so."""
    recorded = a_record(replace(a_rollout(state, step=1), plan=Plan.default()))
    decision = loaded(recorded, "1.1.0", "1.0.0")
    assert recorded is decision.record
    assert () == decision.events


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("state", OPEN)
def test_changing_back_to_stable_aborts(state: RolloutState, step: int | None):
    """An open rollout is rolled back, paused or not, with the reason in its record, and nothing else is started."""
    if step is None and state is not RolloutState.held:
        return
    decision = loaded(a_record(a_rollout(state, step)), "1.0.0")
    aborted = decision.record.rollout
    assert aborted is not None
    assert (RolloutState.rolled_back, "policy", 0) == (aborted.state, aborted.actor, aborted.weight_ppm)
    assert "changed back to 1.0.0" in aborted.reason
    assert (("rollback", aborted),) == decision.events
    assert ("1.0.0", "1.0.0") == (decision.record.stable, decision.record.serve_line)
    assert {"1.1.0": "rolled back: the serve: line was changed back to 1.0.0"} == decision.record.out


@pytest.mark.parametrize(
    ("serve", "seen", "leads", "asked"),
    [
        ("1.1.0", None, True, False),  # as recorded
        ("1.1.0", "1.0.0", True, False),  # as recorded: another one was first
        ("1.0.0", None, True, True),  # a start with another line, and nobody else there
        ("1.0.0", None, False, False),  # a start with yesterday's files
        ("1.2.0", None, False, True),  # a start with files that nobody has had
        ("1.0.0", "1.0.0", True, False),  # others have gone on, and nothing changed here
        ("1.2.0", "1.2.0", False, False),
        ("1.0.0", "1.1.0", False, True),  # changed back, by one that had the newest
        ("1.2.0", "1.1.0", False, True),
        ("1.2.0", "1.0.0", False, True),  # behind, and now ahead of all
        ("0.9.0", "1.0.0", False, False),  # behind, and still so
        ("0.9.0", "1.0.0", True, True),
    ],
)
def test_a_line_counts_when_it_changes_here_or_is_new_to_all(serve: str, seen: str | None, leads: bool, asked: bool):
    """What is recorded stays where a gateway has only older files than those who have gone on."""
    recorded = replace(
        a_record(a_rollout(RolloutState.running, 1)), attempts={("0.9.0", "1.0.0"): 1, ("1.0.0", "1.1.0"): 1}
    )
    line = ServeLine(serve, seen, leads)
    assert asked is recorded.is_asked(line)
    decision = reconcile(recorded, route="support", line=line, rollout_from=None, plan=CAREFUL, now=300.0, new_id="r2")
    assert asked is (decision.record is not recorded)
    assert asked is (serve == decision.record.serve_line != recorded.serve_line)


@pytest.mark.parametrize("rollout", [None, a_rollout(RolloutState.rolled_back), a_rollout(RolloutState.superseded)])
def test_changing_back_to_stable_is_noted_when_nothing_is_open(rollout: Rollout | None):
    """The line is recorded, so that changing it again starts anew."""
    decision = loaded(a_record(rollout), "1.0.0")
    assert Decision(replace(a_record(rollout, serve_line="1.0.0"), revision=2)) == decision


@pytest.mark.parametrize("step", [None, 1])
@pytest.mark.parametrize("state", OPEN)
def test_another_candidate_supersedes_an_open_rollout(state: RolloutState, step: int | None):
    """The open rollout ends without becoming stable, and the new one starts by itself, at its first step."""
    if step is None and state is not RolloutState.held:
        return
    decision = loaded(a_record(a_rollout(state, step)), "1.2.0")
    (first, superseded), (second, begun) = decision.events
    assert ("supersede", RolloutState.superseded) == (first, superseded.state)
    assert ("start", RolloutState.shadow, "1.0.0", "1.2.0", 1, 0) == (
        second,
        begun.state,
        begun.stable,
        begun.candidate,
        begun.attempt,
        begun.step,
    )
    assert ("r2", (), 300.0) == (begun.id, begun.holds, begun.entered_at)
    assert begun == decision.record.rollout
    assert {("1.0.0", "1.1.0"): 1, ("1.0.0", "1.2.0"): 1} == decision.record.attempts
    assert {} == decision.record.out


def test_a_rollout_keeps_the_plan_that_it_started_with():
    """The plan of the file is that of the next rollout."""
    running = loaded(FIRST, "2").record
    other = loaded(running, "2", plan=Plan.default()).record
    assert CAREFUL == other.rollout.plan
    assert Plan.default() == loaded(other, "3", plan=Plan.default()).record.rollout.plan


def test_away_and_back_is_another_attempt():
    """After a rollback, changing the line away and back tries the candidate again, with other units."""
    back = loaded(a_record(a_rollout(RolloutState.rolled_back)), "1.0.0").record
    again = loaded(back, "1.1.0").record
    assert again.rollout is not None
    assert (2, RolloutState.shadow) == (again.rollout.attempt, again.rollout.state)
    assert {("1.0.0", "1.1.0"): 2} == again.attempts


def test_after_completion_the_old_release_is_a_candidate_like_any():
    """Once 1.1.0 is stable, a line that names 1.0.0 rolls out in that direction."""
    record = a_record(a_rollout(RolloutState.completed, step=3), stable="1.1.0")
    begun = loaded(record, "1.0.0").record.rollout
    assert begun is not None
    assert ("1.1.0", "1.0.0", RolloutState.shadow) == (begun.stable, begun.candidate, begun.state)


# What a move leaves behind


def test_a_completed_rollout_makes_its_candidate_stable():
    """The record's stable version follows it, the version before is a former one, and nothing is out."""
    done = completed(FIRST, "2", 20.0)
    assert ("2", "2", {}, (Former("1", 20.0),)) == (done.stable, done.serve_line, done.out, done.former)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_only_a_completed_rollout_changes_what_is_stable(verb: str):
    """Every other move leaves stable, and what was stable before, as they are."""
    record = replace(a_record(), former=(Former("0.9.0", 1.0),))
    source = a_rollout() if verb == "start" else a_rollout(min(TAKEN[verb]), 1)
    after = record.moved(VERBS[verb](source))
    expected = ("1.1.0", 2) if verb == "complete" else ("1.0.0", 1)
    assert expected == (after.stable, len(after.former))


def test_what_was_rolled_back_stays_out_beyond_its_rollout():
    """A rolled back version is out while another candidate rolls out, and until a new attempt of its own starts."""
    second = started(FIRST, "2", 1.0)
    back = second.moved(rules.rollback(second.rollout, "gateway", "cusum", 2.0))
    third = started(back, "3", 3.0)
    again = started(third, "2", 4.0)

    assert {"2": "rolled back: cusum"} == back.out
    assert {"2": "rolled back: cusum"} == third.out
    assert ({}, 2) == (again.out, again.rollout.attempt)


def test_a_retry_lets_its_candidate_in_again():
    """Only the candidate itself: whatever else was rolled back stays out."""
    second = started(replace(FIRST, out={"0": "rolled back: old"}), "2", 1.0)
    back = second.moved(rules.rollback(second.rollout, "ana", "bad", 2.0))
    again = back.moved(rules.retry(back.rollout, new_id="x", attempt=2, **ACT))

    assert {"0": "rolled back: old", "2": "rolled back: bad"} == back.out
    assert ({"0": "rolled back: old"}, {("1", "2"): 2}) == (again.out, again.attempts)


def test_attempts_never_go_down():
    """The highest attempt of a pair is kept, whichever rollout moves, and that of every other pair."""
    record = replace(a_record(), attempts={("1.0.0", "1.1.0"): 5, ("1.0.0", "1.2.0"): 2})
    assert record.attempts == record.moved(VERBS["pause"](a_rollout(RolloutState.running, 1))).attempts


def test_every_record_has_a_revision_of_its_own():
    """One more for the line, and one for each move: what was written before is never the newest."""
    assert (1, 2) == (FIRST.revision, loaded(None, "2", "1").record.revision)
    running = started(FIRST, "2", 1.0)
    assert 3 == running.revision
    assert 4 == running.moved(rules.pause(running.rollout, **ACT)).revision
    assert 6 == loaded(running, "3").record.revision
    assert 5 == loaded(running, "1").record.revision
    assert 5 == undone(running.moved(rules.promote(running.rollout, **ACT)), "1", 300.0).revision


# What was stable before


def test_the_three_versions_before_stable_are_known():
    """The latest first, each with when it ceased to be stable."""
    record = FIRST
    for version in ("2", "3", "4", "5"):
        record = completed(record, version, 10.0 * int(version))
    assert (Former("4", 50.0), Former("3", 40.0), Former("2", 30.0)) == record.former
    assert ("4", "3", "2") == record.warm(50.0)


def test_a_version_is_former_once_and_never_while_it_is_stable():
    """Back and forth between two releases leaves the one before, not a trail of both."""
    record, seen = FIRST, []
    for now, version in enumerate(("2", "1", "2", "3")):
        record = completed(record, version, float(now))
        seen.append(record.former)
    assert [
        (Former("1", 0.0),),
        (Former("2", 1.0),),
        (Former("1", 2.0),),
        (Former("2", 3.0), Former("1", 2.0)),
    ] == seen


def test_versions_stay_warm_for_thirty_days():
    """From when they ceased to be stable, to the second."""
    record = completed(completed(FIRST, "2", 0.0), "3", 1000.0)
    assert 30 * 86_400 == UNDO_SECONDS
    assert ("2", "1") == record.warm(UNDO_SECONDS)
    assert ("2",) == record.warm(UNDO_SECONDS + 1)
    assert () == record.warm(UNDO_SECONDS + 1001)


def test_what_is_out_is_not_warm():
    """An undo does not go back to what was rolled back."""
    record = completed(completed(FIRST, "2", 0.0), "3", 1.0)
    tried = started(record, "2", 2.0)
    back = tried.moved(rules.rollback(tried.rollout, "ana", "bad", 3.0))
    assert ("1",) == back.warm(3.0)


def test_an_undo_goes_back_to_the_version_before():
    """The undone candidate is out and former no more, and what was before the target stays warm."""
    record = undone(completed(completed(FIRST, "2", 0.0), "3", 1.0), "2", 2.0)
    assert ("2", {"3": "rolled back: worse"}, (Former("1", 0.0),)) == (record.stable, record.out, record.former)
    assert (RolloutState.rolled_back, "3") == (record.rollout.state, record.serve_line)


def test_an_undo_may_go_further_back():
    """What lay between is passed over: it is neither stable, nor warm, nor out."""
    record = undone(completed(completed(completed(FIRST, "2", 0.0), "3", 1.0), "4", 2.0), "2", 3.0)
    assert ("2", {"4"}, (Former("1", 0.0),)) == (record.stable, set(record.out), record.former)


def test_an_undone_line_asks_for_nothing_until_it_changes():
    """The file still names what was undone; loading it again starts nothing."""
    record = undone(completed(FIRST, "2", 0.0), "1", 2.0)
    assert Decision(record) == loaded(record, "2")
    assert 1 == len(loaded(record, "3").events)


# Any order


class AnyRoute(RuleBasedStateMachine):
    """Any order of edits, reloads, verbs and undos on one route."""

    def __init__(self) -> None:
        super().__init__()
        self.record = loaded(None, "1.0.0").record
        self.salts: set[str] = set()
        self.made = 0
        self.now = 300.0

    def _is_written(self, record: RouteRecord) -> None:
        assert record.revision > self.record.revision
        assert all(record.attempts[pair] >= attempt for pair, attempt in self.record.attempts.items())
        self.record = record

    @rule(seconds=st.floats(0, UNDO_SECONDS))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(serve=st.sampled_from(["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]))
    def load(self, serve: str) -> None:
        """The file is edited and loaded."""
        self.made += 1
        decision = loaded(self.record, serve, new_id=f"r{self.made}", now=self.now)
        for verb, rollout in decision.events:
            if verb == "start":
                assert rollout.salt not in self.salts
                self.salts.add(rollout.salt)
        if decision.record is not self.record:
            self._is_written(decision.record)

    @rule(verb=st.sampled_from(sorted(VERBS)))
    def act(self, verb: str) -> None:
        """An operator, or a trip, acts on the latest rollout."""
        if self.record.rollout is None or verb in {"undo", "retry"}:
            return
        try:
            rollout = VERBS[verb](self.record.rollout)
        except VerbRefused:
            return
        self._is_written(self.record.moved(replace(rollout, updated_at=self.now)))

    @rule(place=st.integers(0, 2))
    def undo(self, place: int) -> None:
        """A completed rollout is taken back."""
        warm = self.record.warm(self.now)
        if self.record.rollout is None or self.record.rollout.state is not RolloutState.completed or place >= len(warm):
            return
        self._is_written(undone(self.record, warm[place], self.now))

    @rule()
    def retry(self) -> None:
        """What was rolled back is tried again."""
        last = self.record.rollout
        if last is None or last.state is not RolloutState.rolled_back or last.stable != self.record.stable:
            return
        attempt = self.record.attempts[last.stable, last.candidate] + 1
        self.made += 1
        again = rules.retry(last, new_id=f"r{self.made}", attempt=attempt, **ACT)
        assert again.salt not in self.salts
        self.salts.add(again.salt)
        self._is_written(self.record.moved(again))

    @invariant()
    def loading_again_changes_nothing(self) -> None:
        """The same file twice is the same file once: what was rolled back does not come back."""
        assert self.record is loaded(self.record, self.record.serve_line).record

    @invariant()
    def stable_is_not_out_nor_former(self) -> None:
        """What serves everybody may serve, and is not its own predecessor."""
        assert self.record.stable not in self.record.out
        assert self.record.stable not in {former.version for former in self.record.former}

    @invariant()
    def at_most_three_are_warm(self) -> None:
        """Each once, none out."""
        warm = self.record.warm(self.now)
        assert len(warm) == len(set(warm)) <= 3
        assert not set(warm) & set(self.record.out)

    @invariant()
    def a_candidate_has_weight_in_its_open_rollout_alone(self) -> None:
        """One that is not stable has requests from an open rollout from stable, and is then not out."""
        rollout = self.record.rollout
        if rollout is not None and rollout.candidate != self.record.stable and rollout.weight_ppm:
            assert rollout.is_in_step
            assert self.record.stable == rollout.stable
            assert rollout.candidate not in self.record.out


AnyRoute.TestCase.__doc__ = "Whatever is edited and commanded in whatever order, the law of records holds."
AnyRoute.TestCase.settings = settings(stateful_step_count=30)
TestAnyRoute = pytest.mark.untraced(AnyRoute.TestCase)


def test_a_rollout_is_taken_out_of_whatever_record_there_is():
    """Rolled back where it has gone on, undone where it is complete; of another's record its candidate alone is out."""
    out = rules.rollback(a_rollout(RolloutState.running, step=1), **ACT)
    gone_on = a_record(a_rollout(RolloutState.running, step=2)).without(out, "1.0.0")
    assert (RolloutState.rolled_back, 2, "1.0.0") == (gone_on.rollout.state, gone_on.rollout.step, gone_on.stable)
    complete = a_record(a_rollout(RolloutState.running, step=3)).moved(a_rollout(RolloutState.completed, step=3))
    undone = complete.without(out, "1.0.0")
    assert (RolloutState.rolled_back, "1.0.0") == (undone.rollout.state, undone.stable)
    other = replace(a_rollout(RolloutState.running, step=1), id="r9", candidate="1.2.0")
    kept = a_record(other).without(out, "1.0.0")
    assert (other, {"1.1.0": "rolled back: because"}) == (kept.rollout, dict(kept.out))
    again = a_record(replace(a_rollout(RolloutState.running, step=1), id="r9", attempt=2))
    assert again is again.without(out, "1.0.0")
    assert {"1.1.0": "rolled back: because"} == dict(a_record(out).without(out, "1.0.0").out)


def test_what_has_been_tried_anew_since_is_not_taken_out_by_an_earlier_attempts_late_record():
    """The later attempt was completed, and another candidate is under way: the stable release is not out."""
    out = rules.rollback(a_rollout(RolloutState.running, step=1), **ACT)
    anew = replace(a_rollout(RolloutState.completed, step=3), id="r2", attempt=2)
    third = replace(a_rollout(RolloutState.running, step=1), id="r3", stable="1.1.0", candidate="1.2.0")
    record = a_record(anew).moved(anew).moved(third)
    assert record is record.without(out, "1.0.0")
