"""A rollout in figures."""

import pytest

from gateway.cli.rollout_figures import (
    budget_words,
    criteria,
    findings_table,
    fits,
    fleet_words,
    rules,
    short_findings_table,
    shown_of,
    sides,
    split_words,
    steps_row,
    time_words,
)
from gateway.cli.terminal import UNFOLDED, show
from tests.cli import rollout_answers


@pytest.fixture
def printed(capsys):
    """What is printed for tables, each line with single blanks."""

    def tell(*tables):
        show(*tables)
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return tell


def finding_of(told, metric):
    """One finding of what is judged now."""
    return next(one for one in told["judged"]["findings"] if one["criterion"]["metric"] == metric)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (rollout_answers.shadow(), "[shadow 10%] → 1% → 25% → 100%"),
        (rollout_answers.running(), "shadow 10% → 1% → [25%] → 100%"),
        (rollout_answers.completed(), "shadow 10% → 1% → 25% → 100%"),
        ({**rollout_answers.running(), "step": None, "state": "held"}, "shadow 10% → 1% → 25% → 100%"),
    ],
)
def test_steps_are_a_row_with_the_current_one_marked(answer, expected):
    """By brackets, so that it shows without colours."""
    assert expected == steps_row(answer).plain


@pytest.mark.parametrize(
    ("elapsed", "whole", "silent", "expected"),
    [
        (130.0, 300.0, 0.0, "2m 10s of 5m, 2m 50s left"),
        (310.0, 300.0, 12.0, "5m 10s of 5m, its time is over; newest answer 12s ago"),
        (5.0, 0.0, 0.0, "5s, of no time to hold"),
        (5.0, None, 60.0, "watched for 5s since it was completed; newest answer 1m ago"),
    ],
)
def test_time_is_told_with_what_is_left(elapsed, whole, silent, expected):
    """How long it lasts, how long it still must, and how long nothing has come."""
    assert expected == time_words({"elapsed_seconds": elapsed, "step_seconds": whole, "since_answer_seconds": silent})


def test_the_fleets_part_is_told_with_what_was_missed():
    """By colour, too."""
    for missed, styles in ((0, []), (2, ["yellow"])):
        told = fleet_words({"heard": 1_234, "missed": missed})
        assert f"1,234 hand-overs of its gateways counted, {missed} missed" == told.plain
        assert styles == [str(span.style) for span in told.spans if span.style]


def test_an_error_budget_is_told_with_its_burn():
    """What is left, how fast it burns, what the canary took, and by colour whether it acts on the rollout."""
    quiet = rollout_answers.running()["judged"]["error_budget"]
    told = budget_words(quiet)
    assert "100% left of 0.50% over 28d; nothing asked lately; the canary took 0.0% of its 20%" == told.plain
    burning = {**quiet, "long_burn": 4.04, "short_burn": 5.0, "must_hold": True, "remaining": 0.5}
    assert "50% left of 0.50% over 28d; burns at 4x, lately 5x;" in budget_words(burning).plain
    styles = [str(budget_words({**burning, "must_stop": stop}).spans[0].style) for stop in (True, False)]
    assert ["red", "yellow"] == styles


def test_a_split_is_as_it_should_be_or_broken():
    """By the probability below which chance did not share the units so."""
    assert "as it should be (p = 0.98)" == split_words(0.98).plain
    assert "broken (p = 2e-05)" == split_words(2e-5).plain


def test_both_sides_stand_one_above_the_other(printed):
    """Each figure of a release below that of the other; what neither knows has no column."""
    told = rollout_answers.running()
    for side in ("stable", "candidate"):
        told["judged"][side] |= {"units": 96, "p95_seconds": 3.004, "p50_seconds": 0.25, "first_token_p50_seconds": 0.1}
    assert [
        "release weight requests units failed p50 p95 first token tokens cost valid",
        "1.0.0 stable 75% 400 96 0.00% 250 ms 3.00 s 100 ms 1,100 $0.00400 100.00%",
        "1.1.0 candidate 25% 100 96 0.00% 250 ms 3.00 s 100 ms 1,100 $0.00400 100.00%",
    ] == printed(*sides(told, shown_of(told), UNFOLDED))


def test_a_shadow_has_a_copied_share(printed):
    """Its weight is nothing."""
    told = rollout_answers.shadow()
    heading, stable, candidate = printed(*sides(told, shown_of(told), UNFOLDED))
    assert heading.startswith("release copied requests units")
    assert stable.startswith("1.0.0 stable - 400")
    assert candidate.startswith("1.1.0 candidate 10% 40 40 0.00%")


def test_feedback_and_unknown_costs_have_their_columns(printed):
    """With how many values the mean is of."""
    told = rollout_answers.running()
    told["judged"]["candidate"] |= {
        "feedback": {"thumbs": {"n": 1_718, "mean": 0.77}},
        "cost_unknown": 3,
        "tokens_per_request": None,
        "p50_seconds": None,
        "p95_seconds": 12.34,
        "first_token_p50_seconds": 0.25,
        "cost_per_request_usd": None,
        "judged": 0,
    }
    heading, stable, candidate = printed(*sides(told, shown_of(told), UNFOLDED))
    assert heading.endswith("tokens cost cost unknown valid thumbs (n)")
    assert stable.endswith("$0.00400 - 100.00% -")
    assert candidate.endswith("- - 12.3 s 250 ms - - 3 100.00% 0.77 (1,718)")


