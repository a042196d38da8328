"""The published figures of rollouts can be measured, and a short run of them misses nothing but timings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.evidence import Evidence
from gateway.core.plan import Criterion
from loadtests.rollout_cost import longest_stop
from loadtests.rollout_figures import HEAD, PARTS, arguments, table
from loadtests.rollout_simulations import (
    CANDIDATE,
    CROWDS,
    FAILS,
    STABLE,
    Figure,
    Traffic,
    most_alarms,
    record_of,
    requests,
    sample_level,
)

ROOT = Path(__file__).parent.parent.parent
PARTS_OF_A_FIGURE = {"group", "what", "value", "shown", "required", "met", "is_timing"}


@pytest.mark.untraced
def test_a_quick_run_misses_nothing_but_timings():
    """Its JSON holds every group of figures, each with what is required of it."""
    command = [sys.executable, "loadtests/rollout_figures.py", "--quick", "--json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    told = json.loads(run.stdout)

    groups = {"detection", "false rollbacks", "guardrails A/A", "experiments A/A", "30 % slower", "judging"}
    assert groups == {figure["group"] for figure in told["figures"]}
    assert all(figure.keys() == PARTS_OF_A_FIGURE and figure["shown"] for figure in told["figures"])
    assert all(bool(figure["required"]) == (figure["met"] is not None) for figure in told["figures"])
    assert len({(figure["group"], figure["what"]) for figure in told["figures"]}) == len(told["figures"])
    assert [] == [figure for figure in told["figures"] if figure["met"] is False and not figure["is_timing"]]
    assert (True, int(told["missed"] > 0)) == (told["quick"], run.returncode)


def test_a_table_is_markdown_that_reads_well_in_a_terminal():
    """All lines are of one width, and what is missed stands out."""
    rows = table([Figure("a", "b", 1.0, "one", "two", met=False), Figure("a", "longer", 2.0, "two")])

    assert 1 == len({len(row) for row in rows})
    assert [cell.strip() for cell in rows[0].split("|")[1:-1]] == list(HEAD)
    assert ["a", "b", "one", "two", "NO"] == [cell.strip() for cell in rows[2].split("|")[1:-1]]


def test_parts_can_be_chosen():
    """One or several; without any all of them."""
    assert ["judging"] == arguments(["--only", "judging"]).only
    assert arguments([]).only is None
    with pytest.raises(SystemExit):
        arguments(["--only", "nothing"])
    assert "judging" in PARTS


def test_traffic_is_what_it_is_said_to_be():
    """Shares of canary and failures, and clustered users who all stay on their side."""
    drawn = list(requests(Traffic(0.2, 0.25), 1, 20_000))
    canary = [request for request in drawn if request[1]]

    assert pytest.approx(0.25, abs=0.02) == len(canary) / len(drawn)
    assert pytest.approx(0.2, abs=0.02) == sum(request[2] for request in canary) / len(canary)
    assert list(requests(Traffic(), 7, 100)) == list(requests(Traffic(), 7, 100))
    crowd = list(requests(Traffic(weight=0.5, uneven=CROWDS["very uneven users"]), 1, 5000))
    sides = {unit: {side for other, side, _, _ in crowd if other == unit} for unit, *_ in crowd[:50]}
    assert {1} == {len(of_unit) for of_unit in sides.values()}
    assert FAILS == Traffic().canary_fails


def test_a_record_says_who_answered():
    """What the canary fails, stable answers; what stable fails, nobody does."""
    good, bad = record_of((5, True, False, 1.0), 1.0, 2), record_of((5, True, True, 1.0), 1.0, 2)
    alone = record_of((5, False, True, 1.0), 1.0, 2)

    assert ("1.1.0", "canary", "ok", 2, "chat") == (good.release, good.track, good.outcome, good.epoch, good.endpoint)
    assert ("1.0.0", "ok", ["failed", "ok"]) == (bad.release, bad.outcome, [one.outcome for one in bad.attempts])
    assert ("1.0.0", "failed", 503) == (alone.release, alone.outcome, alone.status)
    assert 5 == int(good.unit_digest[:16], 16)


def test_limits_come_from_the_sample_plan():
    """Two guardrails share 5 %, and six steps and the watch after them what is for single steps."""
    assert {"alpha": 0.025, "looks": 7} == sample_level()
    assert pytest.approx(0.05 + 2 * (0.05 * 0.95 / 1000) ** 0.5) == most_alarms(1000)


@pytest.mark.anyio
async def test_a_stop_of_the_loop_is_seen():
    """Work that never yields stops everything else for as long as it takes."""

    async def busy() -> None:
        sum(range(2_000_000))

    async def nothing() -> None: ...

    assert await longest_stop(busy) > await longest_stop(nothing)


def test_a_record_is_evidence():
    """The steps under judgement count what the figures feed them, on both sides."""
    guardrails = (Criterion("error_rate", max_delta=0.02),)
    evidence = Evidence(guardrails, stable=STABLE, candidate=CANDIDATE, track="canary", alpha=0.05)
    for is_canary in (True, False):
        evidence.hear(record_of((5, is_canary, True, 1.0), 1.0, 2))

    assert [(1, 1), (1, 1)] == [(side.errors.bad, side.errors.n) for side in (evidence.stable, evidence.candidate)]
