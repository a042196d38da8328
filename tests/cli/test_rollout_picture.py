"""How a watched rollout looks."""

import pytest
from rich.console import Console

from gateway.cli.rollout_picture import ROOMY, picture, waiting_for
from tests.cli import rollout_answers


def drawn(told, columns=80, rows=ROOMY):
    """The picture on a terminal, as lines without colours."""
    console = Console(width=columns, height=rows, force_terminal=True, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(*picture(told, columns, rows), sep="\n")
    return [line.rstrip() for line in captured.get().splitlines()]


SAMPLES = [
    rollout_answers.shadow(),
    rollout_answers.running(),
    rollout_answers.held(),
    rollout_answers.rolled_back(),
    rollout_answers.completed(),
]


@pytest.mark.parametrize("told", SAMPLES)
@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_terminal(told, columns):
    """And no heading is cut."""
    lines = drawn(told, columns)
    assert max(len(line) for line in lines) <= columns
    assert "e-value" in "\n".join(lines)
    assert "verdict" in "\n".join(lines)


def test_all_that_matters_is_in_it():
    """Where it stands, its steps and time, both sides, every guardrail and signal, its waits, its budget, its acts."""
    told = rollout_answers.running()
    lines = drawn(told)
    assert "support from 1.0.0 to 1.1.0: running, step 3 of 4, weight 25%" == lines[0]
    assert "plan careful, canary, attempt 2, rollout 5eed" == lines[1]
    assert "  shadow 10% → 1% → [25%] → 100%" == lines[3]
    assert lines[4].startswith("  ━━━━")
    assert lines[4].endswith("  2m 10s of 5m, 2m 50s left")
    whole = "\n".join(lines)
    for expected in ("1.0.0 stable ", "1.1.0 candidate ", "error_rate ", "slow_rate >8s ", "feedback.thumbs "):
        assert f"\n  {expected}" in whole
    assert f"\n  waits for     {waiting_for(told)[0]['sentence']}\n" in whole
    assert "\n  error budget  100% left of 0.50% over 28d;" in whole
    assert "  12:00:00  start by policy, step 1 of 4, shadow 10%: the serve: line was chang…" == lines[-3]
    assert lines[-1].startswith("  12:01:00  advance by gateway, step 3 of 4, weight 25%")


def test_only_the_last_acts_are_shown():
    """Three of them, the newest last."""
    told = rollout_answers.running()
    told["events"] = [{**told["events"][0], "reason": f"act {number}"} for number in range(5)]
    lines = drawn(told)
    assert ["act 2", "act 1", "act 0"] == [line.partition(": ")[2] for line in lines[-3:]]


def test_a_low_terminal_gets_no_blank_lines():
    """There the parts stand close, so that more of them are seen."""
    roomy, low = drawn(rollout_answers.running()), drawn(rollout_answers.running(), rows=ROOMY - 1)
    assert [line for line in roomy if line] == low


def test_what_ended_it_is_told():
    """In place of waits; a paused one says who paused it, too, and a long sentence keeps to its line."""
    assert any(line.startswith("  last move") for line in drawn(rollout_answers.rolled_back()))
    of = rollout_answers.rollout("paused", reason="it is Friday", actor="ada")
    paused = rollout_answers.told(of, verb="pause", judging=rollout_answers.judged(rollout_answers.watched(of)))
    lines = drawn(paused)
    assert "  waits for  a person paused it" in lines
    assert any(line.endswith("by ada: it is Friday") for line in lines)
    long = rollout_answers.held()
    long["judged"]["waits"] = [{"code": "inconclusive", "sentence": "words " * 40}]
    assert 1 == sum("words" in line for line in drawn(long))


def test_before_its_start_there_is_no_time_and_no_side():
    """The steps and the limits are shown all the same; a completed one has no bar."""
    told = rollout_answers.told(rollout_answers.rollout("held", None, holds=("not_started",)), verb="hold")
    lines = drawn({**told, "guardrails": [], "signals": []})
    assert [] == waiting_for(told)
    assert "  shadow 10% → 1% → 25% → 100%" in lines
    assert not any("━" in line or "release" in line or "guardrail" in line for line in lines)
    assert "  watched for 1h 6m since it was completed; newest answer 1h 6m ago" in drawn(rollout_answers.completed())
