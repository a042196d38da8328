"""What gateways tell each other, written and read."""

import json

import pytest

from gateway.core.fleet_message import (
    LATE,
    MOST_EVIDENCE,
    MOST_NAME,
    MOST_REASON,
    Closed,
    KeyOut,
    Look,
    Opened,
    RolloutOut,
    VersionOut,
    read,
    written,
)
from gateway.core.recorded import ArmOut

SAID = [
    RolloutOut("desk", "r-1", "rollback", "1.0.0", "ada", "broken", 5.0, {"rule": "manual"}),
    RolloutOut("desk", "r-1", "undo", "1.0.0", "gateway", "", 5.0),
    ArmOut("desk", "length", "1.1.0", "guardrail", 5.0, {"rule": "guardrail"}),
    VersionOut(("model", "atlas", "2026-01-01"), "leaks", 5.0),
    KeyOut("abc", "ada", 5.0),
    Closed("desk", "1.0.0", 2.5),
    Opened("desk", "1.0.0", "failure_rate"),
    Look(),
]

ROLLOUT = dict(written(SAID[0]))


@pytest.mark.parametrize("said", SAID, ids=repr)
def test_what_is_written_is_read_as_it_was(said):
    """Through JSON, as it travels."""
    assert said == read(json.loads(json.dumps(written(said))))


def test_what_is_too_long_is_cut_so_that_it_can_be_read():
    """A person's words are cut and made printable; evidence that is too much is left out, but for its rule."""
    said = RolloutOut(
        "desk", "r", "rollback", "1.0.0", "a" * 999, "so\n" * 9_999, 5.0, {"rule": "x", "much": "y" * 20_000}
    )
    found = read(written(said))
    assert (MOST_NAME, MOST_REASON, {"rule": "x"}) == (len(found.actor), len(found.reason), found.evidence)
    assert found.reason.startswith("so so ")
    arm = ArmOut("desk", "length", "1.1.0", "", 5.0, {"much": "y" * MOST_EVIDENCE})
    assert {} == read(written(arm)).evidence


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"kind": "promote"},
        {"kind": ["look"]},
        {"kind": None},
        {**ROLLOUT, "verb": "promote"},
        {**ROLLOUT, "route": 5},
        {**ROLLOUT, "route": "x" * (MOST_NAME + 1)},
        {**ROLLOUT, "actor": "a\nb"},
        {**ROLLOUT, "at": "now"},
        {**ROLLOUT, "at": True},
        {**ROLLOUT, "at": float("nan")},
        {**ROLLOUT, "at": -1},
        {**ROLLOUT, "evidence": []},
        {**ROLLOUT, "evidence": {"much": "y" * MOST_EVIDENCE}},
        {"kind": "rollout_out"},
        {"kind": "version_out", "key": ["person", "a", "1"], "reason": "", "at": 1},
        {"kind": "version_out", "key": ["model", "a"], "reason": "", "at": 1},
        {"kind": "version_out", "key": ["model", "a", 5], "reason": "", "at": 1},
        {"kind": "version_out", "key": "model", "reason": "", "at": 1},
        {**written(Closed("desk", "1.0.0", 1.0)), LATE: True},
        {**written(Opened("desk", "1.0.0", "probe")), LATE: True},
        {**written(Opened("desk", "1.0.0", "probe")), "rule": "mood"},
        {**written(Opened("desk", "1.0.0", "probe")), "rule": ["probe"]},
    ],
    ids=repr,
)
def test_what_is_not_as_its_kind_is_refused(message):
    """Whoever sent it. What a breaker did a while ago says nothing now."""
    with pytest.raises(ValueError, match=r"^its? "):
        read(message)