def test_a_completed_one_compares_with_before(printed):
    """The candidate is stable, and stable's last figures are the measure."""
    told = rollout_answers.completed()
    _, before, stable = printed(*sides(told, shown_of(told), UNFOLDED))
    assert before.startswith("1.0.0 before 0% 400")
    assert stable.startswith("1.1.0 stable 100% 0 0 - - -")


@pytest.mark.parametrize(("columns", "tables"), [(UNFOLDED, 1), (100, 1), (80, 2), (50, 3)])
def test_sides_stay_within_the_columns(columns, tables):
    """One table where there is room, else as many as it takes; none folds."""
    told = rollout_answers.running()
    made = list(sides(told, shown_of(told), columns))
    assert tables == len(made)
    assert all(fits(table, columns) for table in made)


def test_findings_are_a_table_of_all_criteria(printed):
    """Guardrails, the step's own among them, then signals, each with both sides, bound, limit, e-value and verdict."""
    told = rollout_answers.running()
    lines = printed(findings_table(told, shown_of(told), UNFOLDED))
    assert "guardrail stable (n) candidate (n) bound limit e-value verdict" == lines[0]
    assert lines[1].startswith("error_rate 0.00% (400) 0.00% (100) +")
    assert "pt +2 pt 0.76 of " in lines[1]
    assert lines[2].startswith("schema_valid 100.00% (400) 100.00% (100) 9")
    assert "% min 99% 0.2 of " in lines[2]
    assert lines[3].startswith("slow_rate >8s 0.00% (400) 0.00% (100) +")
    assert "signal" == lines[4]
    assert lines[5].startswith("cost_per_request $0.00400 (400) $0.00400 (100) 1")
    assert "x 1.1x - " in lines[5]
    assert "feedback.thumbs - - - -0.200 - no data" == lines[6]


def test_a_narrow_table_of_findings_puts_counts_below(printed):
    """So that 80 columns are enough."""
    told = rollout_answers.running()
    table = findings_table(told, shown_of(told), 80)
    assert fits(table, 80)
    lines = printed(table)
    assert ["stable candidate", "guardrail (n) (n) bound limit e-value verdict"] == lines[:2]
    assert lines[2].startswith("error_rate 0.00% 0.00% +")
    assert "(400) (100)" == lines[3]
    assert all(fits(short_findings_table(told, shown_of(told), columns), columns) for columns in (80, 120))


@pytest.mark.parametrize(
    ("metric", "changes", "expected"),
    [
        ("error_rate", {"e_value": 1_500_314.0, "threshold": 420.0}, "2e6 of 420 inconclusive"),
        ("error_rate", {"e_value": 1e12, "threshold": 420.0}, "1e12 of 420 inconclusive"),
        ("error_rate", {"e_value": 123_456.0, "threshold": 420.0}, "123,456 of 420 inconclusive"),
        ("error_rate", {"e_value": 1.36, "threshold": 420.0}, "1.4 of 420 inconclusive"),
        ("error_rate", {"bound": -0.003}, "-0.3 pt +2 pt"),
        ("error_rate", {"bound": None, "limit": None}, "0.00% 0.00% - - "),
        ("error_rate", {"bound": 0.0312, "limit_name": "max"}, "3.12% max 2%"),
        ("schema_valid", {"bound": 0.9757}, "97.57% min 99%"),
        ("feedback.thumbs", {"bound": 0.0688, "stable": 0.785, "candidate": 0.77}, "0.785 0.770 -0.0688 -0.200"),
    ],
)
def test_values_are_written_by_their_metric(printed, metric, changes, expected):
    """Shares in percent, how much worse in points with the sign of worse, far e-values in short."""
    told = rollout_answers.running()
    finding_of(told, metric).update({"verdict": "inconclusive", **changes})
    lines = printed(short_findings_table(told, shown_of(told), UNFOLDED))
    assert expected in next(line for line in lines if line.startswith(metric))


def test_without_evidence_the_limits_stand_alone(printed):
    """A criterion with several limits shows them all."""
    told = rollout_answers.told(rollout_answers.rollout("held", None, holds=("not_started",)), verb="hold")
    told["guardrails"].append({"metric": "slow_rate", "over": 8.0, "max_ratio": 1.5, "max": 0.1})
    assert shown_of(told) is None
    lines = printed(short_findings_table(told, None, UNFOLDED))
    assert "error_rate - - - +2 pt - -" in lines
    assert "slow_rate >8s - - - 1.5x, max 10% - -" in lines
    assert [] == list(rules(told, None))


def test_a_rolled_back_one_shows_what_decided():
    """The evidence is that of its latest act that rests on some, and the rule of a breach is red."""
    told = rollout_answers.rolled_back()
    found = shown_of(told)
    assert "rollback" == found.event["verb"]
    decided = dict(rules(told, found))
    assert ["error_rate", "schema_valid", "slow_rate >8s", "cost_per_request", "feedback.thumbs"] == list(decided)
    assert decided["error_rate"].plain.startswith("worse beyond chance (e-value ")
    styles = {name: [str(span.style) for span in rule.spans] for name, rule in decided.items()}
    assert ["bold red"] == styles["error_rate"]
    assert "bold red" not in styles["schema_valid"]
    manual = {**told["events"][0], "evidence": {"rule": "manual"}}
    assert found.event == shown_of({**told, "events": [manual, *told["events"]]}).event


def test_every_criterion_of_now_is_named():
    """Those of the step are there in the step alone."""
    now = [criterion["metric"] for _, criterion in criteria(rollout_answers.running())]
    assert ["error_rate", "schema_valid", "slow_rate", "cost_per_request", "feedback.thumbs"] == now
    assert "slow_rate" not in [criterion["metric"] for _, criterion in criteria(rollout_answers.shadow())]
