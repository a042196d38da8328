"""A rollout in words."""

import pytest

from gateway.cli.rollout_text import latest_move, standing, standing_of_route, story
from gateway.cli.terminal import show

ROLLOUT = {
    "id": "5eed",
    "route": "support",
    "from": "1.0.0",
    "candidate": "1.1.0",
    "attempt": 2,
    "state": "running",
    "step": 2,
    "steps": 4,
    "weight_ppm": 50_000,
    "plan": "careful",
    "reason": "looks well",
    "actor": "local",
    "evidence": None,
    "started_at": 1_790_856_000.0,
    "updated_at": 1_790_856_060.0,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "running, step 2 of 4, weight 5%"),
        ({"state": "held", "step": None, "weight_ppm": 0}, "held, before the first of 4 steps, weight 0%"),
        ({"state": "held", "step": None, "weight_ppm": 0, "steps": 1}, "held, before the first of 1 step, weight 0%"),
        ({"state": "completed", "weight_ppm": 1_000_000}, "completed, weight 100%"),
        ({"state": "rolled_back", "weight_ppm": 0}, "rolled back, step 2 of 4, weight 0%"),
        ({"state": "rolled_back", "step": None, "weight_ppm": 0}, "rolled back, weight 0%"),
        ({"state": "superseded", "weight_ppm": 0}, "superseded, step 2 of 4, weight 0%"),
        ({"state": "paused"}, "paused, step 2 of 4, weight 5%"),
    ],
)
def test_every_state_has_its_line(changes, expected):
    """One line says the releases, the state, the step where it is at one, and the weight."""
    rollout = {**ROLLOUT, **changes}
    assert f"from 1.0.0 to 1.1.0: {expected}" == standing(rollout).plain
    assert f"support from 1.0.0 to 1.1.0: {expected}" == standing_of_route(rollout).plain


def test_the_latest_move_is_signed_and_dated():
    """When, by whom and why."""
    assert "2026-10-01 12:01:00 UTC by local: looks well" == latest_move(ROLLOUT)


def test_a_story_names_every_criterion_and_tells_the_acts_in_order(capsys):
    """Guardrails and signals are named with their limits, and the acts follow, the oldest first."""
    act = {"weight_ppm": 10_000, "actor": "local", "evidence": None}
    events = [
        {**act, "at": 1_790_856_060.0, "verb": "promote", "state": "running", "step": 2, "reason": "looks well"},
        {**act, "at": 1_790_856_000.0, "verb": "hold", "state": "held", "step": None, "reason": "new"},
    ]
    guardrails = [
        {"metric": "error_rate", "max_delta": 0.02},
        {"metric": "slow_rate", "over": 8.0, "max_ratio": 1.5, "max": 0.1},
    ]
    told = {**ROLLOUT, "guardrails": guardrails, "signals": [{"metric": "schema_valid", "min": 0.99}], "events": events}
    show(*story(told))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "support from 1.0.0 to 1.1.0: running, step 2 of 4, weight 5%" == lines[0]
    for expected in (
        "plan careful",
        "rollout 5eed, attempt 2",
        "error_rate at most 0.02 above stable",
        "slow_rate over 8s at most 1.5 times stable, at most 0.1",
        "schema_valid at least 0.99",
    ):
        assert expected in lines
    assert [
        "2026-10-01 12:00:00 UTC hold by local, weight 1%: new",
        "2026-10-01 12:01:00 UTC promote by local, step 2 of 4, weight 1%: looks well",
    ] == lines[-2:]


def test_a_plan_in_place_and_no_criteria(capsys):
    """A plan without a name is said to be in the route; without criteria there is no table of them."""
    show(*story({**ROLLOUT, "plan": None, "guardrails": [], "signals": [], "events": []}))
    printed = capsys.readouterr().out
    assert "written in the route" in printed
    assert "limit" not in printed
