"""When a gate looks, and how seldom it errs."""

import json
from functools import lru_cache

import numpy as np
import pytest

from gateway.core import judgement
from gateway.core.evidence import Evidence
from gateway.core.gate_looks import GateLooks
from gateway.core.judgement import Verdict, judge, look_at_gate
from gateway.core.plan import Criterion
from gateway.core.tally import Share
from tests.core.evidence_records import CANDIDATE, STABLE

DELTA = Criterion("error_rate", max_delta=0.05)


def evidence(criterion: Criterion = DELTA) -> Evidence:
    """An empty one."""
    return Evidence([criterion], stable=STABLE, candidate=CANDIDATE, track="canary", alpha=0.01)


def asked(step: Evidence, stable: tuple[int, int], candidate: tuple[int, int], criterion: Criterion = DELTA) -> Verdict:
    """The verdict once both sides have failed so many of so many, and the gate is asked."""
    step.stable.errors, step.candidate.errors = Share(*stable), Share(*candidate)
    look_at_gate(step, [criterion])
    return judge(step, criterion, "guardrail").verdict


@pytest.mark.untraced
def test_one_that_is_worse_by_the_limit_seldom_passes(monkeypatch):
    """Asked at every second, by 1,500 outcomes: in no more than 5 % of 300 steps, and two deviations."""
    monkeypatch.setattr(judgement, "difference_bound", lru_cache(None)(judgement.difference_bound))
    passed = 0
    for seed in range(300):
        rng, step = np.random.default_rng(seed), evidence()
        sides = np.zeros(4, int)
        for _ in range(150):
            sides += [rng.binomial(40, 0.02), 40, rng.binomial(10, 0.07), 10]
            if sides[3] >= step.watches[DELTA].gate.next_n:
                stable, candidate = (int(sides[0]), int(sides[1])), (int(sides[2]), int(sides[3]))
                if asked(step, stable, candidate) is Verdict.within:
                    passed += 1
                    break
    assert 300 * 0.05 + 2 * (300 * 0.05 * 0.95) ** 0.5 >= passed


@pytest.mark.parametrize(("limit", "most"), [(0.02, 200), (0.08, 50), (0.1, 40)])
def test_a_clean_candidate_passes_soon(limit: float, most: int):
    """At its first look, before which nothing is spent."""
    criterion = Criterion("error_rate", max_delta=limit)
    step = evidence(criterion)
    first = next(n for n in range(1, 400) if asked(step, (0, 4 * n), (0, n), criterion) is Verdict.within)
    assert (1, True) == (step.watches[criterion].gate.count, first <= most)


def test_between_looks_nothing_passes():
    """The next look is at half as many again, and the rule says so."""
    step = evidence()
    assert Verdict.inconclusive is asked(step, (0, 800), (8, 200))
    assert Verdict.inconclusive is asked(step, (0, 1196), (8, 299))
    assert "at look 1, of 200 outcomes (the next is at 300)" in judge(step, DELTA, "guardrail").rule
    assert Verdict.within is asked(step, (0, 1200), (3, 300))
    assert "at look 2, of 300 outcomes" in judge(step, DELTA, "guardrail").rule


def test_the_looks_survive_a_restart():
    """Through JSON, as the store keeps the evidence."""
    step = evidence()
    asked(step, (0, 800), (8, 200))
    again = Evidence.from_json(json.loads(json.dumps(step.to_json())))
    assert [1, 0, 800, 8, 200] == again.watches[DELTA].gate.to_json()
    assert judge(step, DELTA, "guardrail") == judge(again, DELTA, "guardrail")


def test_who_is_now_over_the_limit_is_not_within():
    """Whatever the last look saw."""
    step = evidence()
    assert Verdict.within is asked(step, (0, 800), (0, 200))
    assert Verdict.within is not asked(step, (0, 800), (20, 220))


def test_all_looks_share_the_error_level():
    """None has more than the first."""
    assert [0.975, 0.975, 0.99] == [pytest.approx(GateLooks().confidence(count)) for count in (0, 1, 2)]
