"""A rollout's whole story."""

import pytest
from jsonschema import Draft202012Validator

from gateway.api.openapi import document
from gateway.cli.rollout_story import story
from gateway.cli.terminal import UNFOLDED, show
from tests.cli import rollout_answers


@pytest.fixture
def lines(capsys):
    """What is printed for a story, each line with single blanks."""

    def tell(told, columns=UNFOLDED):
        show(*story(told, columns))
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return tell


@pytest.mark.parametrize(
    "answer",
    [
        rollout_answers.shadow(),
        rollout_answers.running(),
        rollout_answers.held(),
        rollout_answers.rolled_back(),
        rollout_answers.completed(),
        rollout_answers.completed(is_watched=False),
    ],
)
def test_the_samples_are_as_the_document_says(answer):
    """What these tests show is what the operations API answers."""
    schema = {"$ref": "#/components/schemas/RolloutExplanation", "components": document()["components"]}
    Draft202012Validator(schema).validate(answer)


def test_one_under_way_tells_all_of_it(lines):
    """Where it stands, what it waits for, both sides, every guardrail with the rule that decides, and the acts."""
    told = rollout_answers.running()
    said = lines(told)
    assert "support from 1.0.0 to 1.1.0: running, step 3 of 4, weight 25%" == said[0]
    for expected in (
        "last move 2026-10-01 12:01:00 UTC by gateway: every gate passed",
        "rollout 5eed, attempt 2",
        "plan careful, canary",
        "steps shadow 10% → 1% → [25%] → 100%",
        "time 2m 10s of 5m, 2m 50s left",
        f"waits for {told['judged']['waits'][0]['sentence']}",
        "error budget 100% left of 0.50% over 28d",
        "split as it should be (p = ",
        "1.1.0 candidate 25% 100",
        "error_rate 0.00% (400) 0.00% (100) +",
        "slow_rate >8s not decided: 0.0 points above stable, at most 3.7 points worse than stable with 95 % confidence",
        "feedback.thumbs the candidate has no outcome to judge",
    ):
        assert any(line.startswith(expected) for line in said), expected
    assert [
        "2026-10-01 12:00:00 UTC start by policy, step 1 of 4, shadow 10%: the serve: line was changed to 1.1.0",
        "2026-10-01 12:01:00 UTC advance by gateway, step 1 of 4, shadow 10%: every gate passed",
        "candidate failed 0 of 100, stable failed 0 of 400;"
        " 1 within, error_rate inconclusive, schema_valid inconclusive, feedback.thumbs no data",
        "2026-10-01 12:01:00 UTC advance by gateway, step 3 of 4, weight 25%: every gate passed",
    ] == said[-4:]


def test_one_in_a_fleet_tells_how_much_of_the_others_word_it_has(lines):
    """Without a fleet there is no word of it."""
    told = rollout_answers.running()
    assert not any(said.startswith("fleet") for said in lines(told))
    judged = {**told["judged"], "hand_overs": {"heard": 7, "missed": 1}}
    assert "fleet 7 hand-overs of its gateways counted, 1 missed" in lines({**told, "judged": judged})


def test_a_held_one_lists_its_waits(lines):
    """A line for each, in words and numbers."""
    said = lines(rollout_answers.held())
    assert said[0].endswith("held, step 2 of 4, weight 1%: too few requests")
    first = said.index("40 of 100 requests")
    assert "a person's word: pinion rollout promote support" == said[first + 1]


def test_a_rolled_back_one_shows_the_finding_that_decided(lines):
    """With the figures that it rests on, and when that was."""
    told = rollout_answers.rolled_back()
    said = lines(told)
    assert "support from 1.0.0 to 1.1.0: rolled back, step 3 of 4, weight 0%" == said[0]
    assert "what the rollback of 2026-10-01 12:01:00 UTC rested on" in said
    assert not any(line.startswith(("time", "waits for", "error budget")) for line in said)
    assert any(line.startswith("error_rate 0.00% (400) 42.50% (40) +") and line.endswith(" breach") for line in said)
    assert any(line.startswith("error_rate worse beyond chance (e-value ") for line in said)
    assert "candidate failed 17 of 40, stable failed 0 of 400; " in said[-1]
    assert "error_rate breach, schema_valid inconclusive" in said[-1]


def test_a_completed_one_is_told_while_it_is_watched_and_after(lines):
    """First with what it shows as stable, then with what its last act rested on."""
    said = lines(rollout_answers.completed())
    assert "time watched for 1h 6m since it was completed; newest answer 1h 6m ago" in said
    said = lines(rollout_answers.completed(is_watched=False))
    assert "what the advance of 2026-10-01 12:01:00 UTC rested on" in said
    assert any(line.startswith("1.1.0 stable 100 100 0.00%") for line in said)


def test_a_plan_without_limits_before_its_start(lines):
    """There is no table, and nothing to show but what is recorded."""
    told = rollout_answers.told(rollout_answers.rollout("held", None, holds=("not_started",)), verb="hold")
    bare = {**told, "guardrails": [], "signals": []}
    assert [
        "support from 1.0.0 to 1.1.0: held, before the first of 4 steps, weight 0%: nobody has started it",
        "last move 2026-10-01 12:01:00 UTC by gateway: every gate passed",
        "rollout 5eed, attempt 2",
        "plan careful, canary",
        "steps shadow 10% → 1% → 25% → 100%",
        "",
        "2026-10-01 12:01:00 UTC hold by gateway, weight 0%: every gate passed",
    ] == lines(bare)


def test_on_a_terminal_each_day_stands_once(lines):
    """So that the reasons have room."""
    said = lines(rollout_answers.running(), columns=120)
    day = said.index("2026-10-01 times in UTC")
    assert said[day + 1].startswith("12:00:00 start by policy")
    assert said[day + 2].startswith("12:01:00 advance by gateway")
    assert 1 == sum("times in UTC" in line for line in said)
