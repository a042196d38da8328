"""A rollout in words."""

import pytest

from gateway.cli.rollout_text import (
    HOLDS,
    act,
    evidence_words,
    hold_words,
    latest_move,
    of_plan,
    span,
    standing,
    standing_of_route,
    step_share,
)

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
    "shadow_ppm": 0,
    "plan": "careful",
    "strategy": "canary",
    "holds": [],
    "reason": "looks well",
    "actor": "local",
    "evidence": None,
    "started_at": 1_790_856_000.0,
    "updated_at": 1_790_856_060.0,
}

EVENT = {"at": 1_790_856_060.0, "verb": "promote", "state": "running", "step": 2, "weight_ppm": 10_000, "holds": []}
EVENT |= {"actor": "local", "reason": "looks well", "evidence": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "running, step 2 of 4, weight 5%"),
        ({"state": "held", "step": None, "weight_ppm": 0}, "held, before the first of 4 steps, weight 0%"),
        ({"state": "held", "step": None, "weight_ppm": 0, "steps": 1}, "held, before the first of 1 step, weight 0%"),
        ({"state": "shadow", "step": 1, "weight_ppm": 0, "shadow_ppm": 100_000}, "shadow, step 1 of 4, shadow 10%"),
        ({"state": "baking", "step": 4, "weight_ppm": 1_000_000}, "baking, step 4 of 4, weight 100%"),
        ({"state": "completed", "weight_ppm": 1_000_000}, "completed, weight 100%"),
        ({"state": "rolled_back", "weight_ppm": 0}, "rolled back, step 2 of 4, weight 0%"),
        ({"state": "rolled_back", "step": None, "weight_ppm": 0}, "rolled back, weight 0%"),
        ({"state": "superseded", "weight_ppm": 0}, "superseded, step 2 of 4, weight 0%"),
        ({"state": "paused"}, "paused, step 2 of 4, weight 5%"),
    ],
)
def test_every_state_has_its_line(changes, expected):
    """One line says the releases, the state, the step where it is at one, and the weight or the mirrored share."""
    rollout = {**ROLLOUT, **changes}
    assert f"from 1.0.0 to 1.1.0: {expected}" == standing(rollout).plain
    assert f"support from 1.0.0 to 1.1.0: {expected}" == standing_of_route(rollout).plain


def test_a_held_one_says_its_reasons():
    """In words for each code, or in the sentences that are known."""
    held = {**ROLLOUT, "state": "held", "holds": ["min_requests", "error_budget"]}
    assert standing(held).plain.endswith("weight 5%: too few requests; the error budget is short")
    assert standing(held, ["59 of 100 requests"]).plain.endswith("weight 5%: 59 of 100 requests")
    assert standing(held, []).plain.endswith("weight 5%")
    assert "something new" == hold_words("something_new")
    assert all(words and "_" not in words for words in HOLDS.values())


def test_an_older_gateways_answer_is_told_too():
    """What an answer does not have is left out."""
    older = {name: value for name, value in ROLLOUT.items() if name not in {"shadow_ppm", "strategy", "holds"}}
    assert "from 1.0.0 to 1.1.0: running, step 2 of 4, weight 5%" == standing(older).plain
    assert "careful, canary" == of_plan(older)


def test_the_latest_move_is_signed_and_dated():
    """When, by whom and why."""
    assert "2026-10-01 12:01:00 UTC by local: looks well" == latest_move(ROLLOUT)


def test_a_plan_is_named_with_its_strategy():
    """A plan without a name is said to be in the route."""
    assert "careful, canary" == of_plan(ROLLOUT)
    assert "written in the route, blue-green" == of_plan({**ROLLOUT, "plan": None, "strategy": "blue_green"})


def test_a_step_is_its_share():
    """Of the units, or of the copied requests."""
    assert "0.5%" == step_share({"percent_ppm": 5_000, "guardrails": []})
    assert "shadow 10%" == step_share({"shadow_ppm": 100_000, "guardrails": []})


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59.4, "59s"), (60, "1m"), (80, "1m 20s"), (3600, "1h"), (7500, "2h 5m"), (93_600, "1d 2h")],
)
def test_spans_have_two_units_at_most(seconds, expected):
    """As people say them."""
    assert expected == span(seconds)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "promote by local, step 2 of 4, weight 1%: looks well"),
        ({"verb": "hold", "step": None, "state": "held", "weight_ppm": 0}, "hold by local, weight 0%: looks well"),
        ({"step": 1, "state": "shadow", "weight_ppm": 0}, "promote by local, step 1 of 4, shadow 10%: looks well"),
        ({"step": 1, "state": "rolled_back", "weight_ppm": 0}, "promote by local, step 1 of 4, weight 0%: looks well"),
        ({"state": "completed", "weight_ppm": 1_000_000}, "promote by local, completed, weight 100%: looks well"),
    ],
)
def test_an_act_says_where_it_led(changes, expected):
    """The verb, who acted, the step and the share that it led to, and why."""
    rollout = {**ROLLOUT, "plan_steps": [{"shadow_ppm": 100_000}, {"percent_ppm": 10_000}]}
    assert expected == act({**EVENT, **changes}, rollout).plain


def test_evidence_is_summed_up():
    """Both sides' failures with the verdicts, the numbers of a trip, or nothing."""
    side = {"failed": 17, "judged": 1_040}
    findings = [
        {"criterion": {"metric": metric}, "verdict": verdict}
        for metric, verdict in (("error_rate", "breach"), ("schema_valid", "within"), ("slow_rate", "no_data"))
    ]
    both = {"rule": "guardrail", "candidate": side, "stable": {"failed": 0, "judged": 4}}
    failures = "candidate failed 17 of 1,040, stable failed 0 of 4"
    assert f"{failures}; 1 within, error_rate breach, slow_rate no data" == evidence_words(
        {**both, "findings": findings}
    )
    assert f"{failures}; error_rate breach" == evidence_words({**both, "findings": findings[:1]})
    assert failures == evidence_words({**both, "findings": []})
    assert "failed 3, limit 3" == evidence_words({"rule": "consecutive", "failed": 3, "limit": 3, "times": [1]})
    assert ["", ""] == [evidence_words({"rule": "manual"}), evidence_words(None)]
