"""The demo's own policies."""

import hashlib

import pytest

from gateway.cli.demo.acts import ACTS
from gateway.cli.demo.policies import FIRST, GUARDRAILS, PLANS, RELEASES, ROUTE, policy_files, serving
from gateway.control.policies import load

FILES = policy_files(
    {"openai": "http://127.0.0.1:1", "anthropic": "http://127.0.0.1:2"},
    {wire: hashlib.sha256(wire.encode()).hexdigest() for wire in ("openai", "anthropic")},
)


@pytest.mark.parametrize(
    ("files", "serves"),
    [(FILES, FIRST.version), *((FILES | serving(act.release, act.plan), act.release.version) for act in ACTS)],
    ids=["at first", *(act.title for act in ACTS)],
)
def test_they_are_acceptable(files, serves):
    """What serves at first and what each act asks for loads without a problem or a warning."""
    loaded = load(files)
    assert () == loaded.warnings
    assert {"support-assistant", "summaries"} == set(loaded.routes)
    assert serves == loaded.routes[ROUTE].serve


def test_releases_pin_the_models_that_the_demo_compares_answers_with():
    """What is called a release's model in the demo is its upstream model in the policies."""
    loaded = load(FILES)
    for release in RELEASES:
        pinned = loaded.routes[release.route].releases[release.version].model
        assert release.model == loaded.models[str(pinned)].upstream_model


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_a_plan_has_the_steps_that_the_demo_speaks_of(act):
    """Percentages stand for the same steps in the plan that the gateway reads, and each step asks for evidence."""
    plan = load(FILES | serving(act.release, act.plan)).routes[ROUTE].plan
    ppm = [step.percent_ppm or step.shadow_ppm for step in plan.steps]
    assert [step.percent * 10_000 for step in PLANS[act.plan]] == ppm
    assert [step.kind == "shadow" for step in PLANS[act.plan]] == [step.shadow_ppm is not None for step in plan.steps]
    assert all(step.min_requests and step.seconds for step in plan.steps)
    assert GUARDRAILS.count("metric") == len(plan.guardrails)


def test_a_careful_plan_goes_all_the_way():
    """Copies first, then the users in growing parts up to all of them."""
    assert ["shadow 50%", "5%", "25%", "50%", "100%"] == [str(step) for step in PLANS["careful"]]
