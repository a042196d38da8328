"""What one gateway's requests have shown, gathered, written and read."""

import json
from dataclasses import replace

import pytest

from gateway.adapters.redis_fleet import MOST_CHARACTERS
from gateway.core import fleet_message
from gateway.core.hand_over import MOST_FEEDBACK, MOST_REQUESTS, Gathered, HandOver
from gateway.core.observation import Answer, Observation

SECRET = b"s" * 32
RESOLVED = ("candidate", "resolved", 1.0, 2**64 - 1)


def seen(number, side="stable", outcome="ok"):
    """An observation of a unit of its own."""
    return Observation(side, outcome, number, 5.0 + number, Answer(1.0, 1.0) if outcome == "ok" else None)


def told_by(gathered) -> HandOver:
    """What was gathered, handed over."""
    return gathered.hand_over("desk", "rollout-1", 2, "1.0.0")


def test_what_was_gathered_is_handed_over_once_and_numbered():
    """All of it, with the time of the newest; what comes then is of the next number."""
    gathered = Gathered("g.1")
    assert not gathered
    gathered.add("a", seen(1))
    gathered.add("b", seen(2, "candidate", "failed"))
    gathered.add_feedback("a", RESOLVED)
    assert "<Gathered 2 requests for g.1 1>" == repr(gathered)
    first = told_by(gathered)
    assert ("desk", "rollout-1", 2, "1.0.0", "g.1", 1, 7.0) == (
        first.route,
        first.rollout,
        first.step,
        first.stable,
        first.source,
        first.number,
        first.at,
    )
    assert [replace(seen(1), at=7.0), replace(seen(2, "candidate", "failed"), at=7.0)] == first.observations()
    assert ((RESOLVED,), (), False) == (first.feedback, first.others, first.is_sample)
    assert not gathered
    gathered.add_feedback("c", RESOLVED)
    assert (2, "", (RESOLVED,)) == ((second := told_by(gathered)).number, second.requests, second.feedback)


def test_of_too_many_requests_there_is_a_fair_sample_and_the_number_of_the_others():
    """Nothing about a request bends it: each side and each outcome keeps its share."""
    gathered = Gathered("g.1")
    for number in range(20_000):
        side = "candidate" if number % 5 == 0 else "stable"
        gathered.add(f"req-{number}", seen(number, side, "failed" if number % 4 == 0 else "ok"))
    told = told_by(gathered)
    sample = told.observations()
    assert (MOST_REQUESTS, True) == (len(sample), told.is_sample)
    assert 20_000 == len(sample) + sum(count for _, _, count in told.others)
    assert 200 == pytest.approx(sum(each.side == "candidate" for each in sample), abs=40)
    assert 250 == pytest.approx(sum(each.outcome == "failed" for each in sample), abs=42)
    of_late = sum(each.unit >= 10_000 for each in sample)
    assert MOST_REQUESTS / 2 == pytest.approx(of_late, abs=50)
    assert () == told_by(gathered).others


def test_too_much_feedback_is_lost():
    """What is handed over is a fair part of it, and fits into a message with as many requests as can be."""
    gathered = Gathered("g" * 16 + ".1000")
    for number in range(3 * MOST_FEEDBACK):
        gathered.add_feedback(f"req-{number}", ("candidate", "x" * 64, 1e15 / 3, 2**64 - number - 1))
    for number in range(MOST_REQUESTS + 500):
        gathered.add(f"req-{number}", seen(number))
    told = told_by(gathered)
    assert MOST_FEEDBACK == len(told.feedback)
    message = json.dumps(replace(told, seal=told.sealed_with(SECRET)).written())
    assert len(message) < told.length < MOST_CHARACTERS


def written(**changes):
    """A message that is good but for these changes."""
    gathered = Gathered("g.1")
    gathered.add("a", seen(1, "candidate"))
    gathered.add_feedback("a", RESOLVED)
    told = replace(told_by(gathered), others=(("stable", "ok", 3),))
    return {**json.loads(json.dumps(replace(told, seal=told.sealed_with(SECRET)).written())), **changes}


def test_what_is_read_is_what_was_sealed():
    """It is one of the messages of the fleet; another secret's seal is not good, nor is one of something else."""
    told = fleet_message.read(written())
    assert written() == json.loads(json.dumps(fleet_message.written(told)))
    assert told.is_sealed_with(SECRET)
    assert not told.is_sealed_with(b"another")
    assert not replace(told, seal="é").is_sealed_with(SECRET)
    for changes in ({"number": 9}, {"requests": ""}, {"others": ()}, {"step": 3}, {"feedback": ()}, {"source": "h"}):
        assert not replace(told, **changes).is_sealed_with(SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"route": 5},
        {"step": -2},
        {"step": "1"},
        {"number": 0},
        {"number": 2.5},
        {"at": None},
        {"source": "x" * 41},
        {"requests": "A" * 40_000},
        {"others": [["stable", "ok"]]},
        {"others": [["nobody", "ok", 1]]},
        {"others": [["stable", ["ok"], 1]]},
        {"others": [["stable", "ok", -1]]},
        {"others": [["stable", "ok", 1]] * 15},
        {"feedback": [["stable", "Not A Name", 1.0, 1]]},
        {"feedback": [["stable", 5, 1.0, 1]]},
        {"feedback": [["stable", "resolved", "yes", 1]]},
        {"feedback": [["stable", "resolved", 10**400, 1]]},
        {"feedback": [["stable", "resolved", 1.0, 2**64]]},
        {"feedback": [["stable", "resolved", 1.0, 1]] * (MOST_FEEDBACK + 1)},
        {"seal": "x" * 65},
    ],
)
def test_what_is_not_as_a_hand_over_is_refused(changes):
    """Before its seal is looked at."""
    with pytest.raises(ValueError, match=r"^its "):
        fleet_message.read(written(**changes))
