"""How an act of the demo looks."""

import io

import pytest
from rich.console import Console

from gateway.cli.demo.acts import ACTS
from gateway.cli.demo.picture import STARTING, befallen, big, entered, explained, opening, scene
from tests.cli.demo.sample import FINDING, KEPT, TRIPPED, courses, tally

SOUND, SLOWING, BREAKING = ACTS

ROLLOUT = {
    "route": "support-assistant",
    "from": "1.1.0",
    "candidate": "1.2.0",
    "state": "rolled_back",
    "step": 2,
    "steps": 3,
    "weight_ppm": 0,
    "updated_at": 0.0,
    "actor": "gateway",
    "reason": "guardrail: slow_rate",
    "events": [{"evidence": {"rule": "guardrail", "findings": [KEPT, FINDING]}}, {"evidence": None}],
}


def printed(parts, width=80):
    """What a terminal of this width shows."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def told(act, number):
    """All that is told of a rollout of the sample."""
    course = courses()[number]
    return printed(part for entry in course.entries for part in entered(act, course, entry))


def test_an_act_says_what_it_is_about():
    """Its number, its title and a sentence stand above, in three lines, and the start is announced."""
    head = printed(opening(SOUND))
    assert head.startswith("Pinion demo  act 1 of 3: a sound release\nThe file now says `serve: 1.1.0`")
    assert 3 == head.count("\n")
    assert "starting two simulated providers" in printed(STARTING)


def test_each_step_is_told_with_its_reason():
    """When it was entered since the rollout began, which it is, and what the gateway said; the end as well."""
    shown = told(SOUND, 0)
    for expected in (
        "  0.0 s  step 1 of 5: 50% of stable's requests are copied to 1.1.0\n           the serve: line was changed",
        " 10.0 s  step 2 of 5: 5% of the users get 1.1.0\n           lasted 2s, 40 requests of 40 units\n",
        " 20.0 s  completed: 1.1.0 is stable\n",
    ):
        assert expected in shown
    assert "rolled back: 1.2.0 is out, weight 0%\n           guardrail: slow_rate: worse beyond" in told(SLOWING, 1)


def test_a_bake_is_told():
    """The step to all users says that it bakes."""
    course = courses()[0]
    baking = type(course.entries[1])(115.0, "baking", 4, 100.0, "every gate passed: no time to hold")
    assert "step 5 of 5: 100% of the users get 1.1.0, bake\n" in printed(entered(SOUND, course, baking))


def test_what_befalls_a_release_is_told():
    """With the seconds since its rollout began."""
    shown = printed(befallen(SLOWING, courses()[1], 141.5))
    assert "   11.5 s  the provider of 1.2.0 now writes 24 tokens a second, not 400" == shown.rstrip()


def test_an_act_fits_a_small_terminal():
    """Table and notes fit 80 columns; no line is folded, and a long hold is cut short."""
    course = courses()[0]
    course.waits = "slow_rate: not decided: " + "x" * 80
    shown = printed(scene(tally(), course, 190.0))
    assert shown.count("\n") == printed(scene(tally(), course, 190.0), width=200).count("\n")
    assert "held: slow_rate: not decided" in shown
    assert "requests harmed so far: 0 of 39; answers of a shadow to anyone: 0 of 4" in shown
    assert "summaries" not in shown
    assert "held" not in printed(scene(tally(), None, 190.0))


def test_a_guardrails_finding_is_explained():
    """Both sides with share, outcomes and units; the bound and the limit; the e-value and what it had to reach."""
    shown = printed(explained(ROLLOUT))
    for expected in (
        "$ pinion explain --rollout support-assistant",
        "support-assistant from 1.1.0 to 1.2.0: rolled back",
        "slow_rate over 0.7 s",
        "0.5%       200    180",
        "20.0%        50     45",
        "worse by 19.5 points, at most 31.0 with 95 % confidence; allowed 8",
        "e-value 412 of 40 needed to act",
    ):
        assert expected in shown
    assert shown == printed(explained(ROLLOUT), width=200)


def test_a_finding_without_numbers_is_explained_by_its_rule():
    """A mean has no e-value; a side without outcomes has no share, and nothing bounds it."""
    finding = {**FINDING, "e_value": None, "stable": None, "bound": None, "criterion": {"metric": "cost_per_request"}}
    shown = printed(explained({**ROLLOUT, "events": [{"evidence": {"findings": [finding]}}]}), width=200)
    assert "worse by 20.0 points; allowed 8" in shown
    assert FINDING["rule"] in shown


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (TRIPPED, "within 30 s: 54 requests, 3 failed, 3 in a row"),
        ({"rule": "manual"}, "by manual"),
        (None, "by nothing"),
    ],
)
def test_what_a_breaker_saw_is_explained(evidence, expected):
    """Its counts; what is no breaker's is told by its rule."""
    assert expected in printed(explained({**ROLLOUT, "events": [{"evidence": evidence}]}))


def test_a_huge_number_is_not_written_out():
    """Evidence grows beyond what anybody reads."""
    assert ["160", "1,425,716", "over 10,000,000"] == [big(160.0), big(1_425_716.0), big(1e12)]
