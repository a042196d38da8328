"""The course of a rollout, as the gateway's log tells it."""

import pytest

from gateway.cli.demo.course import Course, hear
from gateway.cli.demo.policies import FIRST, SOUND
from tests.cli.demo.sample import courses, event, log


def test_steps_and_ends_are_entered():
    """Each rollout is a course of its own; a step is entered once, and an end with its evidence."""
    told = courses()
    assert [("1.1.0", "1.0.0"), ("1.2.0", "1.1.0"), ("1.3.0", "1.1.0")] == [(one.release, one.stable) for one in told]
    assert [
        [("shadow", 0, 0.0), ("running", 1, 5.0), ("completed", 1, 100.0)],
        [("shadow", 0, 0.0), ("running", 1, 25.0), ("rolled_back", 1, 0.0)],
        [("shadow", 0, 0.0), ("running", 1, 25.0), ("rolled_back", 1, 0.0)],
    ] == [[(entry.state, entry.step, entry.percent) for entry in one.entries] for one in told]
    assert "guardrail" == told[1].end.evidence["rule"]


def test_what_a_rollout_is_held_by_is_known_until_it_goes_on():
    """A hold enters nothing and its reason stands; what clears it enters nothing either."""
    told: list[Course] = []
    entered = [hear(told, line) for line in log()[:3]]
    assert ([True, True, False], "8 of 30 requests") == ([entry is not None for entry in entered], told[0].waits)
    assert told[0].end is None
    assert hear(told, log()[3]) is None
    assert "" == told[0].waits


def test_the_last_step_is_not_its_completion():
    """Completed, a rollout keeps the number of its last step; that is an entry all the same."""
    told: list[Course] = []
    hear(told, event("rollout_advance", 100, SOUND, FIRST, state="baking", step=4))
    assert hear(told, event("rollout_advance", 103, SOUND, FIRST, state="completed", step=4)).is_end


@pytest.mark.parametrize("name", ["reload_accepted", "panic", "draining"])
def test_other_lines_are_no_rollout(name):
    """What else the log says is passed over."""
    told: list[Course] = []
    assert hear(told, {"event": name}) is None
    assert [] == told


def test_steps_have_their_time():
    """A step lasts until the next one is entered, the last one until now; the end is none."""
    course = courses()[0]
    assert [(100.0, 110.0), (110.0, 120.0)] == [(span.entry.at, span.until) for span in course.spans(200.0)]
    course.entries.pop()
    last = course.spans(200.0)[-1]
    assert (200.0, [False, True, False]) == (last.until, [last.holds(at) for at in (109.9, 110.0, 200.0)])
